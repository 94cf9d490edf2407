use jiff::tz::TimeZone;
use uuid::Uuid;

use super::super::sample::{down, enabled_again, notice, reminder, silence, trouble, up, wording};
use super::*;
use crate::monitor::notice::{Moved, NoticeId, Trouble};
use crate::report::{Dome, Health};

fn said(notices: &[Notice]) -> Text {
    Text::new(&notices.to_vec().into(), &wording())
}

#[test]
fn an_alert() {
    let text = said(&[down(1, 1)]);
    assert_eq!(text.subject, "LCO internet is down");
    assert_eq!(
        text.plain(),
        "\
LCO internet is down: last heard at 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago). The dome was open.

Last heard: 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago)
Silent for: at least 5 min
As of: 2025-06-01 03:17:05 UTC (2025-05-31 23:17:05 Santiago)
Dome heartbeat, as last reported: held: overwatcher <silent> for 61 s
Dome, as last reported: open
Engineering mode, as last reported: off

The dome closes by itself.
Call the observers.

Status page: https://monitor.example/
"
    );
    assert_eq!(text.about, About::Down);
    assert!(text.calls());
}

#[test]
fn an_alert_about_an_observatory_that_was_never_heard() {
    let mut alert = down(1, 1);
    alert.event = Event::Down(Silence {
        last_seen: None,
        observed: 300.4,
        by_hand: false,
        last_hold: None,
        dome: None,
        dome_unknown_since: None,
        heard_again: None,
        relapses: 0,
        stopped: None,
        dome_open: None,
        engineering_mode: None,
    });
    let mut wording = wording();
    (wording.action, wording.page, wording.time_zone) = (None, None, TimeZone::UTC);
    assert_eq!(
        Text::new(&vec![alert].into(), &wording).plain(),
        "\
LCO internet is down: it was never heard.

Last heard: never
Silent for: at least 5 min
As of: 2025-06-01 03:17:05 UTC
Dome: not known
"
    );
}

#[test]
fn an_open_dome_in_engineering_mode_is_in_the_first_line() {
    let mut alert = down(1, 1);
    let mut open = silence();
    open.engineering_mode = Some(true);
    alert.event = Event::Down(open);
    let plain = said(&[alert]).plain();
    let first = plain.lines().next().unwrap();
    assert!(
        first.ends_with("The dome was open, in engineering mode."),
        "{first}"
    );
    assert!(plain.contains("ON: the dome stays open"), "{plain}");
}

#[test]
fn a_reminder() {
    let text = said(&[reminder(2, 1)]);
    assert_eq!(text.subject, "REMINDER: LCO internet is still down");
    assert_eq!(
        text.plain().lines().next(),
        Some(
            "LCO internet is still down: last heard at 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago). The dome was open."
        )
    );
    assert!(text.plain().contains("Silent for: at least 1 h\n"));
    assert!(text.calls());
}

#[test]
fn an_all_clear() {
    let text = said(&[up(3, 1)]);
    assert_eq!(text.subject, "RESOLVED: LCO internet is up");
    assert_eq!(
        text.plain(),
        "\
LCO internet has been up again since 2025-06-01 04:40:00 UTC (00:40:00 Santiago). It was down for 1 h 27 min.

Last heard: 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago)
Up again: 2025-06-01 04:40:00 UTC (00:40:00 Santiago)
Observed silence: 1 h 20 min
Dome heartbeat, as last reported: held: overwatcher <silent> for 61 s
Dome, as last reported: open
Engineering mode, as last reported: off

Status page: https://monitor.example/
"
    );
    assert_eq!(text.about, About::Up);
    assert!(!text.calls());
}

#[test]
fn an_all_clear_for_an_observatory_that_is_heard_for_the_first_time() {
    let mut all_clear = up(3, 1);
    let mut first = silence();
    first.last_seen = None;
    all_clear.event = Event::Up(first);
    assert!(said(&[all_clear]).plain().starts_with(
        "LCO internet is up: heard for the first time at 2025-06-01 04:40:00 UTC (00:40:00 Santiago).\n"
    ));
}

#[test]
fn m2_an_alarm_that_is_over_before_it_is_delivered_is_sent_with_its_all_clear() {
    let text = said(&[down(1, 1), reminder(2, 1), up(3, 1)]);
    assert_eq!(text.subject, "RESOLVED: LCO internet is up");
    assert!(text.plain().starts_with(
        "\
LCO internet was down from 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago) to 2025-06-01 04:40:00 UTC (00:40:00 Santiago), and is up again.

The alarm could not be delivered while it lasted.

Last heard: "
    ), "{}", text.plain());
    assert!(!text.calls());
}

#[test]
fn m2_an_alarm_with_undelivered_reminders_is_an_alert_as_of_the_last_one() {
    let text = said(&[down(1, 1), reminder(2, 1), reminder(3, 1)]);
    assert_eq!(text.subject, "LCO internet is down");
    assert!(text.calls(), "nobody has been notified yet");
    let plain = text.plain();
    assert!(plain.contains("Silent for: at least 1 h\n"), "{plain}");
    assert!(plain.contains("Reminders: 2\n"), "{plain}");
}

#[test]
fn m2_several_outages_are_sent_in_one_message() {
    let notices = [up(3, 1), down(4, 2), up(5, 2), down(6, 3), up(7, 3)];
    let plain = said(&notices).plain();
    let was = "2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago)";
    let until = "2025-06-01 04:40:00 UTC (00:40:00 Santiago)";
    assert!(
        plain.starts_with(&format!(
            "\
LCO internet was down 3 times, the last time from {was} to {until}, and is up again.

The alarm could not be delivered while it lasted.

Before: down from {was} to {until}.

Before: down from {was} to {until}.

Last heard: "
        )),
        "{plain}"
    );
    // The all-clear of one that is known, and a new one.
    let again = said(&[up(3, 1), down(4, 2)]);
    assert_eq!(again.subject, "LCO internet is down");
    assert!(again.calls());
    assert!(again.plain().contains("\nBefore: down from "));
}

#[test]
fn x2_however_many_outages_there_were_the_message_is_short() {
    let notices: Vec<_> = (0..1000)
        .flat_map(|n| [down(2 * n, n), up(2 * n + 1, n)])
        .collect();
    let plain = said(&notices).plain();
    assert!(plain.contains("\nBefore that it was down 999 times; the last 10:\n"));
    assert_eq!(plain.matches("\nBefore: down").count(), 10);
}

#[test]
fn what_is_done_by_hand_says_so() {
    let by_hand = |notice: Notice| {
        let mut by_hand = silence();
        by_hand.by_hand = true;
        let event = match notice.event {
            Event::Down(_) => Event::Down(by_hand),
            Event::Up(_) => Event::Up(by_hand),
            Event::Reminder(_)
            | Event::EnabledAgain
            | Event::Test
            | Event::Summary(_)
            | Event::Held(_)
            | Event::HeldReminder(_)
            | Event::Released(_) => panic!("not by hand"),
        };
        Notice { event, ..notice }
    };
    let alert = said(&[by_hand(down(1, 1))]);
    assert_eq!(alert.subject, "LCO internet is down");
    let plain = alert.plain();
    assert!(
        plain.starts_with("LCO internet was declared down by hand: last heard at 2025-"),
        "{plain}"
    );
    assert!(
        plain.contains("\nThis message was requested by hand.\n"),
        "{plain}"
    );
    let plain = said(&[by_hand(up(2, 1))]).plain();
    assert!(
        plain.starts_with("LCO internet was declared up by hand, at 2025-"),
        "{plain}"
    );
}

#[test]
fn the_end_of_a_timed_disable() {
    let text = said(&[enabled_again(1)]);
    assert_eq!(text.subject, "LCO internet: alarms are enabled again");
    assert_eq!(
        text.plain(),
        "\
LCO internet: alarms are enabled again since 2025-06-01 03:00:00 UTC (2025-05-31 23:00:00 Santiago). The time for which they were disabled is over.

Status page: https://monitor.example/
"
    );
    assert!(!text.calls());
    // At the same instant an alarm may be due.
    let both = said(&[enabled_again(1), down(2, 1)]);
    assert_eq!(both.subject, "LCO internet is down");
    assert!(both.plain().contains("\nAlarms are enabled again since "));
}

#[test]
fn a_test_says_that_it_is_one() {
    let text = Text::new(&Message::Test, &wording());
    assert_eq!(text.subject, "TEST: LCO internet is down");
    assert_eq!(
        text.plain(),
        "\
TEST: LCO internet is down. This is a test message. Please ignore.

Status page: https://monitor.example/
"
    );
    assert!(text.calls());
}

#[test]
fn x2_what_came_over_the_network_is_neither_markup_nor_a_mention() {
    let mut alert = down(1, 1);
    let mut evil = silence();
    evil.last_hold = Some(format!("<!channel>\n<b>&\u{7}{}", "x".repeat(5000)));
    alert.event = Event::Down(evil);
    let text = said(&[alert]);
    let html = text.html();
    assert!(
        html.contains("held: &lt;!channel&gt; &lt;b&gt;&amp; xxx"),
        "{html}"
    );
    assert!(html.len() < 4000, "{html}");
    let slack = text.slack("");
    assert!(
        slack.contains("held: &lt;!channel&gt; &lt;b&gt;&amp; xxx"),
        "{slack}"
    );
    assert!(text.plain().lines().all(|line| line.len() < 400));
}

#[test]
fn slack_mentions_people_if_they_are_called() {
    assert_eq!(
        said(&[down(1, 1)]).slack("<!here>"),
        "\
<!here> *LCO internet is down: last heard at 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago). The dome was open.*
• Last heard: 2025-06-01 03:12:05 UTC (2025-05-31 23:12:05 Santiago)
• Silent for: at least 5 min
• As of: 2025-06-01 03:17:05 UTC (2025-05-31 23:17:05 Santiago)
• Dome heartbeat, as last reported: held: overwatcher &lt;silent&gt; for 61 s
• Dome, as last reported: open
• Engineering mode, as last reported: off
The dome closes by itself.
Call the observers.
Status page: <https://monitor.example/>"
    );
    let reminded = said(&[reminder(2, 1)]).slack("<!here>");
    assert!(reminded.starts_with("<!here> *"), "{reminded}");
    for notice in [up(3, 1), enabled_again(4)] {
        let text = said(&[notice]).slack("<!here>");
        assert!(text.starts_with('*'), "{text}");
    }
    assert!(
        Text::new(&Message::Test, &wording())
            .slack("<!here>")
            .starts_with("<!here> *TEST: ")
    );
    assert!(said(&[down(1, 1)]).slack("").starts_with('*'));
}

#[test]
fn html_says_the_same_as_plain_text() {
    let text = said(&[down(1, 1), up(2, 1), down(3, 2)]);
    let html = text.html();
    for line in text.plain().lines().filter(|line| !line.is_empty()) {
        let words = line.split_once(": ").map_or(line, |(_, fact)| fact);
        let words = words.replace('<', "&lt;").replace('>', "&gt;");
        assert!(html.contains(&words), "{words} is not in {html}");
    }
}

#[test]
fn an_outage_whose_notices_are_of_two_incidents_is_two() {
    let stray = notice(9, Uuid::from_u128(9), Event::Reminder(silence()));
    let outages = outages::of(&[down(1, 1), stray.clone()]).len();
    assert_eq!(outages, 2);
    assert_eq!(stray.id, NoticeId(9));
}

fn of_trouble(event: fn(Box<Trouble>) -> Event, trouble: Trouble) -> Notice {
    notice(1, Uuid::nil(), event(Box::new(trouble)))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_withheld_heartbeat_is_told_with_its_cause_and_the_domes_state() {
    let text = said(&[of_trouble(Event::Held, trouble())]);
    assert_eq!(
        text.subject,
        "LVM dome heartbeat held: overwatcher silent 31 s — dome OPEN"
    );
    assert_eq!(
        text.plain(),
        "\
The PLC of the dome has had no heartbeat since 2025-06-01 03:12:16 UTC (2025-05-31 23:12:16 Santiago): overwatcher silent 31 s. Dome: open.

Since: 2025-06-01 03:12:16 UTC (2025-05-31 23:12:16 Santiago)
The PLC closes the dome: at 2025-06-01 03:13:05 UTC (2025-05-31 23:13:05 Santiago) at the latest, if it gets no heartbeat before
Cause: overwatcher silent 31 s
Dome: open at 2025-06-01 03:12:20 UTC (2025-05-31 23:12:20 Santiago)
Last report: 2025-06-01 03:12:35 UTC (2025-05-31 23:12:35 Santiago)
As of: 2025-06-01 03:12:36 UTC (2025-05-31 23:12:36 Santiago)

Status page: https://monitor.example/
"
    );
    assert!(text.calls());
}

#[test]
fn the_domes_state_is_never_a_guess() {
    let since = Some(at("2025-06-01T03:10:02Z"));
    for (dome, since, words) in [
        (Some(Dome::Open), None, "OPEN"),
        (Some(Dome::Closed), None, "CLOSED"),
        (Some(Dome::Moving), None, "MOVING"),
        (Some(Dome::Between), None, "BETWEEN OPEN AND CLOSED"),
        (None, since, "unknown since 03:10:02 UTC"),
        (None, None, "unknown"),
    ] {
        let trouble = Trouble {
            dome,
            dome_unknown_since: since,
            ..trouble()
        };
        for event in [Event::Held, Event::HeldReminder] {
            let text = said(&[of_trouble(event, trouble.clone())]);
            let expected = format!(" — dome {words}");
            assert!(text.subject.ends_with(&expected), "{}", text.subject);
            let plain = text.plain();
            assert!(
                plain.to_lowercase().contains(&words.to_lowercase()),
                "{plain}"
            );
        }
    }
}

#[test]
fn what_is_delivered_late_says_of_when_it_is() {
    let late = Sending {
        acknowledge: None,
        notices: vec![of_trouble(Event::Held, trouble())],
        at: Some(at("2025-06-01T03:30:00Z")),
    };
    let text = Text::new(&Message::Notices(late), &wording());
    assert_eq!(
        text.subject,
        "LVM dome heartbeat held since 03:12:16 UTC: at 03:12:36 UTC overwatcher silent 31 s — dome OPEN"
    );
    let first = text.plain().lines().next().unwrap().to_owned();
    assert!(
        first.contains("This was so at 2025-06-01 03:12:36 UTC")
            && first.ends_with("the dome was then: open."),
        "{first}"
    );
    let plain = text.plain();
    assert!(!plain.contains("Dome: open."), "{plain}");
}

#[test]
fn a_reminder_of_a_withheld_heartbeat_mentions_people() {
    let text = said(&[of_trouble(Event::HeldReminder, trouble())]);
    assert_eq!(
        text.subject,
        "REMINDER: LVM dome heartbeat still held: overwatcher silent 31 s — dome OPEN"
    );
    assert!(text.calls());
}

#[test]
fn the_end_says_why_and_what_the_dome_did() {
    let closed = Trouble {
        dome: Some(Dome::Closed),
        health: Health::ClosedByWatchdog,
        ended: Some(at("2025-06-01T03:14:06Z")),
        moves: [
            ("2025-06-01T03:12:20Z", Dome::Open),
            ("2025-06-01T03:13:20Z", Dome::Moving),
            ("2025-06-01T03:14:06Z", Dome::Closed),
        ]
        .map(|(when, dome)| Moved {
            at: at(when),
            dome: Some(dome),
        })
        .to_vec(),
        ..trouble()
    };
    let text = said(&[of_trouble(Event::Released, closed.clone())]);
    assert_eq!(
        text.subject,
        "RESOLVED: LVM dome is closed, its heartbeat still held"
    );
    let first = text.plain().lines().next().unwrap().to_owned();
    assert_eq!(
        first,
        "The dome has been closed since 2025-06-01 03:14:06 UTC (2025-05-31 23:14:06 Santiago). \
         The PLC has had no heartbeat since 2025-06-01 03:12:16 UTC (2025-05-31 23:12:16 Santiago): \
         overwatcher silent 31 s. The dome was heard to be open at 03:12:20 UTC, moving at 03:13:20 UTC, closed at 03:14:06 UTC."
    );
    let open = Trouble {
        health: Health::Ok,
        ..trouble()
    };
    let text = said(&[
        of_trouble(Event::Held, trouble()),
        of_trouble(Event::Released, open),
    ]);
    assert_eq!(
        text.subject,
        "RESOLVED: LVM dome heartbeat arrives again — dome OPEN"
    );
    assert!(
        text.plain()
            .contains("The dome was open whenever it was heard.")
    );
}

#[test]
fn both_kinds_of_incidents_are_told_in_one_message() {
    let text = said(&[down(1, 1), of_trouble(Event::Held, trouble())]);
    assert!(text.subject.starts_with("LVM dome heartbeat held"));
    assert!(text.plain().contains("Before: down since"));
    let text = said(&[of_trouble(Event::Held, trouble()), up(3, 1)]);
    assert_eq!(text.subject, "RESOLVED: LCO internet is up");
    assert!(
        text.plain()
            .contains("The PLC of the dome has had no heartbeat since")
    );
}
