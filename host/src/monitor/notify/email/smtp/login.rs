//! How one logs in (RFC 4954): what is said for each mechanism. Pure: no I/O.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use md5::Md5;

use crate::config::Secret;

/// A server asks this often, at most.
pub(super) const CHALLENGES: usize = 5;

/// Servers are careless with the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// User and password.
pub(super) type Login = (String, Secret);

/// Those that Python's smtplib knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mechanism {
    CramMd5,
    Plain,
    Login,
}

impl Mechanism {
    const ALL: [Self; 3] = [Self::CramMd5, Self::Plain, Self::Login];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Those of the offered ones that are known, in the order in which they are tried: the one that
    /// does not give the password away is the first.
    pub(super) fn of(offered: &[String]) -> Vec<Self> {
        let is_offered = |mechanism: &Self| {
            let name = mechanism.name();
            offered.iter().any(|other| other.eq_ignore_ascii_case(name))
        };
        Self::ALL.into_iter().filter(is_offered).collect()
    }

    /// What is said with the name of the mechanism.
    pub(super) fn first(self, login: &Login) -> Option<String> {
        match self {
            Self::CramMd5 => None,
            Self::Plain => Some(plain(login)),
            Self::Login => Some(STANDARD.encode(&login.0)),
        }
    }

    /// The answer to a challenge. `asked` counts the challenges before, with what was said first as
    /// one.
    pub(super) fn answer(self, login: &Login, challenge: &[u8], asked: usize) -> String {
        let decoded = LENIENT.decode(challenge).unwrap_or_default();
        match self {
            Self::CramMd5 => cram_md5(login, &decoded),
            Self::Plain => plain(login),
            Self::Login => {
                // Servers ask in many words, and some for the user again. The order decides where
                // the words do not.
                let words = decoded.to_ascii_lowercase();
                let holds = |part: &[u8]| words.windows(part.len()).any(|word| word == part);
                let (is_user, is_password) = (holds(b"user"), holds(b"pass"));
                if is_user && !is_password || is_user == is_password && asked == 0 {
                    STANDARD.encode(&login.0)
                } else {
                    STANDARD.encode(login.1.reveal())
                }
            }
        }
    }
}

fn plain((user, password): &Login) -> String {
    STANDARD.encode(format!("\0{user}\0{}", password.reveal()))
}

/// RFC 2195.
fn cram_md5((user, password): &Login, challenge: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(password.reveal().as_bytes()) else {
        return String::new();
    };
    mac.update(challenge);
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    STANDARD.encode(format!("{user} {hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        ("tim".to_owned(), Secret::new("tanstaaftanstaaf".to_owned()))
    }

    #[test]
    fn m2_cram_md5_is_as_its_rfc_says() {
        let challenge = STANDARD.encode("<1896.697170952@postoffice.reston.mci.net>");
        let answer = Mechanism::CramMd5.answer(&login(), challenge.as_bytes(), 0);
        assert_eq!(answer, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    }

    #[test]
    fn m2_login_answers_what_is_asked_in_whatever_words() {
        let (user, password) = (STANDARD.encode("tim"), STANDARD.encode("tanstaaftanstaaf"));
        let answer = |challenge: &str, asked| {
            let challenge = STANDARD.encode(challenge);
            Mechanism::Login.answer(&login(), challenge.as_bytes(), asked)
        };
        for words in [
            "Username:",
            "User Name\0",
            "username",
            "User:",
            "Your user, please",
        ] {
            assert_eq!(answer(words, 0), user, "{words}");
            assert_eq!(answer(words, 1), user, "asked again: {words}");
        }
        for words in ["Password:", "password", "Pass phrase"] {
            assert_eq!(answer(words, 1), password, "{words}");
        }
        for words in ["", "Kennung:", "?"] {
            assert_eq!(answer(words, 0), user, "{words}");
            assert_eq!(answer(words, 1), password, "{words}");
        }
        assert_eq!(
            Mechanism::Login.answer(&login(), b"\xff not base64", 1),
            password
        );
        assert_eq!(Mechanism::Login.answer(&login(), b"VXNlcm5hbWU6", 0), user);
        assert_eq!(
            Mechanism::Login.answer(&login(), b"UGFzc3dvcmQ", 1),
            password
        );
    }

    #[test]
    fn m2_mechanisms_are_known_in_any_case() {
        let offered = ["xoauth2", "login", "Plain"].map(str::to_owned);
        assert_eq!(
            Mechanism::of(&offered),
            [Mechanism::Plain, Mechanism::Login]
        );
    }
}
