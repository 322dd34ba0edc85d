//! Where Debian's archives are, read from the machine's own apt sources. Pure.

use std::collections::BTreeMap;

use super::control::stanzas;

/// Base URI per archive (`debian`, `debian-security`), as the machine's apt uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors(BTreeMap<String, String>);

impl Mirrors {
    /// The base URI of an archive, without a final slash.
    pub fn base(&self, archive: &str) -> Option<&str> {
        self.0.get(archive).map(String::as_str)
    }

    /// Adds the entries of one file under `/etc/apt`; what is known already stays.
    pub fn add(&mut self, entries: Vec<(String, String)>) {
        for (archive, base) in entries {
            self.0.entry(archive).or_insert(base);
        }
    }
}

/// Code and suite names that only Debian's own archive has.
const SUITES: [&str; 10] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// The archives named by one file, as (archive, base URI); `deb822` says which format it is in.
pub fn parse_sources(text: &str, deb822: bool) -> Vec<(String, String)> {
    if deb822 {
        stanzas(text)
            .filter(|stanza| stanza.field("Enabled") != Some("no"))
            .filter(|stanza| stanza.words("Types").contains(&"deb"))
            .flat_map(|stanza| {
                let suites = stanza.words("Suites");
                stanza
                    .words("URIs")
                    .into_iter()
                    .flat_map(move |uri| suites.clone().into_iter().map(move |suite| (uri, suite)))
                    .collect::<Vec<_>>()
            })
            .filter_map(|(uri, suite)| entry(uri, suite))
            .collect()
    } else {
        text.lines().filter_map(one_line).collect()
    }
}

/// `deb [options] URI SUITE COMPONENT...`.
fn one_line(line: &str) -> Option<(String, String)> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?;
    rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    if let Some(options) = rest.strip_prefix('[') {
        rest = options.split_once(']')?.1;
    }
    let mut words = rest.split_whitespace();
    entry(words.next()?, words.next()?)
}

fn entry(uri: &str, suite: &str) -> Option<(String, String)> {
    let code = suite.split(['-', '/']).next().unwrap_or(suite);
    if !SUITES.contains(&code) {
        return None;
    }
    let archive = match &suite[code.len()..] {
        "" | "-updates" | "-proposed-updates" | "-backports" => "debian",
        "-security" | "/updates" => "debian-security",
        _ => return None,
    };
    Some((archive.to_owned(), uri.trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_deb822() {
        let text = "Types: deb deb-src\n# old place\nURIs: http://mirror.example/d/\nSuites: bookworm\n bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://mirror.example/s\nSuites: bookworm-security\n\nEnabled: no\nTypes: deb\nURIs: http://off.example/d\nSuites: sid\n";
        let mut mirrors = Mirrors::default();
        mirrors.add(parse_sources(text, true));
        assert_eq!(mirrors.base("debian"), Some("http://mirror.example/d"));
        assert_eq!(
            mirrors.base("debian-security"),
            Some("http://mirror.example/s")
        );
    }

    #[test]
    fn ok_one_line() {
        let text = "# deb http://no.example/d trixie main\ndeb-src http://no.example/d trixie main\ndeb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian trixie main # all\ndeb http://other.example/x nodistro main\n";
        assert_eq!(
            parse_sources(text, false),
            [(
                "debian".to_owned(),
                "https://mirror.example/debian".to_owned()
            )]
        );
    }
}
