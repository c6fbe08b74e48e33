//! `portcullis completions` and `portcullis man`: what a shell and `man` can be told of the verbs. Both are made from the verbs themselves.

use clap::{Args, Command, CommandFactory};
use clap_complete::aot::{Shell, generate};

use super::Cli;
use super::failure::{Done, Failure};
use super::output::Output;

#[derive(Args)]
pub(super) struct Completions {
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

#[derive(Args)]
pub(super) struct Man {
    /// The verb whose page it is, as `connection create`; the whole program's unless given.
    verb: Vec<String>,
}

impl Completions {
    pub(super) fn run(&self, output: Output) -> Done {
        let shell: Shell = self.shell.parse().map_err(Failure::usage)?;
        let mut script = Vec::new();
        generate(shell, &mut program(), "portcullis", &mut script);
        output.text(&String::from_utf8_lossy(&script))
    }
}

impl Man {
    pub(super) fn run(&self, output: Output) -> Done {
        let mut whole = program();
        whole.build();
        let mut verb = &whole;
        for word in &self.verb {
            verb = verb.find_subcommand(word).ok_or_else(|| Failure::usage(format!("there is no verb '{}'", self.verb.join(" "))))?;
        }
        let mut page = Vec::new();
        let title = verb.get_bin_name().unwrap_or("portcullis").replace(' ', "-");
        clap_mangen::Man::new(verb.clone()).title(title).render(&mut page).map_err(|error| Failure::local("cannot write the page", &error))?;
        output.text(&String::from_utf8_lossy(&page))
    }
}

/// Without what is hidden, which neither of the two leaves out by itself.
fn program() -> Command {
    let all = Cli::command();
    let mut shown = Command::new("portcullis").version(env!("CARGO_PKG_VERSION")).args(all.get_arguments().cloned());
    shown = shown.subcommands(all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned());
    match (all.get_about(), all.get_after_help()) {
        (Some(about), Some(after)) => shown.about(about.clone()).after_help(after.clone()),
        _ => shown,
    }
}
