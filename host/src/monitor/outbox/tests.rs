use super::super::notify::DeliveryError;
use super::super::testing::silence;
use super::*;

mod model;
mod together;

const T0: Instant = Instant::from_secs(10_000);
const WALL: Timestamp = Timestamp::UNIX_EPOCH;

fn secs(secs: u64) -> embassy_time::Duration {
    embassy_time::Duration::from_secs(secs)
}

fn outbox(channels: &[&str]) -> Outbox {
    restore(Saved::default(), channels)
}

fn restore(saved: Saved, channels: &[&str]) -> Outbox {
    Outbox::restore(saved, channels.iter().copied()).0
}

fn incident(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

impl Outbox {
    /// Pushes it, and finds it on the disk at once.
    fn raise(&mut self, number: u128, event: Event) -> NoticeId {
        let id = self.push(incident(number), WALL, event);
        self.release(self.end());
        id
    }

    fn down(&mut self, number: u128) -> NoticeId {
        self.raise(number, Event::Down(silence()))
    }

    fn up(&mut self, number: u128) -> NoticeId {
        self.raise(number, Event::Up(silence()))
    }

    fn reminder(&mut self, number: u128) -> NoticeId {
        self.raise(number, Event::Reminder(silence()))
    }

    /// What is due, as the places of channels and the numbers of notices.
    fn due(&mut self, now: Instant) -> Vec<(usize, Vec<NoticeId>)> {
        let deliveries = std::iter::from_fn(|| self.take_due(now)).take(9);
        deliveries
            .map(|delivery| {
                let [channel] = delivery.channels[..] else {
                    panic!("{delivery:?}");
                };
                let ids = delivery.notices.iter().map(|notice| notice.id);
                (channel, ids.collect())
            })
            .collect()
    }

    fn fails(&mut self, channel: usize, retry_after: Option<u64>, now: Instant) {
        self.failed(channel, error(retry_after), now, 0.0);
    }

    fn pending(&self, channel: usize) -> &[NoticeId] {
        &self.queues()[channel].pending
    }
}

fn error(retry_after: Option<u64>) -> DeliveryError {
    DeliveryError {
        cause: "no".to_owned(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

#[test]
fn m2_a_notice_goes_to_every_channel_and_counts_as_delivered_there_alone() {
    let mut outbox = outbox(&["a", "b"]);
    let down = outbox.down(1);
    assert_eq!(outbox.due(T0), [(0, vec![down]), (1, vec![down])]);
    outbox.delivered(1, WALL);
    assert_eq!(outbox.log()[0].delivered, ["b"]);
    assert_eq!(outbox.pending(0), [down]);
    assert_eq!(outbox.pending(1), []);
}

#[test]
fn m2_nothing_is_tried_before_it_is_on_the_disk() {
    let mut outbox = outbox(&["a"]);
    let first = outbox.push(incident(1), WALL, Event::Down(silence()));
    let end = outbox.end();
    let second = outbox.push(incident(1), WALL, Event::Up(silence()));
    assert_eq!(outbox.due(T0), []);
    outbox.release(end);
    assert_eq!(outbox.due(T0), [(0, vec![first])]);
    outbox.delivered(0, WALL);
    assert_eq!(outbox.due(T0), []);
    outbox.release(outbox.end());
    assert_eq!(outbox.due(T0), [(0, vec![second])]);
}

#[test]
fn one_delivery_a_channel_is_under_way() {
    let mut outbox = outbox(&["a"]);
    let down = outbox.down(1);
    assert_eq!(outbox.due(T0), [(0, vec![down])]);
    let up = outbox.up(1);
    assert_eq!(outbox.due(T0 + secs(3600)), []);
    outbox.delivered(0, WALL);
    assert_eq!(outbox.due(T0 + secs(3600)), [(0, vec![up])]);
}

#[test]
fn m4_what_was_delivered_is_not_delivered_again_after_a_restart() {
    let mut before = outbox(&["a", "b"]);
    let down = before.down(1);
    assert_eq!(before.due(T0).len(), 2);
    before.delivered(0, WALL);
    let mut after = restore(before.save(), &["a", "b"]);
    assert_eq!(after.due(T0), [(1, vec![down])]);
    assert_eq!(after.log()[0].delivered, ["a"]);
}

#[test]
fn m2_what_was_under_way_when_the_process_died_is_delivered_after_the_restart() {
    let mut before = outbox(&["a"]);
    let down = before.down(1);
    assert_eq!(before.due(T0).len(), 1);
    assert_eq!(restore(before.save(), &["a"]).due(T0), [(0, vec![down])]);
}

#[test]
fn numbers_go_on_after_a_restart() {
    let mut before = outbox(&[]);
    let first = before.down(1);
    let mut after = restore(before.save(), &[]);
    assert!(after.up(1) > first);
}

#[test]
fn m2_a_channel_that_fails_is_tried_again_for_ever_and_pauses_for_ten_minutes_at_most() {
    let mut outbox = outbox(&["a"]);
    let down = outbox.down(1);
    let mut now = T0;
    for pause in [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600] {
        assert_eq!(outbox.due(now), [(0, vec![down])]);
        outbox.fails(0, None, now);
        let almost = now + secs(pause) - embassy_time::Duration::from_ticks(1);
        assert_eq!(outbox.due(almost), [], "{pause}");
        now += secs(pause);
    }
    // So many failures that doubling would overflow.
    outbox.queues[0].failures = u32::MAX;
    assert_eq!(outbox.due(now).len(), 1);
    outbox.fails(0, None, now);
    assert_eq!(outbox.due(now + secs(600)).len(), 1);
}

#[test]
fn jitter_shortens_a_pause_by_up_to_a_quarter() {
    for (jitter, pause) in [
        (0.0, 2000),
        (0.5, 1750),
        (1.0, 1500),
        (7.0, 1500),
        (-1.0, 2000),
    ] {
        let mut outbox = outbox(&["a"]);
        outbox.down(1);
        assert_eq!(outbox.due(T0).len(), 1);
        outbox.failed(0, error(None), T0, jitter);
        let left = outbox.queues()[0].retry_in(T0);
        assert_eq!(left, Some(embassy_time::Duration::from_millis(pause)));
    }
}

#[test]
fn the_pause_begins_anew_after_a_success() {
    let mut outbox = outbox(&["a"]);
    outbox.down(1);
    for step in 0..5 {
        let now = T0 + secs(step * 1000);
        assert_eq!(outbox.due(now).len(), 1);
        outbox.fails(0, None, now);
    }
    let now = T0 + secs(5000);
    assert_eq!(outbox.due(now).len(), 1);
    assert_eq!(outbox.queues()[0].last_error.as_deref(), Some("no"));
    outbox.delivered(0, WALL);
    assert_eq!(outbox.queues()[0].last_error, None);
    outbox.up(1);
    assert_eq!(outbox.due(now).len(), 1);
    outbox.fails(0, None, now);
    assert_eq!(outbox.due(now + secs(2)).len(), 1);
}

#[test]
fn a_pause_that_is_asked_for_is_made_but_for_no_longer_than_ten_minutes() {
    for (asked, pause) in [(1, 2), (60, 60), (100_000, 600)] {
        let mut outbox = outbox(&["a"]);
        outbox.down(1);
        assert_eq!(outbox.due(T0).len(), 1);
        outbox.fails(0, Some(asked), T0);
        assert_eq!(outbox.queues()[0].retry_in(T0), Some(secs(pause)));
    }
}

#[test]
fn a_new_notice_ends_a_pause_unless_it_was_asked_for() {
    for (asked, tried) in [(None, 1), (Some(60), 0)] {
        let mut outbox = outbox(&["a"]);
        outbox.down(1);
        assert_eq!(outbox.due(T0).len(), 1);
        outbox.fails(0, asked, T0);
        outbox.push(incident(1), WALL, Event::Up(silence()));
        // Not before both can be delivered together.
        assert_eq!(outbox.due(T0), []);
        outbox.release(outbox.end());
        assert_eq!(outbox.due(T0).len(), tried);
    }
}

#[test]
fn a_notice_that_came_while_another_failed_is_tried_at_once() {
    for (asked, tried) in [(None, 1), (Some(60), 0)] {
        let mut outbox = outbox(&["a"]);
        outbox.down(1);
        assert_eq!(outbox.due(T0).len(), 1);
        outbox.up(1);
        outbox.fails(0, asked, T0);
        assert_eq!(outbox.due(T0).len(), tried);
    }
}

#[test]
fn a_clock_that_goes_back_ends_a_pause() {
    let mut outbox = outbox(&["a"]);
    outbox.down(1);
    assert_eq!(outbox.due(T0).len(), 1);
    outbox.fails(0, Some(600), T0);
    assert_eq!(outbox.due(T0 - secs(1)).len(), 1);
}

#[test]
fn an_alarm_that_is_over_before_it_is_delivered_is_sent_with_its_all_clear() {
    let mut outbox = outbox(&["a"]);
    let down = outbox.down(1);
    assert_eq!(outbox.due(T0).len(), 1);
    outbox.fails(0, None, T0);
    outbox.reminder(1);
    let up = outbox.up(1);
    assert_eq!(outbox.due(T0 + secs(2)), [(0, vec![down, up])]);
}

#[test]
fn of_several_reminders_the_last_is_delivered() {
    let mut outbox = outbox(&["a"]);
    let down = outbox.down(1);
    outbox.reminder(1);
    outbox.reminder(1);
    let last = outbox.reminder(1);
    assert_eq!(outbox.due(T0), [(0, vec![down, last])]);
}

#[test]
fn of_several_ends_of_a_timed_disable_the_last_is_delivered() {
    let mut outbox = outbox(&["a"]);
    outbox.raise(7, Event::EnabledAgain);
    let down = outbox.down(1);
    let last = outbox.raise(8, Event::EnabledAgain);
    assert_eq!(outbox.due(T0), [(0, vec![down, last])]);
}

#[test]
fn an_alarm_that_is_forced_again_and_again_keeps_its_begin_and_its_last() {
    let mut outbox = outbox(&["a"]);
    let first = outbox.down(1);
    outbox.down(1);
    let last = outbox.down(1);
    assert_eq!(outbox.due(T0), [(0, vec![first, last])]);
}

#[test]
fn m2_through_many_incidents_the_oldest_and_the_newest_are_kept() {
    let mut outbox = outbox(&["a"]);
    outbox.down(0);
    assert_eq!(outbox.due(T0).len(), 1);
    outbox.delivered(0, WALL);
    let mut kept = vec![outbox.up(0)];
    for number in 1..1000 {
        let ids = [outbox.down(number), outbox.up(number)];
        if number > 1000 - 16 {
            kept.extend(ids);
        }
        assert!(outbox.pending(0).len() <= MAX_PENDING);
    }
    assert_eq!(outbox.pending(0), kept);
    assert!(outbox.log().len() <= LOG + MAX_PENDING);
}

#[test]
fn m2_what_is_pending_is_not_forgotten_however_old_it_is() {
    let mut outbox = outbox(&["stuck", "works"]);
    let down = outbox.down(0);
    let mut now = T0;
    for number in 1..500 {
        assert!(outbox.due(now).iter().any(|(channel, _)| *channel == 1));
        outbox.delivered(1, WALL);
        outbox.fails(0, None, now);
        outbox.down(number);
        now += secs(1000);
    }
    assert_eq!(outbox.pending(0)[0], down);
    let last = outbox.due(now)[0].1.clone();
    assert_eq!(last[0], down);
    assert!(outbox.log().len() <= LOG + MAX_PENDING);
}

#[test]
fn a_channel_that_is_not_configured_any_more_is_dropped_and_a_new_one_has_nothing_to_tell() {
    let mut before = outbox(&["old", "kept"]);
    let down = before.down(1);
    let channels = ["new", "kept"];
    let (mut after, dropped) = Outbox::restore(before.save(), channels.into_iter());
    assert_eq!(dropped, 1);
    assert_eq!(after.due(T0), [(1, vec![down])]);
    let up = after.up(1);
    assert_eq!(after.due(T0), [(0, vec![up])]);
}

#[test]
fn an_end_of_a_delivery_that_was_not_begun_changes_nothing() {
    let mut outbox = outbox(&["a"]);
    let down = outbox.down(1);
    outbox.delivered(0, WALL);
    outbox.fails(0, None, T0);
    outbox.delivered(5, WALL);
    outbox.fails(5, None, T0);
    assert_eq!(outbox.due(T0), [(0, vec![down])]);
}

#[test]
fn x2_a_state_that_contradicts_itself_can_be_restored() {
    let text = r#"{
        "next": 1,
        "log": [
            {"notice": {"id": 7, "incident": "00000000-0000-0000-0000-000000000001", "raised": "1970-01-01T00:00:00Z", "event": {"kind": "enabled_again"}}},
            {"notice": {"id": 3, "incident": "00000000-0000-0000-0000-000000000001", "raised": "1970-01-01T00:00:00Z", "event": {"kind": "enabled_again"}}},
            {"notice": {"id": 7, "incident": "00000000-0000-0000-0000-000000000002", "raised": "1970-01-01T00:00:00Z", "event": {"kind": "enabled_again"}}}
        ],
        "pending": {"a": [7, 7, 99, 3, 5]}
    }"#;
    let mut outbox = restore(serde_json::from_str(text).unwrap(), &["a"]);
    assert_eq!(outbox.due(T0), [(0, vec![NoticeId(7)])]);
    assert_eq!(outbox.down(1), NoticeId(8));
}
