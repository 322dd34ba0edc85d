//! One resolution: what uv gets, what it says, and the lock that follows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use super::assemble::{assemble, check_files};
use super::error::Error;
use super::explain::explain;
use super::inputs::{BUILD_NAME, Goal, Inputs, LayerInput, constraints, layer_inputs};
use super::interpreter::Interpreters;
use super::name::PackageName;
use super::native;
use super::resolution::{Chosen, Node, choose, file_of, parse_annotated};
use super::sdists::Sdists;
use super::share::share;
use super::uv::{Compile, Uv};
use super::variants::Variant;
use super::wheel::{Abi, ParseWheelError, Target, WheelFilename};
use crate::context::Context;
use factory_base::error::Explain as _;
use factory_base::text;
use factory_model::lock::{PythonLock, Sha256};
use factory_model::system::System;

/// glibc 2.41 of the base, Debian 13.
const GLIBC_MINOR: u32 = 41;

/// What may change.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Systems to lock for.
    pub systems: Vec<System>,
    /// Variants to lock; empty means all that the user's index can lock.
    pub variants: Vec<String>,
    /// Take the newest version of everything.
    pub upgrade: bool,
    /// Take the newest version of these.
    pub upgrade_packages: BTreeSet<String>,
    /// Where Nix keeps store paths: the image's interpreter may be among them.
    pub store: PathBuf,
}

/// What is to be resolved, and what with.
pub(super) struct Request<'a> {
    pub uv: &'a Uv,
    pub interpreters: &'a Interpreters,
    pub inputs: &'a Inputs,
    pub goal: &'a Goal<'a>,
    pub options: &'a Options,
    /// The committed lock; what it holds is kept where it can be.
    pub old: Option<&'a PythonLock>,
}

/// One file of each project.
type Files = BTreeMap<PackageName, Chosen>;
/// Who wants each project.
type Nodes = BTreeMap<PackageName, Node>;

/// What uv wrote.
struct Resolved {
    /// The annotated list.
    annotated: String,
    /// The PEP 751 file.
    pylock: String,
}

impl Request<'_> {
    /// Resolves, chooses files and finds what they share.
    ///
    /// # Errors
    /// No solution, no usable file, or an index that cannot be asked.
    pub fn lock(&self, ctx: &dyn Context, list_sha256: Sha256) -> Result<PythonLock> {
        let started = Instant::now();
        let Self { inputs, goal, .. } = *self;
        let abi = goal.variant.abi;
        let store = &self.options.store;
        let python = self.interpreters.provide(ctx, self.uv, store, abi)?;
        let layers = layer_inputs(inputs, goal);
        fs_err::create_dir_all(ctx.cache())?;
        let work = tempfile::tempdir_in(ctx.cache())?;
        let shown = goal.system.lock_name(goal.name);
        ctx.step("Resolving", &format!("{shown} for {abi}"));
        // The other interpreter is looked for while uv resolves for the first.
        let other = goal.compared_with();
        let (resolved, other) = std::thread::scope(|scope| {
            let found = |abi| self.interpreters.with_gil(ctx, self.uv, store, abi);
            let found = other.map(|abi| scope.spawn(move || (abi, found(abi))));
            let resolved = self.run_uv(work.path(), &python, &layers);
            (resolved, found.map(|found| found.join()))
        });
        let other = other
            .transpose()
            .map_err(|_| anyhow::anyhow!("the thread that looks for an interpreter panicked"))?;
        let (mut chosen, nodes) = self.chosen(&resolved?).map_err(|error| error.failure())?;
        let lost = match other {
            None => Files::new(),
            Some((abi, other)) => self.lost(work.path(), abi, &other?, &mut chosen)?,
        };
        let mut lock = assemble(goal, &layers, &nodes, &chosen, &lost, list_sha256)
            .map_err(|error| error.failure())?;
        if goal.name != BUILD_NAME {
            let (all, list) = (&inputs.layers, &inputs.wheel_files);
            share(ctx, all, list, &chosen, self.old, &mut lock)?;
        }
        let n_packages = lock.packages.len();
        let took = text::elapsed(started.elapsed());
        ctx.step(
            "Resolved",
            &format!("{shown}: {n_packages} packages in {took}"),
        );
        Ok(lock)
    }

    /// The file that was chosen of each project, and who wants it.
    fn chosen(&self, resolved: &Resolved) -> Result<(Files, Nodes), Error> {
        let nodes = parse_annotated(&resolved.annotated)?;
        let (chosen, missing) = choose(&resolved.pylock, target(self.goal, self.goal.variant.abi))?;
        check_files(self.goal, &chosen, &missing, &nodes)?;
        self.inputs.sdists.check(&chosen)?;
        Ok((chosen, nodes))
    }

    /// Native code that the same Python with the GIL gets: taken where an override says so. The
    /// rest is the result.
    fn lost(&self, directory: &Path, abi: Abi, python: &Path, chosen: &mut Files) -> Result<Files> {
        let variant = &self.goal.variant;
        let wanted = native::without_platform(variant, chosen);
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        fs_err::write(directory.join("pure.txt"), wanted.join("\n") + "\n")?;
        let version = format!("3.{}", abi.minor);
        let request = Compile {
            directory,
            python,
            machine: self.goal.system.machine(),
            lists: &["pure.txt".to_owned()],
            constraints: &[],
            overrides: "overrides.txt",
            output: "pylock.gil.toml",
            format: "pylock.toml",
            sdists: &[],
            arguments: &["--no-deps", "--python-version", &version].map(str::to_owned),
        };
        let refused = |said: String| explain(self.goal.name, &[], &said, self.inputs, self.old);
        self.uv.compile(&request)?.map_err(refused)?;
        let pylock = fs_err::read_to_string(directory.join("pylock.gil.toml"))?;
        let native = native::native_wheels(&pylock, target(self.goal, abi));
        let lost = native.and_then(|native| native::take(variant, chosen, native));
        Ok(lost.map_err(|error| error.failure())?)
    }

    /// Runs uv twice: for the versions and who wants them, then for the files.
    fn run_uv(
        &self,
        directory: &Path,
        python: &Path,
        layers: &[LayerInput<'_>],
    ) -> Result<Resolved> {
        let Self { inputs, goal, .. } = *self;
        write_inputs(directory, inputs, goal, layers, self.old)?;
        let lists: Vec<String> = layers
            .iter()
            .filter(|layer| !layer.lines.is_empty())
            .map(|layer| layer.file.to_owned())
            .collect();
        let sdists = inputs.sdists.of(&goal.variant);
        let sdists: Vec<String> = sdists.map(|(name, _)| name.to_string()).collect();
        let arguments = self.upgrades();
        let mut request = Compile {
            directory,
            python,
            machine: goal.system.machine(),
            lists: &lists,
            constraints: &["constraints.txt"],
            overrides: "overrides.txt",
            output: "resolved.txt",
            format: "requirements.txt",
            sdists: &sdists,
            arguments: &arguments,
        };
        let refused = |said: String| explain(goal.name, layers, &said, inputs, self.old);
        self.uv.compile(&request)?.map_err(refused)?;
        let annotated = fs_err::read_to_string(directory.join("resolved.txt"))?;
        // The second run lists the files of each version, and resolves nothing.
        fs_err::write(directory.join("pins.txt"), pins(&annotated))?;
        let (lists, arguments) = (["pins.txt".to_owned()], ["--no-deps".to_owned()]);
        request.lists = &lists;
        request.constraints = &[];
        request.output = "pylock.toml";
        request.format = "pylock.toml";
        request.arguments = &arguments;
        self.uv.compile(&request)?.map_err(refused)?;
        let pylock = fs_err::read_to_string(directory.join("pylock.toml"))?;
        Ok(Resolved { annotated, pylock })
    }

    /// uv's options for what may change.
    fn upgrades(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.options.upgrade {
            arguments.push("--upgrade".to_owned());
        }
        for name in &self.options.upgrade_packages {
            arguments.extend(["--upgrade-package".to_owned(), name.clone()]);
        }
        arguments
    }
}

fn target<'a>(goal: &Goal<'a>, abi: Abi) -> Target<'a> {
    Target {
        abi,
        glibc_minor: GLIBC_MINOR,
        machine: goal.system.machine(),
    }
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
        let file = file_of(&direct.url);
        let wheel: WheelFilename = file.parse().map_err(|error: ParseWheelError| {
            let (name, problem) = (name.clone(), error.to_string());
            Error::BadDirect { name, problem }.failure()
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

/// The resolved list without annotations. A URL may have a fragment.
fn pins(resolved: &str) -> String {
    let lines = resolved
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim());
    let requirements = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    requirements.map(|line| format!("{line}\n")).collect()
}

fn write_inputs(
    directory: &Path,
    inputs: &Inputs,
    goal: &Goal<'_>,
    layers: &[LayerInput<'_>],
    old: Option<&PythonLock>,
) -> Result<()> {
    let write = |name: &str, text: String| fs_err::write(directory.join(name), text);
    for layer in layers {
        let lines: Vec<&str> = layer.lines.iter().map(|(_, text)| text.as_str()).collect();
        write(layer.file, lines.join("\n") + "\n")?;
    }
    let constraints = constraints(inputs, &goal.variant);
    write("constraints.txt", constraints.join("\n") + "\n")?;
    let mut overrides = String::new();
    for name in goal.variant.never_required() {
        // A marker that no interpreter meets removes the requirement.
        writeln!(overrides, "{name} ; python_version < '0'")?;
    }
    write("overrides.txt", overrides)?;
    write("uv.toml", metadata(&goal.variant, &inputs.sdists)?)?;
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
    fn ok_pins() {
        let resolved = "six==1.17.0               # via -r pak3.txt\n\
            torch @ https://h.example/torch-2.whl#sha256=00  # via six\n# a note\n    # via x\nplain==1\n";
        let pins = pins(resolved);
        insta::assert_snapshot!(pins, @"
        six==1.17.0
        torch @ https://h.example/torch-2.whl#sha256=00
        plain==1
        ");
    }

    #[test]
    fn err_direct_that_is_no_wheel() {
        insta::assert_snapshot!(
            settings("https://h.example/torch.tar.gz").unwrap_err(),
            @"`package-lists/variants.toml`: direct.torch: `torch.tar.gz` is not a wheel file name: it does not end with `.whl`"
        );
    }
}
