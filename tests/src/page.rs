//! The words of the monitor's page, as a browser without styles and script shows them.

/// What follows these tags stands on a line of its own.
const BLOCKS: [&str; 10] = [
    "p",
    "li",
    "div",
    "dt",
    "dd",
    "h1",
    "h2",
    "h3",
    "section",
    "figcaption",
];

/// All of them.
pub fn words(page: &str) -> String {
    let (_, body) = page.split_once("<body").unwrap_or(("", page));
    let mut text = String::new();
    for part in body.split('<').skip(1) {
        let (tag, words) = part.split_once('>').unwrap_or((part, ""));
        let tag = tag.trim_start_matches('/');
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if BLOCKS.contains(&name) {
            text.push('\n');
        }
        text.push_str(words);
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Those on how things are now, without what everybody is asked to do.
pub fn now(page: &str) -> String {
    let words = words(page);
    let (now, _past) = words.split_once("The last days").unwrap_or((&words, ""));
    now.replace("make sure that the dome is closed", "")
}
