//! The parameters of a query: each known, each once, each UTF-8. A token is never looked for here.

use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::model::{Error, Result};

const MAX_PARAMS: usize = 32;

pub struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Params<'a> {
    /// Form encoding: `+` is a space. Whatever is not UTF-8 is refused rather than replaced: it could name another object.
    pub fn of(uri: &'a Uri) -> Result<Self> {
        let mut params: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if params.len() == MAX_PARAMS || params.iter().any(|(known, _)| *known == name) {
                return Err(wrong("a parameter comes twice, or there are too many"));
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    pub fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    pub fn require(&mut self, name: &str) -> Result<Cow<'a, str>> {
        self.take(name).ok_or_else(|| wrong(format!("the parameter '{name}' is missing")))
    }

    /// Whatever was not taken is unknown.
    pub fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(format!("there is no parameter '{}' here", name.chars().take(64).collect::<String>().escape_default()))),
        }
    }
}

pub fn wrong(message: impl Into<String>) -> Error {
    Error::invalid("invalid_parameter", message)
}

fn decoded(text: &str) -> Result<Cow<'_, str>> {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    let utf8 = || wrong("a parameter is not percent-encoded UTF-8");
    if !spaced.contains('%') {
        return Ok(spaced);
    }
    Ok(Cow::Owned(percent_decode_str(&spaced).decode_utf8().map_err(|_| utf8())?.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(query: &str) -> Result<String> {
        let uri: Uri = format!("/x?{query}").parse().unwrap();
        let mut params = Params::of(&uri)?;
        let value = params.require("source_path")?.into_owned();
        params.finish().map(|()| value)
    }

    #[test]
    fn l16_a_source_path_arrives_byte_for_byte() {
        for (query, value) in [
            ("source_path=s3://b/k", Some("s3://b/k")),
            ("source_path=s3%3A%2F%2Fb%2Fa%2Bb", Some("s3://b/a+b")),
            ("source_path=a+b", Some("a b")),
            ("source_path=100%25.txt", Some("100%.txt")),
            ("source_path=%E6%97%A5=&", Some("日=")),
            ("source_path=a%23b%3Fc%26d", Some("a#b?c&d")),
            ("source_path=%ff", None),
            ("source_path=a&source_path=b", None),
            ("source_path=a&token=b", None),
            ("", None),
        ] {
            assert_eq!(source(query).ok().as_deref(), value, "{query}");
        }
    }
}
