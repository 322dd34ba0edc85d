//! What people wrote, read and checked together, and what each lock sees of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::error::Error as PythonError;
use super::exclusions::{Exclusions, Requested};
use super::name::PackageName;
use super::requirement::{self, Requirement, parse_list};
use super::sdists::Sdists;
use super::sources::{self, Sources};
use super::variants::{Direct, Variant, Variants};
use super::wheel::Abi;
use super::wheel_files::WheelFiles;
use crate::context::Context;
use crate::error::{Error, Problem};
use factory_base::error::Explain as _;
use factory_model::layers::Layers;
use factory_model::list::{Fault, Faults, Line};
use factory_model::lock::{GitKind, Sha256};
use factory_model::system::{System, Systems};

/// Name of the lock of what unpacks and builds the others; no layer of the image.
pub(super) const BUILD_NAME: &str = "build";
/// Its list.
const BUILD_LIST: &str = "build.txt";

/// A Python list and the layer that it feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerList {
    pub layer: String,
    /// File name in `package-lists/`.
    pub file: String,
}

/// Everything people wrote.
pub(super) struct Inputs {
    pub layers: Layers,
    pub systems: Systems,
    pub variants: Variants,
    pub wheel_files: WheelFiles,
    pub exclusions: Exclusions,
    pub requested: Requested,
    pub constraints: Vec<(Line, Requirement)>,
    /// By file name.
    pub lists: BTreeMap<String, Vec<(Line, Requirement)>>,
    pub sources: Sources,
    pub sdists: Sdists,
}

/// One lock to make: a variant, or the build tools.
pub(super) struct Goal<'a> {
    pub name: &'a str,
    pub system: &'a System,
    pub variant: Variant,
    /// Bottom first.
    pub lists: Vec<LayerList>,
}

impl Goal<'_> {
    /// Its lock, by the path below `package-lists/locks`.
    pub(super) fn lock_name(&self) -> String {
        self.system.lock_name(&format!("python/{}", self.name))
    }

    /// Hash of what decides about single files of its wheels; what only builds need shares none.
    pub(super) fn wheel_files_sha256(&self, inputs: &Inputs) -> Option<Sha256> {
        (self.name != BUILD_NAME).then(|| inputs.wheel_files.sha256())
    }

    /// The ABI with whose native code its own is compared; what only builds need is pure.
    pub(super) fn compared_with(&self) -> Option<Abi> {
        let is_image = self.name != BUILD_NAME;
        is_image.then(|| self.variant.compared_with())?
    }
}

impl Inputs {
    /// The lists of the image, bottom first.
    pub(super) fn layer_lists(&self) -> Vec<LayerList> {
        self.layers
            .lists()
            .map(|(layer, file)| LayerList {
                layer: layer.to_string(),
                file: file.to_owned(),
            })
            .collect()
    }
}

pub(super) fn read(ctx: &dyn Context) -> Result<Inputs> {
    let layers = crate::checkout::layers(ctx)?;
    let systems = crate::checkout::systems(ctx)?;
    let variants = read_toml(ctx, "variants.toml", Variants::parse)?;
    let wheel_files = read_toml(ctx, "wheel-files.toml", WheelFiles::parse)?;
    let exclusions = read_toml(ctx, "exclusions.toml", Exclusions::parse)?;
    let requested = read_toml(ctx, "requested.toml", Requested::parse)?;
    let sdists = read_toml(ctx, "sdists.toml", Sdists::parse)?;
    let mut faults = Vec::new();
    let mut read_list = |name: &str| -> Result<Vec<(Line, Requirement)>> {
        let file = format!("package-lists/{name}");
        let text = fs_err::read_to_string(ctx.root().join(&file))?;
        Ok(parse_list(&file, &text).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        }))
    };
    let constraints = read_list("constraints.txt")?;
    let mut lists = BTreeMap::new();
    for (_, file) in layers.lists() {
        lists.insert(file.to_owned(), read_list(file)?);
    }
    lists.insert(BUILD_LIST.to_owned(), read_list(BUILD_LIST)?);
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
        return Err(Error::Lists(Faults(faults)).failure().into());
    }
    Ok(Inputs {
        layers,
        systems,
        variants,
        wheel_files,
        exclusions,
        requested,
        constraints,
        lists,
        sources,
        sdists,
    })
}

fn read_toml<T>(ctx: &dyn Context, name: &str, parse: fn(&str) -> Result<T, Problem>) -> Result<T> {
    let text = fs_err::read_to_string(ctx.lists().join(name))?;
    let file = format!("package-lists/{name}");
    Ok(parse(&text).map_err(|problem| problem.of(file).failure())?)
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

/// The locks that were asked for, or all; those of the default system first.
pub(super) fn goals<'a>(
    inputs: &'a Inputs,
    systems: &[System],
    names: &'a [String],
) -> Result<Vec<Goal<'a>>, PythonError> {
    let known = &inputs.variants.variant;
    if let Some(unknown) = names
        .iter()
        .find(|name| *name != BUILD_NAME && !known.contains_key(*name))
    {
        return Err(PythonError::UnknownVariant {
            name: unknown.clone(),
            known: known.keys().cloned().collect(),
        });
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let is_wanted = |system: &&System| systems.contains(*system);
    let mut goals = Vec::new();
    if wanted(BUILD_NAME) && is_wanted(&inputs.systems.default()) {
        // Pure wheels: any variant's interpreter on any system gives the same answer.
        let mut variant = known[&inputs.variants.default].clone();
        variant.provided.clear();
        variant.overrides.clear();
        variant.constraints.clear();
        variant.without_constraints.clear();
        variant.direct.clear();
        variant.dropped.clear();
        variant.sdists.clear();
        goals.push(Goal {
            name: BUILD_NAME,
            system: inputs.systems.default(),
            variant,
            lists: vec![LayerList {
                layer: BUILD_NAME.to_owned(),
                file: BUILD_LIST.to_owned(),
            }],
        });
    }
    for system in inputs.systems.iter().filter(is_wanted) {
        let known = known.iter().filter(|(_, variant)| variant.is_for(system));
        for (name, variant) in known.filter(|(name, _)| wanted(name)) {
            goals.push(Goal {
                name,
                system,
                variant: variant.on(system),
                lists: inputs.layer_lists(),
            });
        }
    }
    Ok(goals)
}

/// The list lines of one layer as this variant sees them.
pub(super) struct LayerInput<'a> {
    pub layer: &'a str,
    pub file: &'a str,
    /// What uv gets, with the line it stands for.
    pub lines: Vec<(&'a Line, String)>,
    /// Git packages, with what they require.
    pub git: Vec<(&'a PackageName, &'a [String])>,
    /// Git trees of ComfyUI's bundle, with what they require.
    pub bundle: Vec<(&'a PackageName, &'a [String])>,
    /// Names that the list asks for.
    pub requested: BTreeSet<PackageName>,
}

pub(super) fn layer_inputs<'a>(inputs: &'a Inputs, goal: &'a Goal<'a>) -> Vec<LayerInput<'a>> {
    let variant = &goal.variant;
    goal.lists
        .iter()
        .map(|LayerList { layer, file }| {
            let mut input = LayerInput {
                layer,
                file,
                lines: Vec::new(),
                git: Vec::new(),
                bundle: Vec::new(),
                requested: BTreeSet::new(),
            };
            for (line, requirement) in lines(inputs, variant, file) {
                let name = requirement.name();
                if inputs.exclusions.has(name.as_str(), goal.name, goal.system) {
                    continue;
                }
                let by = variant.provided.iter().find(|one| one.name == *name);
                let direct = variant.direct.get(name);
                match (requirement, by, direct) {
                    (_, Some(provided), _) => {
                        input.lines.push((line, provided.by.to_string()));
                        input.requested.insert(provided.by.clone());
                    }
                    (_, _, Some(direct)) => {
                        let Direct { url, hash, .. } = direct;
                        let text = format!("{name} @ {url}#sha256={}", hash.0);
                        input.lines.push((line, text));
                        input.requested.insert(name.clone());
                    }
                    (Requirement::Index { text, .. }, ..) => {
                        input.lines.push((line, text.clone()));
                        input.requested.insert(name.clone());
                    }
                    (Requirement::Git { .. }, ..) if variant.git => {
                        let source = &inputs.sources.git[name.as_str()];
                        let requires = source.requires.as_slice();
                        input
                            .lines
                            .extend(requires.iter().map(|text| (line, text.clone())));
                        let trees = if source.kind == GitKind::Python {
                            &mut input.git
                        } else {
                            &mut input.bundle
                        };
                        trees.push((name, requires));
                    }
                    (Requirement::Git { .. }, ..) => {
                        if let Some(text) = variant.from_index.get(name)
                            && let Ok(instead) = requirement::parse(text)
                        {
                            input.lines.push((line, text.clone()));
                            input.requested.insert(instead.name().clone());
                        }
                    }
                }
            }
            input
        })
        .collect()
}

/// The lines of a list. Custom nodes come from git, and what only they want comes with them.
fn lines<'a>(inputs: &'a Inputs, variant: &Variant, file: &str) -> &'a [(Line, Requirement)] {
    if inputs.layers.is_with_git(file) && !variant.git {
        return &[];
    }
    &inputs.lists[file]
}

/// The bounds that hold in a variant.
pub(super) fn constraints(inputs: &Inputs, variant: &Variant) -> Vec<String> {
    inputs
        .constraints
        .iter()
        .filter(|(_, bound)| !variant.without_constraints.contains(bound.name()))
        .map(|(line, _)| line.text.clone())
        .chain(variant.constraints.iter().cloned())
        .collect()
}
