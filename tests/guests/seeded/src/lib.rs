//! Two good connectors, `aws_iam_role` and `https_basic`, each with one bug of many: which one says a marker in the component's data,
//! so that one build makes as many components as there are bugs. The list, with a sentence for each, is in `tests/src/seeded.rs`.

// The connectors' sources name their tests, which are run where they are: `--all-targets` asks for them here, too.
#![cfg(not(test))]

mod bugs;

// The connectors' own sources; as crates, each would export itself.
#[rustfmt::skip]
#[path = "../../../../plugins/aws-iam-role/src/checks.rs"]
mod checks;
#[rustfmt::skip]
#[path = "../../../../plugins/https-basic/src/plan.rs"]
pub mod https_basic;
#[rustfmt::skip]
#[path = "../../../../plugins/aws-iam-role/src/plan.rs"]
pub mod plan;
#[rustfmt::skip]
#[path = "../../../../plugins/aws-iam-role/src/setup.rs"]
mod setup;

use std::hint::black_box;

use portcullis_plugin::exported::Exported;
use portcullis_plugin::exported::exports::portcullis::connector::connector::Guest;
use portcullis_plugin::{Error, FieldError, Finding, Page, Plan, Principal, SetupStep};

type Aws = Exported<plan::AwsIamRole>;
type Web = Exported<https_basic::HttpsBasic>;

/// A test writes another name over it.
static MARKER: [u8; 48] = *b"portcullis-seeded:web:none......................";

/// `web:none`: the connector, and its bug.
pub(crate) fn bug() -> String {
    let marker = String::from_utf8_lossy(black_box(&MARKER)).into_owned();
    marker.trim_start_matches("portcullis-seeded:").trim_end_matches('.').to_owned()
}

fn is_aws() -> bool {
    bug().starts_with("aws:")
}

pub struct Seeded;

impl Guest for Seeded {
    fn describe() -> String {
        bugs::describe::describe(&bug(), &if is_aws() { Aws::describe() } else { Web::describe() })
    }

    fn normalize(settings: String) -> Result<String, Vec<FieldError>> {
        bugs::settings::normalize(&bug(), settings, if is_aws() { Aws::normalize } else { Web::normalize })
    }

    fn setup(settings: String, principal: Principal, external_id: String) -> Result<Vec<SetupStep>, Error> {
        let good = if is_aws() { Aws::setup(settings, principal, external_id.clone()) } else { Web::setup(settings, principal, external_id.clone()) };
        good.map(|steps| bugs::setup::setup(&bug(), steps, &external_id))
    }

    fn locate(settings: String, sources: Vec<String>) -> Result<Plan, Error> {
        bugs::locate::locate(&bug(), &settings, sources, if is_aws() { Aws::locate } else { Web::locate })
    }

    fn check(settings: String, test_location: Option<String>) -> Vec<Finding> {
        bugs::check::check(&bug(), settings, test_location, if is_aws() { Aws::check } else { Web::check })
    }

    fn list(settings: String, prefix: String, cursor: Option<String>, limit: u32) -> Result<Page, Error> {
        bugs::list::list(&bug(), settings, prefix, cursor, limit, if is_aws() { Aws::list } else { Web::list })
    }
}

#[cfg(target_arch = "wasm32")]
const _: () = {
    portcullis_plugin::exported::export!(Seeded);
};
