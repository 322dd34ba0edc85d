//! The licence in a wheel's METADATA (core metadata specification; PEP 639 for expressions).

use crate::licence::{Licence, identifier};

/// Longer values of `License` are the licence's text and no name.
const LONGEST_NAME: usize = 80;

/// What a distribution says: `License-Expression`; else `License`, where it is a name that is
/// known; else its classifiers; else the words of `License`.
pub fn of_metadata(metadata: &str) -> Licence {
    let head = metadata.split("\n\n").next().unwrap_or_default();
    let field = |name: &str| -> Vec<&str> {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("unknown"))
            .collect()
    };
    if let Some(expression) = field("License-Expression").first() {
        return Licence::Expression((*expression).to_owned());
    }
    let licence = field("License").first().copied();
    if let Some(known) = licence.and_then(identifier) {
        return Licence::Expression(known.to_owned());
    }
    if let Some(classified) = of_classifiers(&field("Classifier")) {
        return classified;
    }
    match licence {
        Some(words) if words.len() <= LONGEST_NAME => Licence::Named(words.to_owned()),
        Some(_) => Licence::Named("see the package".to_owned()),
        None => Licence::Unknown,
    }
}

/// `License :: OSI Approved :: MIT License`. Several classifiers do not say whether all hold or
/// one may be chosen.
fn of_classifiers(classifiers: &[&str]) -> Option<Licence> {
    let names: Vec<&str> = classifiers
        .iter()
        .filter_map(|classifier| classifier.strip_prefix("License :: "))
        .filter_map(|path| path.split(" :: ").last())
        .filter(|name| *name != "OSI Approved")
        .collect();
    match names.as_slice() {
        [] => None,
        [name] => Some(match identifier(name) {
            Some(known) => Licence::Expression(known.to_owned()),
            None => Licence::Named((*name).to_owned()),
        }),
        several => Some(Licence::Named(several.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_in_this_order() {
        let expression = |text: &str| Licence::Expression(text.to_owned());
        let named = |text: &str| Licence::Named(text.to_owned());
        for (metadata, expected) in [
            (
                "License-Expression: MIT OR ISC\nLicense: BSD\n",
                expression("MIT OR ISC"),
            ),
            (
                "License: Apache 2.0\nClassifier: License :: OSI Approved :: BSD License\n",
                expression("Apache-2.0"),
            ),
            (
                "License: BSD\nClassifier: License :: OSI Approved :: MIT License\n",
                expression("MIT"),
            ),
            (
                "Classifier: License :: OSI Approved :: BSD License\n",
                named("BSD License"),
            ),
            (
                "Classifier: License :: Public Domain\nClassifier: License :: OSI Approved :: MIT License\n",
                named("Public Domain; MIT License"),
            ),
            (
                "Classifier: License :: OSI Approved\nLicense: BSD\n",
                named("BSD"),
            ),
            ("License: UNKNOWN\n", Licence::Unknown),
            ("Name: x\n\nLicense: MIT\n", Licence::Unknown),
        ] {
            assert_eq!(of_metadata(metadata), expected, "{metadata}");
        }
    }
}
