//! Condition operators of IAM policies. An operator is a type here, so an unknown one cannot be evaluated: it cannot be parsed.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::glob::{self, Token};
use super::policy::{Context, strings};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    IpAddress,
    ArnLike,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    Single,
    AnyValue,
    AllValues,
}

#[derive(Clone, Debug)]
pub struct Condition {
    /// In lower case.
    key: String,
    values: Vec<String>,
    test: Test,
}

#[derive(Clone, Copy, Debug)]
enum Test {
    /// `Null`: whether the key must be absent.
    Absent(bool),
    Compare {
        comparison: Comparison,
        negated: bool,
        if_exists: bool,
        quantifier: Quantifier,
    },
}

impl Condition {
    /// The value of a `Condition` element: operators, each with keys, each with values. All must hold.
    pub fn parse_all(value: &Value) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        for (operator, keys) in value.as_object().ok_or("Condition must be an object")? {
            for (key, values) in keys.as_object().ok_or("an operator holds keys")? {
                let values = match values {
                    Value::Bool(flag) => vec![flag.to_string()],
                    Value::Number(number) => vec![number.to_string()],
                    other => strings(other)?,
                };
                if !key.contains(':') {
                    return Err(format!("{key} is not a condition key"));
                }
                all.push(Self { key: key.to_ascii_lowercase(), test: Test::parse(operator, &values)?, values });
            }
        }
        Ok(all)
    }

    #[must_use]
    pub fn holds(&self, context: &Context) -> bool {
        let actual = context.get(&self.key).filter(|values| !values.is_empty());
        let (comparison, negated, if_exists, quantifier) = match self.test {
            Test::Absent(absent) => return actual.is_none() == absent,
            Test::Compare { comparison, negated, if_exists, quantifier } => (comparison, negated, if_exists, quantifier),
        };
        let Some(actual) = actual else {
            return if_exists || quantifier == Quantifier::AllValues || (negated && quantifier == Quantifier::Single);
        };
        // Several values of the policy are alternatives; negated, none of them may match.
        let one = |value: &str| self.values.iter().any(|expected| comparison.matches(value, expected, context)) != negated;
        match (quantifier, actual.as_slice()) {
            (Quantifier::Single, [value]) => one(value),
            (Quantifier::Single, _) => false,
            (Quantifier::AnyValue, values) => values.iter().any(|value| one(value)),
            (Quantifier::AllValues, values) => values.iter().all(|value| one(value)),
        }
    }
}

impl Test {
    fn parse(operator: &str, values: &[String]) -> Result<Self, String> {
        if operator == "Null" {
            return match values {
                [flag] if flag == "true" || flag == "false" => Ok(Self::Absent(flag == "true")),
                _ => Err("Null takes true or false".into()),
            };
        }
        let (quantifier, rest) = match operator.split_once(':') {
            None => (Quantifier::Single, operator),
            Some(("ForAnyValue", rest)) => (Quantifier::AnyValue, rest),
            Some(("ForAllValues", rest)) => (Quantifier::AllValues, rest),
            Some(_) => return Err(format!("{operator} is not a condition operator")),
        };
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        use Comparison as C;
        let (comparison, negated) = match name {
            "StringEquals" => (C::StringEquals, false),
            "StringNotEquals" => (C::StringEquals, true),
            "StringEqualsIgnoreCase" => (C::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (C::StringEqualsIgnoreCase, true),
            "StringLike" => (C::StringLike, false),
            "StringNotLike" => (C::StringLike, true),
            "NumericEquals" => (C::NumericEquals, false),
            "NumericNotEquals" => (C::NumericEquals, true),
            "NumericLessThan" => (C::NumericLessThan, false),
            "NumericLessThanEquals" => (C::NumericLessThanEquals, false),
            "NumericGreaterThan" => (C::NumericGreaterThan, false),
            "NumericGreaterThanEquals" => (C::NumericGreaterThanEquals, false),
            "DateEquals" => (C::DateEquals, false),
            "DateNotEquals" => (C::DateEquals, true),
            "DateLessThan" => (C::DateLessThan, false),
            "DateLessThanEquals" => (C::DateLessThanEquals, false),
            "DateGreaterThan" => (C::DateGreaterThan, false),
            "DateGreaterThanEquals" => (C::DateGreaterThanEquals, false),
            "Bool" => (C::Bool, false),
            "IpAddress" => (C::IpAddress, false),
            "NotIpAddress" => (C::IpAddress, true),
            "ArnEquals" | "ArnLike" => (C::ArnLike, false),
            "ArnNotEquals" | "ArnNotLike" => (C::ArnLike, true),
            _ => return Err(format!("{operator} is not a condition operator")),
        };
        Ok(Self::Compare { comparison, negated, if_exists, quantifier })
    }
}

impl Comparison {
    fn matches(self, actual: &str, expected: &str, context: &Context) -> bool {
        let Some(tokens) = glob::expand(expected, context) else { return false };
        // For whatever takes no pattern, a `*` is a `*`.
        let text: String = tokens
            .iter()
            .map(|token| {
                if let Token::Char(character) = token {
                    *character
                } else if *token == Token::One {
                    '?'
                } else {
                    '*'
                }
            })
            .collect();
        let numbers = || Some((actual.parse::<f64>().ok()?, text.parse::<f64>().ok()?));
        let dates = || Some((date(actual)?, date(&text)?));
        match self {
            Self::StringEquals => actual == text,
            Self::StringEqualsIgnoreCase | Self::Bool => actual.to_lowercase() == text.to_lowercase(),
            Self::StringLike => glob::run(&tokens, actual),
            Self::ArnLike => arn_like(&tokens, actual),
            Self::IpAddress => match (actual.parse::<IpAddr>(), text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from))) {
                (Ok(address), Ok(network)) => network.contains(&address),
                _ => false,
            },
            Self::NumericEquals => numbers().is_some_and(|(a, b)| a == b),
            Self::NumericLessThan => numbers().is_some_and(|(a, b)| a < b),
            Self::NumericLessThanEquals => numbers().is_some_and(|(a, b)| a <= b),
            Self::NumericGreaterThan => numbers().is_some_and(|(a, b)| a > b),
            Self::NumericGreaterThanEquals => numbers().is_some_and(|(a, b)| a >= b),
            Self::DateEquals => dates().is_some_and(|(a, b)| a == b),
            Self::DateLessThan => dates().is_some_and(|(a, b)| a < b),
            Self::DateLessThanEquals => dates().is_some_and(|(a, b)| a <= b),
            Self::DateGreaterThan => dates().is_some_and(|(a, b)| a > b),
            Self::DateGreaterThanEquals => dates().is_some_and(|(a, b)| a >= b),
        }
    }
}

/// Each of the six parts matches on its own: a `*` does not reach over a colon, but in the last.
fn arn_like(pattern: &[Token], actual: &str) -> bool {
    let patterns: Vec<&[Token]> = pattern.splitn(6, |token| *token == Token::Char(':')).collect();
    let parts: Vec<&str> = actual.splitn(6, ':').collect();
    patterns.len() == 6 && parts.len() == 6 && patterns.iter().zip(parts).all(|(pattern, part)| glob::run(pattern, part))
}

fn date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok())
}
