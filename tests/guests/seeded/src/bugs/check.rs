//! Bugs in how a connection is tested.

use portcullis_plugin::{Credential, Finding, HttpObject, aws, http};

use crate::plan::{AwsIamRole, Settings};

type Check = fn(String, Option<String>) -> Vec<Finding>;

pub fn check(bug: &str, settings: String, test_location: Option<String>, good: Check) -> Vec<Finding> {
    match bug {
        "web:always_passes" => good(settings, test_location).into_iter().map(|finding| Finding::ok(&finding.check, finding.message)).collect(),
        "web:always_fails" => {
            let fails = |finding: Finding| Finding { passed: false, code: "not_today".to_owned(), ..finding };
            good(settings, test_location).into_iter().map(fails).collect()
        }
        "web:fails_with_ok" => good(settings, test_location).into_iter().map(|finding| Finding { code: "ok".to_owned(), ..finding }).collect(),
        "web:no_findings" => Vec::new(),
        "web:ignores_test" => good(settings, None),
        "web:asks_anonymous" => {
            let url = "https://assets.example.com:8443/media/2024/kit/a.jpg";
            let url = test_location.filter(|location| location.starts_with("https://")).unwrap_or_else(|| url.to_owned());
            vec![match http::head(&Credential::Anonymous, &HttpObject::new(url)) {
                Ok(_) => Finding::ok("request", "it answers"),
                Err(error) => Finding::failed("request", &error),
            }]
        }
        "web:floods_host" => {
            (0..40).for_each(|_| drop(http::head(&Credential::basic("reader", "password"), &HttpObject::new("https://assets.example.com:8443/media/2024/"))));
            good(settings, test_location)
        }
        "aws:no_probe" => {
            let Ok(settings) = serde_json::from_str::<Settings>(&settings) else { return good(settings, test_location) };
            let located = <AwsIamRole as portcullis_plugin::Connector>::locate(&settings, &test_location.into_iter().collect::<Vec<_>>());
            let mut findings = Vec::new();
            match located {
                Err(error) => findings.push(Finding::failed("settings", &error)),
                Ok(plan) => {
                    for credential in &plan.credentials {
                        findings.push(match aws::acquire(credential) {
                            Ok(_) => Finding::ok("assume_role", "it can be assumed"),
                            Err(error) => Finding::failed("assume_role", &error),
                        });
                        for location in &plan.locations {
                            findings.push(
                                match location.clone().and_then(|location| match location.target {
                                    portcullis_plugin::Target::S3(object) => aws::head(credential, &object).map(drop),
                                    portcullis_plugin::Target::Http(_) => Ok(()),
                                }) {
                                    Ok(()) => Finding::ok("head", "it is there"),
                                    Err(error) => Finding::failed("head", &error),
                                },
                            );
                        }
                    }
                }
            }
            findings
        }
        "aws:list_ignored" => forgiven(good(settings, test_location), "list"),
        "aws:identity_ignored" => forgiven(good(settings, test_location), "caller_identity"),
        "aws:insecure_is_fine" => forgiven(good(settings, test_location), "external_id"),
        _ => good(settings, test_location),
    }
}

/// One finding passes whatever it found.
fn forgiven(findings: Vec<Finding>, check: &str) -> Vec<Finding> {
    findings.into_iter().map(|finding| if finding.check == check { Finding::ok(check, finding.message) } else { finding }).collect()
}
