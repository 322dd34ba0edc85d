//! Whether each thing that was asked for is locked or excluded, and each exclusion still true.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::exclusions::Class;
use super::inputs::Inputs;
use super::name::normalized;
use super::native::{self, Locks};
use super::requirement::Requirement;
use factory_model::lock::{GitKind, PythonLock};
use factory_model::nearest::nearest;
use factory_model::system::System;

/// A requested thing: its name as written, who asks for it, and whether it comes from git.
struct Thing {
    name: String,
    origin: String,
    is_git: bool,
}

/// Everything that a variant must have or exclude, by normal name.
fn things(inputs: &Inputs) -> BTreeMap<String, Thing> {
    let mut things: BTreeMap<String, Thing> = BTreeMap::new();
    let mut add = |name: &str, origin: &str, is_git: bool| {
        things.entry(normalized(name)).or_insert_with(|| Thing {
            name: name.to_owned(),
            origin: origin.to_owned(),
            is_git,
        });
    };
    for (_, file) in inputs.layers.lists() {
        for (line, requirement) in inputs.lists.get(file).into_iter().flatten() {
            let is_git =
                matches!(requirement, Requirement::Git { .. }) || inputs.layers.is_with_git(file);
            let origin = format!("{file}:{}", line.number);
            add(requirement.name().as_str(), &origin, is_git);
        }
    }
    for (name, source) in &inputs.sources.git {
        if source.kind != GitKind::Build {
            add(name, "sources.toml", true);
        }
    }
    for name in inputs.sources.weights.keys() {
        add(name, "sources.toml", true);
    }
    let requested = &inputs.requested;
    for (names, is_git) in [
        (&requested.debian, false),
        (&requested.python, false),
        (&requested.nodes, true),
    ] {
        for name in names {
            add(name, "requested.toml", is_git);
        }
    }
    things
}

/// What is wrong with the exclusions, each fault on a line of its own. Only variants with
/// a lock in `locks`, by system, are compared with what is locked; `debian` has, by system, what
/// is in all of them.
pub(super) fn faults(
    inputs: &Inputs,
    locks: &BTreeMap<String, Locks<'_>>,
    debian: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let things = things(inputs);
    let mut faults = wrong_names(inputs, &things);
    let default = inputs.systems.default();
    let (none, no_debian) = (Locks::new(), BTreeSet::new());
    let of_default = locks.get(&default.name).unwrap_or(&none);
    for system in inputs.systems.iter() {
        let one = OfSystem {
            inputs,
            things: &things,
            system,
            locks: locks.get(&system.name).unwrap_or(&none),
            reference: (!system.is_default).then_some((default, of_default)),
            debian: debian.get(&system.name).unwrap_or(&no_debian),
        };
        let found = one.faults().into_iter();
        faults.extend(found.map(|fault| match system.is_default {
            true => fault,
            false => format!("{}: {fault}", system.name),
        }));
    }
    faults
}

/// What is asked for and what is locked, of one system.
struct OfSystem<'a> {
    inputs: &'a Inputs,
    things: &'a BTreeMap<String, Thing>,
    system: &'a System,
    locks: &'a Locks<'a>,
    /// The system that this one is to equal, and its locks.
    reference: Option<(&'a System, &'a Locks<'a>)>,
    debian: &'a BTreeSet<String>,
}

impl OfSystem<'_> {
    fn faults(&self) -> Vec<String> {
        let Self {
            inputs,
            things,
            system,
            locks,
            debian,
            ..
        } = *self;
        let mut faults = Vec::new();
        // By thing, so that one that several variants lack is one fault.
        let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (variant, lock) in locks {
            let locked = locked(inputs, variant, lock, debian);
            let without_git = inputs
                .exclusions
                .of(variant, system)
                .any(|one| one.all == Some(Class::Git));
            for (name, thing) in things {
                let is_excluded =
                    inputs.exclusions.has(name, variant, system) || (without_git && thing.is_git);
                if !is_excluded && !locked.contains(name) {
                    lacking.entry(name).or_default().push(variant);
                }
            }
            faults.extend(self.needless(variant, &locked));
            faults.extend(self.absent(variant, lock));
        }
        let (variants, exclusions) = (&inputs.variants, &inputs.exclusions);
        faults.extend(native::faults(
            variants,
            exclusions,
            system,
            locks,
            self.reference,
        ));
        for (name, variants) in lacking {
            faults.push(format!(
                "`{}` ({}) is neither locked nor excluded in {}",
                things[name].name,
                things[name].origin,
                quoted(variants)
            ));
        }
        faults
    }

    /// Exclusions that are not true any more.
    fn needless(&self, variant: &str, locked: &BTreeSet<String>) -> Vec<String> {
        let Self { inputs, system, .. } = *self;
        let pinned: BTreeSet<String> = inputs
            .sources
            .git
            .keys()
            .map(|name| normalized(name))
            .collect();
        let mut faults = Vec::new();
        for one in inputs.exclusions.of(variant, system) {
            let reason = match &one.name {
                Some(name) if locked.contains(&normalized(name)) => "the lock has it",
                Some(name) if one.unpinned && pinned.contains(&normalized(name)) => {
                    "`sources.toml` pins it"
                }
                None if one.all == Some(Class::Git) && inputs.variants.variant[variant].git => {
                    "the variant has `git = true`"
                }
                _ => continue,
            };
            faults.push(format!(
                "the exclusion of {} from `{variant}` is no longer needed: {reason}",
                one.shown()
            ));
        }
        faults
    }

    /// What a variant has on the system that this one is to equal, and not here: an exclusion
    /// says why. Nobody needs to have asked for it; and one that says so of this system alone
    /// must be true.
    fn absent(&self, variant: &str, lock: &PythonLock) -> Vec<String> {
        let Some((reference, locks)) = self.reference else {
            return Vec::new();
        };
        let Some(of_reference) = locks.get(variant) else {
            return Vec::new();
        };
        let exclusions = &self.inputs.exclusions;
        let (there, here) = (of_reference.names(), lock.names());
        let mut faults = Vec::new();
        // What was asked for is missed already.
        let required = |name: &&String| !self.things.contains_key(*name);
        for name in there.difference(&here).filter(required) {
            if !exclusions.has(name, variant, self.system) {
                faults.push(format!(
                    "`{name}` is in `{variant}` of {}, and neither locked nor excluded here",
                    reference.name
                ));
            }
        }
        let known = |name: &str| {
            let name = normalized(name);
            there.contains(&name) || self.things.contains_key(&name)
        };
        for one in exclusions.of(variant, self.system) {
            if let Some(name) = one.name.as_ref().filter(|name| !known(name)) {
                faults.push(format!(
                    "the exclusion of `{name}` from `{variant}` is not needed: {} has it neither",
                    reference.name
                ));
            }
        }
        faults
    }
}

/// Names of variants and things that do not exist, and things excluded twice.
fn wrong_names(inputs: &Inputs, things: &BTreeMap<String, Thing>) -> Vec<String> {
    let known = &inputs.variants.variant;
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for (variant, definition) in known {
        for system in &definition.systems {
            if let Err(unknown) = inputs.systems.find(system) {
                faults.push(format!("`{variant}` is for {system}: {unknown}"));
            }
        }
        for name in definition.from_index.keys() {
            let is_git = |name: &str| things.get(name).is_some_and(|thing| thing.is_git);
            if !is_git(name.as_str()) {
                faults.push(format!(
                    "`{variant}` takes `{name}` from the index, and no git line has that name"
                ));
            }
        }
    }
    for one in &inputs.exclusions.exclusion {
        let shown = one.shown();
        for system in &one.systems {
            if let Err(unknown) = inputs.systems.find(system) {
                faults.push(format!("the exclusion of {shown}: {unknown}"));
            }
        }
        for variant in &one.variants {
            if !known.contains_key(variant) {
                faults.push(format!(
                    "the exclusion of {shown} names no variant of ours: `{variant}`; there are {}",
                    quoted(known.keys().map(String::as_str))
                ));
            } else if !seen.insert((shown.clone(), variant, &one.systems)) {
                faults.push(format!("{shown} is excluded from `{variant}` twice"));
            }
        }
        // What is left out on some systems only may be what others require.
        let Some(name) = one.name.as_ref().filter(|_| one.systems.is_empty()) else {
            continue;
        };
        if !things.contains_key(&normalized(name)) {
            let near = nearest(name, things.values().map(|thing| thing.name.as_str()))
                .first()
                .map(|near| format!("; the nearest name is `{near}`"))
                .unwrap_or_default();
            faults.push(format!(
                "the exclusion of {shown} is not needed: nothing of that name is requested{near}"
            ));
        }
    }
    faults
}

/// Normal names of what a variant has.
fn locked(
    inputs: &Inputs,
    variant: &str,
    lock: &PythonLock,
    debian: &BTreeSet<String>,
) -> BTreeSet<String> {
    let has_git = inputs.variants.variant[variant].git;
    let weights = inputs.sources.weights.keys().filter(|_| has_git);
    let packages = lock.packages.iter().map(|package| package.name.as_str());
    packages
        .chain(lock.git.iter().map(|git| git.name.as_str()))
        .chain(lock.provided.iter().map(|provided| provided.name.as_str()))
        .chain(lock.bundle.iter().map(|tree| tree.name.as_str()))
        .chain(weights.map(String::as_str))
        .chain(debian.iter().map(String::as_str))
        .map(normalized)
        .collect()
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::parse_list;
    use crate::python::sdists::Sdists;
    use crate::python::sources::Sources;
    use crate::python::variants::Variants;
    use crate::python::{Exclusions, Requested, WheelFiles};
    use factory_model::layers::Layers;
    use factory_model::lock::Sha256;
    use factory_model::system::Systems;

    /// Two variants, one without git; the lists ask for numpy, dlib and clip.
    fn inputs(exclusions: &str) -> Inputs {
        let variants = r#"
            schema_version = 1
            default = "small"
            quick = "small"
            cuda_architectures = ["9.0"]
            [variant.small]
            abi = "cp314t"
            description = "small"
            git = false
            [variant.whole]
            abi = "cp314t"
            description = "whole"
            git = true
        "#;
        let revision = "0123456789012345678901234567890123456789";
        let hash = Sha256::of(b"tree").to_sri();
        let sources = format!(
            r#"
            schema_version = 1
            [git.clip]
            url = "https://git.example/clip"
            rev = "{revision}"
            nar_hash = "{hash}"
            kind = "python"
            [git.Some_Node]
            url = "https://git.example/node"
            rev = "{revision}"
            nar_hash = "{hash}"
            kind = "custom-node"
            install_dir = "Some_Node"
            "#
        );
        let list = format!("numpy\ndlib\ngit+https://git.example/clip@{revision}#egg=clip\n");
        let layers = "schema_version = 1\ncuda = '01-pak7'\ncuda_metadata = '01-pak7'\n\
            with_git = ['nodes.txt']\n\
            layers = [{ name = '01-pak7', lists = ['pak7.txt', 'nodes.txt'], stage = 's' }]";
        let lines = parse_list("pak7.txt", &list).unwrap();
        let for_nodes = parse_list("nodes.txt", "librosa\n").unwrap();
        Inputs {
            layers: Layers::parse(layers).unwrap(),
            systems: Systems::parse(include_str!("../../../../package-lists/systems.toml"))
                .unwrap(),
            wheel_files: WheelFiles::parse("schema_version = 1\nshared_from_bytes = 1").unwrap(),
            variants: Variants::parse(variants).unwrap(),
            exclusions: Exclusions::parse(&format!("schema_version = 1\n{exclusions}")).unwrap(),
            requested: Requested::parse(
                "schema_version = 1\ndebian = ['sox']\npython = ['numpy']\nnodes = ['Some_Node']",
            )
            .unwrap(),
            constraints: Vec::new(),
            lists: BTreeMap::from([
                ("pak7.txt".to_owned(), lines),
                ("nodes.txt".to_owned(), for_nodes),
            ]),
            sources: toml::from_str::<Sources>(&sources).unwrap(),
            sdists: Sdists::default(),
        }
    }

    fn lock(packages: &[&str], git: &[&str], bundle: &[&str]) -> PythonLock {
        let zeros = "0".repeat(64);
        let mut text = format!("schema_version = 1\npython = 'cp314t'\nlist_sha256 = '{zeros}'\n");
        for name in packages {
            text.push_str(&format!(
                "[[package]]\nname = '{name}'\nversion = '1'\nlayer = '08-pak7'\nkind = 'wheel'\nfile = 'f'\nsize = 1\nsha256 = '{zeros}'\n"
            ));
        }
        for (table, names) in [("git", git), ("bundle", bundle)] {
            for name in names {
                text.push_str(&format!(
                    "[[{table}]]\nname = '{name}'\nlayer = '08-pak7'\n"
                ));
            }
        }
        toml::from_str(&text).unwrap()
    }

    fn entry(key: &str, variants: &str) -> String {
        format!("[[exclusion]]\n{key}\nvariants = [{variants}]\nreason = 'r'\nlifts = 'l'\n")
    }

    /// What is said of these exclusions when `small` has numpy, and `whole` has all.
    fn said(exclusions: &[(&str, &str)]) -> String {
        let text: String = exclusions
            .iter()
            .map(|(key, variants)| entry(key, variants))
            .collect();
        let locks = BTreeMap::from([
            ("small", lock(&["numpy"], &[], &[])),
            (
                "whole",
                lock(&["numpy", "dlib", "librosa"], &["clip"], &["some-node"]),
            ),
        ]);
        said_of(&inputs(&text), locks, &["sox"])
    }

    fn said_of(inputs: &Inputs, locks: Locks<'_>, debian: &[&str]) -> String {
        let system = || inputs.systems.default().name.clone();
        let debian = debian.iter().map(|name| (*name).to_owned()).collect();
        let debian = BTreeMap::from([(system(), debian)]);
        faults(inputs, &BTreeMap::from([(system(), locks)]), &debian).join("\n")
    }

    const GIT: (&str, &str) = ("all = 'git'", "'small'");
    const DLIB: (&str, &str) = ("name = 'dlib'", "'small'");

    #[test]
    fn ok_all_is_locked_or_excluded() {
        assert_eq!(said(&[GIT, DLIB]), "");
    }

    /// What is said of two systems, where `small` has numpy and `extra` on the first, and on the
    /// second what is given.
    fn said_of_two(exclusions: &str, packages: &[&str]) -> String {
        let git = entry(GIT.0, GIT.1) + &entry(DLIB.0, DLIB.1);
        let inputs = inputs(&(git + exclusions));
        let all = |packages: &[&str]| Locks::from([("small", lock(packages, &[], &[]))]);
        let locks = BTreeMap::from([
            ("x86_64-linux".to_owned(), all(&["numpy", "extra"])),
            ("aarch64-linux".to_owned(), all(packages)),
        ]);
        let sox = BTreeSet::from(["sox".to_owned()]);
        let debian = BTreeMap::from([
            ("x86_64-linux".to_owned(), sox.clone()),
            ("aarch64-linux".to_owned(), sox),
        ]);
        faults(&inputs, &locks, &debian).join("\n")
    }

    #[test]
    fn err_what_another_system_lacks_and_nobody_said_so() {
        assert_eq!(said_of_two("", &["numpy", "extra"]), "");
        insta::assert_snapshot!(said_of_two("", &[]), @r"
        aarch64-linux: `extra` is in `small` of x86_64-linux, and neither locked nor excluded here
        aarch64-linux: `numpy` (pak7.txt:1) is neither locked nor excluded in `small`
        ");
        let on_arm = |name: &str| {
            entry(
                &format!("name = '{name}'\nsystems = ['aarch64-linux']"),
                "'small'",
            )
        };
        assert_eq!(said_of_two(&(on_arm("extra") + &on_arm("numpy")), &[]), "");
        insta::assert_snapshot!(
            said_of_two(&(on_arm("extra") + &on_arm("other")), &["numpy", "extra"]), @r"
        aarch64-linux: the exclusion of `extra` from `small` is no longer needed: the lock has it
        aarch64-linux: the exclusion of `other` from `small` is not needed: x86_64-linux has it neither
        ");
        let nowhere = entry("name = 'dlib'\nsystems = ['riscv64-linux']", "'small'");
        insta::assert_snapshot!(said_of_two(&nowhere, &["numpy", "extra"]), @"the exclusion of `dlib`: there is no system `riscv64-linux`; there are x86_64-linux, aarch64-linux");
    }

    #[test]
    fn err_neither_locked_nor_excluded() {
        insta::assert_snapshot!(said(&[]), @r"
        `clip` (pak7.txt:3) is neither locked nor excluded in `small`
        `dlib` (pak7.txt:2) is neither locked nor excluded in `small`
        `librosa` (nodes.txt:1) is neither locked nor excluded in `small`
        `Some_Node` (sources.toml) is neither locked nor excluded in `small`
        ");
        let inputs = inputs("");
        let locks = BTreeMap::from([("whole", lock(&[], &[], &["some-node"]))]);
        insta::assert_snapshot!(said_of(&inputs, locks, &[]), @r"
        `clip` (pak7.txt:3) is neither locked nor excluded in `whole`
        `dlib` (pak7.txt:2) is neither locked nor excluded in `whole`
        `librosa` (nodes.txt:1) is neither locked nor excluded in `whole`
        `numpy` (pak7.txt:1) is neither locked nor excluded in `whole`
        `sox` (requested.toml) is neither locked nor excluded in `whole`
        ");
    }

    #[test]
    fn err_no_longer_needed() {
        insta::assert_snapshot!(
            said(&[("all = 'git'", "'small', 'whole'"), ("name = 'dlib'", "'small', 'whole'")]),
            @r"
        the exclusion of all `git` from `whole` is no longer needed: the variant has `git = true`
        the exclusion of `dlib` from `whole` is no longer needed: the lock has it
        "
        );
    }

    #[test]
    fn err_unpinned_with_a_pin() {
        let unpinned = ("name = 'some-node'\nunpinned = true", "'small'");
        insta::assert_snapshot!(said(&[GIT, DLIB, unpinned]), @"the exclusion of `some-node` from `small` is no longer needed: `sources.toml` pins it");
    }

    #[test]
    fn err_unknown_names_and_twice() {
        insta::assert_snapshot!(
            said(&[GIT, DLIB, DLIB, ("name = 'Some-Mode'", "'slim', 'whole'")]),
            @r"
        `dlib` is excluded from `small` twice
        the exclusion of `Some-Mode` names no variant of ours: `slim`; there are `small`, `whole`
        the exclusion of `Some-Mode` is not needed: nothing of that name is requested; the nearest name is `Some_Node`
        "
        );
    }
}
