//! The names a user probably meant.

/// As many are named.
const MOST: usize = 3;

/// The candidates with the fewest edits, if these are few enough to be a slip; the nearest
/// first, letter case ignored. A candidate that is the name itself is one of them.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(wanted.len()).div_ceil(3))
        .collect();
    found.sort_unstable();
    found.dedup();
    let names = found.into_iter().map(|(_, candidate)| candidate);
    names.take(MOST).collect()
}

/// What a message ends in where a name is not known: `; nearest: a, b`, or nothing.
pub fn nearest_in_words<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wanted, candidates).as_slice() {
        [] => String::new(),
        near => format!("; nearest: {}", near.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_slips() {
        let names = ["megapak", "slim", "pt210", "gil"];
        assert_eq!(nearest("slmi", names), ["slim"]);
        assert_eq!(nearest("MegaPack", names), ["megapak"]);
        assert_eq!(nearest("numppy", ["numpy", "torch"]), ["numpy"]);
        for wanted in ["unrelated", "", "zzzz"] {
            assert!(nearest(wanted, names).is_empty(), "{wanted}");
        }
    }

    #[test]
    fn ok_the_nearest_first_and_no_more_than_three() {
        let names = [
            "torch-d",
            "torch-abc",
            "torch",
            "torch-d",
            "torch-e",
            "torch-f",
        ];
        assert_eq!(nearest("torch", names), ["torch", "torch-d", "torch-e"]);
    }
}
