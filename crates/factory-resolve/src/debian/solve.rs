//! Solves the roots in order and makes their locks; keeps what is locked unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::apt::{Apt, Chosen};
use super::config::{Config, parse_list};
use crate::Context;
use crate::committed::{self, Checked};
use factory_base::error;
use factory_model::deb822::stanzas;
use factory_model::layer::LayerName;
use factory_model::list::{self, Fault, Line};
use factory_model::lock::{DebianLock, DebianPackage, Sealed};

/// What may change.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Take the newest version of everything.
    pub upgrade: bool,
    /// Take the newest version of these.
    pub upgrade_packages: BTreeSet<String>,
    /// Suites whose Release file may be past its Valid-Until.
    pub allow_expired: Vec<String>,
}

/// The lock of one root, before and after.
#[derive(Debug, Clone)]
pub struct RootUpdate {
    /// Name of the root.
    pub name: String,
    /// The committed lock, when there is one.
    pub old: Option<DebianLock>,
    /// What it should be now.
    pub new: DebianLock,
}

struct Inputs {
    config: Config,
    lists: BTreeMap<String, Vec<Line>>,
    locks: BTreeMap<String, Sealed<DebianLock>>,
}

impl Inputs {
    fn old(&self, root: &str) -> Option<DebianLock> {
        self.locks.get(root).map(|found| found.lock.clone())
    }
}

/// A package of the indexes.
struct Indexed<'a> {
    suite: &'a str,
    stanza: factory_model::deb822::Stanza<'a>,
}

/// Compares lists and locks; no network.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check(ctx: &dyn Context) -> Result<Checked> {
    let inputs = read(ctx)?;
    let mut checked = Checked::default();
    for name in inputs.config.order() {
        checked.add(format!("debian/{name}"), inputs.locks.get(name), |lock| {
            lock.list_sha256 == inputs.config.list_sha256(name, &inputs.lists)
        });
    }
    Ok(checked)
}

/// Names of the packages that are locked for the image's layers (roots `NN-name`).
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn image_packages(ctx: &dyn Context) -> Result<BTreeSet<String>> {
    let locks = read(ctx)?.locks.into_iter();
    Ok(locks
        .filter(|(root, _)| root.parse::<LayerName>().is_ok())
        .flat_map(|(_, found)| found.lock.packages)
        .map(|package| package.name)
        .collect())
}

/// Solves what changed; needs the network only then.
///
/// # Errors
/// A wrong list, an unreachable or unsigned mirror, or no solution.
pub fn update(ctx: &dyn Context, options: &Options) -> Result<Vec<RootUpdate>> {
    let inputs = read(ctx)?;
    let order = inputs.config.order();
    let upgrade_names = upgrades_in_locks(&inputs, options);
    let stale: BTreeSet<&str> = order
        .iter()
        .copied()
        .filter(|name| {
            options.upgrade
                || !is_current(&inputs, name)
                || inputs
                    .config
                    .chain(name)
                    .unwrap_or_default()
                    .iter()
                    .any(|below| upgrade_names.contains(*below))
        })
        .collect();
    if stale.is_empty() {
        return Ok(unchanged(&inputs, &order));
    }
    if ctx.is_offline() {
        return Err(error::environment(format!(
            "{} must be solved again, which needs the network",
            names(stale.iter().copied())
        ))
        .hint("run `cargo xtask update-locks` without `--offline`")
        .into());
    }
    let apt = Apt::open(ctx, &inputs.config, &options.allow_expired)?;
    solve_all(ctx, &apt, &inputs, options, &order, &stale)
}

fn solve_all(
    ctx: &dyn Context,
    apt: &Apt,
    inputs: &Inputs,
    options: &Options,
    order: &[&str],
    stale: &BTreeSet<&str>,
) -> Result<Vec<RootUpdate>> {
    let texts = apt
        .indexes()?
        .into_iter()
        .map(|index| Ok((index.suite, fs_err::read_to_string(index.file)?)))
        .collect::<Result<Vec<(String, String)>>>()?;
    let index = index(&texts)?;
    let snapshots = snapshots(inputs, &apt.release_dates()?)?;
    let archives: BTreeMap<&str, &str> = inputs
        .config
        .suites
        .iter()
        .map(|suite| (suite.name.as_str(), suite.archive.as_str()))
        .collect();
    let default_snapshot = inputs
        .config
        .suites
        .first()
        .and_then(|suite| snapshots.get(&suite.name))
        .context("debian.toml names no suite")?;

    let mut new: BTreeMap<String, DebianLock> = BTreeMap::new();
    for name in order {
        ctx.check_interrupted()?;
        if !stale.contains(name) {
            new.insert((*name).to_owned(), inputs.locks[*name].lock.clone());
            continue;
        }
        let started = std::time::Instant::now();
        let root = &inputs.config.roots[*name];
        let chain = inputs.config.chain(name).map_err(error::bad_input)?;
        let present: BTreeMap<&str, &str> = chain
            .iter()
            .filter_map(|below| new.get(*below))
            .flat_map(|lock| &lock.packages)
            .map(|package| (package.name.as_str(), package.version.as_str()))
            .collect();
        let status = status(&present, &index)?;
        let preferences = preferences(inputs, options, name, &present);
        let wanted: Vec<&str> = inputs.lists[*name]
            .iter()
            .map(|line| line.text.as_str())
            .collect();
        let chosen = apt
            .solve(&wanted, root.dependencies, &status, &preferences)?
            .map_err(|text| explain(name, &inputs.lists[*name], &text, &index))?;
        if let Some(moved) = chosen
            .iter()
            .find(|package| present.contains_key(package.name.as_str()))
        {
            return Err(error::not_right(format!(
                "root `{name}` needs `{}` {}, but a root below it has {}",
                moved.name,
                moved.version,
                present[moved.name.as_str()]
            ))
            .hint(format!(
                "run `cargo xtask update-locks --upgrade-package {}`",
                moved.name
            ))
            .into());
        }
        let packages = chosen
            .iter()
            .map(|package| locked(package, &index, &archives, &snapshots, default_snapshot))
            .collect::<Result<Vec<DebianPackage>>>()?;
        ctx.step(
            "Solved",
            &format!(
                "{name}: {} packages in {}",
                packages.len(),
                factory_base::text::elapsed(started.elapsed())
            ),
        );
        new.insert(
            (*name).to_owned(),
            DebianLock {
                schema_version: 1,
                on: root.on.clone(),
                list_sha256: inputs.config.list_sha256(name, &inputs.lists),
                snapshot: default_snapshot.clone(),
                packages,
            },
        );
    }
    Ok(order
        .iter()
        .filter_map(|name| {
            Some(RootUpdate {
                name: (*name).to_owned(),
                old: inputs.old(name),
                new: new.remove(*name)?,
            })
        })
        .collect())
}

fn read(ctx: &dyn Context) -> Result<Inputs> {
    let path = ctx.lists().join("debian.toml");
    let config = Config::parse(&fs_err::read_to_string(&path)?)
        .map_err(|reason| error::bad_input(format!("`package-lists/debian.toml`: {reason}")))?;
    let mut lists = BTreeMap::new();
    let mut locks = BTreeMap::new();
    let mut faults = Vec::new();
    for name in config.roots.keys() {
        let file = format!("package-lists/debian/{name}.apt");
        match parse_list(&file, &fs_err::read_to_string(ctx.root().join(&file))?) {
            Ok(lines) => {
                lists.insert(name.clone(), lines);
            }
            Err(found) => faults.extend(found),
        }
        if let Some(found) = committed::read(ctx, &format!("debian/{name}"))? {
            locks.insert(name.clone(), found);
        }
    }
    if faults.is_empty() {
        Ok(Inputs {
            config,
            lists,
            locks,
        })
    } else {
        Err(list::failure(&faults).into())
    }
}

fn is_current(inputs: &Inputs, name: &str) -> bool {
    inputs
        .locks
        .get(name)
        .filter(|found| found.is_sealed)
        .is_some_and(|found| {
            found.lock.list_sha256 == inputs.config.list_sha256(name, &inputs.lists)
        })
}

/// The roots whose lock holds a package that is to be upgraded.
fn upgrades_in_locks<'a>(inputs: &'a Inputs, options: &Options) -> BTreeSet<&'a str> {
    inputs
        .locks
        .iter()
        .filter(|(_, found)| {
            let packages = &found.lock.packages;
            packages
                .iter()
                .any(|package| options.upgrade_packages.contains(&package.name))
        })
        .map(|(name, _)| name.as_str())
        .collect()
}

fn unchanged(inputs: &Inputs, order: &[&str]) -> Vec<RootUpdate> {
    order
        .iter()
        .map(|name| RootUpdate {
            name: (*name).to_owned(),
            old: inputs.old(name),
            new: inputs.locks[*name].lock.clone(),
        })
        .collect()
}

fn index(texts: &[(String, String)]) -> Result<BTreeMap<(&str, &str), Indexed<'_>>> {
    let mut index = BTreeMap::new();
    for (suite, text) in texts {
        for stanza in stanzas(text) {
            let (Some(name), Some(version)) = (stanza.field("Package"), stanza.field("Version"))
            else {
                anyhow::bail!(
                    "the package index of `{suite}` has a stanza without name or version"
                );
            };
            // A version that is in two suites is the same file; the first suite names it.
            index
                .entry((name, version))
                .or_insert(Indexed { suite, stanza });
        }
    }
    Ok(index)
}

/// A dpkg status in which the packages of the lower roots are installed.
fn status(
    present: &BTreeMap<&str, &str>,
    index: &BTreeMap<(&str, &str), Indexed<'_>>,
) -> Result<String> {
    let mut text = String::new();
    for (name, version) in present {
        let package = index.get(&(*name, *version)).ok_or_else(|| {
            let offered: Vec<&str> = index
                .keys()
                .filter(|(offered, _)| offered == name)
                .map(|(_, version)| *version)
                .collect();
            let now = match offered.as_slice() {
                [] => "and has no other version of it".to_owned(),
                versions => format!("but {}", versions.join(" and ")),
            };
            error::environment(format!(
                "the mirror no longer has `{name}` {version}, which a lower root has locked, {now}"
            ))
            .hint(format!(
                "run `cargo xtask update-locks --upgrade-package {name}`"
            ))
        })?;
        writeln!(text, "{}\nStatus: install ok installed\n", package.stanza.0)?;
    }
    Ok(text)
}

/// Restricts suites to what they may bring, and holds locked versions.
fn preferences(
    inputs: &Inputs,
    options: &Options,
    root: &str,
    present: &BTreeMap<&str, &str>,
) -> String {
    let mut text = String::new();
    let mut pin = |packages: &str, pin: &str, priority: i32| {
        text.push_str(&format!(
            "Package: {packages}\nPin: {pin}\nPin-Priority: {priority}\n\n"
        ));
    };
    let held: Vec<(&str, &str)> = if options.upgrade {
        Vec::new()
    } else {
        inputs
            .locks
            .get(root)
            .into_iter()
            .flat_map(|found| &found.lock.packages)
            .filter(|package| !options.upgrade_packages.contains(&package.name))
            .map(|package| (package.name.as_str(), package.version.as_str()))
            .filter(|(name, _)| !present.contains_key(name))
            .collect()
    };
    for (name, version) in held
        .into_iter()
        .chain(present.iter().map(|(n, v)| (*n, *v)))
    {
        pin(name, &format!("version {version}"), 1001);
    }
    let own_suite = inputs.config.roots[root].suite.as_deref();
    for suite in &inputs.config.suites {
        let release = format!("release n={}", suite.name);
        if let Some(own) = own_suite {
            pin("*", &release, if suite.name == own { 990 } else { -1 });
        } else if let Some(only) = &suite.only {
            pin(&only.join(" "), &release, 990);
            pin("*", &release, -1);
        }
    }
    text
}

fn locked(
    package: &Chosen,
    index: &BTreeMap<(&str, &str), Indexed<'_>>,
    archives: &BTreeMap<&str, &str>,
    snapshots: &BTreeMap<String, String>,
    default_snapshot: &str,
) -> Result<DebianPackage> {
    let Chosen { name, version } = package;
    let indexed = index
        .get(&(name.as_str(), version.as_str()))
        .with_context(|| format!("apt chose `{name}` {version}, which no index has"))?;
    let field = |field: &str| {
        indexed
            .stanza
            .field(field)
            .with_context(|| format!("the index entry of `{name}` has no `{field}`"))
    };
    let snapshot = snapshots
        .get(indexed.suite)
        .with_context(|| format!("suite `{}` has no date", indexed.suite))?;
    Ok(DebianPackage {
        name: name.clone(),
        version: version.clone(),
        archive: archives
            .get(indexed.suite)
            .with_context(|| format!("suite `{}` has no archive", indexed.suite))?
            .to_string(),
        path: field("Filename")?.to_owned(),
        size: field("Size")?.parse()?,
        sha256: field("SHA256")?.parse()?,
        snapshot: (snapshot != default_snapshot).then(|| snapshot.clone()),
    })
}

/// The time, per suite, at which the snapshot archive surely has each of its files: half
/// a day after the Release file's date. The archive imports a state some hours after that
/// date, and a mirror keeps what is superseded for a day and a half.
fn snapshots(
    inputs: &Inputs,
    dates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    inputs
        .config
        .suites
        .iter()
        .map(|suite| {
            let date = dates
                .get(&suite.name)
                .with_context(|| format!("the Release file of `{}` has no Date", suite.name))?;
            let time = half_a_day_after(date)
                .with_context(|| format!("`{date}` is not a date of a Release file"))?;
            Ok((suite.name.clone(), time))
        })
        .collect()
}

/// `Sat, 21 Nov 2026 00:53:03 UTC` plus twelve hours as `20261121T125303Z`.
fn half_a_day_after(date: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = date.split_whitespace().skip(1);
    let mut day: u32 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let mut month = 1 + u32::try_from(MONTHS.iter().position(|month| *month == name)?).ok()?;
    let mut year: u32 = words.next()?.parse().ok()?;
    let mut time = words.next()?.split(':').map(str::parse::<u32>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let mut hour = hour + 12;
    if hour >= 24 {
        hour -= 24;
        day += 1;
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day > days {
            day = 1;
            month += 1;
        }
        if month > 12 {
            month = 1;
            year += 1;
        }
    }
    Some(format!(
        "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"
    ))
}

/// Turns apt's refusal into list lines: unknown names with their nearest, or the conflict.
fn explain(
    root: &str,
    lines: &[Line],
    text: &str,
    index: &BTreeMap<(&str, &str), Indexed<'_>>,
) -> anyhow::Error {
    let known: BTreeSet<&str> = index.keys().map(|(name, _)| *name).collect();
    let faults: Vec<Fault> = lines
        .iter()
        .filter(|line| !known.contains(line.text.as_str()))
        .map(|line| {
            let near = list::nearest(&line.text, known.iter().copied());
            let near = if near.is_empty() {
                String::new()
            } else {
                format!("; nearest: {}", names(near))
            };
            Fault {
                file: format!("package-lists/debian/{root}.apt"),
                line: line.number,
                column: line.column,
                reason: format!("no suite has a package `{}`{near}", line.text),
            }
        })
        .collect();
    if faults.is_empty() {
        error::bad_input(format!("root `{root}` cannot be solved; apt says:\n{text}"))
            .hint("see `only` in `package-lists/debian.toml`, or run `cargo xtask update-locks --upgrade`")
            .into()
    } else {
        list::failure(&faults).into()
    }
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_half_a_day_after() {
        let at = |date| half_a_day_after(date).unwrap();
        assert_eq!(at("Sat, 21 Nov 2026 00:53:03 UTC"), "20261121T125303Z");
        assert_eq!(at("Thu, 31 Dec 2026 20:00:00 UTC"), "20270101T080000Z");
        assert_eq!(at("Tue, 28 Feb 2028 12:00:00 UTC"), "20280229T000000Z");
        assert!(half_a_day_after("yesterday").is_none());
    }

    #[test]
    fn ok_a_root_with_a_suite_of_its_own() {
        let config = r#"
schema_version = 1
architecture = "amd64"
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
            config: Config::parse(&config.replace("ZEROS", &"0".repeat(64))).unwrap(),
            lists: BTreeMap::new(),
            locks: BTreeMap::new(),
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

    #[test]
    fn err_superseded_pin_names_both_versions_and_the_command() {
        let texts = [(
            "trixie".to_owned(),
            "Package: libc6\nVersion: 2.41-12+deb13u1\n\nPackage: libc-bin\nVersion: 2.41-12\n"
                .to_owned(),
        )];
        let index = index(&texts).unwrap();
        let message = |name, version| {
            let error = status(&BTreeMap::from([(name, version)]), &index).unwrap_err();
            format!("{error}\nhint: {}", error::hints_of(&error).join(""))
        };
        insta::assert_snapshot!(message("libc6", "2.41-12"), @"
        the mirror no longer has `libc6` 2.41-12, which a lower root has locked, but 2.41-12+deb13u1
        hint: run `cargo xtask update-locks --upgrade-package libc6`
        ");
        insta::assert_snapshot!(message("gone", "1"), @"
        the mirror no longer has `gone` 1, which a lower root has locked, and has no other version of it
        hint: run `cargo xtask update-locks --upgrade-package gone`
        ");
        assert!(status(&BTreeMap::from([("libc-bin", "2.41-12")]), &index).is_ok());
    }
}
