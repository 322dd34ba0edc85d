//! Whether free-threaded Python loses native code that Python with the GIL gets
//! (docs/design/D17-equal-to-the-gil-or-said.md). Pure.
//!
//! A resolver takes a wheel without a platform (`py3-none-any`) silently where no wheel fits the
//! free-threaded ABI. What it lost is written into the lock, so that it is known offline.

use std::collections::BTreeMap;

use super::error::Error;
use super::exclusions::Exclusions;
use super::name::{PackageName, normalized};
use super::resolution::{Chosen, choose};
use super::variants::{Variant, Variants};
use super::wheel::{Target, WheelFilename};
use factory_model::lock::{DistributionKind, PythonLock, PythonPackage};
use factory_model::system::System;

/// Locks by variant, of one system.
pub(super) type Locks<'a> = BTreeMap<&'a str, PythonLock>;

/// What has no platform, as requirements: of these another interpreter may get native code.
/// What is compiled here, or fits, has it already.
pub(super) fn without_platform(
    variant: &Variant,
    chosen: &BTreeMap<PackageName, Chosen>,
) -> Vec<String> {
    let pure = chosen
        .iter()
        .filter(|(name, file)| file.pure && !variant.direct.contains_key(*name));
    pure.map(|(name, file)| format!("{name}=={}", file.version))
        .collect()
}

/// The wheels with native code that an ABI gets of the projects in a PEP 751 file.
pub(super) fn native_wheels(
    pylock: &str,
    target: Target<'_>,
) -> Result<BTreeMap<PackageName, Chosen>, Error> {
    let (mut chosen, _) = choose(pylock, target)?;
    chosen.retain(|_, file| file.is_native_wheel());
    Ok(chosen)
}

/// Puts native wheels where an override takes them although their tags do not fit. What is left
/// is lost.
///
/// # Errors
/// An override takes a wheel that there is not, or that is not needed any more.
pub(super) fn take(
    variant: &Variant,
    chosen: &mut BTreeMap<PackageName, Chosen>,
    mut native: BTreeMap<PackageName, Chosen>,
) -> Result<BTreeMap<PackageName, Chosen>, Error> {
    for one in &variant.overrides {
        let Some(abi) = one.wheel_for else { continue };
        let name = one.name.clone();
        match native.remove(&one.name) {
            Some(wheel) => chosen.insert(name, wheel),
            None => return Err(Error::NoWheelFor { name, abi }),
        };
    }
    Ok(native)
}

/// What is wrong with the native code of a system's locks, each fault on a line of its own: what
/// is lost and nobody said so, and what is said and not lost. `reference` has the system that
/// another one is to equal, and its locks.
pub(super) fn faults(
    variants: &Variants,
    exclusions: &Exclusions,
    system: &System,
    locks: &Locks<'_>,
    reference: Option<(&System, &Locks<'_>)>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (variant, lock) in locks {
        let said = |name: &str| exclusions.has_native(name, variant, system);
        let mut lost = BTreeMap::new();
        if let Some((other, locks)) = reference
            && let Some(of_other) = locks.get(variant)
        {
            let files = lost_to(of_other, lock);
            lost.extend(files.map(|(name, file)| (name, (other.name.as_str(), file))));
        }
        let abi = lock.compared_with.as_deref().unwrap_or("the GIL");
        lost.extend(lock.packages.iter().filter_map(|package| {
            let file = package.native_elsewhere.as_ref()?;
            Some((normalized(&package.name), (abi, file)))
        }));
        for (name, (who, file)) in &lost {
            if !said(name) {
                faults.push(format!(
                    "`{name}` has no native code in `{variant}`, and {who} gets `{file}`"
                ));
            }
        }
        for one in exclusions.of(variant, system) {
            let Some(name) = &one.native else { continue };
            if !lost.contains_key(&normalized(name)) {
                let reason = match variants
                    .variant
                    .get(*variant)
                    .and_then(Variant::compared_with)
                {
                    None => "the variant has the GIL".to_owned(),
                    Some(_) => "nothing of it is lost".to_owned(),
                };
                faults.push(format!(
                    "the exclusion of {} from `{variant}` is no longer needed: {reason}",
                    one.shown()
                ));
            }
        }
    }
    faults
}

/// What has no platform in a lock, with the native wheel that another system's lock has or knows
/// of.
fn lost_to<'a>(
    of_other: &'a PythonLock,
    lock: &'a PythonLock,
) -> impl Iterator<Item = (String, &'a String)> {
    let there: BTreeMap<&str, &PythonPackage> = of_other
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let pure = lock.packages.iter().filter(|one| is_pure(&one.file));
    pure.filter_map(move |package| {
        let other = there.get(package.name.as_str())?;
        let is_native = other.kind == DistributionKind::Wheel && !is_pure(&other.file);
        let file = match is_native {
            true => &other.file,
            false => other.native_elsewhere.as_ref()?,
        };
        Some((normalized(&package.name), file))
    })
}

fn is_pure(file: &str) -> bool {
    let wheel = file.parse::<WheelFilename>();
    wheel.is_ok_and(|wheel| wheel.is_pure())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::system;
    use factory_model::lock::Sha256;

    const FREE: &str = "cp314t";
    const GIL: &str = "cp314";

    fn target(abi: &str) -> Target<'static> {
        Target {
            abi: abi.parse().unwrap(),
            glibc_minor: 41,
            machine: "x86_64",
        }
    }

    fn name(text: &str) -> PackageName {
        text.parse().unwrap()
    }

    /// The PEP 751 file that uv writes where a project has these files.
    fn pylock(files: &[&str]) -> String {
        let zeros = "0".repeat(64);
        let wheels = files
            .iter()
            .map(|file| format!("{{ name = '{file}', hashes = {{ sha256 = '{zeros}' }} }}"));
        let wheels: Vec<String> = wheels.collect();
        format!(
            "[[packages]]\nname = 'x'\nversion = '1'\nwheels = [{}]\n",
            wheels.join(", ")
        )
    }

    fn variant(own: &str) -> Variant {
        let text = format!(
            "schema_version = 1\ndefault = 'a'\nquick = 'a'\ncuda_architectures = ['9.0']\n\
             [variant.a]\nabi = 'cp314t'\ndescription = 'd'\ngit = false\n{own}"
        );
        Variants::parse(&text).unwrap().variant.remove("a").unwrap()
    }

    /// What is lost of a project with these wheels, and whether it is asked for at all.
    fn lost(files: &[&str]) -> (bool, Option<String>) {
        let variant = variant("");
        let (mut chosen, _) = choose(&pylock(files), target(FREE)).unwrap();
        let is_asked = !without_platform(&variant, &chosen).is_empty();
        if !is_asked {
            return (false, None);
        }
        let native = native_wheels(&pylock(files), target(GIL)).unwrap();
        let lost = take(&variant, &mut chosen, native).unwrap();
        (true, lost.get(&name("x")).map(|wheel| wheel.file.clone()))
    }

    const PURE: &str = "x-1-py3-none-any.whl";
    const STABLE: &str = "x-1-cp39-abi3-manylinux2014_x86_64.whl";
    const OWN_GIL: &str = "x-1-cp314-cp314-manylinux_2_28_x86_64.whl";

    #[test]
    fn ok_by_tags() {
        // Native code for the GIL alone, by the stable ABI or its own.
        assert_eq!(lost(&[PURE, STABLE]), (true, Some(STABLE.to_owned())));
        assert_eq!(lost(&[PURE, STABLE, OWN_GIL]).1.as_deref(), Some(OWN_GIL));
        // For other platforms and versions there is nothing to lose.
        let elsewhere = [
            "x-1-cp314-cp314-win_amd64.whl",
            "x-1-cp313-cp313-manylinux_2_28_x86_64.whl",
            "x-1-cp314-cp314-musllinux_1_2_x86_64.whl",
            "x-1-cp314-cp314-manylinux_2_99_x86_64.whl",
        ];
        for file in elsewhere {
            assert_eq!(lost(&[PURE, file]), (true, None), "{file}");
        }
        assert_eq!(lost(&[PURE]), (true, None));
        // Native code that free-threaded Python loads.
        let fits = [
            "x-1-cp314-cp314t-manylinux_2_28_x86_64.whl",
            "x-1-cp314-abi3t-manylinux_2_28_x86_64.whl",
            "x-1-cp314-abi3.abi3t-manylinux_2_28_x86_64.whl",
            "x-1-py3-none-manylinux2014_x86_64.whl",
        ];
        for file in fits {
            assert_eq!(lost(&[PURE, OWN_GIL, file]), (false, None), "{file}");
        }
    }

    const TAKES: &str = "[[variant.a.override]]\nname = 'x'\nwheel_for = 'cp314'\n\
        tags = ['py3-none-manylinux2014_x86_64']\nreason = 'r'\nlifts = 'l'\n";

    #[test]
    fn ok_an_override_takes_the_wheel() {
        let variant = variant(TAKES);
        let (mut chosen, _) = choose(&pylock(&[PURE]), target(FREE)).unwrap();
        let native = native_wheels(&pylock(&[PURE, STABLE]), target(GIL)).unwrap();
        assert!(take(&variant, &mut chosen, native).unwrap().is_empty());
        assert_eq!(chosen[&name("x")].file, STABLE);
    }

    #[test]
    fn err_an_override_with_nothing_to_take() {
        let variant = variant(TAKES);
        let (mut chosen, _) = choose(&pylock(&[PURE]), target(FREE)).unwrap();
        let error = take(&variant, &mut chosen, BTreeMap::new()).unwrap_err();
        insta::assert_snapshot!(error, @"`package-lists/variants.toml` takes the wheel of `x` for cp314, and there is none with native code that only cp314 gets");
    }

    #[test]
    fn ok_with_the_gil_there_is_nothing_to_compare() {
        let mut variant = variant("");
        assert_eq!(variant.compared_with(), Some(GIL.parse().unwrap()));
        variant.abi = GIL.parse().unwrap();
        assert_eq!(variant.compared_with(), None);
    }

    /// What is said of a lock in which `x` lost native code and `y` did not.
    fn said(exclusions: &str) -> String {
        let zeros = Sha256::from_bytes([0; 32]);
        let package = |name: &str, more: &str| {
            format!(
                "[[package]]\nname = '{name}'\nversion = '1'\nlayer = 'l'\nkind = 'wheel'\nfile = 'f'\nsha256 = '{zeros}'\n{more}"
            )
        };
        let lost = format!("native_elsewhere = '{STABLE}'\n");
        let lock = format!(
            "schema_version = 1\npython = 'cp314t'\nlist_sha256 = '{zeros}'\ncompared_with = 'cp314'\n{}{}",
            package("x", &lost),
            package("y", "")
        );
        let variants = "schema_version = 1\ndefault = 'a'\nquick = 'a'\ncuda_architectures = ['9.0']\n\
            [variant.a]\nabi = 'cp314t'\ndescription = 'd'\ngit = false\n\
            [variant.b]\nabi = 'cp314'\ndescription = 'd'\ngit = false\n";
        let exclusions = Exclusions::parse(&format!("schema_version = 1\n{exclusions}")).unwrap();
        let lock: PythonLock = toml::from_str(&lock).unwrap();
        let mut with_gil = lock.clone();
        with_gil.packages.clear();
        let locks = BTreeMap::from([("a", lock), ("b", with_gil)]);
        let variants = Variants::parse(variants).unwrap();
        let system = system("x86_64-linux");
        faults(&variants, &exclusions, &system, &locks, None).join("\n")
    }

    fn entry(name: &str, variants: &str) -> String {
        format!(
            "[[exclusion]]\nnative = '{name}'\nvariants = [{variants}]\nreason = 'r'\nlifts = 'l'\n"
        )
    }

    #[test]
    fn err_lost_and_nobody_said_so() {
        insta::assert_snapshot!(said(""), @"`x` has no native code in `a`, and cp314 gets `x-1-cp39-abi3-manylinux2014_x86_64.whl`");
        assert_eq!(said(&entry("X", "'a'")), "");
    }

    #[test]
    fn err_said_and_not_lost() {
        let exclusions = entry("x", "'a', 'b'") + &entry("y", "'a'");
        insta::assert_snapshot!(said(&exclusions), @r"
        the exclusion of native code of `y` from `a` is no longer needed: nothing of it is lost
        the exclusion of native code of `x` from `b` is no longer needed: the variant has the GIL
        ");
    }
}
