//! What the Python version knew and this one does not, with what to write instead; and what was
//! probably meant.

/// Keys, by their place. Those under `actor` are what `AMQPActor.from_config` of sdss-clu takes
/// there.
const KEYS: [(&str, &str); 18] = [
    ("client", "call the section actor"),
    (
        "variables",
        "write the values where they are used, or ${NAME} for an environment variable",
    ),
    ("actor.vhost", "write actor.virtualhost"),
    ("actor.username", "write actor.user"),
    ("actor.login", "write actor.user"),
    ("actor.tls", "write actor.ssl: true"),
    (
        "actor.version",
        "leave it out: lvmbeat reports its own version",
    ),
    ("actor.schema", "leave it out: lvmbeat has its own schema"),
    (
        "actor.additional_properties",
        "leave it out: lvmbeat has its own schema",
    ),
    (
        "actor.validate",
        "leave it out: lvmbeat's replies always fit its schema",
    ),
    (
        "actor.models",
        "leave it out: lvmbeat follows no other actor's model",
    ),
    ("actor.store", "leave it out: lvmbeat keeps no keywords"),
    ("actor.parser", "leave it out: lvmbeat has its own commands"),
    ("actor.log", "write actor.log_dir"),
    ("actor.verbose", "start lvmbeat with -v, or set RUST_LOG"),
    ("actor.config", "write its keys into this file"),
    ("actor.heartbeats", "write heartbeats at the top level"),
    ("actor.timeout", "write timeout at the top level"),
];

/// Variables that click made of the options of the Python version's command line.
const VARIABLES: [(&str, &str); 3] = [
    (
        "LVMBEAT_ACTOR_START_LOG_FILE",
        "remove it and use actor.log_dir",
    ),
    (
        "LVMBEAT_ACTOR_START_PID_FILE",
        "remove it: lvmbeat stays in the foreground",
    ),
    (
        "LVMBEAT_ACTOR_WITH_SIMULATOR",
        "remove it: the simulator is a program of its own, sim",
    ),
];

/// Likewise; what it asks for is so anyway: the actor stays in the foreground.
pub(super) const IGNORED_VARIABLES: [&str; 1] = ["LVMBEAT_ACTOR_START_DEBUG"];

/// What to write instead of a key that is not known; `known` are those that are, in the same
/// section.
pub(super) fn key(section: &str, key: &str, known: &[&str]) -> String {
    let place = |key: &str| {
        if section.is_empty() {
            key.to_owned()
        } else {
            format!("{section}.{key}")
        }
    };
    let path = place(key);
    if let Some((_, remedy)) = KEYS.iter().find(|(known, _)| *known == path) {
        return (*remedy).to_owned();
    }
    let file = format!("{key}_file");
    if known.contains(&&*file) {
        return format!(
            "do not write a secret here: name a file that holds it with {}",
            place(&file)
        );
    }
    if let Some((section, key)) = key.split_once('.') {
        return format!("write {key} below {section}, each on a line of its own");
    }
    closest(key, known.iter().copied()).map_or_else(
        || format!("the keys here are {}", known.join(", ")),
        |known| format!("did you mean {}?", place(known)),
    )
}

pub(super) fn variable(name: &str) -> Option<&'static str> {
    let known = VARIABLES.iter().find(|(known, _)| *known == name);
    known.map(|(_, remedy)| *remedy)
}

/// The known word that is most like this one, if any is.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of any length could come; comparing costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (likeness(&word, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > 0.84)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// One slip of a finger is as good as none, in a short word, too.
fn likeness(word: &str, known: &str) -> f64 {
    if strsim::osa_distance(word, known) == 1 {
        return 1.0;
    }
    strsim::jaro_winkler(word, known)
}
