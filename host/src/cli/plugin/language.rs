//! The languages that a plugin can be begun in: what a new folder holds, and by what a folder is recognized.

use std::path::Path;

use clap::ValueEnum;

include!(concat!(env!("OUT_DIR"), "/starters.rs"));

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    Javascript,
    Python,
    C,
}

/// What a new plugin begins as: a connector that works, to be changed.
pub(super) struct Starter {
    /// Path in the folder, and content.
    pub files: &'static [(&'static str, &'static [u8])],
    pub id: &'static str,
    pub title: &'static str,
}

/// How a folder is built: by the tool whose file it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Cargo,
    Npm,
    Make,
}

impl Language {
    pub(super) fn starter(self) -> Starter {
        let (files, id, title) = match self {
            Self::Rust => (RUST, "https_bearer", "HTTPS with a bearer token"),
            Self::Javascript => (JAVASCRIPT, "gitlab_repository", "Files of a GitLab repository"),
            Self::Python => (PYTHON, "https_index", "HTTPS folder with index pages"),
            Self::C => (C, "sha256_store", "Files named by their SHA-256"),
        };
        Starter { files, id, title }
    }
}

impl Tool {
    /// `None`: nothing there that a plugin is built with.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let tools = [("Cargo.toml", Self::Cargo), ("package.json", Self::Npm), ("Makefile", Self::Make)];
        tools.into_iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, tool)| tool)
    }
}
