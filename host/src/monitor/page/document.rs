//! The document around the parts.

use maud::{DOCTYPE, Markup, html};

use super::{
    Page, about, alerts, controls, done, headline, incidents, report, routes, strip, warnings,
};

pub(super) fn document(page: &Page) -> Markup {
    let (word, class, subject) = (page.state.word(), page.state.class(), page.subject());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (word) " · " (subject) }
                link #icon rel="icon" type="image/svg+xml" href=(page.link(&format!("page/{class}.svg")));
                link rel="stylesheet" href=(page.link("page.css"));
                script src=(page.link("page.js")) defer {}
            }
            body {
                a.skip href="#live" { "Skip to the state" }
                header {
                    p.brand { strong { "lvmbeat" } " monitor" span.subject { (subject) } }
                    p.contact #contact { span #fresh { "As of " (page.moment(page.now)) "." } " " a #reload href=(page.link("")) { "Reload" } }
                }
                // The only live region: the script says a change of the state here, and nothing
                // else.
                p #announce .visually-hidden role="status" {}
                section #lost aria-label="Contact" hidden {
                    p { strong { "No contact with the monitor." } " " span #lost-age {} }
                }
                (done::confirmation(page))
                main #live tabindex="-1" data-state=(class) data-word=(word) data-subject=(subject) data-assets=(routes::assets_tag()) {
                    (headline::headline(page))
                    (warnings::section(page))
                    div.columns {
                        div.column {
                            (report::section(page))
                        }
                        div.column {
                            (controls::alarms(page))
                            (alerts::channels(page))
                        }
                    }
                    (strip::section(page))
                    (incidents::section(page))
                    div.columns {
                        div.column { (alerts::section(page)) }
                        div.column { (about::section(page)) }
                    }
                }
                footer {
                    p {
                        "lvmbeat " (env!("CARGO_PKG_VERSION")) " · for machines: "
                        a href=(page.link("status")) { "status" } ", " a href=(page.link("metrics")) { "metrics" } ", " a href=(page.link("docs")) { "interface" }
                    }
                }
            }
        }
    }
}
