//! Drawings: one shape for each state, so that colour alone distinguishes none; and the dome.

use maud::{Markup, html};

use crate::report::Dome;

use super::state::State;

/// The state's sign.
pub(super) fn sign(state: State) -> Markup {
    html! {
        svg.sign viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" { (shape(state)) }
    }
}

/// The same as a file of its own, for the tab.
pub(super) fn file(state: State) -> String {
    let colour = match state {
        State::Up => "#1d9a5b",
        State::Down => "#d32f3a",
        State::NotAlerting => "#c2410c",
        State::Disabled => "#b7791f",
        State::Waiting => "#3b78c4",
        State::Closing
        | State::NotArriving
        | State::Held
        | State::ClosedByWatchdog
        | State::Bypassed
        | State::Stopped
        | State::Late
        | State::Unknown => "#a86200",
    };
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" color=(colour) { (shape(state)) }
    };
    svg.into_string()
}

/// What stands on the diamond of a state between up and down.
fn on_diamond(state: State) -> &'static str {
    match state {
        // An arrow down.
        State::Closing => "M16 9v13M10.5 17l5.5 5.5 5.5-5.5",
        // An arrow that does not get through.
        State::NotArriving => "M8 16h8.5M12.5 12l4 4-4 4M22 10.5v11",
        // The bar of "no entry".
        State::Held => "M9.5 16h13",
        // A dome, shut.
        State::ClosedByWatchdog => "M9 20h14M10.5 20a5.5 6.5 0 0 1 11 0M16 13.5v6",
        // A way around.
        State::Bypassed => "M9 20c1-10 13-10 14 0M19 16.5l4 4 3-5",
        // The square of "stop".
        State::Stopped => "M12 12h8v8h-8z",
        // A question mark.
        State::Unknown => "M12.5 12.5c0-5 7-4.5 7-.5 0 3-3.5 3-3.5 6M16 22.5v.1",
        // Hands of a clock.
        State::Late
        | State::NotAlerting
        | State::Down
        | State::Disabled
        | State::Waiting
        | State::Up => "M16 9v7.5l4.5 3",
    }
}

fn shape(state: State) -> Markup {
    let lines = |d: &str| {
        html! { path d=(d) fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round" {} }
    };
    html! {
        @match state {
            // A disc with a tick.
            State::Up => {
                circle cx="16" cy="16" r="15" fill="currentColor" {}
                (lines("M9 16.5l5 5 9.5-10.5"))
            }
            // An octagon with a cross.
            State::Down => {
                path d="M10 1h12l9 9v12l-9 9H10l-9-9V10z" fill="currentColor" {}
                (lines("M10.5 10.5l11 11M21.5 10.5l-11 11"))
            }
            // A triangle with an exclamation mark.
            State::NotAlerting => {
                path d="M16 2l15 27H1z" fill="currentColor" stroke="currentColor" stroke-width="2" stroke-linejoin="round" {}
                (lines("M16 12v8M16 25v.1"))
            }
            // A square with the two bars of a pause.
            State::Disabled => {
                rect x="1" y="1" width="30" height="30" rx="6" fill="currentColor" {}
                (lines("M12 9.5v13M20 9.5v13"))
            }
            // A diamond.
            State::Closing
            | State::NotArriving
            | State::Held
            | State::ClosedByWatchdog
            | State::Bypassed
            | State::Stopped
            | State::Late
            | State::Unknown => {
                path d="M16 0l16 16-16 16L0 16z" fill="currentColor" {}
                (lines(on_diamond(state)))
            }
            // A ring with the hands of a clock.
            State::Waiting => {
                circle cx="16" cy="16" r="15" fill="currentColor" {}
                (lines("M16 8.5V16l5.5 4"))
            }
        }
    }
}

/// The dome on its wall: its slit open on the sky, shut, half shut, or drawn in dashes.
pub(super) fn dome(dome: Option<Dome>) -> Markup {
    let sky = |d: &str| html! { path.slit d=(d) {} };
    html! {
        svg.dome viewBox="0 0 64 48" width="64" height="48" aria-hidden="true" {
            path.shell.unsure[dome.is_none()] d="M8 36a24 24 0 0 1 48 0z" {}
            @match dome {
                Some(Dome::Open) => {
                    (sky("M25 36V13a24 24 0 0 1 14 0v23z"))
                    circle.star cx="32" cy="5" r="2" {}
                }
                Some(Dome::Between | Dome::Moving) => (sky("M29 36V12.2a24 24 0 0 1 6 0V36z")),
                Some(Dome::Closed) => path.seam d="M32 12v24" {},
                None => text.question x="32" y="32" text-anchor="middle" { "?" },
            }
            path.wall d="M6 38h52v8H6z" {}
        }
    }
}
