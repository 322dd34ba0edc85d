//! Locks one variant after the other; keeps what is locked unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::assemble::{assemble, check_files};
use super::explain::explain;
use super::inputs::{
    BUILD_NAME, Inputs, Job, LayerInput, constraints, jobs, layer_inputs, list_sha256, read,
};
use super::sdists::Sdists;
use super::share::share;
use super::uv::{Compile, Uv};
use super::variants::Variant;
use super::wheel::{Target, WheelFilename};
use super::{exclusions, interpreter, resolution};
use crate::Context;
use crate::committed::{self, Checked};
use factory_base::error;
use factory_model::lock::{PythonLock, Sealed, Sha256};

/// glibc 2.41 of the base, Debian 13.
const GLIBC_MINOR: u32 = 41;

/// What may change.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Variants to lock; empty means all that the user's index can lock.
    pub variants: Vec<String>,
    /// Take the newest version of everything.
    pub upgrade: bool,
    /// Take the newest version of these.
    pub upgrade_packages: BTreeSet<String>,
}

/// The lock of one variant, before and after.
#[derive(Debug, Clone)]
pub struct VariantUpdate {
    /// Name of the variant, or `build`.
    pub name: String,
    /// The committed lock, when there is one.
    pub old: Option<PythonLock>,
    /// What it should be now.
    pub new: PythonLock,
}

/// Compares lists and locks; no network.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check(ctx: &dyn Context, variants: &[String]) -> Result<Checked> {
    let inputs = read(ctx)?;
    let mut checked = Checked::default();
    for job in jobs(&inputs, variants)? {
        let found = read_lock(ctx, job.name)?;
        checked.add(format!("python/{}", job.name), found.as_ref(), |lock| {
            lock.list_sha256 == list_sha256(&inputs, &job)
                && lock.wheel_files_sha256 == job.wheel_files_sha256(&inputs)
        });
    }
    Ok(checked)
}

/// What is wrong with `exclusions.toml`, each fault on a line of its own; no network. A
/// variant is compared with its lock unless the lock is missing or among `stale`. `debian`
/// has the Debian packages of the image.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check_exclusions(
    ctx: &dyn Context,
    debian: &BTreeSet<String>,
    stale: &[String],
) -> Result<Vec<String>> {
    let inputs = read(ctx)?;
    let mut locks = BTreeMap::new();
    for name in inputs.variants.variant.keys() {
        if stale.contains(&format!("python/{name}")) {
            continue;
        }
        if let Some(found) = read_lock(ctx, name)? {
            locks.insert(name.as_str(), found.lock);
        }
    }
    Ok(exclusions::faults(&inputs, &locks, debian))
}

/// Resolves what changed; needs the network only then.
///
/// # Errors
/// A wrong list, an unreachable index, or no solution.
pub fn update(ctx: &dyn Context, options: &Options) -> Result<Vec<VariantUpdate>> {
    let inputs = read(ctx)?;
    let mut uv = None;
    let mut updates = Vec::new();
    for job in jobs(&inputs, &options.variants)? {
        ctx.check_interrupted()?;
        let found = read_lock(ctx, job.name)?;
        let is_sealed = found.as_ref().is_some_and(|found| found.is_sealed);
        let old = found.map(|found| found.lock);
        let sha256 = list_sha256(&inputs, &job);
        let named = old.as_ref().is_some_and(|lock| {
            lock.packages
                .iter()
                .any(|package| options.upgrade_packages.contains(&package.name))
        });
        if let Some(lock) = &old {
            let is_current = lock.list_sha256 == sha256 && is_sealed;
            if is_current && !options.upgrade && !named {
                let mut new = lock.clone();
                // The same wheels, of which other files may be shared now.
                if lock.wheel_files_sha256 != job.wheel_files_sha256(&inputs) {
                    share_again(ctx, &inputs, &job, lock, &mut new)?;
                }
                updates.push(VariantUpdate {
                    name: job.name.to_owned(),
                    new,
                    old,
                });
                continue;
            }
        }
        require_network(ctx, &job)?;
        let uv = match &mut uv {
            Some(uv) => uv,
            None => uv.insert(Uv::provide(ctx)?),
        };
        let new = resolve(ctx, uv, &inputs, &job, options, old.as_ref(), sha256)?;
        updates.push(VariantUpdate {
            name: job.name.to_owned(),
            old,
            new,
        });
    }
    Ok(updates)
}

fn require_network(ctx: &dyn Context, job: &Job<'_>) -> Result<()> {
    if !ctx.is_offline() {
        return Ok(());
    }
    Err(error::environment(format!(
        "`{}` must be resolved again, which needs the network",
        job.name
    ))
    .hint("run `cargo xtask update-locks` without `--offline`")
    .into())
}

/// Finds what the wheels of a lock share, without resolving it again.
fn share_again(
    ctx: &dyn Context,
    inputs: &Inputs,
    job: &Job<'_>,
    old: &PythonLock,
    new: &mut PythonLock,
) -> Result<()> {
    require_network(ctx, job)?;
    let (layers, list) = (&inputs.layers, &inputs.wheel_files);
    share(ctx, layers, list, &BTreeMap::new(), Some(old), new)
}

/// The committed lock, and whether it is as it was written; `None` where there is none yet.
///
/// # Errors
/// It cannot be read.
pub fn read_lock(ctx: &dyn Context, name: &str) -> Result<Option<Sealed<PythonLock>>> {
    committed::read(ctx, &format!("python/{name}"))
}

fn resolve(
    ctx: &dyn Context,
    uv: &Uv,
    inputs: &Inputs,
    job: &Job<'_>,
    options: &Options,
    old: Option<&PythonLock>,
    list_sha256: Sha256,
) -> Result<PythonLock> {
    let started = std::time::Instant::now();
    let abi = job.variant.abi;
    let python = interpreter::provide(ctx, uv, abi)?;
    let layers = layer_inputs(inputs, job);
    fs_err::create_dir_all(ctx.cache())?;
    let work = tempfile::tempdir_in(ctx.cache())?;
    write_inputs(work.path(), inputs, job, &layers, old)?;
    ctx.step("Resolving", &format!("{} for {abi}", job.name));

    let lists: Vec<String> = layers
        .iter()
        .filter(|layer| !layer.lines.is_empty())
        .map(|layer| layer.file.to_owned())
        .collect();
    let mut arguments = Vec::new();
    if options.upgrade {
        arguments.push("--upgrade".to_owned());
    }
    for name in &options.upgrade_packages {
        arguments.extend(["--upgrade-package".to_owned(), name.clone()]);
    }
    let sdists: Vec<String> = inputs
        .sdists
        .of(&job.variant)
        .map(|(name, _)| name.to_string())
        .collect();
    let mut request = Compile {
        directory: work.path(),
        python: &python,
        lists: &lists,
        constraints: &["constraints.txt"],
        overrides: "overrides.txt",
        output: "resolved.txt",
        format: "requirements.txt",
        sdists: &sdists,
        arguments: &arguments,
    };
    uv.compile(&request)?
        .map_err(|text| explain(job.name, &layers, &text, inputs, old))?;
    // The second run takes the first one's versions and lists the files of each.
    request.constraints = &["constraints.txt", "pins.txt"];
    request.output = "pylock.toml";
    request.format = "pylock.toml";
    request.arguments = &[];
    let resolved = fs_err::read_to_string(work.path().join("resolved.txt"))?;
    fs_err::write(work.path().join("pins.txt"), pins(&resolved))?;
    uv.compile(&request)?
        .map_err(|text| explain(job.name, &layers, &text, inputs, old))?;

    let nodes = resolution::parse_annotated(&resolved).map_err(|text| anyhow::anyhow!(text))?;
    let target = Target {
        abi,
        glibc_minor: GLIBC_MINOR,
    };
    let pylock = fs_err::read_to_string(work.path().join("pylock.toml"))?;
    let (chosen, missing) =
        resolution::choose(&pylock, target).map_err(|text| anyhow::anyhow!(text))?;
    check_files(job, &chosen, &missing, &nodes)?;
    inputs.sdists.check(&chosen)?;
    let mut lock = assemble(job, &layers, &nodes, &chosen, list_sha256)?;
    if job.name != BUILD_NAME {
        share(
            ctx,
            &inputs.layers,
            &inputs.wheel_files,
            &chosen,
            old,
            &mut lock,
        )?;
    }
    ctx.step(
        "Resolved",
        &format!(
            "{}: {} packages in {}",
            job.name,
            lock.packages.len(),
            factory_base::text::elapsed(started.elapsed())
        ),
    );
    Ok(lock)
}

/// uv's settings that tell it what direct wheels and sdists require, so that it downloads and
/// builds none, and what overrides say that a distribution requires.
fn metadata(variant: &Variant, sdists: &Sdists) -> Result<String> {
    let mut tables = Vec::new();
    for (name, sdist) in sdists.of(variant) {
        // Of every version: one that is not known would be built. `Sdists::check` refuses it.
        let mut table = toml::Table::new();
        table.insert("name".into(), name.as_str().into());
        table.insert("requires-dist".into(), sdist.requires.clone().into());
        tables.push(table);
    }
    for (name, direct) in &variant.direct {
        let file = resolution::file_of(&direct.url);
        let wheel: WheelFilename = file.parse().map_err(|error| {
            error::bad_input(format!(
                "`package-lists/variants.toml`: direct.{name}: {error}"
            ))
        })?;
        let mut table = toml::Table::new();
        table.insert("name".into(), name.as_str().into());
        table.insert("version".into(), wheel.version().into());
        table.insert("requires-dist".into(), direct.requires.clone().into());
        tables.push(table);
    }
    for one in &variant.overrides {
        if let Some(requires) = &one.requires {
            let mut table = toml::Table::new();
            table.insert("name".into(), one.name.as_str().into());
            table.insert("requires-dist".into(), requires.clone().into());
            tables.push(table);
        }
    }
    let settings = BTreeMap::from([("dependency-metadata", tables)]);
    Ok(toml::to_string(&settings)?)
}

/// The resolved list without annotations and direct references, as constraints.
fn pins(resolved: &str) -> String {
    let mut text = String::new();
    for line in resolved.lines() {
        let requirement = line.split('#').next().unwrap_or_default().trim();
        if requirement.contains("==") {
            text.push_str(requirement);
            text.push('\n');
        }
    }
    text
}

fn write_inputs(
    directory: &Path,
    inputs: &Inputs,
    job: &Job<'_>,
    layers: &[LayerInput<'_>],
    old: Option<&PythonLock>,
) -> Result<()> {
    let write = |name: &str, text: String| fs_err::write(directory.join(name), text);
    for layer in layers {
        let lines: Vec<&str> = layer.lines.iter().map(|(_, text)| text.as_str()).collect();
        write(layer.file, lines.join("\n") + "\n")?;
    }
    let constraints = constraints(inputs, &job.variant);
    write("constraints.txt", constraints.join("\n") + "\n")?;
    let mut overrides = String::new();
    for name in job.variant.never_required() {
        // A marker that no interpreter meets removes the requirement.
        writeln!(overrides, "{name} ; python_version < '0'")?;
    }
    write("overrides.txt", overrides)?;
    write("uv.toml", metadata(&job.variant, &inputs.sdists)?)?;
    if let Some(lock) = old {
        let mut held = String::new();
        for package in lock.packages.iter().filter(|package| package.url.is_none()) {
            writeln!(held, "{}=={}", package.name, package.version)?;
        }
        write("resolved.txt", held)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::Variants;

    fn settings(url: &str) -> Result<String> {
        let text = format!(
            r#"
            schema_version = 1
            default = "one"
            quick = "one"
            cuda_architectures = ["9.0"]
            [variant.one]
            abi = "cp314"
            description = "one"
            tag = "one"
            git = false
            sdists = ["dlib"]
            [variant.one.direct.torch]
            url = "{url}"
            hash = "sha256-21pheRt9o8GqWkluZM1y29TvPvLLtpaA/UXcJVsNovM="
            requires = ["sympy>=1.13.3"]
            [[variant.one.override]]
            name = "sam3"
            requires = ["numpy>=1.26"]
            reason = "r"
            lifts = "l"
            "#
        );
        let sdists = "schema_version = 1\n[sdist.dlib]\nversion = \"20\"\nrequires = []\n[sdist.wget]\nversion = \"3\"\nrequires = []";
        let variants = Variants::parse(&text).unwrap();
        metadata(&variants.variant["one"], &Sdists::parse(sdists).unwrap())
    }

    #[test]
    fn ok_metadata() {
        insta::assert_snapshot!(
            settings("https://h.example/torch-2.10.0%2Bcu130-cp314-cp314-linux_x86_64.whl").unwrap(),
            @r#"
        [[dependency-metadata]]
        name = "dlib"
        requires-dist = []

        [[dependency-metadata]]
        name = "torch"
        requires-dist = ["sympy>=1.13.3"]
        version = "2.10.0+cu130"

        [[dependency-metadata]]
        name = "sam3"
        requires-dist = ["numpy>=1.26"]
        "#
        );
    }

    #[test]
    fn err_direct_that_is_no_wheel() {
        insta::assert_snapshot!(
            settings("https://h.example/torch.tar.gz").unwrap_err(),
            @"`package-lists/variants.toml`: direct.torch: `torch.tar.gz` is not a wheel file name: it does not end with `.whl`"
        );
    }
}
