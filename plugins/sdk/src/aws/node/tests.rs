//! What is written is read back by readers that know nothing of the writers: serde for JSON, a small one for HCL, a real shell.

use std::iter::Peekable;
use std::process::Command;
use std::str::Chars;

use proptest::prelude::*;
use serde_json::{Map, Number, Value};

use super::*;

/// Reads an expression of HCL: quoted text without templates, whole numbers, tuples, objects with a field a line. `None` for anything else.
fn read_hcl(text: &str) -> Option<Value> {
    let mut rest = text.chars().peekable();
    let value = expression(&mut rest)?;
    blank(&mut rest);
    rest.next().is_none().then_some(value)
}

fn blank(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|character| character.is_ascii_whitespace()).is_some() {}
}

fn expression(rest: &mut Peekable<Chars<'_>>) -> Option<Value> {
    blank(rest);
    match rest.peek()? {
        '"' => quoted(rest).map(Value::String),
        '0'..='9' => {
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            Some(Value::Number(Number::from(digits.parse::<u32>().ok()?)))
        }
        '[' => {
            rest.next();
            let mut items = Vec::new();
            loop {
                blank(rest);
                if rest.next_if_eq(&']').is_some() {
                    return Some(Value::Array(items));
                }
                items.push(expression(rest)?);
                blank(rest);
                if rest.next_if_eq(&',').is_none() && rest.peek() != Some(&']') {
                    return None;
                }
            }
        }
        '{' => {
            rest.next();
            let mut fields = Map::new();
            loop {
                blank(rest);
                if rest.next_if_eq(&'}').is_some() {
                    return Some(Value::Object(fields));
                }
                let name = if rest.peek() == Some(&'"') { quoted(rest)? } else { identifier(rest)? };
                while rest.next_if_eq(&' ').is_some() {}
                rest.next_if_eq(&'=')?;
                let value = expression(rest)?;
                // A field ends with its line.
                rest.next_if_eq(&'\n')?;
                if fields.insert(name, value).is_some() {
                    return None;
                }
            }
        }
        _ => None,
    }
}

fn identifier(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut name = String::from(rest.next_if(|first| first.is_ascii_alphabetic() || *first == '_')?);
    while let Some(character) = rest.next_if(|character| character.is_ascii_alphanumeric() || "_-".contains(*character)) {
        name.push(character);
    }
    Some(name)
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    rest.next_if_eq(&'"')?;
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\n' => return None,
            '$' | '%' if rest.peek() == Some(&'{') => return None,
            '\\' => text.push(match rest.next()? {
                '"' => '"',
                '\\' => '\\',
                'n' => '\n',
                kind @ ('u' | 'U') => {
                    let digits: String = rest.take(if kind == 'u' { 4 } else { 8 }).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                _ => return None,
            }),
            other => text.push(other),
        }
    }
}

fn value(node: &Node) -> Value {
    match node {
        Node::Text(text) => Value::String(text.clone()),
        Node::Number(number) => Value::Number(Number::from(*number)),
        Node::List(items) => Value::Array(items.iter().map(value).collect()),
        Node::Map(fields) => Value::Object(fields.iter().map(|(name, node)| (name.clone(), value(node))).collect()),
    }
}

#[test]
fn b07_the_small_reader_refuses_what_terraform_would_not_take_for_text() {
    for text in ["", "\"", "\"a\nb\"", "\"${x}\"", "\"a%{if}\"", "\"\\x\"", "{ a = 1 }", "{\n  a b\n}", "[1 2]", "{\n  a = 1\n  a = 2\n}", "x", "\"a\" \"b\""] {
        assert_eq!(read_hcl(text), None, "{text}");
    }
}

#[test]
fn b07_documents_are_indented_as_people_and_terraform_fmt_write_them() {
    let node = map([
        ("Sid", Node::text("One")),
        ("Effect", Node::text("Allow")),
        ("Principal", map([("AWS", Node::text("arn"))])),
        ("Condition", map([("StringEquals", map([("sts:ExternalId", Node::text("id"))]))])),
        ("Methods", Node::texts(&["GET", "HEAD"])),
        ("Statement", Node::List(vec![map([("A", Node::Number(1))])])),
    ]);
    let hcl = r#"{
  Sid    = "One"
  Effect = "Allow"
  Principal = {
    AWS = "arn"
  }
  Condition = {
    StringEquals = {
      "sts:ExternalId" = "id"
    }
  }
  Methods = ["GET", "HEAD"]
  Statement = [
    {
      A = 1
    },
  ]
}"#;
    assert_eq!(node.hcl(0), hcl);
    assert!(node.json().starts_with("{\n  \"Sid\": \"One\",\n  \"Effect\": \"Allow\",\n  \"Principal\": {\n    \"AWS\": \"arn\"\n  },\n"), "{}", node.json());
}

/// Any text, and often what means something in one of the languages.
fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            any::<char>().prop_map(String::from),
            proptest::sample::select(vec![
                "${", "%{", "$${", "$", "%", "'", "\"", "\\", "\\u0024", "`", "$(x)", "!", "*", "\n", "#", "//", "EOF", " ", "}", "🧪"
            ])
            .prop_map(str::to_owned),
        ],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

fn any_node() -> impl Strategy<Value = Node> {
    prop_oneof![any_text().prop_map(Node::Text), any::<u32>().prop_map(Node::Number)].prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            proptest::collection::btree_map(any_text(), inner, 0..4).prop_map(|fields| Node::Map(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn b07_whatever_is_in_a_document_it_is_read_back(node in any_node()) {
        let (json, hcl) = (node.json(), node.hcl(0));
        prop_assert!(json.is_ascii() && hcl.is_ascii());
        prop_assert_eq!(serde_json::from_str::<Value>(&json).ok(), Some(value(&node)), "{}", json);
        prop_assert_eq!(read_hcl(&hcl), Some(value(&node)), "{}", hcl);
    }

    #[test]
    fn b07_a_shell_takes_a_quoted_text_for_one_word(texts in proptest::collection::vec(any_text().prop_map(|text| text.replace('\0', "")), 1..8)) {
        let words: Vec<String> = texts.iter().map(|text| sh_text(text)).collect();
        let script = format!("for word in {}; do printf '%s\\0' \"$word\"; done", words.join(" "));
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let expected: String = texts.iter().map(|text| format!("{text}\0")).collect();
        prop_assert_eq!(String::from_utf8(output.stdout).ok(), Some(expected), "{}", script);
    }
}
