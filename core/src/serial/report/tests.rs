extern crate std;

use std::borrow::ToOwned as _;
use std::string::ToString as _;
use std::vec;

use proptest::collection;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::serial::Sick;

/// Every kind of line as the box sends it: these bytes are the protocol.
#[test]
fn each_report_is_this_line() {
    let lvmbeat = || Name::new("lvmbeat").unwrap();
    let hold = |cause, source: Option<&str>| Hold {
        cause,
        source: source.map(|source| Name::new(source).unwrap()),
    };
    let mut refused = Counts::default();
    refused.count(Refusal::Flood);
    refused.count(Refusal::Flood);
    refused.count(Refusal::Checksum);
    for (at_ms, what, sequence, line) in [
        (
            0,
            What::Started(Start {
                cause: ResetCause::Panic,
                starts: 3,
                place: 0xFF10,
                was_energised: true,
            }),
            None,
            "0 boot cause=panic starts=3 place=0xff10 relay=energised",
        ),
        (12, What::Energised, None, "12 relay energised"),
        (
            60_012,
            What::Released(Release::Expired),
            None,
            "60012 relay released cause=expired",
        ),
        (
            1,
            What::Released(Release::Sick(Sick::UartTask)),
            None,
            "1 relay released cause=uart_task_stuck",
        ),
        (
            1,
            What::Counted(lvmbeat()),
            Some(7),
            "1 set lvmbeat counted seq=7",
        ),
        (1, What::Noted(lvmbeat()), None, "1 set lvmbeat noted"),
        (
            1,
            What::Held {
                source: lvmbeat(),
                hold: hold(Cause::NeverSeen, Some("b")),
            },
            Some(7),
            "1 set lvmbeat held reason=heartbeat_never_seen source=b seq=7",
        ),
        (1, What::Armed(true), Some(7), "1 armed seq=7"),
        (1, What::Armed(false), Some(7), "1 armed already seq=7"),
        (
            1,
            What::Session(lvmbeat(), u32::MAX),
            Some(0),
            "1 session lvmbeat 4294967295 seq=0",
        ),
        (u64::MAX, What::Pong, None, "18446744073709551615 pong"),
        (
            1,
            What::Refused(Refusal::NotOnBench),
            None,
            "1 refused not_on_bench",
        ),
        (
            5,
            What::Status(Status {
                energised: true,
                latched: false,
                remaining_ms: Some(59_000),
                hold: Some(hold(Cause::CutOff, None)),
                refused,
            }),
            Some(9),
            "5 status relay=energised latched=no remaining_ms=59000 hold=cut_off refused: checksum=1 flood=2 seq=9",
        ),
        (
            5,
            What::Status(Status {
                energised: false,
                latched: true,
                remaining_ms: None,
                hold: None,
                refused: Counts::default(),
            }),
            None,
            "5 status relay=released latched=yes refused:",
        ),
    ] {
        let report = Report {
            at_ms,
            what,
            sequence,
        };
        assert_eq!(report.to_string(), line);
        assert_eq!(Report::parse(line), Ok(report));
    }
}

#[test]
fn x2_what_the_box_cannot_have_sent_is_no_report() {
    for line in [
        "",
        " ",
        "1",
        "1 ",
        "pong",
        "1  pong",
        "1 pong ",
        "1 pong pong",
        "+1 pong",
        "01 pong",
        "-1 pong",
        "18446744073709551616 pong",
        "1 pong seq=",
        "1 pong seq=07",
        "1 pong seq=4294967296",
        "1 pong seq=1 seq=1",
        "1 pong counted",
        "1 relay",
        "1 relay melted",
        "1 relay released",
        "1 relay released cause=cut_off",
        "1 relay energised cause=expired",
        "1 set lvmbeat",
        "1 set  counted",
        "1 set lvmbeat held",
        "1 set lvmbeat held reason=weather",
        "1 set lvmbeat held reason=cut_off source=",
        "1 armed again",
        "1 session lvmbeat",
        "1 session lvmbeat -1",
        "1 refused",
        "1 refused session counted",
        "1 status",
        "1 status relay=molten latched=no refused:",
        "1 status relay=energised",
        "1 status relay=energised latched=maybe refused:",
        "1 status relay=energised latched=no",
        "1 status relay=energised latched=no refused: flood=0",
        "1 status relay=energised latched=no refused: flood=1 checksum=1",
        "1 status relay=energised latched=no refused: rain=1",
        "0 boot",
        "0 boot cause=power_on starts=1 place=0xFF relay=released",
        "0 boot cause=power_on starts=1 place=0 relay=released",
        "\u{fffd} \u{fffd}",
    ] {
        assert_eq!(Report::parse(line), Err(NotAReport), "{line:?}");
    }
}

#[test]
fn the_longest_report_has_room() {
    let longest = |all: &[Cause]| all.iter().copied().max_by_key(|cause| cause.as_str().len());
    let mut refused = Counts::default();
    for refusal in Refusal::ALL {
        refused.set(refusal, u32::MAX);
    }
    let report = Report {
        at_ms: u64::MAX,
        what: What::Status(Status {
            energised: true,
            latched: true,
            remaining_ms: Some(u64::MAX),
            hold: Some(Hold {
                cause: longest(&Cause::ALL).unwrap(),
                source: Some(Name::new("abcdefghijklmnopqrstuvwxyz-12345").unwrap()),
            }),
            refused,
        }),
        sequence: Some(u32::MAX),
    };
    let line = report.to_string();
    assert!(line.ends_with(" not_on_bench=4294967295 seq=4294967295"));
    assert!(
        line.len() < MAX_REPORT && line.len() + 20 > MAX_REPORT,
        "{}",
        line.len()
    );
    assert_eq!(Report::parse(&line), Ok(report));
}

/// Names that look like other parts of a line are among them.
fn any_name() -> impl Strategy<Value = Name> {
    let text = prop_oneof![
        "[a-z:=0-9-]{1,32}",
        "[^\\s\\p{Cc}]{1,8}",
        select(
            &[
                "seq=1", "counted", "source=a", "refused:", "held", "already", "flood=1"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    text.prop_map(|text| Name::new(&text).unwrap())
}

fn any_hold() -> impl Strategy<Value = Hold> {
    (select(&Cause::ALL[..]), option::of(any_name()))
        .prop_map(|(cause, source)| Hold { cause, source })
}

fn any_status() -> impl Strategy<Value = Status> {
    let counts = collection::vec(prop_oneof![Just(0), any::<u32>()], Refusal::ALL.len());
    (
        any::<(bool, bool, Option<u64>)>(),
        option::of(any_hold()),
        counts,
    )
        .prop_map(|((energised, latched, remaining_ms), hold, counts)| {
            let mut refused = Counts::default();
            for (refusal, count) in Refusal::ALL.into_iter().zip(counts) {
                refused.set(refusal, count);
            }
            Status {
                energised,
                latched,
                remaining_ms,
                hold,
                refused,
            }
        })
}

fn any_start() -> impl Strategy<Value = Start> {
    (select(&ResetCause::ALL[..]), any::<(u32, u32, bool)>()).prop_map(
        |(cause, (starts, place, was_energised))| Start {
            cause,
            starts,
            place,
            was_energised,
        },
    )
}

fn any_report() -> impl Strategy<Value = Report> {
    let what = prop_oneof![
        any_start().prop_map(What::Started),
        Just(What::Energised),
        select(&Release::ALL[..]).prop_map(What::Released),
        any_name().prop_map(What::Counted),
        any_name().prop_map(What::Noted),
        (any_name(), any_hold()).prop_map(|(source, hold)| What::Held { source, hold }),
        any::<bool>().prop_map(What::Armed),
        (any_name(), any::<u32>()).prop_map(|(name, session)| What::Session(name, session)),
        Just(What::Pong),
        any_status().prop_map(What::Status),
        select(&Refusal::ALL[..]).prop_map(What::Refused),
    ];
    (any::<u64>(), what, any::<Option<u32>>()).prop_map(|(at_ms, what, sequence)| Report {
        at_ms,
        what,
        sequence,
    })
}

proptest! {
    #[test]
    fn any_report_is_read_as_it_was_written(report in any_report()) {
        prop_assert_eq!(Report::parse(&report.emit()), Ok(report));
    }

    #[test]
    fn x2_any_text_is_no_report_and_no_panic(line: std::string::String) {
        // Chance writes no report: each begins with a number and a word of the protocol.
        prop_assert_eq!(Report::parse(&line), Err(NotAReport));
    }

    /// A disturbance leaves another report, or none, but never one that the box would write
    /// differently.
    #[test]
    fn x2_a_report_with_a_byte_that_was_changed_added_or_lost_is_that_report_or_none(
        report in any_report(),
        place: prop::sample::Index,
        byte: u8,
        change in 0..3,
    ) {
        let mut bytes = report.emit().into_bytes().to_vec();
        let place = place.index(bytes.len());
        match change {
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
        let line = std::string::String::from_utf8_lossy(&bytes);
        if let Ok(other) = Report::parse(&line) {
            prop_assert_eq!(&other.to_string()[..], &line[..]);
        }
    }
}
