//! Reads what to ingest: arguments, or a file with one source path or JSON object a line, or a JSON array.

use std::io::Read;

use serde_json::{Map, Value, json};

use super::failure::{Failure, Result};

/// What the API takes in one job.
pub(super) const MAX_ASSETS: usize = 10_000;
const MAX_INPUT: u64 = 32 << 20;

/// Assets as the API takes them: `{source_path, metadata}`. `common` metadata goes to each; an asset's own wins.
pub(super) fn assets(arguments: &[String], from: Option<&str>, common: &Map<String, Value>) -> Result<Vec<Value>> {
    let mut entries: Vec<Value> = arguments.iter().map(|path| Value::from(path.as_str())).collect();
    match from {
        Some("-") => entries.extend(parse(&text(&mut std::io::stdin().lock(), "standard input")?)?),
        Some(path) => {
            let mut file = std::fs::File::open(path).map_err(|error| Failure::local(path, &error))?;
            entries.extend(parse(&text(&mut file, path)?)?);
        }
        None => {}
    }
    match entries.len() {
        0 => Err(Failure::usage("no source path was given: name some, or --from FILE")),
        1..=MAX_ASSETS => entries.into_iter().map(|entry| asset(entry, common)).collect(),
        count => Err(Failure::usage(format!("{count} assets: a job takes at most {MAX_ASSETS}, split them"))),
    }
}

/// `KEY=VALUE` as text, `KEY:=VALUE` as JSON.
pub(super) fn metadata(assignments: &[String]) -> Result<Map<String, Value>> {
    let parse = |text: &String| {
        let (key, value) = text.split_once('=')?;
        match key.strip_suffix(':') {
            Some(key) => Some((key.to_owned(), serde_json::from_str(value).ok()?)),
            None => Some((key.to_owned(), Value::from(value))),
        }
    };
    assignments.iter().map(|text| parse(text).ok_or_else(|| Failure::usage(format!("--metadata takes KEY=VALUE or KEY:=JSON, not {text}")))).collect()
}

fn text(input: &mut dyn Read, what: &str) -> Result<String> {
    let mut text = String::new();
    input.take(MAX_INPUT + 1).read_to_string(&mut text).map_err(|error| Failure::local(what, &error))?;
    if text.len() as u64 > MAX_INPUT {
        return Err(Failure::usage(format!("{what} is larger than 32 MiB")));
    }
    Ok(text)
}

fn parse(text: &str) -> Result<Vec<Value>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| Failure::usage(format!("the list is not a JSON array: {error}")));
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            if line.trim_start().starts_with('{') {
                serde_json::from_str(line).map_err(|error| Failure::usage(format!("line {number} is not a JSON object: {error}")))
            } else {
                // Spaces belong to a key: nothing but the line break is taken off.
                Ok(Value::from(line))
            }
        })
        .collect()
}

fn asset(entry: Value, common: &Map<String, Value>) -> Result<Value> {
    let (path, own) = match entry {
        Value::String(path) => (Value::String(path), Value::Null),
        Value::Object(mut fields) => match (fields.remove("source_path"), fields.remove("metadata")) {
            (Some(path @ Value::String(_)), own) if fields.is_empty() => (path, own.unwrap_or_default()),
            _ => return Err(Failure::usage("an asset is {\"source_path\": …, \"metadata\": {…}}")),
        },
        _ => return Err(Failure::usage("an asset is a source path or an object")),
    };
    let mut metadata = common.clone();
    match own {
        Value::Null => {}
        Value::Object(own) => metadata.extend(own),
        _ => return Err(Failure::usage("metadata is an object")),
    }
    Ok(json!({"source_path": path, "metadata": metadata}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_make_no_sense_are_usage_errors() {
        for text in [
            "[",
            "{\"source_path\":",
            "{\"path\": \"s3://b/k\"}",
            "{\"source_path\": 7}",
            "[7]",
            "{\"source_path\": \"s3://b/k\", \"metadata\": 7}",
            "{\"source_path\": \"s3://b/k\", \"label\": 7}",
        ] {
            let read = parse(text).and_then(|entries| entries.into_iter().map(|entry| asset(entry, &Map::new())).collect::<Result<Vec<_>>>());
            assert!(matches!(read, Err(Failure::Usage(_))), "{text}");
        }
        assert!(matches!(assets(&[], None, &Map::new()), Err(Failure::Usage(_))));
        assert!(matches!(assets(&vec!["s3://b/k".to_owned(); MAX_ASSETS + 1], None, &Map::new()), Err(Failure::Usage(_))));
        assert!(matches!(metadata(&["label".to_owned()]), Err(Failure::Usage(_))));
    }

    #[test]
    fn lines_objects_and_arrays_say_the_same() {
        let common = metadata(&["label=example".to_owned(), "score:=1".to_owned()]).unwrap();
        let expected = vec![json!({"source_path": "s3://b/ a ", "metadata": {"label": "own", "score": 1}})];
        for text in [r#"{"source_path": "s3://b/ a ", "metadata": {"label": "own"}}"#, r#"[{"source_path": "s3://b/ a ", "metadata": {"label": "own"}}]"#] {
            let read: Vec<_> = parse(text).unwrap().into_iter().map(|entry| asset(entry, &common).unwrap()).collect();
            assert_eq!(read, expected, "{text}");
        }
        assert_eq!(parse("s3://b/ a \n\nhttps://h/x\n").unwrap(), vec![json!("s3://b/ a "), json!("https://h/x")]);
    }
}
