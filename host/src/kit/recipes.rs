//! Credentials: which secrets they name, whose roles they assume, and that they are the same for every path.

use super::example::{Example, holds, role_of};
use super::locate::Planned;
use super::report::Id;
use super::subject::Subject;

pub fn recipes(subject: &mut Subject, example: &Example, planned: &Planned, is_fullest: bool) {
    for credential in &planned.credentials {
        for name in credential.secret_names() {
            subject.verdicts.expect(Id::Recipes, subject.schema.is_secret(name), || {
                format!("{}: a credential names '{name}', which the schema does not mark as a secret", example.from)
            });
        }
        if let Some(role) = role_of(credential) {
            subject.verdicts.expect(Id::Recipes, holds(&example.settings, role), || format!("{}: the role {role} is not in the settings", example.from));
        }
    }
    if let Some(unused) = &planned.unused {
        subject.verdicts.fail(Id::Recipes, format!("{}: a plan holds a credential that no location uses: {unused:?}", example.from));
    }
    if is_fullest && !planned.good.is_empty() {
        for secret in example.secrets() {
            let used = planned.good.iter().any(|good| good.credential.secret_names().contains(&secret));
            subject.verdicts.expect(Id::Recipes, used, || format!("{}: it asks for the secret '{secret}', and no location is read with it", example.from));
        }
    }
    subject.verdicts.reach(Id::Recipes);
}

pub fn steady(subject: &mut Subject, example: &Example, planned: &Planned) {
    let Some(first) = planned.good.first() else { return };
    subject.verdicts.reach(Id::Steady);
    if let Some(other) = planned.good.iter().find(|good| good.credential != first.credential) {
        let told = format!("{}: {:?} is read with {:?}, {:?} with {:?}", example.from, first.source, first.credential, other.source, other.credential);
        subject.verdicts.fail(Id::Steady, told);
    }
}
