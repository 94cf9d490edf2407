//! What a server answers: bytes, of which the code decides (RFC 5321, 4.2). Pure: no I/O.
//!
//! As Python's smtplib reads it: lines end with LF, the text may be anything or missing, the last
//! line's code counts, and the end of the connection ends a line. However much a server sends, what
//! is kept of it is bounded (X2).

use std::mem;

/// What is kept of a line, in bytes. What follows is read and dropped.
const LINE: usize = 1024;
/// Lines of one reply that are kept.
const LINES: usize = 128;
/// The longest reply that is read to its end, in bytes.
const LONGEST: usize = 256 * 1024;

/// A whole reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    /// Three digits.
    pub(super) code: u16,
    /// What it says beside the code, line by line.
    pub(super) lines: Vec<Vec<u8>>,
}

/// Why something is not a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// It does not begin with a code.
    NoCode,
    /// It has no end.
    Endless,
}

/// Reads one reply; to be given each byte until there is one.
#[derive(Default, Debug)]
pub(super) struct Reader {
    line: Vec<u8>,
    lines: Vec<Vec<u8>>,
    read: usize,
    code: Option<u16>,
}

impl Reply {
    /// The server has done what it was asked for.
    pub(super) fn is_done(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The server asks for more.
    pub(super) fn is_more(&self) -> bool {
        (300..400).contains(&self.code)
    }

    /// It may be done later.
    pub(super) fn is_for_now(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// All that it says, with spaces between the lines.
    pub(super) fn text(&self) -> Vec<u8> {
        self.lines.join(&b' ')
    }
}

impl Reader {
    /// The next byte; gives the reply that ends with it.
    pub(super) fn push(&mut self, byte: u8) -> Option<Result<Reply, Fault>> {
        self.read += 1;
        if byte == b'\n' {
            return self.end_line();
        }
        if self.read >= LONGEST {
            return Some(Err(Fault::Endless));
        }
        if self.line.len() < LINE {
            self.line.push(byte);
        }
        None
    }

    /// The connection has ended; gives the reply whose last line has no end, if there is one.
    pub(super) fn end(&mut self) -> Option<Result<Reply, Fault>> {
        if self.line.is_empty() {
            return None;
        }
        self.end_line()
    }

    /// The code of a reply that has begun, and may never end.
    pub(super) fn begun(&self) -> Option<u16> {
        code(&self.line).or(self.code)
    }

    fn end_line(&mut self) -> Option<Result<Reply, Fault>> {
        let line = mem::take(&mut self.line);
        let Some(code) = code(&line) else {
            return Some(Err(Fault::NoCode));
        };
        self.code = Some(code);
        if self.lines.len() < LINES {
            let text = line.get(4..).unwrap_or_default().trim_ascii();
            self.lines.push(text.to_vec());
        }
        if line.get(3) == Some(&b'-') {
            let is_endless = self.read >= LONGEST;
            return is_endless.then_some(Err(Fault::Endless));
        }
        let lines = mem::take(&mut self.lines);
        Some(Ok(Reply { code, lines }))
    }
}

fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    let is_code = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_code)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Result<(u16, Vec<String>), Fault>> {
        let mut reader = Reader::default();
        let found = bytes.iter().find_map(|byte| reader.push(*byte));
        let found = found.or_else(|| reader.end())?;
        let text = |line: &Vec<u8>| String::from_utf8_lossy(line).into_owned();
        Some(found.map(|reply| (reply.code, reply.lines.iter().map(text).collect())))
    }

    #[test]
    fn m4_the_code_decides_whatever_the_text_is() {
        let replies: [(&[u8], u16, &[&str]); 9] = [
            (b"250 2.0.0 Taken\r\n", 250, &["2.0.0 Taken"]),
            (b"250\r\n", 250, &[""]),
            (b"250\n", 250, &[""]),
            (b"250", 250, &[""]),
            (b"250 taken, and gone", 250, &["taken, and gone"]),
            (
                b"250 angenommen, sch\xf6nen Tag\r\n",
                250,
                &["angenommen, sch\u{fffd}nen Tag"],
            ),
            (b"250-one\r\n250-\r\n250 two\r\n", 250, &["one", "", "two"]),
            (b"250-one\r\n251 two\r\n", 251, &["one", "two"]),
            (b"250\ttabbed\r\n", 250, &["tabbed"]),
        ];
        for (bytes, code, lines) in replies {
            let lines = lines.iter().map(ToString::to_string).collect();
            assert_eq!(read(bytes), Some(Ok((code, lines))));
        }
    }

    #[test]
    fn x2_what_is_no_reply_is_said_to_be_none() {
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"\r\n",
            b"25\r\n",
            b"2x0 \r\n",
            b"\xff\xfe\xfd\r\n",
            b"250-one\r\n\r\n",
            b"+OK POP3\r\n",
        ] {
            assert_eq!(read(bytes), Some(Err(Fault::NoCode)), "{bytes:?}");
        }
        assert_eq!(read(b""), None);
        assert_eq!(read(b"250-more\r\n"), None);
    }

    #[test]
    fn x2_a_reply_without_end_is_given_up_and_little_of_it_is_kept() {
        let endless_line = b"250 ".iter().chain(&[b'x'; 8]).cycle();
        let endless_lines = b"250-more\r\n".iter().cycle();
        let streams: [Box<dyn Iterator<Item = &u8>>; 2] =
            [Box::new(endless_line), Box::new(endless_lines)];
        for mut stream in streams {
            let mut reader = Reader::default();
            let mut most = 0;
            let found = stream.find_map(|byte| {
                let found = reader.push(*byte);
                most =
                    most.max(reader.line.len() + reader.lines.iter().map(Vec::len).sum::<usize>());
                found
            });
            assert_eq!(found, Some(Err(Fault::Endless)));
            assert_eq!(reader.begun(), Some(250), "M4: it is known all the same");
            assert!(
                reader.read <= LONGEST + LINE && most <= LINE * (LINES + 1),
                "{most}"
            );
        }
    }

    #[test]
    fn m4_the_code_of_a_reply_that_does_not_end_is_known() {
        let begun = |bytes: &[u8]| {
            let mut reader = Reader::default();
            assert!(bytes.iter().all(|byte| reader.push(*byte).is_none()));
            reader.begun()
        };
        assert_eq!(begun(b"250"), Some(250));
        assert_eq!(begun(b"250-taken\r\n25"), Some(250));
        assert_eq!(begun(b"25"), None);
        assert_eq!(begun(b""), None);
    }

    proptest! {
        #[test]
        fn x2_any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let found = read(&bytes);
            // Written differently: the lines up to the first that is none, or the last of a reply.
            let text = bytes.split(|byte| *byte == b'\n').collect::<Vec<_>>();
            let is_code = |line: &&&[u8]| line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit);
            let last = text.iter().find(|line| !is_code(line) || line.get(3) != Some(&b'-'));
            let expected = match last {
                Some(line) if is_code(&line) => Some(String::from_utf8(line[..3].to_vec()).unwrap().parse().unwrap()),
                _ => None,
            };
            prop_assert_eq!(found.and_then(Result::ok).map(|(code, _)| code), expected);
        }
    }
}
