//! Locks one variant after the other; keeps what is locked unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::interpreter;
use super::name::PackageName;
use super::partition::partition;
use super::requirement::{Requirement, parse_list};
use super::resolution::{self, Chosen, Node};
use super::sources::{self, Sources};
use super::uv::{Compile, Uv};
use super::variants::{Variant, Variants};
use super::wheel::Target;
use crate::ctx::Ctx;
use crate::error;
use crate::list::{self, Fault, Line};
use crate::lock::{
    DistributionKind, PREAMBLE, PythonGit, PythonLock, PythonPackage, PythonProvided, Sha256,
};

/// Layers with a Python list, bottom first.
pub const LAYERS: [(&str, &str); 10] = [
    ("01-base-cuda", "cuda.txt"),
    ("02-python-tools", "python-tools.txt"),
    ("04-pytorch", "pytorch.txt"),
    ("05-pak3", "pak3.txt"),
    ("06-cupy", "cupy.txt"),
    ("07-pak5", "pak5.txt"),
    ("08-pak7", "pak7.txt"),
    ("09-sam", "sam.txt"),
    ("10-performance", "performance.txt"),
    ("12-comfyui", "comfyui.txt"),
];

/// What unpacks and builds the others; no layer of the image.
const BUILD: [(&str, &str); 1] = [("build", "build.txt")];
/// Name of the lock of [`BUILD`].
const BUILD_NAME: &str = "build";
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

impl VariantUpdate {
    /// The file's text.
    ///
    /// # Errors
    /// The lock cannot be written as TOML: a bug.
    pub fn text(&self) -> Result<String> {
        Ok(format!("{PREAMBLE}\n{}", toml::to_string(&self.new)?))
    }
}

struct Inputs {
    variants: Variants,
    constraints: Vec<(Line, Requirement)>,
    lists: BTreeMap<&'static str, Vec<(Line, Requirement)>>,
    sources: Sources,
}

/// One lock to make: a variant, or the build tools.
struct Job<'a> {
    name: &'a str,
    variant: Variant,
    layers: &'static [(&'static str, &'static str)],
}

/// Names of the variants whose lock does not belong to the lists as they are; no network.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check(ctx: &Ctx, variants: &[String]) -> Result<Vec<String>> {
    let inputs = read(ctx)?;
    let mut stale = Vec::new();
    for job in jobs(&inputs, variants)? {
        let current = read_lock(ctx, job.name)?
            .is_some_and(|lock| lock.list_sha256 == list_sha256(&inputs, &job));
        if !current {
            stale.push(format!("python/{}", job.name));
        }
    }
    Ok(stale)
}

/// Resolves what changed; needs the network only then.
///
/// # Errors
/// A wrong list, an unreachable index, or no solution.
pub fn update(ctx: &Ctx, options: &Options) -> Result<Vec<VariantUpdate>> {
    let inputs = read(ctx)?;
    let mut uv = None;
    let mut updates = Vec::new();
    for job in jobs(&inputs, &options.variants)? {
        ctx.check_interrupted()?;
        let old = read_lock(ctx, job.name)?;
        let sha256 = list_sha256(&inputs, &job);
        let named = old.as_ref().is_some_and(|lock| {
            lock.packages
                .iter()
                .any(|package| options.upgrade_packages.contains(&package.name))
        });
        if let Some(lock) = &old {
            if lock.list_sha256 == sha256 && !options.upgrade && !named {
                updates.push(VariantUpdate {
                    name: job.name.to_owned(),
                    new: lock.clone(),
                    old,
                });
                continue;
            }
        }
        if ctx.offline {
            return Err(error::environment(format!(
                "`{}` must be resolved again, which needs the network",
                job.name
            ))
            .hint("run `cargo xtask update-locks` without `--offline`")
            .into());
        }
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

fn read(ctx: &Ctx) -> Result<Inputs> {
    let variants = Variants::parse(&fs_err::read_to_string(ctx.lists().join("variants.toml"))?)
        .map_err(|reason| error::bad_input(format!("`package-lists/variants.toml`: {reason}")))?;
    let mut faults = Vec::new();
    let mut read_list = |name: &str| -> Result<Vec<(Line, Requirement)>> {
        let file = format!("package-lists/{name}");
        let text = fs_err::read_to_string(ctx.root.join(&file))?;
        Ok(parse_list(&file, &text).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        }))
    };
    let constraints = read_list("constraints.txt")?;
    let mut lists = BTreeMap::new();
    for (_, file) in LAYERS.iter().chain(&BUILD) {
        lists.insert(*file, read_list(file)?);
    }
    let sources = sources::read(ctx)?;
    for (file, lines) in &lists {
        for (line, requirement) in lines {
            if let Some(reason) = git_fault(requirement, &sources) {
                faults.push(Fault {
                    file: format!("package-lists/{file}"),
                    line: line.number,
                    column: line.column,
                    reason,
                });
            }
        }
    }
    if !faults.is_empty() {
        return Err(list::failure(&faults).into());
    }
    Ok(Inputs {
        variants,
        constraints,
        lists,
        sources,
    })
}

/// A git line needs a pin with the same revision.
fn git_fault(requirement: &Requirement, sources: &Sources) -> Option<String> {
    let Requirement::Git {
        name,
        url,
        revision,
    } = requirement
    else {
        return None;
    };
    match sources.git.get(name.as_str()) {
        None => Some(format!(
            "`package-lists/sources.toml` has no table `git.{name}` with the tree's NAR hash"
        )),
        Some(source) if source.rev != *revision || source.url != *url => Some(format!(
            "`git.{name}` in `package-lists/sources.toml` is {}@{}, not {url}@{revision}",
            source.url, source.rev
        )),
        Some(_) => None,
    }
}

fn jobs<'a>(inputs: &'a Inputs, names: &'a [String]) -> Result<Vec<Job<'a>>> {
    let known = &inputs.variants.variant;
    if let Some(unknown) = names
        .iter()
        .find(|name| *name != BUILD_NAME && !known.contains_key(*name))
    {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(error::bad_input(format!(
            "there is no variant `{unknown}`; `package-lists/variants.toml` has {}",
            known.join(", ")
        ))
        .into());
    }
    let wanted = |name: &str, by_default: bool| {
        if names.is_empty() {
            by_default
        } else {
            names.iter().any(|wanted| wanted == name)
        }
    };
    let mut jobs = Vec::new();
    if wanted(BUILD_NAME, true) {
        // Pure wheels: any variant's interpreter gives the same answer.
        let mut variant = known[&inputs.variants.default].clone();
        variant.provided.clear();
        variant.omit.clear();
        variant.constraints.clear();
        variant.without_constraints.clear();
        variant.direct.clear();
        variant.sdists.clear();
        jobs.push(Job {
            name: BUILD_NAME,
            variant,
            layers: &BUILD,
        });
    }
    for (name, variant) in known {
        if wanted(name, variant.locked_by_default) {
            jobs.push(Job {
                name,
                variant: variant.clone(),
                layers: &LAYERS,
            });
        }
    }
    Ok(jobs)
}

fn read_lock(ctx: &Ctx, name: &str) -> Result<Option<PythonLock>> {
    let path = ctx.locks().join(format!("python/{name}.toml"));
    if !path.exists() {
        return Ok(None);
    }
    let lock = toml::from_str(&fs_err::read_to_string(&path)?).with_context(|| {
        error::bad_input(format!("cannot read the lock `{}`", path.display()))
            .hint("restore it from git, or delete it and run `cargo xtask update-locks`")
    })?;
    Ok(Some(lock))
}

/// The list lines of one layer as this variant sees them.
struct LayerInput<'a> {
    layer: &'a str,
    file: &'a str,
    /// What uv gets, with the line it stands for.
    lines: Vec<(&'a Line, String)>,
    /// Git packages, with what they require.
    git: Vec<(&'a PackageName, &'a [String])>,
    /// Names that the list asks for.
    requested: BTreeSet<PackageName>,
}

fn layer_inputs<'a>(inputs: &'a Inputs, job: &Job<'a>) -> Vec<LayerInput<'a>> {
    let variant = &job.variant;
    let is_omitted = |name: &PackageName| variant.omit.iter().any(|omit| omit.name == *name);
    job.layers
        .iter()
        .map(|(layer, file)| {
            let mut input = LayerInput {
                layer,
                file,
                lines: Vec::new(),
                git: Vec::new(),
                requested: BTreeSet::new(),
            };
            for (line, requirement) in &inputs.lists[file] {
                let name = requirement.name();
                if is_omitted(name) {
                    continue;
                }
                let by = variant.provided.iter().find(|one| one.name == *name);
                let direct = variant.direct.get(name);
                match (requirement, by, direct) {
                    (_, Some(provided), _) => {
                        input.lines.push((line, provided.by.to_string()));
                        input.requested.insert(provided.by.clone());
                    }
                    (_, _, Some(url)) => {
                        input.lines.push((line, format!("{name} @ {url}")));
                        input.requested.insert(name.clone());
                    }
                    (Requirement::Index { text, .. }, ..) => {
                        input.lines.push((line, text.clone()));
                        input.requested.insert(name.clone());
                    }
                    (Requirement::Git { .. }, ..) if variant.git => {
                        let requires = &inputs.sources.git[name.as_str()].requires;
                        input
                            .lines
                            .extend(requires.iter().map(|text| (line, text.clone())));
                        input.git.push((name, requires));
                    }
                    (Requirement::Git { .. }, ..) => {}
                }
            }
            input
        })
        .collect()
}

/// Hash of everything people wrote that this lock depends on; comments and order in the
/// lists do not count.
fn list_sha256(inputs: &Inputs, job: &Job<'_>) -> Sha256 {
    let variant = &job.variant;
    let mut text = format!("abi {}\n", variant.abi);
    let mut block = |head: &str, mut lines: Vec<String>| {
        lines.sort_unstable();
        lines.dedup();
        text.push_str(&format!("[{head}]\n"));
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
    };
    block("constraints", constraints(inputs, variant));
    block("indexes", variant.indexes.clone());
    block(
        "provided",
        variant
            .provided
            .iter()
            .map(|one| format!("{} by {}", one.name, one.by))
            .collect(),
    );
    for input in layer_inputs(inputs, job) {
        let lines = input.lines.iter().map(|(_, text)| text.clone());
        let git = input.git.iter().map(|(name, _)| format!("git {name}"));
        block(input.layer, lines.chain(git).collect());
    }
    Sha256::of(text.as_bytes())
}

/// The bounds that hold in a variant.
fn constraints(inputs: &Inputs, variant: &Variant) -> Vec<String> {
    inputs
        .constraints
        .iter()
        .filter(|(_, bound)| !variant.without_constraints.contains(bound.name()))
        .map(|(line, _)| line.text.clone())
        .chain(variant.constraints.iter().cloned())
        .collect()
}

fn resolve(
    ctx: &Ctx,
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
    fs_err::create_dir_all(&ctx.cache)?;
    let work = tempfile::tempdir_in(&ctx.cache)?;
    write_inputs(work.path(), inputs, job, &layers, old)?;
    ctx.ui.step("Resolving", format!("{} for {abi}", job.name));

    let lists: Vec<String> = layers
        .iter()
        .filter(|layer| !layer.lines.is_empty())
        .map(|layer| layer.file.to_owned())
        .collect();
    let mut arguments: Vec<String> = job
        .variant
        .indexes
        .iter()
        .flat_map(|url| ["--index".to_owned(), url.clone()])
        .collect();
    let files = arguments.clone();
    if options.upgrade {
        arguments.push("--upgrade".to_owned());
    }
    for name in &options.upgrade_packages {
        arguments.extend(["--upgrade-package".to_owned(), name.clone()]);
    }
    let mut request = Compile {
        directory: work.path(),
        python: &python,
        lists: &lists,
        constraints: &["constraints.txt"],
        overrides: (!job.variant.provided.is_empty()).then_some("overrides.txt"),
        output: "resolved.txt",
        format: "requirements.txt",
        arguments: &arguments,
    };
    uv.compile(&request)?
        .map_err(|text| explain(job.name, &layers, &text, inputs, old))?;
    // The second run takes the first one's versions and lists the files of each.
    request.constraints = &["constraints.txt", "pins.txt"];
    request.output = "pylock.toml";
    request.format = "pylock.toml";
    request.arguments = &files;
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
    let lock = assemble(job, &layers, &nodes, &chosen, list_sha256)?;
    ctx.ui.step(
        "Resolved",
        format!(
            "{}: {} packages in {}",
            job.name,
            lock.packages.len(),
            crate::ui::elapsed(started.elapsed())
        ),
    );
    Ok(lock)
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
    for provided in &job.variant.provided {
        // A marker that no interpreter meets removes the requirement.
        writeln!(overrides, "{} ; python_version < '0'", provided.name)?;
    }
    write("overrides.txt", overrides)?;
    if let Some(lock) = old {
        let mut held = String::new();
        for package in lock.packages.iter().filter(|package| package.url.is_none()) {
            writeln!(held, "{}=={}", package.name, package.version)?;
        }
        write("resolved.txt", held)?;
    }
    Ok(())
}

/// Every package has a file, and an sdist only where a recipe is promised.
fn check_files(
    job: &Job<'_>,
    chosen: &BTreeMap<PackageName, Chosen>,
    missing: &[resolution::NoFile],
    nodes: &BTreeMap<PackageName, Node>,
) -> Result<()> {
    let mut lines = Vec::new();
    for none in missing {
        lines.push(format!(
            "{} {}: no sdist, and none of its wheels fits: {}{}",
            none.name,
            none.version,
            none.wheels.join(", "),
            via(nodes.get(&none.name))
        ));
    }
    for (name, file) in chosen {
        let is_sdist = file.kind == DistributionKind::Sdist;
        if is_sdist && !job.variant.sdists.contains(name) {
            lines.push(format!(
                "{name} {}: no wheel fits, and the variant names no build recipe for its sdist{}",
                file.version,
                via(nodes.get(name))
            ));
        }
        if job.name == BUILD_NAME && !file.pure {
            lines.push(format!("{name} {}: not a pure wheel", file.version));
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(error::bad_input(format!(
        "`{}`: no usable file for {}\n  {}",
        job.name,
        job.variant.abi,
        lines.join("\n  ")
    ))
    .hint("bound the version in `package-lists/constraints.txt`, omit the line, or add a recipe and name it in `sdists` (both in `package-lists/variants.toml`)")
    .into())
}

fn via(node: Option<&Node>) -> String {
    let Some(node) = node else {
        return String::new();
    };
    let lists = node
        .lists
        .iter()
        .map(|list| format!("package-lists/{list}"));
    let parents = node.parents.iter().map(PackageName::to_string);
    format!(
        " (required by {})",
        lists.chain(parents).collect::<Vec<_>>().join(", ")
    )
}

fn assemble(
    job: &Job<'_>,
    layers: &[LayerInput<'_>],
    nodes: &BTreeMap<PackageName, Node>,
    chosen: &BTreeMap<PackageName, Chosen>,
    list_sha256: Sha256,
) -> Result<PythonLock> {
    let parents = nodes
        .iter()
        .map(|(name, node)| (name.clone(), node.parents.clone()))
        .collect();
    let mut first: BTreeMap<PackageName, usize> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate().rev() {
        for (name, node) in nodes {
            if node.lists.contains(layer.file) {
                first.insert(name.clone(), index);
            }
        }
    }
    let assigned = partition(&parents, &first);
    let layer_of = |name: &PackageName| -> Result<String> {
        let index = assigned
            .get(name)
            .with_context(|| format!("no list needs `{name}`, which uv resolved"))?;
        Ok(layers[*index].layer.to_owned())
    };
    let requested = |name: &PackageName| layers.iter().any(|l| l.requested.contains(name));
    let mut dependencies: BTreeMap<&PackageName, Vec<String>> = BTreeMap::new();
    for (child, node) in nodes {
        for parent in &node.parents {
            dependencies
                .entry(parent)
                .or_default()
                .push(child.to_string());
        }
    }
    let mut packages = Vec::new();
    for (name, file) in chosen {
        packages.push(PythonPackage {
            name: name.to_string(),
            version: file.version.clone(),
            layer: layer_of(name)?,
            requested: requested(name),
            kind: file.kind,
            file: file.file.clone(),
            size: file.size,
            sha256: file.sha256,
            url: job
                .variant
                .direct
                .get(name)
                .cloned()
                .or_else(|| outside(&job.variant, &file.url)),
            dependencies: dependencies.remove(name).unwrap_or_default(),
        });
    }
    let mut git = Vec::new();
    for layer in layers {
        for (name, requires) in &layer.git {
            let mut names: Vec<String> = requires
                .iter()
                .filter_map(|text| super::requirement::parse(text).ok())
                .map(|requirement| requirement.name().to_string())
                .collect();
            names.sort_unstable();
            git.push(PythonGit {
                name: name.to_string(),
                layer: layer.layer.to_owned(),
                dependencies: names,
            });
        }
    }
    git.sort_by(|a, b| a.name.cmp(&b.name));
    let mut provided = Vec::new();
    for one in &job.variant.provided {
        if let Some(file) = chosen.get(&one.by) {
            provided.push(PythonProvided {
                name: one.name.to_string(),
                version: file.version.clone(),
                layer: layer_of(&one.by)?,
                by: one.by.to_string(),
            });
        }
    }
    provided.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(PythonLock {
        schema_version: 1,
        python: if job.name == BUILD_NAME {
            "py3".to_owned()
        } else {
            job.variant.abi.to_string()
        },
        list_sha256,
        packages,
        git,
        provided,
    })
}

/// The URL of a file that one of the variant's own indexes serves.
fn outside(variant: &Variant, url: &str) -> Option<String> {
    let host = |url: &str| -> Option<String> {
        let rest = url.split_once("://")?.1;
        Some(rest.split('/').next()?.to_owned())
    };
    variant
        .indexes
        .iter()
        .any(|index| host(index).is_some() && host(index) == host(url))
        .then(|| url.to_owned())
}

/// Points at the list lines that uv's refusal is about.
fn explain(
    variant: &str,
    layers: &[LayerInput<'_>],
    text: &str,
    inputs: &Inputs,
    old: Option<&PythonLock>,
) -> anyhow::Error {
    let words: BTreeSet<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .filter_map(|word| word.trim_matches('.').parse::<PackageName>().ok())
        .map(|name| name.to_string())
        .collect();
    let locked = old.into_iter().flat_map(|lock| &lock.packages);
    let known: BTreeSet<&str> = inputs
        .lists
        .values()
        .flatten()
        .map(|(_, requirement)| requirement.name().as_str())
        .chain(locked.map(|package| package.name.as_str()))
        .collect();
    let mut message = format!("the lists cannot be resolved for `{variant}`");
    for layer in layers {
        for (line, requirement) in &layer.lines {
            let Ok(parsed) = super::requirement::parse(requirement) else {
                continue;
            };
            let name = parsed.name().as_str();
            if !words.contains(name) {
                continue;
            }
            message.push_str(&format!(
                "\n  package-lists/{}:{}:{}: {}",
                layer.file, line.number, line.column, requirement
            ));
            let unknown = text.contains(&format!("{name} was not found"));
            if unknown {
                let near = list::nearest(name, known.iter().copied());
                let near = if near.is_empty() {
                    String::new()
                } else {
                    format!("; nearest known names: {}", near.join(", "))
                };
                message.push_str(&format!("\n    the index has no `{name}`{near}"));
            }
        }
    }
    for (line, bound) in &inputs.constraints {
        if words.contains(bound.name().as_str()) {
            message.push_str(&format!(
                "\n  package-lists/constraints.txt:{}:{}: {}",
                line.number, line.column, line.text
            ));
        }
    }
    message.push_str("\nuv says:");
    for line in text.lines() {
        message.push_str("\n    ");
        message.push_str(line.trim_end());
    }
    error::bad_input(message)
        .hint("correct the line, or change the bound that excludes it; a variant may also omit a line (`package-lists/variants.toml`)")
        .into()
}
