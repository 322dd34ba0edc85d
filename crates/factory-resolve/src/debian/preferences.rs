//! apt's preferences: which suite may bring what, and which versions are held. Pure.

use super::index::Versions;
use super::inputs::{Inputs, Options};

/// Of a version that must be taken (apt_preferences(5): above 1000, even a downgrade).
const HELD: i32 = 1001;
/// Of the suite that a package comes from (above 500, any other suite's).
const WANTED: i32 = 990;
/// Of what a suite may not bring (negative: never).
const NEVER: i32 = -1;

/// Restricts suites to what they may bring, and holds locked versions.
pub(super) fn preferences(
    inputs: &Inputs,
    options: &Options,
    root: &str,
    present: &Versions<'_>,
) -> String {
    let mut text = String::new();
    let mut pin = |packages: &str, pin: &str, priority: i32| {
        text.push_str(&format!(
            "Package: {packages}\nPin: {pin}\nPin-Priority: {priority}\n\n"
        ));
    };
    let held = held(inputs, options, root);
    let held = held.filter(|(name, _)| !present.contains_key(name));
    for (name, version) in held.chain(present.iter().map(|(n, v)| (*n, *v))) {
        pin(name, &format!("version {version}"), HELD);
    }
    let own_suite = inputs.config.roots[root].suite.as_deref();
    for suite in &inputs.config.suites {
        let release = format!("release n={}", suite.name);
        if let Some(own) = own_suite {
            let priority = if suite.name == own { WANTED } else { NEVER };
            pin("*", &release, priority);
        } else if let Some(only) = &suite.only {
            pin(&only.join(" "), &release, WANTED);
            pin("*", &release, NEVER);
        }
    }
    text
}

/// What a root's lock has and nobody wants to upgrade.
fn held<'a>(
    inputs: &'a Inputs,
    options: &'a Options,
    root: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lock = inputs.locks.get(root).filter(|_| !options.upgrade);
    lock.into_iter()
        .flat_map(|found| &found.lock.packages)
        .filter(|package| !options.upgrade_packages.contains(&package.name))
        .map(|package| (package.name.as_str(), package.version.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::system;
    use crate::debian::Config;
    use std::collections::BTreeMap;

    #[test]
    fn ok_a_root_with_a_suite_of_its_own() {
        let config = r#"
schema_version = 1
keyring = { archive = "debian", path = "k.deb", size = 1, sha256 = "ZEROS", member = "k.gpg" }
suite = [
  { name = "trixie", archive = "debian" },
  { name = "forky", archive = "debian", only = ["gcc-15"] },
]
[root.both]
[root.new]
suite = "forky"
"#;
        let inputs = Inputs {
            config: Config::parse(
                &config.replace("ZEROS", &"0".repeat(64)),
                &system("x86_64-linux"),
            )
            .unwrap(),
            lists: BTreeMap::new(),
            locks: BTreeMap::new(),
            system: system("x86_64-linux"),
        };
        let pins = |root| {
            let text = preferences(&inputs, &Options::default(), root, &BTreeMap::new());
            text.replace("Package: ", "").replace("\nPin: release", "")
        };
        insta::assert_snapshot!(pins("both").replace("\nPin-Priority:", ""), @"
        gcc-15 n=forky 990

        * n=forky -1
        ");
        insta::assert_snapshot!(pins("new").replace("\nPin-Priority:", ""), @"
        * n=trixie -1

        * n=forky 990
        ");
    }
}
