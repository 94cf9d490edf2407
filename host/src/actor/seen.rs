//! The values by which a client proves when it sent a beat (S3).
//!
//! Each reply to `set` carries one. A client that repeats it with its next `set` has read that
//! reply before, so its beat was sent after the value was made, whatever its connection does. A
//! value is the moment of its making with a code of authenticity, by a key that lives as
//! long as the session: so it takes no room here, nobody can make one, and none outlives its
//! session (S5).

use embassy_time::Instant;
use ring::hmac;

/// Bytes of the code that are sent.
const CODE: usize = 12;

/// The values of one session.
pub(super) struct Seen {
    key: hmac::Key,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()),
        }
    }

    /// The value for a reply that is made at `now`.
    pub(super) fn value(&self, now: Instant) -> String {
        format!("{:x}.{}", now.as_ticks(), self.code(now))
    }

    /// When that value was made; `None` if it is not one of this session.
    pub(super) fn made_at(&self, value: &str) -> Option<Instant> {
        let (ticks, code) = value.split_once('.')?;
        let made = Instant::from_ticks(u64::from_str_radix(ticks, 16).ok()?);
        // In constant time, as whoever guesses would otherwise be helped.
        let expected = self.code(made);
        let genuine = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), code.as_bytes());
        bool::from(genuine).then_some(made)
    }

    fn code(&self, made: Instant) -> String {
        let tag = hmac::sign(&self.key, &made.as_ticks().to_be_bytes());
        let bytes = tag.as_ref().iter().take(CODE);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_secs(1000);

    #[test]
    fn s3_a_value_says_when_it_was_made() {
        let seen = Seen::new();
        assert_eq!(seen.made_at(&seen.value(NOW)), Some(NOW));
        assert_eq!(seen.made_at(&seen.value(Instant::MAX)), Some(Instant::MAX));
    }

    #[test]
    fn s3_nobody_can_make_a_value() {
        let seen = Seen::new();
        let value = seen.value(NOW);
        let (ticks, code) = value.split_once('.').unwrap();
        let later = format!("{:x}", NOW.as_ticks() + 1);
        for forged in [
            format!("{later}.{code}"),
            format!("{ticks}."),
            format!("{ticks}.{}", &code[1..]),
            format!("{ticks}.{}", code.to_uppercase() + "0"),
            format!("+{ticks}.{code}0"),
            format!("{ticks}.{}", "0".repeat(code.len())),
            ticks.to_owned(),
            String::new(),
            ".".to_owned(),
            "ffffffffffffffffffff.0".to_owned(),
            "é.è".to_owned(),
        ] {
            assert_eq!(seen.made_at(&forged), None, "{forged}");
        }
    }

    #[test]
    fn s5_a_value_of_another_session_is_none() {
        assert_eq!(Seen::new().made_at(&Seen::new().value(NOW)), None);
    }
}
