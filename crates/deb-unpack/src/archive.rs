//! The packages of an archive, as its `Packages` files list them, and which of them can matter
//! to a few. It stands in this crate because a suite's file has sixty megabytes.

use std::collections::{BTreeMap, BTreeSet};

/// All packages of some suites, borrowed from their `Packages` files.
#[derive(Debug)]
pub struct Archive<'a> {
    /// The stanzas of each file in order, with the name of the package if there is one.
    files: Vec<Vec<(Option<&'a str>, &'a str)>>,
    /// All versions of each package.
    versions: BTreeMap<&'a str, Vec<&'a str>>,
    /// Which packages provide a name.
    providers: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Archive<'a> {
    /// Reads the text of `Packages` files.
    pub fn new(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut archive = Self {
            files: Vec::new(),
            versions: BTreeMap::new(),
            providers: BTreeMap::new(),
        };
        for text in texts {
            let parts = text.split("\n\n").map(|part| part.trim_matches('\n'));
            let stanzas = parts.filter(|part| !part.is_empty());
            let file = stanzas
                .map(|stanza| (archive.add(stanza), stanza))
                .collect();
            archive.files.push(file);
        }
        archive
    }

    /// Names of all packages.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.versions.keys().copied()
    }

    /// The files with nothing but what the packages with these names can need: themselves, each
    /// alternative of all that they depend on, and whoever provides it, in every version. A
    /// solver that starts from these names never looks at another package, for what a package
    /// conflicts with does no harm unless it is among them. Recommendations are not followed.
    pub fn reachable<'b>(&self, names: impl IntoIterator<Item = &'b str>) -> Vec<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if !reached.insert(name) {
                continue;
            }
            open.extend(self.providers.get(name).into_iter().flatten());
            for stanza in self.versions.get(name).into_iter().flatten() {
                let dependencies = lines_of(stanza, &["depends", "pre-depends"]);
                open.extend(dependencies.flat_map(targets));
            }
        }
        let is_kept = |name: &Option<&str>| name.is_none_or(|name| reached.contains(name));
        let text = |file: &Vec<(Option<&str>, &str)>| {
            let kept = file.iter().filter(|(name, _)| is_kept(name));
            kept.map(|(_, stanza)| format!("{stanza}\n\n")).collect()
        };
        self.files.iter().map(text).collect()
    }

    /// Takes a stanza in; the name of its package.
    fn add(&mut self, stanza: &'a str) -> Option<&'a str> {
        let mut lines = lines_of(stanza, &["package"]);
        let name = lines.next()?.trim();
        self.versions.entry(name).or_default().push(stanza);
        for provided in lines_of(stanza, &["provides"]).flat_map(targets) {
            self.providers.entry(provided).or_default().insert(name);
        }
        Some(name)
    }
}

/// The lines of some fields of a stanza: the first of a field without the field's name, and
/// those that continue it.
fn lines_of<'a>(stanza: &'a str, fields: &'static [&'static str]) -> impl Iterator<Item = &'a str> {
    let mut inside = false;
    stanza.split('\n').filter_map(move |line| {
        if line.starts_with([' ', '\t']) {
            return inside.then_some(line);
        }
        let (key, value) = line.split_once(':')?;
        inside = fields.iter().any(|field| key.eq_ignore_ascii_case(field));
        inside.then_some(value)
    })
}

/// The names in a relation between packages: `a (>= 1) | b:any, c` has three.
fn targets(relation: &str) -> impl Iterator<Item = &str> {
    let alternatives = relation.split([',', '|']).map(str::trim_start);
    alternatives
        .filter_map(|one| one.split([' ', '\t', '(', ':', '[', '<']).next())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE: &str = "\
Package: shell
Version: 1
Depends: libc (>= 2) | libc-small, awk:any,
 editor
Recommends: manual
Conflicts: other-shell

Package: libc
Version: 2
Pre-Depends: base

Package: base
Version: 1

Package: gawk
Version: 5
Provides: awk (= 5)

Package: manual
Version: 1

Package: other-shell
Version: 1
";
    const NEXT: &str = "\
Package: libc
Version: 3
depends: base-next [amd64] <!nocheck>

Package: base-next
Version: 1

Package: vim
Version: 9
Provides: vi,
\teditor


Version: 1
";

    fn names(text: &str) -> Vec<&str> {
        let lines = text.lines();
        lines
            .filter_map(|line| line.strip_prefix("Package: "))
            .collect()
    }

    #[test]
    fn ok_what_can_matter() {
        let archive = Archive::new([STABLE, NEXT]);
        let [stable, next] = &archive.reachable(["shell"])[..] else {
            panic!("one text for each file");
        };
        // Alternatives, providers, continued lines, other suites' versions, in the files' order;
        // neither recommendations nor what is conflicted with.
        assert_eq!(names(stable), ["shell", "libc", "base", "gawk"]);
        assert_eq!(names(next), ["libc", "base-next", "vim"]);
        // What stays is as it was, and a stanza without a name is the reader's to complain of.
        assert!(stable.starts_with(STABLE.split("\n\n").next().unwrap()));
        assert!(next.ends_with("\n\nVersion: 1\n\n"));
    }

    #[test]
    fn ok_what_there_is() {
        let archive = Archive::new([STABLE, NEXT]);
        assert_eq!(archive.names().count(), 8);
        let nothing = archive.reachable(["no-such-package"]);
        assert_eq!(nothing, ["", "Version: 1\n\n"]);
    }
}
