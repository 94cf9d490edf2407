//! What a peer wrote, made fit to be shown: the only way of its words into a log, an error,
//! `/status` or a mail (X1, X2).
//!
//! A peer may send back what it was given: a password, a token, the address of a webhook, in
//! whatever form it has them. So its words are looked at in every form that they can be decoded to,
//! without regard to case and punctuation. If there is a part of a secret in any of them, none of
//! the words is shown: what is left out of a text can be guessed from the rest.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use email_address::EmailAddress;

/// So much of the words is looked at, in bytes.
const READ: usize = 1024;
/// So much of them is shown, in characters: far less than is looked at, so that no secret is cut at
/// the end.
const SHOWN: usize = 300;
/// So many characters of a secret in a row are a part of it.
const PART: usize = 8;
/// A shorter part of a path or of an encoded secret says nothing: it is found by chance.
pub const TELLING: usize = 5;
/// An encoding within an encoding, and one more.
const DEPTH: u8 = 2;
/// What is shown in place of words that hold a part of a secret.
const WITHHELD: &str = "(withheld: it contains a part of a secret)";

/// All secrets that a program knows. What a peer wrote is shown by [`shown`] only.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Known>);

#[derive(Default)]
struct Known {
    /// Each part of the long ones.
    parts: HashSet<[u8; PART]>,
    /// Those that are no longer than a part.
    short: HashSet<Vec<u8>>,
    /// Those of which nothing is left without punctuation.
    exact: HashSet<Vec<u8>>,
}

impl Secrets {
    /// These, apart from empty ones.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = Known::default();
        for secret in secrets {
            known.add(secret.trim());
        }
        Self(Arc::new(known))
    }

    fn are_in(&self, text: &[u8]) -> bool {
        self.0.are_in(text, DEPTH)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// What a peer wrote as one line of bounded length that can be printed, with masked addresses, or
/// that it holds a part of a secret.
pub fn shown(text: &[u8], secrets: &Secrets) -> String {
    let text = text.get(..READ).unwrap_or(text);
    if secrets.are_in(text) {
        return WITHHELD.to_owned();
    }
    let text = String::from_utf8_lossy(text);
    let words = text.split_whitespace().map(without_address);
    one_line(&words.collect::<Vec<_>>().join(" "), SHOWN)
}

/// An address that those can recognize who know it (X1).
pub fn masked(user: &str, domain: &str) -> String {
    let first = user.chars().next().unwrap_or('?');
    format!("{first}…@{domain}")
}

fn without_address(word: &str) -> String {
    if !word.contains('@') {
        return word.to_owned();
    }
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let (user, domain) = bare.rsplit_once('@').unwrap_or_default();
    if EmailAddress::is_valid_local_part(user) && EmailAddress::is_valid_domain(domain) {
        word.replace(bare, &masked(user, domain))
    } else {
        "…".to_owned()
    }
}

impl Known {
    fn add(&mut self, secret: &str) {
        let whole = folded(secret.as_bytes());
        if whole.is_empty() && !secret.is_empty() {
            self.exact.insert(secret.as_bytes().to_vec());
        }
        self.add_folded(whole);
        // A text whose case was changed cannot be decoded any more, but compared.
        for alignment in 0..3 {
            let encoded = folded(&base64(secret.as_bytes(), alignment));
            if encoded.len() >= TELLING {
                self.add_folded(encoded);
            }
        }
    }

    fn add_folded(&mut self, secret: Vec<u8>) {
        self.parts.extend(parts(&secret));
        if secret.len() < PART && !secret.is_empty() {
            self.short.insert(secret);
        }
    }

    /// Whether there is a part of a secret in it, or in anything that it decodes to.
    fn are_in(&self, text: &[u8], depth: u8) -> bool {
        let plain = unescaped(text);
        if self.are_spelt_out(text) || self.are_spelt_out(&plain) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        [text, &plain].into_iter().any(|text| {
            let base64 = (0..4).map(|start| decoded(text, start, 6, base64_digit));
            let hex = (0..2).map(|start| decoded(text, start, 4, hex_digit));
            base64
                .chain(hex)
                .chain([listed(text)])
                .any(|text| self.are_in(&text, depth))
        })
    }

    fn are_spelt_out(&self, text: &[u8]) -> bool {
        let holds = |text: &[u8], part: &Vec<u8>| text.windows(part.len()).any(|w| w == part);
        let bare = folded(text);
        parts(&bare).any(|part| self.parts.contains(&part))
            || self.short.iter().any(|short| holds(&bare, short))
            || self.exact.iter().any(|exact| holds(text, exact))
    }
}

fn parts(text: &[u8]) -> impl Iterator<Item = [u8; PART]> {
    text.windows(PART).filter_map(|part| part.try_into().ok())
}

/// Letters and digits alone, of one case.
fn folded(text: &[u8]) -> Vec<u8> {
    let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric());
    letters.map(u8::to_ascii_lowercase).collect()
}

/// The digits of base64 that depend on nothing but the text, if so many bytes come before it in
/// their group of three.
fn base64(text: &[u8], before: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = [0].repeat(before).into_iter().chain(text.iter().copied());
    let bits: Vec<u8> = bits
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let whole = bits.chunks_exact(6).skip((before * 8).div_ceil(6));
    whole
        .map(|group| {
            group
                .iter()
                .fold(0, |value, bit| value << 1 | usize::from(*bit))
        })
        .filter_map(|value| DIGITS.get(value).copied())
        .collect()
}

/// The bytes that digits of so many bits stand for, from the digit `start` on; whatever is no digit
/// is left out.
fn decoded(text: &[u8], start: usize, width: u32, digit: fn(u8) -> Option<u8>) -> Vec<u8> {
    let (mut bits, mut count) = (0_u32, 0);
    let mut bytes = Vec::new();
    for digit in text.iter().filter_map(|byte| digit(*byte)).skip(start) {
        bits = bits << width | u32::from(digit);
        count += width;
        if count >= 8 {
            count -= 8;
            bytes.extend((bits >> count).to_le_bytes().first());
        }
    }
    bytes
}

/// The bytes that are listed as decimal numbers.
fn listed(text: &[u8]) -> Vec<u8> {
    let numbers = text.split(|byte| !byte.is_ascii_digit());
    let numbers = numbers.filter_map(|number| std::str::from_utf8(number).ok());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

/// Of base64, also of that for URLs.
fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

/// Without the escapes of URLs and mails (`%2F`, `=2F`), of JSON and other languages (`\u002f`,
/// `\x2f`, `0x2f`, `\n`, `\/`), and of HTML (`&#47;`, `&#x2f;`, `&amp;`), until there are none, but
/// a few times at most.
pub fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..4 {
        let next = unescaped_once(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn unescaped_once(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, left) = match (first, after) {
            (b'\\', [b'u' | b'U', b'{', after @ ..]) | (b'&', [b'#', b'x' | b'X', after @ ..]) => {
                number(after, 1, 16, 8)
            }
            (b'%' | b'=', _) => number(after, 2, 16, 2),
            (b'\\', [b'u', after @ ..]) => number(after, 4, 16, 4),
            (b'\\', [b'U', after @ ..]) => number(after, 8, 16, 8),
            (b'\\' | b'0', [b'x', after @ ..]) => number(after, 1, 16, 2),
            (b'\\', [b'0'..=b'7', ..]) => number(after, 1, 8, 3),
            (b'\\', [b'n' | b'r' | b't', after @ ..]) => Some((b' ', after)),
            (b'\\', [byte, after @ ..]) => Some((*byte, after)),
            (b'&', [b'#', after @ ..]) => number(after, 1, 10, 8),
            (b'&', _) => NAMED
                .iter()
                .find_map(|(name, byte)| Some((*byte, after.strip_prefix(*name)?))),
            _ => None,
        }
        .unwrap_or((*first, after));
        plain.push(byte);
        rest = left;
    }
    plain
}

/// Of those that have a name in HTML, all that a secret may consist of.
const NAMED: [(&[u8], u8); 5] = [
    (b"amp;", b'&'),
    (b"lt;", b'<'),
    (b"gt;", b'>'),
    (b"quot;", b'"'),
    (b"apos;", b'\''),
];

/// The byte that a number of so many digits stands for, and what follows it; of a larger one, a
/// space.
fn number(text: &[u8], least: usize, base: u32, most: usize) -> Option<(u8, &[u8])> {
    let digits = text
        .iter()
        .take(most)
        .map_while(|byte| char::from(*byte).to_digit(base));
    let (mut value, mut count) = (0_u32, 0);
    for digit in digits {
        value = value.saturating_mul(base).saturating_add(digit);
        count += 1;
    }
    if count < least {
        return None;
    }
    let rest = text.get(count..)?;
    let rest = rest
        .strip_prefix(b";")
        .or(rest.strip_prefix(b"}"))
        .unwrap_or(rest);
    Some((u8::try_from(value).unwrap_or(b' '), rest))
}

/// What came from elsewhere, as one line without control characters, and not longer than some
/// characters (X2).
pub fn one_line(text: &str, longest: usize) -> String {
    let visible = text.replace(is_invisible, "");
    let words = visible
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    if line.chars().count() <= longest {
        return line;
    }
    let mut cut: String = line.chars().take(longest.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// What takes no room on a screen, or turns the direction of what follows (Unicode's category Cf).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
