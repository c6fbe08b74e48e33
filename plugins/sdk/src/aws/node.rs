//! A small tree that is written as JSON or as an expression of Terraform's language (HCL). In ASCII: IAM takes nothing beyond Latin-1.

/// Text, whole numbers, lists, and maps whose order is kept.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Number(u32),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

pub(super) fn map<K: Into<String>>(fields: impl IntoIterator<Item = (K, Node)>) -> Node {
    Node::Map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

impl Node {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn texts(texts: &[&str]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text)).collect())
    }

    /// Indented by two spaces, as AWS's console shows it.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, 0);
        out
    }

    /// As `terraform fmt` writes it. `depth`: of the line that it begins on.
    pub fn hcl(&self, depth: usize) -> String {
        let mut out = String::new();
        self.write_hcl(&mut out, depth);
        out
    }

    fn write_json(&self, out: &mut String, depth: usize) {
        match self {
            Self::Text(text) => out.push_str(&json_text(text)),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::List(items) => block(out, depth, ['[', ']'], items, |out, item, last| {
                item.write_json(out, depth + 1);
                out.push_str(if last { "" } else { "," });
            }),
            Self::Map(fields) => block(out, depth, ['{', '}'], fields, |out, (name, value), last| {
                out.push_str(&json_text(name));
                out.push_str(": ");
                value.write_json(out, depth + 1);
                out.push_str(if last { "" } else { "," });
            }),
        }
    }

    fn write_hcl(&self, out: &mut String, depth: usize) {
        match self {
            Self::Text(text) => out.push_str(&hcl_text(text)),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::List(items) if items.iter().all(Self::is_plain) => {
                let items: Vec<String> = items.iter().map(|item| item.hcl(depth)).collect();
                out.push_str(&format!("[{}]", items.join(", ")));
            }
            Self::List(items) => block(out, depth, ['[', ']'], items, |out, item, _| {
                item.write_hcl(out, depth + 1);
                out.push(',');
            }),
            Self::Map(fields) => {
                let lines = assignments(fields.iter().map(|(name, value)| (hcl_name(name), value.hcl(depth + 1))));
                block(out, depth, ['{', '}'], &lines, |out, line, _| out.push_str(line));
            }
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Number(_))
    }
}

/// `name = value`, with the signs of neighbouring lines below each other; what takes several lines has none.
pub(super) fn assignments(fields: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let fields: Vec<(String, String)> = fields.collect();
    let width = |from: &[(String, String)]| from.iter().take_while(|(_, value)| !value.contains('\n')).map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines = Vec::with_capacity(fields.len());
    let mut aligned = 0;
    for (index, (name, value)) in fields.iter().enumerate() {
        let begins = index.checked_sub(1).and_then(|before| fields.get(before)).is_none_or(|(_, before)| before.contains('\n'));
        if begins {
            aligned = width(fields.get(index..).unwrap_or_default());
        }
        let aligned = if value.contains('\n') { name.len() } else { aligned };
        lines.push(format!("{name:aligned$} = {value}"));
    }
    lines
}

fn block<T>(out: &mut String, depth: usize, [open, close]: [char; 2], items: &[T], write: impl Fn(&mut String, &T, bool)) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth + 1));
        write(out, item, index + 1 == items.len());
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(close);
}

fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    out.push('"');
    out
}

/// A quoted template without templates in it: `${` and `%{` would begin one.
pub(super) fn hcl_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '$' | '%' if characters.peek() == Some(&'{') => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            ' '..='~' => out.push(character),
            _ if u32::from(character) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    out.push('"');
    out
}

/// A name as it is where that is an identifier.
fn hcl_name(name: &str) -> String {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if begins && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') { name.to_owned() } else { hcl_text(name) }
}

/// One word for a POSIX shell, whatever is in it.
pub(super) fn sh_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
