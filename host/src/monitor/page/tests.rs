mod history;
mod standing;

use super::*;

use crate::monitor::notify::Kind;
use crate::report::{Dome, HeartbeatReport};

const FRESH: Duration = Duration::ZERO;

fn page(view: &View) -> String {
    render(view, &sample::setting(), FRESH, None).into_string()
}

/// The text of some HTML, tags and runs of white space being one space.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace(" .", ".")
        .replace(" ,", ",")
        .replace(" :", ":")
        .replace(" ;", ";")
}

#[track_caller]
fn says(html: &str, words: &[&str]) {
    let text = text(html);
    for words in words {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[track_caller]
fn does_not_say(html: &str, words: &[&str]) {
    let text = text(html);
    for words in words {
        assert!(!text.contains(words), "{words:?} is in:\n{text}");
    }
}

/// The state at the top and in the title.
fn word(html: &str) -> String {
    let between = |from: &str, to: &str| html.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let title = between("<title>", "</title>");
    let heading = text(between("<h1 id=\"state\">", "</h1>"));
    assert_eq!(title, format!("{heading} · LCO internet"));
    heading
}

#[test]
fn up_is_said_with_its_age_and_nothing_to_do() {
    let html = page(&sample::up());
    assert_eq!(word(&html), "UP");
    says(
        &html,
        &[
            "LCO internet is up.",
            "Up since 2 Jan 21:52 UTC (18:52 Santiago), for 9 h 20 min",
            "Last beat 4 s ago",
            "What to do: nothing.",
            "Silence of 5 min raises the alarm.",
            "heard 97.5 % of the time, 1 outage (26 min), not listening once (10 min), dome heartbeat withheld once (3 min 40 s)",
            "overwatcher",
            "2.1 s of 30 s; smallest margin: 23.4 s",
            "Dome open",
            "46.9 s left before the PLC would have closed the dome, between two heartbeats",
        ],
    );
    does_not_say(&html, &["Urgent"]);
}

#[test]
fn down_is_said_with_what_to_do() {
    let html = page(&sample::down());
    assert_eq!(word(&html), "DOWN");
    says(
        &html,
        &[
            "Last beat 19 min ago",
            "Down since 06:58:05 UTC",
            "make sure that the dome is closed",
            "The dome was open. The observatory last reported it open. (Reported 19 min ago.)",
            "Old: said 19 min ago",
        ],
    );
    let mut setting = sample::setting();
    setting.action = Some("Ring the site: 5-1234.".to_owned());
    let html = render(&sample::down(), &setting, FRESH, None).into_string();
    says(&html, &["What to do: Ring the site: 5-1234."]);
    does_not_say(&html, &["make sure that the dome is closed"]);
}

#[test]
fn an_open_incident_is_acknowledged_by_a_form_and_an_acknowledged_one_says_since_when() {
    let html = page(&sample::held());
    says(
        &html,
        &["People were alerted at 07:11:58 UTC (04:11 Santiago): an incident. Acknowledge"],
    );
    let (_, form) = html.split_once("action=\"./acknowledge\"").unwrap();
    let (form, _) = form.split_once("</form>").unwrap();
    let id = uuid::Uuid::from_u128(14);
    assert!(
        form.contains(&format!("type=\"hidden\" name=\"incident\" value=\"{id}\"")),
        "{form}"
    );
    let html = page(&sample::down());
    says(
        &html,
        &[
            "the observatory is silent. Acknowledged at 07:02:05 UTC (04:02 Santiago): nobody is reminded of it.",
        ],
    );
    assert!(!html.contains("action=\"./acknowledge\""));
    assert!(!page(&sample::up()).contains("open-incident"));
}

#[test]
fn a_quiet_time_is_said_with_its_end() {
    let mut view = sample::up();
    view.quiet_until = Some(sample::ago(-3600));
    let html = page(&view);
    says(
        &html,
        &[
            "Quiet time: nobody is alerted until 08:12:05 UTC (05:12 Santiago).",
            "A quiet time of the configuration goes on: nobody is alerted until 08:12:05 UTC",
        ],
    );
    does_not_say(&html, &["raises the alarm", "Alerts are enabled"]);
}

#[test]
fn what_was_heard_again_is_said_before_the_all_clear() {
    let mut view = sample::up();
    view.clearing = Some(sample::ago(20));
    says(
        &page(&view),
        &[
            "Heard again since 07:11:45 UTC (04:11 Santiago): the all-clear comes when that has lasted.",
        ],
    );
}

#[test]
fn waiting_is_said_with_where_to_look() {
    let html = page(&sample::waiting());
    assert_eq!(word(&html), "WAITING");
    says(
        &html,
        &[
            "Last beat never",
            "outside_monitor.url",
            "Nothing was ever heard",
        ],
    );
}

#[test]
fn disabled_is_said_with_its_end_and_the_button_that_ends_it() {
    let html = page(&sample::disabled_for_a_time());
    assert_eq!(word(&html), "DISABLED");
    says(
        &html,
        &[
            "Nobody is alerted until 09:42:05 UTC (06:42 Santiago), for another 2 h 30 min.",
            "Observatory: up",
        ],
    );
    let hero = html
        .split_once("class=\"hero")
        .unwrap()
        .1
        .split_once("</section>")
        .unwrap()
        .0;
    assert!(hero.contains("action=\"./enable\""), "{hero}");
}

#[test]
fn disabled_for_good_does_not_hide_that_it_has_become_silent() {
    let html = page(&sample::disabled_for_good());
    assert_eq!(word(&html), "DISABLED");
    says(
        &html,
        &[
            "Nobody is alerted until somebody enables alerts.",
            "Meanwhile the observatory is silent.",
            "What to do: find out why it is silent: nobody is alerted.",
            "Last beat 1 h 06 min ago",
        ],
    );
}

#[test]
fn an_alarm_is_shown_although_alerts_were_disabled_since() {
    let mut view = sample::down();
    view.alarm.mode = lvmbeat_core::alarm::Mode::DisabledForGood;
    let html = page(&view);
    assert_eq!(word(&html), "DOWN");
    says(
        &html,
        &[
            "Alerts are disabled: nobody is reminded.",
            "Alerts are disabled until somebody enables them.",
        ],
    );
}

#[test]
fn a_monitor_that_would_tell_nobody_is_not_shown_as_up() {
    let html = page(&sample::not_alerting());
    assert_eq!(word(&html), "NOT ALERTING");
    says(
        &html,
        &[
            "Alerting is switched off",
            "LVMBEAT_START_MONITOR=0",
            "Observatory: up",
        ],
    );

    let mut view = sample::up();
    view.channels.clear();
    let html = page(&view);
    assert_eq!(word(&html), "NOT ALERTING");
    says(
        &html,
        &["no way to alert anybody", "None. Nobody can be alerted."],
    );

    let mut view = sample::up();
    for channel in &mut view.channels {
        channel.failures = 1;
    }
    assert_eq!(word(&page(&view)), "NOT ALERTING");
    view.channels[0].failures = 0;
    assert_eq!(word(&page(&view)), "UP");
}

#[test]
fn a_monitor_that_has_stopped_watching_is_not_shown_as_up() {
    for view in [sample::up(), sample::down(), sample::disabled_for_good()] {
        let html = render(&view, &sample::setting(), Duration::from_secs(40), None).into_string();
        assert_eq!(word(&html), "NOT ALERTING");
        says(
            &html,
            &["nothing here is newer than 40 s", "Restart the monitor"],
        );
    }
    let html = render(
        &sample::up(),
        &sample::setting(),
        Duration::from_secs(3),
        None,
    )
    .into_string();
    assert_eq!(word(&html), "UP");
    says(&html, &["Last beat 7 s ago"]);
}

#[test]
fn m2_an_alert_that_is_not_delivered_says_how_far_each_channel_is() {
    let html = page(&sample::undelivered());
    says(
        &html,
        &[
            "Not everybody has been alerted yet. 2 of 3 channels still have to deliver the alarm.",
            "A channel fails. e-mail to a…@observatory.example has failed 5 times: the server mail.example:587 refuses the login",
            "retrying in 1 min 35 s, failed 5 times because: the server mail.example:587 refuses the login",
            "webhook pager: sending now",
            "Slack #lvm-alerts: delivered",
        ],
    );
}

#[test]
fn engineering_mode_is_said_at_the_top_and_nobody_says_that_the_plc_closes() {
    let html = page(&sample::engineering_mode());
    assert_eq!(word(&html), "BYPASSED");
    says(
        &html,
        &[
            "lvmecp itself feeds the PLC. The dome may be open, and stays open, whatever lvmbeat decides.",
            "heartbeat overwatcher was last received 431.5 s ago (timeout 30 s); for 6 min 41 s. Engineering mode feeds the PLC all the same.",
            "7 min 11 s of 30 s",
        ],
    );
    does_not_say(&html, &["What to do: nothing", "the PLC closes the dome"]);
}

#[test]
fn a_report_that_is_missing_or_old_is_said_to_be_so() {
    says(
        &page(&sample::without_report()),
        &["its beats carry no report"],
    );
    says(
        &page(&sample::old_report()),
        &[
            "The report is old. Beats arrive, but without a report for 1 h 01 min",
            "Old: said 1 h 01 min ago",
        ],
    );
}

#[test]
fn what_is_not_known_of_the_dome_is_said_to_be_unknown() {
    let mut view = sample::up();
    let (report, _) = view.report.as_mut().unwrap();
    let enclosure = report.enclosure.as_mut().unwrap();
    (enclosure.dome, enclosure.dome_open) = (None, None);
    says(&page(&view), &["Dome unknown since"]);
    let enclosure = view.report.as_mut().unwrap().0.enclosure.as_mut();
    enclosure.unwrap().dome = Some(Dome::Closed);
    says(&page(&view), &["Dome closed"]);
    // Nobody says closed of what was not said again in time.
    let enclosure = view.report.as_mut().unwrap().0.enclosure.as_mut();
    enclosure.unwrap().dome_age = Some(90.0);
    let shown = page(&view);
    says(&shown, &["Dome unknown since"]);
    assert!(!shown.contains("Dome closed"));
    view.report.as_mut().unwrap().0.enclosure = None;
    says(
        &page(&view),
        &["Dome unknown", "The enclosure was not heard."],
    );
}

#[test]
fn m2_a_state_file_that_is_missing_or_fails_is_warned_of() {
    says(
        &page(&sample::without_state_file()),
        &[
            "There is no state file",
            "LVMBEAT_STATE_FILE",
            "a restart loses everything",
        ],
    );
    let mut view = sample::up();
    view.store.failure = Some("no space left on device".to_owned());
    view.store.set_aside = Some("/data/lvmbeat-monitor.json.damaged-1".into());
    says(
        &page(&view),
        &[
            "Urgent: The state file cannot be written. /data/lvmbeat-monitor.json: no space left on device.",
            "A state file was damaged. It is kept as /data/lvmbeat-monitor.json.damaged-1.",
        ],
    );
}

#[test]
fn x1_open_doors_are_warned_of() {
    let mut setting = sample::setting();
    let closed = render(&sample::up(), &setting, FRESH, None).into_string();
    does_not_say(&closed, &["Anybody", "anybody may"]);
    setting.admin_token = false;
    setting.ping_token = false;
    let open = render(&sample::up(), &setting, FRESH, None).into_string();
    says(
        &open,
        &[
            "Anybody can silence this monitor",
            "LVMBEAT_ADMIN_TOKEN",
            "Anybody can send beats",
            "LVMBEAT_PING_TOKEN",
            "anybody may",
        ],
    );
}

#[test]
fn x1_what_the_observatory_reports_is_text_and_nothing_else() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut view = sample::undelivered();
    let (report, _) = view.report.as_mut().unwrap();
    report.version = EVIL.to_owned();
    report.heartbeats[0].name = EVIL.to_owned();
    report.network[0].name = EVIL.to_owned();
    report.emission.last_outcome = Some(EVIL.to_owned());
    report.hold = Some(crate::report::HoldReport {
        reason: EVIL.to_owned(),
        fault: true,
        text: EVIL.to_owned(),
        seconds: Some(1.0),
    });
    view.channels[0].name = EVIL.to_owned();
    view.channels[0].last_error = Some(EVIL.to_owned());
    view.notices[0].delivered = vec![EVIL.to_owned()];
    view.notices[0].pending = vec![EVIL.to_owned()];
    view.store.failure = Some(EVIL.to_owned());
    view.store.path = Some(EVIL.into());
    view.store.set_aside = Some(EVIL.into());
    let mut setting = sample::setting();
    setting.subject = EVIL.to_owned();
    setting.action = Some(EVIL.to_owned());
    let html = render(&view, &setting, FRESH, None).into_string();
    assert!(
        !html.contains("<img") && !html.contains("alert(1)</script>") && !html.contains("\"'>"),
        "{html}"
    );
    assert!(html.matches("&lt;script&gt;").count() >= 12);
    assert_eq!(html.matches("<script").count(), 1);
}

#[test]
fn x2_a_report_of_any_size_and_any_numbers_is_shown() {
    let mut view = sample::up();
    let odd = [f64::MAX, f64::MIN, -1.0, 0.0, f64::NAN];
    let (report, _) = view.report.as_mut().unwrap();
    report.uptime = Some(f64::MAX);
    report.heartbeats = (0..5000)
        .map(|number: usize| HeartbeatReport {
            name: "x".repeat(10_000),
            age: Some(odd[number % odd.len()]),
            timeout: Some(odd[number / odd.len() % odd.len()]),
            ..HeartbeatReport::default()
        })
        .collect();
    let html = page(&view);
    says(&html, &["And 4976 more."]);
    assert!(html.len() < 100_000, "{}", html.len());
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_another_host() {
    for (name, view) in sample::all() {
        let html = page(&view);
        for inline in [
            " style=",
            "<style",
            " onclick=",
            "javascript:",
            "http://",
            "https://",
            "src=\"//",
        ] {
            assert!(!html.contains(inline), "{name}: {inline}");
        }
        assert_eq!(
            html.matches("<script src=\"./page.js\" defer></script>")
                .count(),
            1
        );
        assert_eq!(html.matches("<script").count(), 1);
    }
}

#[test]
fn what_a_person_can_do_is_a_form_that_needs_no_script() {
    let html = page(&sample::up());
    for (form, button) in [
        (
            "<form method=\"post\" action=\"./disable\">",
            "<button type=\"submit\" name=\"for\" value=\"3600\">1 hour</button>",
        ),
        (
            "<form method=\"post\" action=\"./disable\">",
            "<button type=\"submit\" name=\"for\" value=\"14400\">4 hours</button>",
        ),
        (
            "<form method=\"post\" action=\"./disable\">",
            "<button type=\"submit\" name=\"for\" value=\"43200\">12 hours</button>",
        ),
        (
            "<form method=\"post\" action=\"./disable\">",
            "<button type=\"submit\">until enabled</button>",
        ),
        (
            "<form method=\"post\" action=\"./test/email\">",
            "<button type=\"submit\">e-mail</button>",
        ),
        (
            "<form method=\"post\" action=\"./test/slack\">",
            "<button type=\"submit\">Slack</button>",
        ),
        (
            "<form method=\"post\" action=\"./test/webhook\">",
            "<button type=\"submit\">webhook</button>",
        ),
    ] {
        let (_, rest) = html.split_once(form).unwrap();
        let (form, _) = rest.split_once("</form>").unwrap();
        assert!(form.contains(button), "{form}");
    }
    assert!(!html.contains("action=\"./enable\""));
    let mut view = sample::up();
    view.channels.retain(|channel| channel.kind == Kind::Slack);
    let html = page(&view);
    assert!(!html.contains("action=\"./test/email\""));
    says(&html, &["Not set up: e-mail, webhook."]);
}

#[test]
fn what_was_done_is_confirmed_and_nothing_that_is_not_so() {
    let confirmed = |view: &View, code: &str| {
        let done = Done::from_code(code);
        text(&render(view, &sample::setting(), FRESH, done).into_string())
    };
    let disabled = sample::disabled_for_a_time();
    assert!(
        confirmed(&disabled, "disabled").contains("Done. Alerts are disabled until 09:42:05 UTC")
    );
    assert!(confirmed(&sample::up(), "enabled").contains("Done. Alerts are enabled."));
    assert!(confirmed(&sample::down(), "acknowledged").contains("Done. It is acknowledged"));
    for (view, code) in [
        (&sample::held(), "acknowledged"),
        (&sample::up(), "disabled"),
        (&disabled, "enabled"),
        (&disabled, "<b>all is well</b>"),
        (&disabled, ""),
    ] {
        let text = confirmed(view, code);
        assert!(
            !text.contains("Done.") && !text.contains("all is well"),
            "{text}"
        );
    }
    for path in [
        "/disable",
        "/enable",
        "/acknowledge",
        "/test/email",
        "/test/slack",
        "/test/webhook",
    ] {
        let back = after(path);
        let code = back.strip_prefix("?done=").unwrap();
        assert!(Done::from_code(code).is_some(), "{code}");
    }
    assert_eq!(after("/notify/up"), "");
}

#[test]
fn x1_what_was_not_done_is_said_as_text() {
    let html = not_done("<b>for: no time</b>", &mount::root("", "/")).into_string();
    assert!(
        html.contains("&lt;b&gt;for: no time&lt;/b&gt;") && !html.contains("<b>"),
        "{html}"
    );
}

#[test]
fn below_a_prefix_that_is_known_every_link_begins_with_it() {
    let setting = Setting {
        root: mount::root("/lvm/beat", "/"),
        ..sample::setting()
    };
    let html = render(
        &sample::disabled_for_a_time(),
        &setting,
        Duration::ZERO,
        Done::from_code("disabled"),
    );
    let html = html.into_string();
    let links = ["href=\"", "src=\"", "action=\""].map(|attribute| html.split(attribute).skip(1));
    let links: Vec<&str> = links.into_iter().flatten().collect();
    assert!(links.len() > 12, "{links:?}");
    for link in links {
        assert!(
            link.starts_with("/lvm/beat/") || link.starts_with('#'),
            "{link}"
        );
    }
}
