//! Settings of e-mail that cannot work are refused at the start, by name: else an alert would be
//! lost first (M2).

use super::*;

fn with(more: &[(&str, &str)]) -> Result<Email, ConfigError> {
    let mut variables = EMAIL.to_vec();
    variables.extend(more);
    Ok(parse_with("", &variables)?.email.unwrap())
}

#[test]
fn m2_a_host_that_is_no_host_is_refused() {
    for host in [
        "smtp://smtp.example.org",
        "smtps://smtp.example.org:465",
        "https://smtp.example.org/",
        "smtp.example.org/",
        "smtp.example.org:587",
        "[2001:db8::1]:25",
        "192.0.2.1:25",
        "me@smtp.example.org",
        "a.example.org, b.example.org",
        "a.example.org b.example.org",
        "smtp.example.org:",
        "smtp..example.org:x",
        "$HOST",
    ] {
        let refused = with(&[("LVMBEAT_EMAIL_HOST", host)])
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("environment: LVMBEAT_EMAIL_HOST: "),
            "{host}: {refused}"
        );
    }
    for (host, means) in [
        ("smtp.example.org", "smtp.example.org"),
        (" localhost ", "localhost"),
        // The quotes of an env file.
        ("\"smtp.example.org\"", "smtp.example.org"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("mail_server-1", "mail_server-1"),
        ("correo.ñandú.cl", "correo.xn--and-6ma2c.cl"),
    ] {
        let email = with(&[("LVMBEAT_EMAIL_HOST", host)]).unwrap();
        assert_eq!(email.host, means);
    }
}

#[test]
fn m2_a_port_that_speaks_otherwise_is_refused() {
    for (port, tls) in [
        ("465", "1"),
        ("465", "0"),
        ("465", "starttls"),
        ("587", "implicit"),
        ("25", "implicit"),
    ] {
        let more = [("LVMBEAT_EMAIL_PORT", port), ("LVMBEAT_EMAIL_TLS", tls)];
        let refused = with(&more).unwrap_err().to_string();
        assert!(
            refused.starts_with("environment: LVMBEAT_EMAIL_PORT: ")
                && refused.contains("LVMBEAT_EMAIL_TLS"),
            "{refused}"
        );
    }
    let refused = with(&[("LVMBEAT_EMAIL_PORT", "465")]).unwrap_err();
    assert!(refused.to_string().contains("implicit"), "{refused}");
    for (port, tls) in [
        ("465", "implicit"),
        ("587", "1"),
        ("25", "1"),
        ("2525", "implicit"),
    ] {
        let more = [("LVMBEAT_EMAIL_PORT", port), ("LVMBEAT_EMAIL_TLS", tls)];
        assert_eq!(with(&more).unwrap().port.to_string(), port);
    }
}

#[test]
fn m2_a_list_with_a_hole_is_refused() {
    for (list, says) in [
        (
            "a@example.org,,b@example.org",
            "nothing between two of its commas",
        ),
        (
            "a@example.org, , b@example.org",
            "nothing between two of its commas",
        ),
        ("a@example.org, bob, c@example.org", "number 2"),
        ("a@example.org; b@example.org", "number 1"),
        ("Doe, Jane <jane@example.org>", "number 1"),
    ] {
        let refused = with(&[("LVMBEAT_EMAIL_RECIPIENTS", list)])
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("environment: LVMBEAT_EMAIL_RECIPIENTS: ")
                && refused.contains(says),
            "{list}: {refused}"
        );
    }
    let list = "\"Doe, \\\"J,\\\" Jane\" <jane@example.org>, b@example.org,";
    let email = with(&[("LVMBEAT_EMAIL_RECIPIENTS", list)]).unwrap();
    assert_eq!(email.recipients.len(), 2);
    for list in ["[a@example.org, '']", "['a@example.org, b@example.org']"] {
        let text = format!("monitor: {{email: {{recipients: {list}, from: a@b.org, host: h}}}}");
        let refused = parse(&text).unwrap_err().to_string();
        assert!(refused.contains("monitor.email.recipients["), "{refused}");
    }
}

#[test]
fn m2_the_greeting_can_be_set_to_what_servers_take() {
    assert_eq!(with(&[]).unwrap().helo, None);
    for helo in ["monitor.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
        let email = with(&[("LVMBEAT_EMAIL_HELO", helo)]).unwrap();
        assert_eq!(email.helo.as_deref(), Some(helo));
    }
    for helo in [
        "two words",
        "a.example.org\r\nRCPT TO:<x@y.z>",
        "[monitor]",
        "[2001:db8::1]",
        "[IPv6:monitor]",
        "under_score.example.org",
    ] {
        let refused = with(&[("LVMBEAT_EMAIL_HELO", helo)])
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("environment: LVMBEAT_EMAIL_HELO: "),
            "{helo}: {refused}"
        );
    }
    let text = "monitor: {email: {recipients: [a@b.org], from: a@b.org, host: h, helo: me.b.org}}";
    let email = parse(text).unwrap().email.unwrap();
    assert_eq!(email.helo.as_deref(), Some("me.b.org"));
}
