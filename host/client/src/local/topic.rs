//! Matching of routing keys as a topic exchange does it: words between dots, `*` for one word, `#`
//! for any number of them, none included.

/// Whether a message with that routing key goes to a queue bound with that pattern. Costs words of
/// the one times words of the other.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let key: Vec<&str> = words(key).collect();
    // reached[n]: the pattern so far can stand for the first n words of the key.
    let mut reached = vec![false; key.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for part in words(pattern) {
        let mut next = vec![false; key.len() + 1];
        let mut any_before = false;
        for (n, slot) in next.iter_mut().enumerate() {
            any_before |= reached.get(n).copied().unwrap_or(false);
            let one_before = n
                .checked_sub(1)
                .and_then(|before| Some((*reached.get(before)?, *key.get(before)?)));
            *slot = match (part, one_before) {
                ("#", _) => any_before,
                ("*", Some((reached, _))) => reached,
                (part, Some((reached, word))) => reached && part == word,
                (_, None) => false,
            };
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

/// RabbitMQ takes the empty key for no word at all.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('.').filter(move |_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bindings_of_clu_match_what_they_should() {
        for (pattern, key, expected) in [
            ("command.lvmbeat.#", "command.lvmbeat", true),
            ("command.lvmbeat.#", "command.lvmbeat.sub.key", true),
            ("command.lvmbeat.#", "command.lvmbeat2", false),
            ("command.lvmbeat.#", "command", false),
            ("reply.#", "reply.broadcast", true),
            ("reply.#", "reply.gort.lvmbeat", true),
            ("reply.#", "reply", true),
            ("reply.#", "command.lvmbeat", false),
            ("reply.*", "reply.gort.lvmbeat", false),
            ("*.broadcast", "reply.broadcast", true),
            ("#", "", true),
            ("*", "", false),
            ("", "", true),
            ("a.#.b.*", "a.x.y.b.b.c", true),
            ("a..b", "a..b", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} on {key}");
        }
    }

    /// The same by recursion.
    fn naive(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern.split_first(), key.split_first()) {
            (None, None) => true,
            (Some((&"#", rest)), _) => {
                naive(rest, key)
                    || key
                        .split_first()
                        .is_some_and(|(_, key)| naive(pattern, key))
            }
            (Some((&"*", rest)), Some((_, key))) => naive(rest, key),
            (Some((part, rest)), Some((word, key))) => part == word && naive(rest, key),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_a_naive_reference(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "#"]), 0..6),
            key in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..7),
        ) {
            prop_assert_eq!(matches(&pattern.join("."), &key.join(".")), naive(&pattern, &key));
        }
    }
}
