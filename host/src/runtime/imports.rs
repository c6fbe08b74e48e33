//! What a component may import. Its import list is read, not believed: each name is on the list below and granted, or the component is refused by that name.

use std::collections::BTreeSet;

use super::host_log::escape;
use crate::model::{Capability, Error, Result};

const PACKAGE: &str = "portcullis:connector/";
pub const VERSION: &str = "0.1.0";
/// The parts of WASI 0.2 that the empty one has.
const WASI: [&str; 6] = ["wasi:io/", "wasi:clocks/", "wasi:cli/", "wasi:random/", "wasi:filesystem/", "wasi:sockets/"];

/// The capabilities that these imports ask for. `Denied` (`forbidden_import`, `capability_not_granted`) or `Invalid` (`incompatible_world`), naming the import.
pub fn wanted<'a>(names: impl Iterator<Item = &'a str>, granted: &BTreeSet<Capability>) -> Result<BTreeSet<Capability>> {
    let mut wanted = BTreeSet::new();
    for name in names {
        let Some(capability) = capability(name)? else { continue };
        if !granted.contains(&capability) {
            return Err(not_granted(name, capability));
        }
        wanted.insert(capability);
    }
    Ok(wanted)
}

/// What has to be granted for this import; `None` for what every plugin has.
fn capability(name: &str) -> Result<Option<Capability>> {
    if let Some(interface) = name.strip_prefix(PACKAGE) {
        let (interface, version) = interface.split_once('@').unwrap_or((interface, "none"));
        let capability = match interface {
            "types" | "log" => None,
            "aws" => Some(Capability::Aws),
            "http" => Some(Capability::Http),
            _ => return Err(forbidden(name)),
        };
        if version != VERSION {
            let message = format!("the component imports '{PACKAGE}{interface}' of version {}, this gateway offers {VERSION}", escape(version, 64));
            return Err(Error::invalid("incompatible_world", message));
        }
        return Ok(capability);
    }
    let version_ok = name.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2."));
    if version_ok && WASI.iter().any(|package| name.starts_with(package)) { Ok(Some(Capability::Wasi)) } else { Err(forbidden(name)) }
}

fn forbidden(name: &str) -> Error {
    Error::denied("forbidden_import", format!("the component imports '{}', which no plugin gets", escape(name, 200)))
}

fn not_granted(name: &str, capability: Capability) -> Error {
    let (code, word) = match capability {
        Capability::Aws => ("capability_not_granted", "aws"),
        Capability::Http => ("capability_not_granted", "http"),
        // Nothing a plugin does needs WASI: to ask for it is odd, not merely ungranted.
        Capability::Wasi => ("forbidden_import", "wasi"),
    };
    let message = format!("the component imports '{}', which was not granted to it", escape(name, 200));
    Error::denied(code, message).with_remedy(format!("grant '{word}' if you trust the plugin with it, or build the plugin without that import"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p16_imports_are_on_the_list_and_granted_or_refused_by_name() {
        let (none, all): (&[Capability], &[Capability]) = (&[], &[Capability::Aws, Capability::Http, Capability::Wasi]);
        for (name, granted, code) in [
            ("wasi:filesystem/types@0.2.3", none, "forbidden_import"),
            ("wasi:sockets/tcp@0.2.0", none, "forbidden_import"),
            ("wasi:cli/environment@0.2.6", none, "forbidden_import"),
            ("wasi:http/outgoing-handler@0.2.0", all, "forbidden_import"),
            ("wasi:cli/environment@0.3.0", all, "forbidden_import"),
            ("wasi:cli/environment", all, "forbidden_import"),
            ("evil:host/door@0.1.0", all, "forbidden_import"),
            ("portcullis:connector/secrets@0.1.0", all, "forbidden_import"),
            ("portcullis:connector-evil/log@0.1.0", all, "forbidden_import"),
            ("log", all, "forbidden_import"),
            ("", all, "forbidden_import"),
            ("portcullis:connector/log", all, "incompatible_world"),
            ("portcullis:connector/log@0.9.0", all, "incompatible_world"),
            ("portcullis:connector/aws@1.0.0", all, "incompatible_world"),
            ("portcullis:connector/aws@0.1.0", none, "capability_not_granted"),
            ("portcullis:connector/http@0.1.0", &[Capability::Aws], "capability_not_granted"),
        ] {
            let granted: BTreeSet<_> = granted.iter().copied().collect();
            let error = wanted(["portcullis:connector/log@0.1.0", name].into_iter(), &granted).expect_err(name);
            assert_eq!(error.code(), code, "{name}");
            assert!(error.message().contains(name.split('@').next().unwrap()), "{name} is not in: {error}");
        }
    }

    #[test]
    fn p16_what_was_granted_and_is_asked_for_is_known() {
        let granted = BTreeSet::from([Capability::Aws, Capability::Http, Capability::Wasi]);
        let names = ["portcullis:connector/types@0.1.0", "portcullis:connector/log@0.1.0"];
        assert_eq!(wanted(names.into_iter(), &granted).unwrap(), BTreeSet::new(), "granted is not asked for");
        let names = ["portcullis:connector/aws@0.1.0", "wasi:clocks/wall-clock@0.2.3", "wasi:io/poll@0.2.0"];
        assert_eq!(wanted(names.into_iter(), &granted).unwrap(), BTreeSet::from([Capability::Aws, Capability::Wasi]));
    }

    #[test]
    fn p20_a_long_import_name_does_not_fill_the_message() {
        let name = format!("evil\n:{}", "x".repeat(1 << 20));
        let error = wanted([name.as_str()].into_iter(), &BTreeSet::new()).expect_err("forbidden");
        assert!(error.message().len() < 300 && !error.message().contains('\n'));
    }
}
