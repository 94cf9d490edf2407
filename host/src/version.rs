//! What `--version` says.

/// The version that all programs report.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version with the commit and its date, from what `build.rs` has found out.
pub fn of_build(commit: &str, seconds: &str) -> String {
    if commit.is_empty() {
        return format!("{VERSION} (commit unknown)");
    }
    let date = seconds
        .parse()
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let date = date.map_or_else(
        || "date unknown".to_owned(),
        |date| date.strftime("%Y-%m-%d").to_string(),
    );
    format!("{VERSION} (commit {commit}, {date})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_what_is_known_of_the_build() {
        let is = |commit, seconds, words: &str| {
            assert_eq!(of_build(commit, seconds), format!("{VERSION} ({words})"));
        };
        is(
            "0123456789ab",
            "1795851936",
            "commit 0123456789ab, 2026-11-28",
        );
        is("0123456789ab", "", "commit 0123456789ab, date unknown");
        is("", "1795851936", "commit unknown");
    }
}
