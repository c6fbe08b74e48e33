//! `portcullis plugin new`: a folder with a connector that works, under a new name. It overwrites nothing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::language::{Language, Starter};
use crate::cli::failure::{Done, Failure};
use crate::cli::output::{Format, Output};

#[derive(Args)]
pub(in crate::cli) struct New {
    /// The connector's id: 3 to 64 lower-case letters, digits and '_', beginning with a letter. Also the name of the folder.
    name: String,
    #[arg(long, value_enum)]
    lang: Language,
}

impl New {
    pub(super) fn run(self, output: Output) -> Done {
        if !is_id(&self.name) {
            return Err(Failure::usage(format!(
                "'{}' is not a connector's id: 3 to 64 lower-case letters, digits and '_', beginning with a letter",
                self.name
            )));
        }
        let folder = PathBuf::from(&self.name);
        write(&folder, &self.lang.starter(), &self.name)?;
        match output.format {
            Format::Json => output.json(&json!({"folder": folder})),
            Format::Table => output.text(&format!(
                "{0}/ holds a connector that works; README.md says what to change.\n\n  portcullis plugin build {0}\n  portcullis plugin check {0}/connector.wasm --golden {0}/golden\n",
                self.name
            )),
        }
    }
}

/// As the contract has it.
fn is_id(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (3..=64).contains(&text.len()) && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(rest)
}

fn write(folder: &Path, starter: &Starter, name: &str) -> Done {
    let failed = |path: &Path| {
        let what = format!("{} cannot be written", path.display());
        move |error: std::io::Error| Failure::local(what, &error)
    };
    fs::create_dir(folder).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Local {
            code: "already_exists".to_owned(),
            message: format!("{} is there already, and nothing is overwritten", folder.display()),
            remedy: Some("take another name, or move it away".to_owned()),
        },
        _ => failed(folder)(error),
    })?;
    for (path, content) in starter.files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        fs::write(&path, renamed(&path, content, starter, name)).map_err(failed(&path))?;
    }
    Ok(())
}

/// The starter's id in each of its spellings becomes the new one. The contract and the SDK stay as they are.
fn renamed(path: &Path, content: &[u8], starter: &Starter, name: &str) -> Vec<u8> {
    let vendored = path.components().any(|part| part.as_os_str() == "vendor" || part.as_os_str() == "wit");
    match std::str::from_utf8(content) {
        Ok(text) if !vendored => {
            let text = text.replace(starter.title, &title(name));
            [|id: &str| id.to_owned(), kebab, pascal].iter().fold(text, |text, spell| text.replace(&spell(starter.id), &spell(name))).into_bytes()
        }
        _ => content.to_vec(),
    }
}

fn kebab(id: &str) -> String {
    id.replace('_', "-")
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn pascal(id: &str) -> String {
    id.split('_').map(capitalized).collect()
}

fn title(id: &str) -> String {
    capitalized(id.replace('_', " ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_connectors_id() {
        for name in ["", "ab", "My_store", "1store", "my-store", "my store", "../store", "store/", "a__\u{e9}", &"a".repeat(65)] {
            assert!(!is_id(name), "{name}");
        }
        for name in ["abc", "my_store", "s3_v2", &"a".repeat(64)] {
            assert!(is_id(name), "{name}");
        }
    }

    #[test]
    fn a_starter_is_renamed_in_every_spelling_but_not_the_sdk() {
        let starter = Starter { files: &[], id: "https_bearer", title: "HTTPS with a bearer token" };
        let text = b"connector-https-bearer https_bearer HttpsBearer: HTTPS with a bearer token";
        let renamed = |path: &str| String::from_utf8(renamed(Path::new(path), text, &starter, "my_store")).unwrap();
        assert_eq!(renamed("x/src/plan.rs"), "connector-my-store my_store MyStore: My store");
        assert_eq!(renamed("x/vendor/sdk/README.md").as_bytes(), text);
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("my_store");
        for language in [Language::Rust, Language::Javascript, Language::Python, Language::C] {
            write(&here, &language.starter(), "my_store").unwrap();
            let wit = here.join("wit/connector.wit");
            assert!(wit.is_file() && here.join("README.md").is_file() && here.join("golden").is_dir() && here.join(".gitignore").is_file(), "{language:?}");
            fs::write(&wit, "mine").unwrap();
            let again = write(&here, &language.starter(), "my_store").expect_err("it is there");
            assert!(again.text().contains("already_exists"), "{}", again.text());
            assert_eq!(fs::read_to_string(&wit).unwrap(), "mine");
            fs::remove_dir_all(&here).unwrap();
        }
    }
}
