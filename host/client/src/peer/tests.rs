use super::*;

const TOKEN: &str = "xoxb-24/7+Aé \"q\"-Zm9vYmFy";

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn base64_of(text: &str) -> String {
    String::from_utf8(base64(text.as_bytes(), 0)).unwrap()
}

fn is_withheld(text: &str, secrets: &Secrets) -> bool {
    shown(text.as_bytes(), secrets) == WITHHELD
}

#[test]
fn x1_a_secret_is_found_in_every_form() {
    let secrets = Secrets::new([TOKEN]);
    let json = serde_json::to_string(TOKEN).unwrap();
    let (upper, lower) = (TOKEN.to_uppercase(), TOKEN.to_lowercase());
    let base64 = base64_of(TOKEN);
    let for_url = base64.replace('+', "-").replace('/', "_");
    let unicode: String = TOKEN
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let braces: String = TOKEN
        .chars()
        .map(|c| format!("\\u{{{:x}}}", u32::from(c)))
        .collect();
    let octal: String = TOKEN.bytes().map(|byte| format!("\\{byte:03o}")).collect();
    let html: String = TOKEN
        .chars()
        .map(|c| format!("&#{};", u32::from(c)))
        .collect();
    let html_hex: String = TOKEN
        .chars()
        .map(|c| format!("&#x{:x};", u32::from(c)))
        .collect();
    let spaced: String = TOKEN.chars().map(|c| format!("{c} ")).collect();
    let dump: String = TOKEN.bytes().map(|byte| format!("0x{byte:x}, ")).collect();
    let plain_login = base64_of(&format!("\0me\0{TOKEN}"));
    let forms = [
        TOKEN.to_owned(),
        upper,
        lower,
        json.clone(),
        json.replace('/', "\\/"),
        serde_json::to_string(&json).unwrap(),
        percent(TOKEN),
        percent(TOKEN).to_lowercase(),
        percent(&percent(TOKEN)),
        TOKEN.replace('/', "%2f").replace('+', "%2B"),
        TOKEN.replace('/', "=2F"),
        hex(TOKEN),
        hex(TOKEN).to_uppercase(),
        dump,
        base64.clone(),
        base64.to_uppercase(),
        base64.to_lowercase(),
        format!("x{base64}"),
        format!("AUTH PLAIN {plain_login}"),
        base64_of(&base64),
        base64_of(&percent(TOKEN)),
        percent(&base64),
        hex(&base64),
        for_url,
        base64.chars().map(|c| format!("{c}\r\n")).collect(),
        unicode,
        braces,
        octal,
        html,
        html_hex,
        TOKEN.replace('"', "&quot;"),
        spaced,
        TOKEN.replace('-', "\u{200b}"),
        TOKEN.chars().flat_map(|c| [c, '\0']).collect(),
        format!("{:?}", TOKEN.as_bytes()),
    ];
    for form in forms {
        assert!(
            is_withheld(&format!("invalid: {form}!"), &secrets),
            "{form}"
        );
    }
}

#[test]
fn x1_half_a_secret_is_withheld_too() {
    let secrets = Secrets::new(["hunter2-hunter2-hunter2"]);
    assert!(is_withheld("the token hunter2-hun… is not known", &secrets));
    assert!(!is_withheld("hunters are not known", &secrets));
}

#[test]
fn x1_short_and_odd_secrets_are_withheld_too() {
    for secret in ["pw", "p@s§", "!§$%", "é"] {
        let secrets = Secrets::new([secret]);
        for form in [
            secret.to_owned(),
            percent(secret),
            base64_of(&format!("me:{secret}:x")),
        ] {
            assert!(is_withheld(&form, &secrets), "{secret}: {form}");
        }
    }
    assert_eq!(
        shown(b"nothing is secret", &Secrets::new(["", " "])),
        "nothing is secret"
    );
}

#[test]
fn x1_addresses_are_masked() {
    let shown = |text: &str| shown(text.as_bytes(), &Secrets::default());
    assert_eq!(
        shown("550 <jane.doe@lco.cl>: unknown"),
        "550 <j…@lco.cl>: unknown"
    );
    assert_eq!(shown("550 a@b@c unknown"), "550 … unknown");
}

#[test]
fn x2_any_bytes_become_one_bounded_line_that_can_be_printed() {
    let secrets = Secrets::default();
    let line = shown("a\r\n\u{1b}[31mb\u{202e}c\u{200b}\0d".as_bytes(), &secrets);
    assert_eq!(line, "a [31mbc d");
    assert_eq!(shown(b"k\xf6nnen \xff", &secrets), "k\u{fffd}nnen \u{fffd}");
    assert_eq!(shown(&vec![b'x'; 1 << 20], &secrets).chars().count(), SHOWN);
    assert_eq!(shown(b"", &secrets), "");
}

#[test]
fn x1_a_secret_that_is_cut_by_the_limit_is_not_shown_in_part() {
    let secrets = Secrets::new([TOKEN]);
    for before in 0..SHOWN + 50 {
        let line = shown(
            format!("{}{}", " x".repeat(before / 2), TOKEN).as_bytes(),
            &secrets,
        );
        assert_eq!(line, WITHHELD);
    }
}

mod any {
    use proptest::prelude::*;

    use super::super::*;

    proptest! {
        #[test]
        fn x2_nothing_that_is_shown_is_long_or_unprintable(text in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let line = shown(&text, &Secrets::new(["hunter2hunter2"]));
            prop_assert!(line.chars().count() <= SHOWN);
            prop_assert!(!line.contains(char::is_control));
        }

        #[test]
        fn x1_a_secret_between_any_bytes_is_found(
            before in "[ -~]{0,200}", secret in "[a-zA-Z0-9_/+-]{8,60}", after in "[ -~]{0,200}",
        ) {
            prop_assume!(folded(secret.as_bytes()).len() >= PART);
            let secrets = Secrets::new([secret.as_str()]);
            let within = |form: &str| shown(format!("{before} {form} {after}").as_bytes(), &secrets);
            prop_assert_eq!(within(&secret), WITHHELD);
            let encoded = String::from_utf8(base64(secret.as_bytes(), 0)).unwrap();
            prop_assert_eq!(within(&encoded), WITHHELD);
        }
    }
}

#[test]
fn x2_foreign_words_are_one_line_of_bounded_length() {
    assert_eq!(one_line(" a\r\nb\t\u{1b}[31mc ", 9), "a b [31mc");
    assert_eq!(one_line("ääää", 3), "ää…");
}

#[test]
fn x1_an_address_is_masked() {
    assert_eq!(masked("jane.doe", "lco.cl"), "j…@lco.cl");
    assert_eq!(masked("ñandú", "lco.cl"), "ñ…@lco.cl");
}
