//! The monitor itself: its memory, its doors, and what it has counted.

use maud::{Markup, html};

use super::Page;
use super::report::verdict;
use super::words::{clip, count, elapsed, growing, span, times};
use crate::monitor::view::OwnBeat;

pub(super) fn section(page: &Page) -> Markup {
    let (view, setting) = (page.view, page.setting);
    let counters = &view.counters;
    html! {
        section.card #monitor aria-labelledby="monitor-title" {
            h2 #monitor-title { "This monitor" }
            dl.facts {
                div { dt { "State file" } dd { (store(page)) } }
                div {
                    dt { "Alerts" }
                    dd {
                        @if view.alerts { "after a silence of " (span(view.alert_after)) }
                        @else { (verdict(false, "switched off")) }
                    }
                }
                div { dt { "To change and send" } dd { (token(setting.admin_token)) } }
                div { dt { "To beat" } dd { (token(setting.ping_token)) } }
                @if let Some(own) = &view.own_beat { div { dt { "Own beat" } dd { (own_beat(page, own)) } } }
                div { dt { "Running" } dd { "for " (growing(elapsed(view.started, page.now))) ", since " (page.moment(view.started)) } }
                div {
                    dt { "Since then" }
                    dd {
                        (count(counters.beats, "beat", "beats")) " received, "
                        (count(counters.delivered, "message", "messages")) " delivered, "
                        (count(counters.failed, "try", "tries")) " failed, "
                        @if counters.lapses == 0 { "always listening" } @else { (times(counters.lapses)) " not listening" }
                    }
                }
            }
        }
    }
}

fn store(page: &Page) -> Markup {
    let store = &page.view.store;
    html! {
        @match (&store.path, &store.failure) {
            (None, _) => { (verdict(false, "none")) ": a restart loses everything" }
            (Some(path), failure) => {
                @if let Some(why) = failure { (verdict(false, "cannot be written")) ": " bdi { (clip(why)) } "; " }
                @else { (verdict(true, "written")) " " }
                @if let Some(saved) = store.saved { "last " (growing(elapsed(saved, page.now))) " ago" } @else { "never yet" }
                ", " code { (clip(&path.display().to_string())) }
            }
        }
        @if let Some(aside) = &store.set_aside { "; a damaged one was kept as " code { (clip(&aside.display().to_string())) } }
    }
}

fn own_beat(page: &Page, own: &OwnBeat) -> Markup {
    html! {
        @match (&own.failure, own.last_taken) {
            (Some(why), _) => { (verdict(false, "not accepted")) ": " bdi { (clip(why)) } "; " }
            (None, Some(_)) => { (verdict(true, "taken")) " " }
            (None, None) => { "the first one is under way " }
        }
        @if let Some(taken) = own.last_taken { "last " (growing(elapsed(taken, page.now))) " ago " }
        "by " bdi { (clip(&own.service)) }
    }
}

fn token(is_set: bool) -> Markup {
    html! { @if is_set { (verdict(true, "a token is needed")) } @else { (verdict(false, "anybody may")) } }
}
