//! What a package says of its licence, and how much of it is a licence of the SPDX list.

/// What a package declares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Licence {
    /// It says nothing, or nobody looked.
    #[default]
    Unknown,
    /// An expression of SPDX identifiers, and of names that begin with `LicenseRef-`
    /// (SPDX 2.3, annex D).
    Expression(String),
    /// Words that are no identifier, such as `BSD License`.
    Named(String),
}

/// What a name that is not of the SPDX list begins with.
pub(crate) const REFERENCE: &str = "LicenseRef-";

impl Licence {
    /// As an expression: words become a name of their own.
    pub(crate) fn expression(&self) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Expression(text) => Some(text.clone()),
            Self::Named(text) => Some(reference("named", text)),
        }
    }

    /// The names in it that are not of the SPDX list, each with what it stands for.
    pub(crate) fn references(&self) -> Vec<(String, String)> {
        match self {
            Self::Unknown => Vec::new(),
            Self::Named(text) => vec![(reference("named", text), text.clone())],
            Self::Expression(text) => text
                .split(|character: char| character == ' ' || "()".contains(character))
                .filter(|word| word.starts_with(REFERENCE))
                .map(|word| (word.to_owned(), word[REFERENCE.len()..].to_owned()))
                .collect(),
        }
    }
}

/// A name of our own for words: `LicenseRef-KIND-words` (letters, digits, `.` and `-`).
pub(crate) fn reference(kind: &str, words: &str) -> String {
    let mut name = format!("{REFERENCE}{kind}-");
    for character in words.trim().chars() {
        if character.is_ascii_alphanumeric() || character == '.' {
            name.push(character);
        } else if character == '+' {
            name.push_str("plus");
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_end_matches('-').to_owned()
}

/// The SPDX identifier that people mean by a spelling of their own, where only one is meant.
pub(crate) fn identifier(spelling: &str) -> Option<&'static str> {
    let spelling = spelling.trim().to_ascii_lowercase();
    KNOWN
        .iter()
        .find(|(_, spellings)| spellings.contains(&spelling.as_str()))
        .map(|(identifier, _)| *identifier)
}

/// Identifiers of the SPDX list with the spellings that mean them, in lower case. `BSD` is not
/// here: which of the BSD licences it is, nobody can say.
const KNOWN: &[(&str, &[&str])] = &[
    ("0BSD", &["0bsd"]),
    (
        "Apache-2.0",
        &[
            "apache",
            "apache-2",
            "apache-2.0",
            "apache 2",
            "apache 2.0",
            "apache 2.0 license",
            "apache license 2.0",
            "apache license, version 2.0",
            "apache software license",
            "apache software license 2.0",
        ],
    ),
    ("Artistic-1.0-Perl", &["artistic"]),
    ("Artistic-2.0", &["artistic-2.0"]),
    ("Beerware", &["beerware"]),
    ("BSD-1-Clause", &["bsd-1-clause"]),
    (
        "BSD-2-Clause",
        &[
            "bsd-2-clause",
            "bsd-2",
            "bsd 2-clause",
            "2-clause bsd license",
        ],
    ),
    (
        "BSD-3-Clause",
        &[
            "bsd-3-clause",
            "bsd-3",
            "bsd 3-clause",
            "3-clause bsd license",
            "new bsd",
        ],
    ),
    ("BSD-4-Clause", &["bsd-4-clause"]),
    ("BSD-4-Clause-UC", &["bsd-4-clause-uc"]),
    ("BSL-1.0", &["bsl-1.0", "boost-1.0"]),
    ("bzip2-1.0.6", &["bzip2-1.0.6"]),
    ("CC-BY-4.0", &["cc-by-4.0"]),
    ("CC0-1.0", &["cc0-1.0", "cc0"]),
    ("curl", &["curl"]),
    ("FSFAP", &["fsfap"]),
    ("FSFUL", &["fsful"]),
    ("FSFULLR", &["fsfullr"]),
    ("FTL", &["ftl"]),
    ("GFDL-1.3-or-later", &["gfdl-1.3+"]),
    ("GFDL-1.2-or-later", &["gfdl-1.2+"]),
    (
        "GPL-1.0-or-later",
        &["gpl-1+", "gpl-1.0+", "gpl-1.0-or-later"],
    ),
    (
        "GPL-2.0-only",
        &["gpl-2", "gpl-2.0", "gpl-2.0-only", "gplv2"],
    ),
    (
        "GPL-2.0-or-later",
        &["gpl-2+", "gpl-2.0+", "gpl-2.0-or-later"],
    ),
    (
        "GPL-3.0-only",
        &["gpl-3", "gpl-3.0", "gpl-3.0-only", "gplv3", "gnu gpl v3.0"],
    ),
    (
        "GPL-3.0-or-later",
        &["gpl-3+", "gpl-3.0+", "gpl-3.0-or-later"],
    ),
    ("IJG", &["ijg"]),
    ("ISC", &["isc", "isc license (iscl)", "isc license"]),
    ("LGPL-2.0-only", &["lgpl-2", "lgpl-2.0"]),
    ("LGPL-2.0-or-later", &["lgpl-2+", "lgpl-2.0+"]),
    ("LGPL-2.1-only", &["lgpl-2.1", "lgpl-2.1-only"]),
    ("LGPL-2.1-or-later", &["lgpl-2.1+", "lgpl-2.1-or-later"]),
    (
        "LGPL-3.0-only",
        &[
            "lgpl-3",
            "lgpl-3.0",
            "gnu lesser general public license v3 (lgplv3)",
        ],
    ),
    (
        "LGPL-3.0-or-later",
        &["lgpl-3+", "lgpl-3.0+", "lgpl-3.0-or-later"],
    ),
    (
        "MIT",
        &[
            "mit",
            "expat",
            "mit license",
            "the mit license",
            "mit/expat",
        ],
    ),
    ("MIT-0", &["mit-0"]),
    ("MPL-1.1", &["mpl-1.1"]),
    (
        "MPL-2.0",
        &["mpl-2.0", "mozilla public license 2.0 (mpl 2.0)"],
    ),
    ("NTP", &["ntp"]),
    ("OFL-1.1", &["ofl-1.1"]),
    ("OLDAP-2.8", &["oldap-2.8", "openldap-2.8"]),
    ("OpenSSL", &["openssl"]),
    (
        "PSF-2.0",
        &["psf-2.0", "python software foundation license"],
    ),
    ("SMLNJ", &["smlnj"]),
    ("Unicode-DFS-2016", &["unicode-dfs-2016"]),
    ("Unlicense", &["unlicense", "the unlicense (unlicense)"]),
    ("X11", &["x11"]),
    ("Zlib", &["zlib"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_words_become_a_name() {
        let named = Licence::Named("BSD License".to_owned());
        assert_eq!(named.expression().unwrap(), "LicenseRef-named-BSD-License");
        assert_eq!(named.references()[0].1, "BSD License");
        let expression = Licence::Expression("MIT AND (LicenseRef-a OR ISC)".to_owned());
        assert_eq!(
            expression.references(),
            [("LicenseRef-a".to_owned(), "a".to_owned())]
        );
        assert_eq!(
            reference("debian", "GPL-2+ with X"),
            "LicenseRef-debian-GPL-2plus-with-X"
        );
    }

    #[test]
    fn ok_each_spelling_means_one_licence() {
        let all: Vec<&str> = KNOWN
            .iter()
            .flat_map(|(_, all)| all.iter().copied())
            .collect();
        let distinct: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
        for spelling in all {
            assert_eq!(spelling, spelling.to_ascii_lowercase());
        }
        assert_eq!(identifier(" Expat"), Some("MIT"));
        assert_eq!(identifier("BSD"), None);
    }
}
