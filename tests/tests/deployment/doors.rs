//! X1: nothing that is deployed by the book can be reached before it has its tokens.

use std::fs;

use lvmbeat_tests::project;

#[test]
fn x1_compose_refuses_a_secret_that_is_not_set() {
    let text = fs::read_to_string(project("config/compose.yaml")).unwrap();
    let secrets: Vec<_> = text.split("${").skip(1).collect();
    assert!(secrets.len() >= 3);
    for secret in secrets {
        let (name, rest) = secret.split_once(':').unwrap_or((secret, ""));
        // `:?` refuses an empty value, too.
        assert!(rest.starts_with('?'), "{name} may be empty");
    }
    for token in ["LVMBEAT_PING_TOKEN", "LVMBEAT_ADMIN_TOKEN"] {
        assert!(text.contains(&format!("{token}: ${{{token}:?")), "{token}");
    }
}

#[test]
fn x1_the_azure_app_is_public_only_after_it_has_its_tokens() {
    let text = fs::read_to_string(project("config/DEPLOY.md")).unwrap();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}"));
    assert!(at("--ingress internal") < at("ping-token=\"$(openssl"));
    for token in [
        "LVMBEAT_PING_TOKEN=secretref",
        "LVMBEAT_ADMIN_TOKEN=secretref",
    ] {
        assert!(at(token) < at("--type external"), "{token}");
    }
    assert!(!text.contains("--ingress external"));
}
