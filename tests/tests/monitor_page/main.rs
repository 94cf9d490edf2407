//! The monitor's page in a real browser.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod monitor;
mod samples;

use lvmbeat_tests::browser::Script;
use serde_json::json;

use monitor::{ADMIN_TOKEN, Monitor};
use samples::Samples;

#[tokio::test]
async fn each_state_is_said_in_the_title_and_the_headline_fits_a_phone_and_suits_axe_by_day_and_night()
 {
    let samples = Samples::serve().await;
    for part in samples.parts() {
        Script::start("states.mjs", &part).passes().await;
    }
}

#[tokio::test]
async fn everything_can_be_read_without_script() {
    let samples = Samples::serve().await;
    for part in samples.parts() {
        Script::start("without_script.mjs", &part).passes().await;
    }
}

#[tokio::test]
async fn every_control_is_reached_by_keyboard_and_has_a_name_and_a_place_for_a_screen_reader() {
    let samples = Samples::serve().await;
    for part in samples.parts() {
        Script::start("keyboard.mjs", &part).passes().await;
    }
    Script::start("screen_reader.mjs", &samples.all())
        .passes()
        .await;
}

#[tokio::test]
async fn alerts_are_disabled_by_mouse_and_enabled_by_keyboard_with_script_and_without() {
    let monitor = Monitor::start(&[]).await;
    Script::start("switch.mjs", &json!({ "url": monitor.url() }))
        .passes()
        .await;
}

#[tokio::test]
async fn x1_the_browser_asks_for_the_admin_token_and_without_it_nothing_changes() {
    let monitor = Monitor::start(&[("LVMBEAT_ADMIN_TOKEN", ADMIN_TOKEN)]).await;
    let given = json!({ "url": monitor.url(), "token": ADMIN_TOKEN });
    Script::start("token.mjs", &given).passes().await;
}

#[tokio::test]
async fn what_changes_is_shown_without_a_reload_and_disturbs_nobody_who_is_reading() {
    let monitor = Monitor::start(&[("LVMBEAT_SEND_EMAIL_AFTER", "2")]).await;
    Script::start("live.mjs", &json!({ "url": monitor.url() }))
        .passes()
        .await;
}

#[tokio::test]
async fn a_page_that_has_lost_the_monitor_says_that_it_is_old_until_the_monitor_is_back() {
    let mut monitor = Monitor::start(&[]).await;
    let mut script = Script::start("lost.mjs", &json!({ "url": monitor.url() }));
    script.asks_for("kill the monitor").await;
    monitor.kill().await;
    script.asks_for("start the monitor").await;
    monitor.start_again().await;
    script.passes().await;
}
