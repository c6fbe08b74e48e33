//! Components with one bug each: small edits of good connectors, made from the one guest in `tests/guests/seeded`. What each does wrong, and which
//! check of the conformance kit is there for it.

use crate::component::{built, patched};

pub struct Bug {
    /// As the guest knows it.
    pub name: &'static str,
    pub sentence: &'static str,
    /// The check that has to find it.
    pub check: &'static str,
}

const NONE: &str = "portcullis-seeded:web:none......................";

/// The component with this bug. `web:none` and `aws:none` have none.
#[must_use]
pub fn component(name: &str) -> Vec<u8> {
    let marker = format!("portcullis-seeded:{name}");
    assert!(marker.len() <= NONE.len(), "{name} is too long");
    patched(built("seeded"), NONE, &format!("{marker:.<width$}", width = NONE.len()))
}

macro_rules! bugs {
    ($($name:literal $check:literal $sentence:literal)*) => { &[$(Bug { name: $name, sentence: $sentence, check: $check }),*] };
}

pub const BUGS: &[Bug] = bugs! {
    "web:secret_plain" "secrets" "The password is a setting that everybody can read."
    "web:secret_default" "describe" "The password has a default."
    "web:secret_example" "secrets" "The schema shows a password as an example."
    "web:no_words" "describe" "A setting has no description."
    "web:open_schema" "describe" "The schema takes settings that it does not name."
    "web:bad_schema" "describe" "The schema is not JSON Schema."
    "web:phantom" "describe" "A setting is required that is not there."
    "web:undeclared" "describe" "It imports capabilities that it does not declare."
    "web:overdeclared" "imports" "It declares a capability that it does not import."
    "web:wide_egress" "egress" "The egress is the whole server, though one folder is planned."
    "web:narrow_egress" "egress" "The egress has no port, though the plans have one."
    "web:egress_secret" "describe" "An egress template names a secret."
    "web:claims_more" "plan" "It claims a scheme that it refuses."
    "aws:any_bucket" "egress" "The egress is every bucket, though one is planned."
    "web:normalize_grows" "normalize" "Each time it is normalized the folder gets longer."
    "web:normalize_adds" "normalize" "Normalized settings have one that the schema does not know."
    "web:takes_unknown" "hostile_settings" "Unknown settings are dropped in silence."
    "web:takes_types" "hostile_settings" "A user name may be anything that JSON has."
    "web:pointer_astray" "hostile_settings" "Wrong settings are pointed at where there is none."
    "web:pointer_broken" "traps" "Pointers to wrong settings are no JSON Pointers."
    "web:settings_trap" "hostile_settings" "A wrong port crashes it."
    "web:refuses_all" "settings" "No settings are good enough."
    "web:reversed" "batch" "A batch is answered from its end."
    "web:short" "traps" "The last path of a batch gets no answer."
    "web:stops_early" "batch" "After a hundred paths it refuses all others."
    "web:deduplicates" "batch" "The second of two equal paths is refused."
    "web:index_in_path" "batch" "The place in the batch becomes part of the URL."
    "web:batch_aborts" "one_bad_path" "One bad path fails the whole batch."
    "web:bad_infects" "one_bad_path" "After one bad path no other is planned."
    "web:ignores_host" "hostile_paths" "The host of a URL is not looked at."
    "web:takes_http" "hostile_paths" "Plain http is taken for https."
    "web:drops_user" "hostile_paths" "A user in a URL is dropped in silence."
    "web:keeps_dots" "egress" "Dot segments are passed on."
    "web:elsewhere" "egress" "Objects are read from another host."
    "web:plain_http" "egress" "Objects are read over plain http."
    "web:drops_port" "egress" "The port of the settings is left out."
    "web:decodes" "forms" "A percent-encoded plus is decoded."
    "web:lower_case" "forms" "URLs are made lower case."
    "web:extra_header" "egress" "It sets the Host header."
    "aws:plus_is_space" "forms" "A plus in a key is read as a space."
    "aws:no_dualstack" "forms" "Dual-stack hosts are refused."
    "aws:misreads_host" "hostile_paths" "A look-alike of an S3 host is taken for one."
    "aws:drops_query" "hostile_paths" "Signatures and sub-resources are dropped in silence."
    "aws:trims_key" "forms" "Spaces around a key are trimmed."
    "aws:single_slashes" "forms" "Two slashes in a key become one."
    "aws:decodes_uri" "forms" "Keys of s3:// are percent-decoded."
    "web:credential_place" "steady_credential" "From number 500 on another credential is named."
    "web:credential_path" "steady_credential" "Files that end in .csv are read without a credential."
    "web:anonymous" "recipes" "Nothing is read with the password that was asked for."
    "web:wrong_secret" "recipes" "A credential names a secret that the schema does not have."
    "web:spare_credential" "recipes" "A plan holds a credential that no location uses."
    "web:no_such_index" "traps" "Locations name a credential that is not in the plan."
    "aws:other_role" "recipes" "A role is assumed that is not the customer's."
    "aws:no_external_id" "trust" "The trust policy has no condition on the external id."
    "aws:fixed_external" "trust" "The trust policy has the same external id for everybody."
    "aws:external_like" "trust" "The external id is compared with StringLike."
    "aws:anybody" "trust" "The trust policy trusts everybody."
    "aws:no_documents" "trust" "No policy is rendered at all."
    "aws:placeholder" "setup" "The bucket's name is left to fill in."
    "aws:shell_variable" "setup" "The bucket's name is a variable."
    "aws:broken_json" "setup" "A policy is no JSON."
    "aws:writes" "setup" "The policy allows every action on the objects."
    "aws:everything" "setup" "The policy allows every bucket's objects."
    "web:setup_todo" "setup" "A step is not written yet."
    "web:no_title" "setup" "A step has no title."
    "web:always_passes" "check_faults" "Every finding passes, whatever the remote says."
    "web:always_fails" "check" "Every finding fails, whatever the remote says."
    "web:fails_with_ok" "check_faults" "Findings fail with the code ok."
    "web:no_findings" "check" "A test finds nothing at all."
    "web:ignores_test" "check" "The test location is not looked at."
    "web:asks_anonymous" "check" "The test asks without the credential."
    "aws:no_probe" "check_faults" "Whether the role requires the external id is never asked."
    "aws:list_ignored" "check_faults" "That the bucket cannot be listed is forgiven."
    "aws:identity_ignored" "check_faults" "That the session is somebody else's is forgiven."
    "aws:insecure_is_fine" "check_faults" "An insecure external id is forgiven."
    "aws:limit_ignored" "list" "A page has a thousand entries, whatever the limit."
    "aws:cursor_lost" "list" "Every page is the first."
    "aws:ends_early" "list" "The first page is the last."
    "aws:bare_keys" "list" "What is listed cannot be planned."
    "aws:list_swallows" "list" "Errors become empty pages."
    "aws:cursor_traps" "traps" "A cursor of somebody else's crashes it."
    "web:wrong_kind" "errors" "A path outside of the connection is invalid, not denied."
    "web:unavailable" "errors" "A bad path is something to try again."
    "web:defect" "errors" "A bad path is called a defect of the plugin."
    "web:bad_code" "traps" "Codes have spaces and capitals."
    "web:no_message" "errors" "Errors have no words."
    "web:tells_signature" "errors" "Messages repeat the source path with its signature."
    "web:loops" "limits" "It never comes back."
    "web:memory" "limits" "It takes nearly all the memory of a call."
    "web:huge" "limits" "It answers with megabytes."
    "web:floods_host" "limits" "It asks the host forty times."
    "web:floods_log" "limits" "Each plan logs forty thousand bytes."
    "web:traps_on_nul" "traps" "A NUL in a path crashes it."
    "web:golden_drift" "golden" "It plans something else than its golden file says."
};
