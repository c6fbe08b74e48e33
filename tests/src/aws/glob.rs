//! IAM's patterns: `*`, `?`, and policy variables `${key}`.

use super::policy::Context;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Char(char),
    One,
    Any,
}

/// Without variables.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    run(&pattern.chars().map(wild).collect::<Vec<_>>(), text)
}

/// Replaces `${key}`, `${key, 'default'}` and the escapes `${*}`, `${?}`, `${$}`. What a variable stands for is never a pattern.
/// `None`: a variable has no value.
#[must_use]
pub fn expand(pattern: &str, context: &Context) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        let (name, tail) = after.get(2..)?.split_once('}')?;
        tokens.extend(before.chars().map(wild));
        let (key, default) = match name.split_once(',') {
            Some((key, default)) => (key.trim(), default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''))),
            None => (name, None),
        };
        let value = match key {
            "*" | "?" | "$" => key,
            _ => match context.get(&key.to_ascii_lowercase()).map(Vec::as_slice) {
                Some([value]) => value,
                Some(_) => return None,
                None => default?,
            },
        };
        tokens.extend(value.chars().map(Token::Char));
        rest = tail;
    }
    tokens.extend(rest.chars().map(wild));
    Some(tokens)
}

fn wild(character: char) -> Token {
    match character {
        '*' => Token::Any,
        '?' => Token::One,
        other => Token::Char(other),
    }
}

/// Linear but for the last `*`: no pattern can make it explode.
#[must_use]
pub fn run(pattern: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(character) = text.get(seen) {
        match pattern.get(at) {
            Some(Token::Any) => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(token) if *token == Token::One || *token == Token::Char(*character) => (at, seen) = (at + 1, seen + 1),
            _ => match &mut retry {
                Some((resume, from)) => {
                    *from += 1;
                    (at, seen) = (*resume, *from);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|token| *token == Token::Any)
}

#[cfg(test)]
mod tests {
    use super::{Context, expand, matches, run};

    #[test]
    fn patterns_match_as_iam_documents_them() {
        for (pattern, text, expected) in [
            ("s3:Get*", "s3:PutObject", false),
            ("a?c", "ac", false),
            ("a*b", "a-b-c", false),
            ("", "x", false),
            ("*", "", true),
            ("arn:aws:s3:::b/train/*", "arn:aws:s3:::b/train/", true),
            ("arn:aws:s3:::b/train/*", "arn:aws:s3:::b/training/x", false),
            ("a*b*c", "a1b2b3c", true),
            ("日*🧪", "日本語/🧪", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn a_variable_without_a_value_matches_nothing_and_its_value_is_no_pattern() {
        let context = Context::from([("aws:principaltag/org".to_owned(), vec!["a*".to_owned()])]);
        let hit = |pattern: &str, text: &str| expand(pattern, &context).is_some_and(|tokens| run(&tokens, text));
        assert!(!hit("b/${aws:PrincipalTag/team}/*", "b//x"), "absent");
        assert!(!hit("b/${aws:PrincipalTag/org}/x", "b/abc/x"), "a star in a value is a star");
        assert!(hit("b/${aws:PrincipalTag/org}/x", "b/a*/x"));
        assert!(hit("${aws:PrincipalTag/team, 'none'}", "none"));
        assert!(!hit("${*}", "x"));
        assert!(hit("${*}", "*"));
    }
}
