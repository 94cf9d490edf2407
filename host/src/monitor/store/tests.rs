use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::super::memory::Memory;
use super::super::testing::{Folder, config};
use super::*;
use crate::clock::Moment;

const AT: Moment = Moment {
    now: embassy_time::Instant::from_secs(100),
    wall: Timestamp::UNIX_EPOCH,
};

/// Of a monitor that has raised an alarm that is not delivered yet.
fn saved() -> Saved {
    let thresholds = config().alarm().unwrap();
    let channels = ["email:a"].into_iter();
    let mut memory = Memory::restore(thresholds, &config(), Loaded::Nothing, channels, AT);
    memory.beat(None, AT);
    assert!(memory.notify_down(false, AT));
    memory.save(AT)
}

fn found(path: &Path) -> Loaded {
    let (loaded, damaged) = load(path);
    assert!(damaged.is_none(), "{damaged:?}");
    loaded
}

/// The line that a version wrote whose state was that.
fn line_of(state: &serde_json::Value) -> String {
    let state = state.to_string();
    let checksum = crc32(state.as_bytes());
    format!("{{\"version\":1,\"checksum\":\"{checksum:08x}\",\"state\":{state}}}\n")
}

#[test]
fn m2_the_file_of_a_version_that_alerted_of_silence_only_keeps_its_alerts() {
    let saved = saved();
    let mut state = serde_json::to_value(&saved).unwrap();
    // What came with the alerts that the dome is about to close.
    let later = [
        ("", "clearing held incidents threads routine farewell"),
        ("/outbox", "escalated"),
        ("/outbox/log/0/notice/event", "stopped relapses heard_again"),
        ("/history", "course incidents"),
    ];
    for (place, names) in later {
        let fields = state.pointer_mut(place).unwrap().as_object_mut().unwrap();
        for name in names.split(' ') {
            assert!(fields.remove(name).is_some(), "{place}/{name}");
        }
    }
    let folder = Folder::new();
    fs::write(folder.file(), line_of(&state)).unwrap();
    let Loaded::Saved(read) = found(&folder.file()) else {
        panic!("{state}");
    };
    assert_eq!(read.outbox, saved.outbox);
    let thresholds = config().alarm().unwrap();
    let loaded = Loaded::Saved(read);
    let memory = Memory::restore(thresholds, &config(), loaded, ["email:a"].into_iter(), AT);
    // The alarm is on, and still has to be delivered.
    let again = memory.save(AT);
    assert!(again.alarm.down);
    assert_eq!(again.outbox, saved.outbox);
    assert_eq!(again.incident, saved.incident);
}

/// It cannot be used, is kept aside, and gives the reason.
fn refused(path: &Path) -> String {
    let before = fs::read(path).unwrap();
    let (loaded, damaged) = load(path);
    assert!(matches!(loaded, Loaded::Lost), "{loaded:?}");
    let damaged = damaged.unwrap();
    let aside = damaged.set_aside.unwrap();
    assert_eq!(fs::read(&aside).unwrap(), before);
    assert!(!path.exists());
    fs::remove_file(aside).unwrap();
    damaged.cause.to_string()
}

#[test]
fn m2_what_is_written_is_read_again() {
    let folder = Folder::new();
    for _ in 0..2 {
        write(&folder.file(), &saved()).unwrap();
    }
    let saved = saved();
    write(&folder.file(), &saved).unwrap();
    let read = found(&folder.file());
    assert!(
        matches!(&read, Loaded::Saved(read) if **read == saved),
        "{read:?}"
    );
    // Nothing else is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn it_is_json_of_one_line() {
    let bytes = encode(&saved()).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["state"]["alarm"]["down"], true);
    let line = bytes.strip_suffix(b"\n").unwrap();
    assert!(!line.contains(&b'\n'));
}

#[test]
fn no_file_is_no_damage() {
    let folder = Folder::new();
    assert!(matches!(found(&folder.file()), Loaded::Nothing));
    assert!(matches!(
        found(&folder.path().join("no/such/folder")),
        Loaded::Nothing
    ));
}

#[test]
fn the_file_of_the_python_version_is_read() {
    let seen = Some(Timestamp::from_second(1_735_230_745).unwrap());
    for (text, active, last_seen) in [
        ("0,", false, None),
        ("1,", true, None),
        ("0,1735230745", false, seen),
        ("1,1735230745\n", true, seen),
        ("1,1735230745.0", true, seen),
    ] {
        let folder = Folder::new();
        fs::write(folder.file(), text).unwrap();
        let expected = Python { active, last_seen };
        let read = found(&folder.file());
        assert!(
            matches!(read, Loaded::Python(read) if read == expected),
            "{text}: {read:?}"
        );
    }
}

#[test]
fn x2_a_file_that_cannot_be_used_is_set_aside_with_the_reason() {
    let folder = Folder::new();
    let whole = String::from_utf8(encode(&saved()).unwrap()).unwrap();
    let deep = "[".repeat(1_000_000);
    for (bytes, reason) in [
        (b"".as_slice(), "it is empty"),
        (b"\xff\xfe\x00", "it is not text"),
        (b"1,tomorrow", "it is not a state file"),
        (b"1,1e300", "it is not a state file"),
        (b"2,5", "it is not a state file"),
        (b"[]", "it is not a state file"),
        (b"null", "it is not a state file"),
        (deep.as_bytes(), "it is not a state file"),
        (b"{\"version\":1}", "it is not a state file"),
        (b"{\"version\":-1}", "it is not a state file"),
        (
            whole.replace("\"down\":true", "\"down\":null").as_bytes(),
            "its checksum does not match",
        ),
        (
            format!(
                "{{\"version\":1,\"checksum\":\"{:08x}\",\"state\":{{}}}}",
                crc32(b"{}")
            )
            .as_bytes(),
            "its state cannot be read",
        ),
        (
            &whole.as_bytes()[..whole.len() / 2],
            "it is not a state file",
        ),
    ] {
        fs::write(folder.file(), bytes).unwrap();
        let cause = refused(&folder.file());
        assert!(cause.contains(reason), "{cause} for {reason}");
    }
}

#[test]
fn x2_a_file_that_is_too_long_is_not_read_to_its_end() {
    let folder = Folder::new();
    File::create(folder.file())
        .unwrap()
        .set_len(MAX_BYTES + 5)
        .unwrap();
    assert!(refused(&folder.file()).contains("longer than"));
}

#[test]
fn every_damaged_file_is_kept_up_to_a_hundred() {
    let folder = Folder::new();
    for number in 1..=120 {
        fs::write(folder.file(), format!("damage {number}")).unwrap();
        let (_, damaged) = load(&folder.file());
        let aside = damaged.unwrap().set_aside.unwrap();
        let expected = format!("state.json.damaged-{}", number.min(100));
        assert_eq!(aside.file_name().unwrap(), expected.as_str());
    }
    let first = folder.path().join("state.json.damaged-1");
    assert_eq!(fs::read_to_string(first).unwrap(), "damage 1");
}

#[test]
fn x2_what_is_no_file_is_set_aside_too() {
    let folder = Folder::new();
    fs::create_dir(folder.file()).unwrap();
    let (loaded, damaged) = load(&folder.file());
    assert!(matches!(loaded, Loaded::Lost));
    assert!(damaged.unwrap().set_aside.unwrap().is_dir());
    write(&folder.file(), &saved()).unwrap();
}

#[test]
fn x1_nobody_else_can_read_the_file() {
    let folder = Folder::new();
    write(&folder.file(), &saved()).unwrap();
    let mode = fs::metadata(folder.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it names the recipients");
}

#[test]
fn what_could_not_be_put_in_place_takes_no_room() {
    let folder = Folder::new();
    fs::create_dir(folder.file()).unwrap();
    assert!(write(&folder.file(), &saved()).is_err());
    let beside = folder.path().join("state.json.tmp");
    assert!(!beside.exists());
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_leaves_the_old_one() {
    let folder = Folder::new();
    write(&folder.file(), &saved()).unwrap();
    fs::create_dir(folder.path().join("state.json.tmp")).unwrap();
    assert!(write(&folder.file(), &saved()).is_err());
    assert!(matches!(found(&folder.file()), Loaded::Saved(_)));
    assert!(write(&folder.path().join("no/such/folder"), &saved()).is_err());
}

proptest! {
    #[test]
    fn x2_every_truncation_and_every_flipped_bit_is_found(cut in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let saved = saved();
        let bytes = encode(&saved).unwrap();
        let place = cut.index(bytes.len() - 1);
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << bit;
        // A digit of the version may become that of an older one.
        if let Ok(Loaded::Saved(read)) = decode(&flipped) {
            prop_assert_eq!(*read, saved);
        }
        prop_assert!(decode(&bytes[..place]).is_err());
    }

    #[test]
    fn x2_no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }
}

#[test]
fn m2_a_file_of_a_later_version_is_left_as_it_is() {
    let folder = Folder::new();
    for later in [
        "{\"version\":2,\"what\":[]}",
        "{\"version\":18446744073709551615}",
    ] {
        fs::write(folder.file(), later).unwrap();
        assert!(matches!(found(&folder.file()), Loaded::Later(2..)));
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), later);
        let stamp = Uuid::new_v4();
        assert!(write_own(&folder.file(), &mut saved(), stamp, Mark::Nobody).is_err());
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), later);
    }
}

/// On a file system where locks lie.
#[test]
fn m4_of_two_monitors_the_one_that_finds_another_stamp_stops_writing() {
    let folder = Folder::new();
    let file = folder.file();
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let writes = |own, loaded| write_own(&file, &mut saved(), own, loaded).is_ok();
    assert!(writes(first, Mark::Nobody));
    let loaded = Mark::of(&found(&file));
    assert_eq!(loaded, Mark::By(first));
    assert!(writes(first, Mark::Nobody));
    assert!(writes(second, loaded));
    let before = fs::read(&file).unwrap();
    assert!(!writes(first, Mark::Nobody));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(writes(second, Mark::Nobody));
    // Nor may one be overwritten that came since the start.
    assert!(!writes(Uuid::new_v4(), Mark::Nobody));
    // One that does not stamp: an earlier version, or that in Python.
    for other in [encode(&saved()).unwrap(), b"1,1735230745".to_vec()] {
        fs::write(&file, other).unwrap();
        assert_eq!(Mark::of(&found(&file)), Mark::Unstamped);
        assert!(!writes(second, Mark::Nobody));
        assert!(writes(second, Mark::Unstamped));
    }
    // What nobody can use is nobody's.
    for nobody in ["", "1,tomorrow"] {
        fs::write(&file, nobody).unwrap();
        assert!(writes(first, Mark::Nobody));
        fs::remove_file(&file).unwrap();
        assert!(writes(second, Mark::Nobody));
    }
}

#[test]
fn m2_an_alarm_survives_the_way_back_to_the_python_version() {
    let folder = Folder::new();
    let refused = |path: &Path| as_python(path).unwrap_err().to_string();
    assert_eq!(refused(&folder.file()), "there is none");
    write(&folder.file(), &saved()).unwrap();
    let line = as_python(&folder.file()).unwrap().to_string();
    assert_eq!(line, "1,0.000000");
    // It means the same here, and stands in for what was written.
    fs::write(folder.file(), &line).unwrap();
    let Loaded::Python(read) = found(&folder.file()) else {
        panic!("{line}");
    };
    assert_eq!(read.to_string(), line);
    let fresh = Saved::nothing(AT.wall);
    write(&folder.file(), &fresh).unwrap();
    assert_eq!(as_python(&folder.file()).unwrap().to_string(), "0,");
    // Whatever cannot be read stays where it is.
    for (bytes, says) in [("", "it is empty"), ("{}", "it is not a state file")] {
        fs::write(folder.file(), bytes).unwrap();
        assert!(refused(&folder.file()).contains(says), "{bytes}");
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), bytes);
    }
    fs::write(folder.file(), r#"{"version": 99}"#).unwrap();
    assert!(refused(&folder.file()).contains("format 99"));
}
