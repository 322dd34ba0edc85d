//! The name a user probably meant.

/// The candidate with the fewest edits, if these are few enough to be a slip.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(wanted.len()).div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_slips() {
        let names = ["megapak", "slim", "pt210", "gil"];
        assert_eq!(nearest("slmi", names), Some("slim"));
        assert_eq!(nearest("MegaPack", names), Some("megapak"));
        assert_eq!(nearest("unrelated", names), None);
        assert_eq!(nearest("", names), None);
    }
}
