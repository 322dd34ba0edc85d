//! `debian.toml` and the `.apt` lists as types. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::error::Problem;
use factory_model::list::{Fault, Line, lines};
use factory_model::lock::Sha256;
use factory_model::schema;
use factory_model::system::System;

/// `package-lists/debian.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// 1.
    pub schema_version: u32,
    /// Of the system that it was read for: `amd64`.
    #[serde(skip)]
    pub architecture: String,
    /// What signs the Release files.
    pub keyring: Keyring,
    /// In order of preference for the snapshot time of a lock.
    #[serde(rename = "suite")]
    pub suites: Vec<Suite>,
    /// By name.
    #[serde(rename = "root")]
    pub roots: BTreeMap<String, Root>,
}

/// The pinned deb that holds the archive keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyring {
    /// `debian` or `debian-security`.
    pub archive: String,
    /// Path below the archive.
    pub path: String,
    /// Size of the deb in bytes.
    pub size: u64,
    /// Hash of the deb.
    pub sha256: Sha256,
    /// The keyring inside the deb.
    pub member: String,
}

/// One suite and what may come from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Code name: `trixie`.
    pub name: String,
    /// `debian` or `debian-security`.
    pub archive: String,
    /// Binary packages that come from this suite, and nothing else does. In the file `{triplet}`
    /// stands for the system's GNU triplet, as names of packages have it: `x86-64-linux-gnu`.
    pub only: Option<Vec<String>>,
}

/// One root: a set of packages with everything they depend on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// The root whose packages are present already.
    pub on: Option<String>,
    /// Whether dependencies come along.
    #[serde(default = "yes")]
    pub dependencies: bool,
    /// The suite that all of its packages come from, whatever `only` says of it.
    pub suite: Option<String>,
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads `debian.toml` as one system sees it, and checks that the roots form a forest.
    ///
    /// # Errors
    /// The text, with what is wrong in it.
    pub fn parse(text: &str, system: &System) -> Result<Self, Problem> {
        let mut config: Self = toml::from_str(text)?;
        schema::check(config.schema_version)?;
        config.architecture.clone_from(&system.debian);
        let triplet = system.triplet().replace('_', "-");
        for name in config
            .suites
            .iter_mut()
            .flat_map(|suite| &mut suite.only)
            .flatten()
        {
            *name = name.replace("{triplet}", &triplet);
        }
        for (name, root) in &config.roots {
            config.chain(name)?;
            if let Some(suite) = &root.suite {
                if !config.suites.iter().any(|known| known.name == *suite) {
                    let problem = format!("root `{name}`: there is no suite `{suite}`");
                    return Err(Problem::Content(problem));
                }
                if root.on.is_some() {
                    return Err(Problem::Content(format!(
                        "root `{name}` has a suite of its own and cannot stand `on` another"
                    )));
                }
            }
        }
        Ok(config)
    }

    /// The roots below `name` and itself, bottom first.
    ///
    /// # Errors
    /// An unknown root, or roots that stand on each other.
    pub fn chain(&self, name: &str) -> Result<Vec<&str>, Problem> {
        let mut chain = Vec::new();
        let mut next = Some(name);
        while let Some(name) = next {
            let (name, root) = self
                .roots
                .get_key_value(name)
                .ok_or_else(|| Problem::Content(format!("root `{name}` is not defined")))?;
            if chain.contains(&name.as_str()) {
                let problem = format!("root `{name}` stands on itself");
                return Err(Problem::Content(problem));
            }
            chain.push(name.as_str());
            next = root.on.as_deref();
        }
        chain.reverse();
        Ok(chain)
    }

    /// All roots, each after the one it stands on.
    pub fn order(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.roots.keys().map(String::as_str).collect();
        names.sort_by_key(|name| (self.chain(name).map_or(0, |chain| chain.len()), *name));
        names
    }

    /// Hash of everything people wrote that this root's lock depends on; comments and
    /// order in the lists do not count.
    pub fn list_sha256(&self, name: &str, lists: &BTreeMap<String, Vec<Line>>) -> Sha256 {
        let mut text = format!("architecture {}\n", self.architecture);
        for suite in &self.suites {
            let mut only = suite.only.clone().unwrap_or_default();
            only.sort();
            add(
                &mut text,
                &format!("suite {} {} {only:?}", suite.name, suite.archive),
            );
        }
        for name in self.chain(name).unwrap_or_default() {
            let root = &self.roots[name];
            add(
                &mut text,
                &format!("root {name} dependencies={}", root.dependencies),
            );
            if let Some(suite) = &root.suite {
                add(&mut text, &format!("all from {suite}"));
            }
            let mut names: Vec<&str> = lists
                .get(name)
                .map(|lines| lines.iter().map(|line| line.text.as_str()).collect())
                .unwrap_or_default();
            names.sort_unstable();
            for name in names {
                add(&mut text, name);
            }
        }
        Sha256::of(text.as_bytes())
    }
}

fn add(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

/// Reads an `.apt` list: one package name per line.
///
/// # Errors
/// Each line that is not a Debian package name.
pub fn parse_list(file: &str, text: &str) -> Result<Vec<Line>, Vec<Fault>> {
    let mut faults = Vec::new();
    let lines = lines(text);
    for line in &lines {
        if let Some((offset, reason)) = fault(&line.text) {
            faults.push(Fault {
                file: file.to_owned(),
                line: line.number,
                column: line.column + offset,
                reason: format!("`{}` is not a Debian package name: {reason}", line.text),
            });
        }
    }
    if faults.is_empty() {
        Ok(lines)
    } else {
        Err(faults)
    }
}

/// Debian policy 5.6.1: lowercase letters, digits, plus, minus, period; two at least,
/// starting with a letter or digit.
fn fault(name: &str) -> Option<(usize, &'static str)> {
    if let Some(offset) = name.find(char::is_whitespace) {
        return Some((offset, "one name per line"));
    }
    let bad = |character: char| {
        !(character.is_ascii_lowercase() || character.is_ascii_digit() || "+-.".contains(character))
    };
    if let Some(offset) = name.find(bad) {
        return Some((
            offset,
            "only lowercase letters, digits, `+`, `-` and `.` may stand in it",
        ));
    }
    if name.starts_with(['+', '-', '.']) {
        return Some((0, "it must start with a letter or digit"));
    }
    (name.len() < 2).then_some((0, "it is one character long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::system;

    const TEXT: &str = r#"
schema_version = 1
[keyring]
archive = "debian"
path = "pool/k.deb"
size = 1
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
member = "k.gpg"
[[suite]]
name = "trixie"
archive = "debian"
[root.a]
[root.b]
on = "a"
"#;

    fn parse(text: &str) -> Result<Config, Problem> {
        Config::parse(text, &system("x86_64-linux"))
    }

    #[test]
    fn ok_what_a_system_sees() {
        let text = TEXT.replacen(
            "archive = \"debian\"\n[root.a]",
            "archive = \"debian\"\nonly = [\"cpp-15\", \"cpp-15-{triplet}\"]\n[root.a]",
            1,
        );
        let seen = |name: &str| {
            let config = Config::parse(&text, &system(name)).unwrap();
            let only = config.suites[0].only.clone().unwrap();
            let hash = config.list_sha256("b", &BTreeMap::new());
            (config.architecture, only[1].clone(), hash)
        };
        let (architecture, only, hash) = seen("x86_64-linux");
        assert_eq!(
            (architecture.as_str(), only.as_str()),
            ("amd64", "cpp-15-x86-64-linux-gnu")
        );
        let (architecture, only, other) = seen("aarch64-linux");
        assert_eq!(
            (architecture.as_str(), only.as_str()),
            ("arm64", "cpp-15-aarch64-linux-gnu")
        );
        assert_ne!(hash, other);
    }

    #[test]
    fn ok_chain_and_order() {
        let config = parse(TEXT).unwrap();
        assert_eq!(config.chain("b").unwrap(), ["a", "b"]);
        assert_eq!(config.order(), ["a", "b"]);
    }

    #[test]
    fn err_circle_and_unknown() {
        let circle = TEXT.replace("[root.a]", "[root.a]\non = \"b\"");
        assert_eq!(
            parse(&circle).unwrap_err().to_string(),
            "root `a` stands on itself"
        );
        let unknown = TEXT.replace("on = \"a\"", "on = \"c\"");
        assert_eq!(
            parse(&unknown).unwrap_err().to_string(),
            "root `c` is not defined"
        );
    }

    #[test]
    fn err_suite_of_a_root() {
        let unknown = TEXT.replace("[root.a]", "[root.a]\nsuite = \"sid\"");
        assert_eq!(
            parse(&unknown).unwrap_err().to_string(),
            "root `a`: there is no suite `sid`"
        );
        let stands = TEXT.replace("on = \"a\"", "on = \"a\"\nsuite = \"trixie\"");
        assert_eq!(
            parse(&stands).unwrap_err().to_string(),
            "root `b` has a suite of its own and cannot stand `on` another"
        );
    }

    #[test]
    fn ok_list_hash_ignores_order_and_comments() {
        let config = parse(TEXT).unwrap();
        let hash = |text: &str| {
            let lists = BTreeMap::from([("a".to_owned(), parse_list("a.apt", text).unwrap())]);
            config.list_sha256("b", &lists)
        };
        assert_eq!(hash("gcc\nbash # shell\n"), hash("# two\nbash\ngcc\n"));
        assert_ne!(hash("gcc\n"), hash("bash\n"));
    }

    #[test]
    fn err_list_line() {
        let faults = parse_list("x.apt", "ok\n  g++ gcc\nLibc6\n+x\n").unwrap_err();
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "x.apt:2:6: `g++ gcc` is not a Debian package name: one name per line",
                "x.apt:3:1: `Libc6` is not a Debian package name: only lowercase letters, digits, `+`, `-` and `.` may stand in it",
                "x.apt:4:1: `+x` is not a Debian package name: it must start with a letter or digit",
            ]
        );
    }
}
