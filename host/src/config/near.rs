//! Which known word somebody may have meant by one that is not known.

/// The nearest, if it is near enough to be a slip of the hand.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.len() / 3).clamp(1, 3);
    known.into_iter().map(|known| (distance(word, known), known)).filter(|(steps, _)| *steps <= most).min().map(|(_, known)| known)
}

/// How many letters must be put in, left out or replaced (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (above, wanted) in row.iter_mut().skip(1).zip(&other) {
            let next = (diagonal + usize::from(letter != *wanted)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, next);
            left = next;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_known_and_another_word_is_not() {
        for (one, other, steps) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("listen", "listne", 2), ("level", "levle", 2), ("a", "b", 1)] {
            assert_eq!((distance(one, other), distance(other, one)), (steps, steps), "{one} {other}");
        }
        let known = ["listen", "insecure_listen", "level"];
        for (word, near) in [
            ("listne", Some("listen")),
            ("lisen", Some("listen")),
            ("levels", Some("level")),
            ("insecurelisten", Some("insecure_listen")),
            ("port", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }
}
