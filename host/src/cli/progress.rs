//! How a job's progress is shown: a bar on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{Format, Output};

const LINE_EVERY: Duration = Duration::from_secs(5);

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { output: Output, said: Option<(Instant, u64)> },
    Silent,
}

impl Progress {
    pub(super) fn new(output: Output, total: u64) -> Self {
        if output.format == Format::Json {
            return Self::Silent;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        // Standard error is no terminal, or one that cannot go back in a line.
        if bar.is_hidden() {
            return Self::Lines { output, said: None };
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} assets  {elapsed_precise}  {msg}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    pub(super) fn at(&mut self, ended: u64, total: u64, errored: u64) {
        let errors = if errored == 0 { String::new() } else { format!("{errored} errors") };
        match self {
            Self::Bar(bar) => {
                bar.set_position(ended);
                bar.set_message(errors);
            }
            Self::Lines { output, said } => {
                let due = said.is_none_or(|(when, what)| ended == total && what != ended || when.elapsed() >= LINE_EVERY);
                if due {
                    *said = Some((Instant::now(), ended));
                    output.note(format!("{ended}/{total} assets {errors}").trim_end());
                }
            }
            Self::Silent => {}
        }
    }

    /// Something that the person who waits should know, without breaking the bar.
    pub(super) fn say(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.println(text),
            Self::Lines { output, .. } => output.note(text),
            Self::Silent => {}
        }
    }

    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.abandon();
        }
    }
}
