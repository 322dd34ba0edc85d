//! What the user's words for a variant and a layer mean in this checkout.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::cli::VariantArgs;
use crate::ctx::Ctx;
use crate::native;
use factory_base::error::{self, Failure};
use factory_model::cuda::{self, CudaArchitecture, Wanted};
use factory_model::layer::{self, LayerName};
use factory_model::nearest::nearest;
use factory_model::system::System;
use factory_nix::{Asked, Nix, Plan};

/// The part of `package-lists/variants.toml` that choosing needs; the rest is for the lists.
#[derive(Debug, Deserialize)]
struct VariantsFile {
    default: String,
    quick: Option<String>,
    variant: BTreeMap<String, VariantHead>,
}

#[derive(Debug, Deserialize)]
struct VariantHead {
    #[serde(default)]
    description: String,
    #[serde(default)]
    git: bool,
    /// The systems that it is locked for; none: the default one.
    #[serde(default)]
    systems: Vec<String>,
}

impl VariantHead {
    fn is_for(&self, system: &System) -> bool {
        system.has_variant(&self.systems)
    }
}

/// A variant as the user wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    /// As in `package-lists/variants.toml`; its lock has this name too.
    pub(crate) name: String,
    /// Without what comes from git.
    pub(crate) without_git: bool,
    /// The kind of machine that the image is for.
    pub(crate) system: System,
    /// Instead of the variant's own; empty for those.
    cuda_architectures: Vec<CudaArchitecture>,
}

impl Variant {
    /// Its name in the flake, which has a sibling without git sources for each variant with them.
    pub(crate) fn attribute(&self) -> String {
        let suffix = if self.without_git { "-nogit" } else { "" };
        format!("{}{suffix}", self.name)
    }

    /// Its name among others of the same variant: `megapak-nogit-9.0`.
    pub(crate) fn label(&self) -> String {
        let architectures = self.cuda_architectures.iter();
        let label = architectures.fold(self.attribute(), |label, one| format!("{label}-{one}"));
        match self.system.is_default {
            true => label,
            false => format!("{label}-{}", self.system.oci),
        }
    }

    /// The command-line arguments that choose it.
    pub(crate) fn arguments(&self) -> String {
        let omit = if self.without_git { " --omit git" } else { "" };
        let architectures: Vec<String> = self
            .cuda_architectures
            .iter()
            .map(ToString::to_string)
            .collect();
        let architectures = match architectures.as_slice() {
            [] => String::new(),
            some => format!(" --cuda-arch {}", some.join(",")),
        };
        let system = match self.system.is_default {
            true => String::new(),
            false => format!(" --system {}", self.system.name),
        };
        format!("--variant {}{system}{omit}{architectures}", self.name)
    }

    /// The CUDA architectures that are compiled for instead of the variant's own.
    pub(crate) fn cuda_architectures(&self) -> Vec<String> {
        self.cuda_architectures
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// What the flake says it consists of.
    pub(crate) fn plan(&self, ctx: &Ctx, nix: &Nix) -> Result<Plan> {
        self.plan_of(ctx, nix, &ctx.root)
    }

    /// What the flake of another checkout says.
    pub(crate) fn plan_of(&self, ctx: &Ctx, nix: &Nix, root: &Path) -> Result<Plan> {
        let asked = Asked {
            system: &self.system.name,
            variant: &self.attribute(),
            architectures: &self.cuda_architectures,
        };
        nix.plan(ctx, root, asked)
    }
}

fn read(ctx: &Ctx) -> Result<VariantsFile> {
    let path = ctx.lists().join("variants.toml");
    let text = fs_err::read_to_string(&path)?;
    Ok(toml::from_str(&text).map_err(|error| {
        error::bad_input(format!("`{}` cannot be read: {error}", path.display()))
    })?)
}

/// Every variant but one, also those without git, for the system and the architectures of the
/// one: the quick one first, then by name.
pub(crate) fn others(ctx: &Ctx, asked: Option<&Variant>) -> Result<Vec<Variant>> {
    let file = read(ctx)?;
    let system = match asked {
        Some(asked) => asked.system.clone(),
        None => system(ctx, None)?,
    };
    let names = file.variant.iter().filter(|(_, head)| head.is_for(&system));
    let mut names: Vec<(&String, &VariantHead)> = names.collect();
    names.sort_by_key(|(name, _)| (file.quick.as_ref() != Some(*name), *name));
    let mut others = Vec::new();
    for (name, head) in names {
        for without_git in if head.git {
            &[false, true][..]
        } else {
            &[false]
        } {
            let same = asked.filter(|asked| asked.name == *name);
            others.push(Variant {
                name: name.clone(),
                without_git: *without_git,
                system: system.clone(),
                cuda_architectures: same.map_or(Vec::new(), |one| one.cuda_architectures.clone()),
            });
        }
    }
    others.retain(|other| Some(other) != asked);
    Ok(others)
}

/// The quick variant for the system of another one, which it is not.
pub(crate) fn quick(ctx: &Ctx, asked: &Variant) -> Result<Option<Variant>> {
    let quick = read(ctx)?.quick;
    let mut others = others(ctx, Some(asked))?.into_iter();
    Ok(others.find(|one| Some(&one.name) == quick.as_ref() && one.name != asked.name))
}

/// The same variant for this machine's GPUs alone; none where it names architectures already, or
/// no GPU says what it is.
pub(crate) fn for_these_gpus(asked: &Variant) -> Option<Variant> {
    let devices = match asked.cuda_architectures.is_empty() {
        true => native::architectures(&[Wanted::Native]).ok()?,
        false => return None,
    };
    Some(Variant {
        cuda_architectures: devices,
        ..asked.clone()
    })
}

/// What the user's words mean.
pub(crate) fn variant(ctx: &Ctx, args: &VariantArgs) -> Result<Variant> {
    let file = read(ctx)?;
    let architectures = native::architectures(&args.cuda_architectures)?;
    if !architectures.is_empty() {
        cuda::check_list(&architectures)
            .map_err(|reason| error::bad_input(format!("`--cuda-arch`: {reason}")))?;
    }
    let system = system(ctx, args.system.as_deref())?;
    let name = choose(&file, args.variant.as_deref(), &system)?;
    let has_git = file.variant[&name].git;
    if args.omit.is_some() && !has_git {
        ctx.ui.status(format!(
            "The variant `{name}` takes nothing from git: `--omit git` changes nothing"
        ));
    }
    Ok(Variant {
        without_git: has_git && args.omit.is_some(),
        cuda_architectures: architectures,
        name,
        system,
    })
}

/// The system that the user means: this machine's, where nobody says.
pub(crate) fn system(ctx: &Ctx, wanted: Option<&str>) -> Result<System> {
    let systems = factory_resolve::systems(ctx)?;
    match wanted {
        Some(name) => Ok(factory_resolve::systems_named(ctx, &[name.to_owned()])?.remove(0)),
        // `doctor` says what a machine that nothing is locked for can do.
        None => Ok(systems.own().unwrap_or(systems.default()).clone()),
    }
}

fn choose(file: &VariantsFile, wanted: Option<&str>, system: &System) -> Result<String, Failure> {
    let is_for = |name: &str| {
        let head = file.variant.get(name);
        head.is_some_and(|head| head.is_for(system))
    };
    let Some(wanted) = wanted else {
        // What is built when nobody names one need not be there for every kind of machine.
        let first = [Some(&file.default), file.quick.as_ref()];
        let first = first.into_iter().flatten().find(|name| is_for(name));
        return Ok(first.unwrap_or(&file.default).clone());
    };
    if is_for(wanted) {
        return Ok(wanted.to_owned());
    }
    if file.variant.contains_key(wanted) {
        let names = file.variant.keys().filter(|name| is_for(name));
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let text = format!("the variant `{wanted}` is not locked for {}", system.name);
        return Err(error::bad_input(text)
            .hint(format!("for it there are: {}", names.join(", ")))
            .hint("name the system in its `systems` in `package-lists/variants.toml`, and run `cargo xtask update-locks`"));
    }
    let failure = error::bad_input(format!("there is no variant `{wanted}`"));
    let names = file.variant.keys().map(String::as_str);
    let failure = match nearest(wanted, names).first() {
        Some(name) => failure.hint(format!("the nearest name is `{name}`")),
        None => failure,
    };
    let known = file
        .variant
        .iter()
        .map(|(name, head)| match head.description.as_str() {
            "" => format!("\n  {name}"),
            text => format!("\n  {name}: {text}"),
        });
    Err(failure.hint(format!(
        "`package-lists/variants.toml` has{}",
        known.collect::<String>()
    )))
}

/// The layers of this checkout, in order.
pub(crate) fn layers(ctx: &Ctx) -> Result<Vec<LayerName>> {
    Ok(factory_resolve::layers(ctx)?.names())
}

/// The layer that the user means.
pub(crate) fn layer(ctx: &Ctx, text: &str) -> Result<LayerName> {
    layer_of(&layers(ctx)?, text)
}

/// The one of these layers that the user means.
pub(crate) fn layer_of(known: &[LayerName], text: &str) -> Result<LayerName> {
    let found = layer::find(known, text).map_err(|unknown| {
        let failure = error::bad_input(unknown.to_string());
        unknown.hints().into_iter().fold(failure, Failure::hint)
    })?;
    Ok(found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_model::system::Systems;

    fn system(name: &str) -> System {
        let text = include_str!("../../package-lists/systems.toml");
        Systems::parse(text).unwrap().find(name).unwrap().clone()
    }

    #[test]
    fn ok_variants_of_another_system() {
        let text = "default = 'megapak'\nquick = 'slim'\n[variant.megapak]\n[variant.slim]\nsystems = ['x86_64-linux', 'aarch64-linux']\n";
        let file: VariantsFile = toml::from_str(text).unwrap();
        let (own, other) = (system("x86_64-linux"), system("aarch64-linux"));
        assert_eq!(choose(&file, None, &own).unwrap(), "megapak");
        assert_eq!(choose(&file, None, &other).unwrap(), "slim");
        let failure = choose(&file, Some("megapak"), &other).unwrap_err();
        assert_eq!(failure.kind, error::Kind::BadInput);
        insta::assert_snapshot!(format!("{failure}\n{}", failure.hints.join("\n")), @r"
        the variant `megapak` is not locked for aarch64-linux
        for it there are: `slim`
        name the system in its `systems` in `package-lists/variants.toml`, and run `cargo xtask update-locks`
        ");
    }

    #[test]
    fn ok_architectures_in_names_and_arguments() {
        let mut variant = Variant {
            name: "megapak".to_owned(),
            without_git: false,
            system: system("x86_64-linux"),
            cuda_architectures: Vec::new(),
        };
        assert_eq!(
            (variant.label(), variant.arguments()),
            ("megapak".to_owned(), "--variant megapak".to_owned())
        );
        variant.cuda_architectures = vec!["9.0".parse().unwrap(), "12.0+PTX".parse().unwrap()];
        assert_eq!(variant.label(), "megapak-9.0-12.0+PTX");
        assert_eq!(
            variant.arguments(),
            "--variant megapak --cuda-arch 9.0,12.0+PTX"
        );
        variant.without_git = true;
        assert_eq!(variant.label(), "megapak-nogit-9.0-12.0+PTX");
        variant.system = system("aarch64-linux");
        assert_eq!(variant.label(), "megapak-nogit-9.0-12.0+PTX-arm64");
        assert_eq!(
            variant.arguments(),
            "--variant megapak --system aarch64-linux --omit git --cuda-arch 9.0,12.0+PTX"
        );
    }

    #[test]
    fn err_unknown_variant() {
        let file: VariantsFile = toml::from_str(
            "default = 'megapak'\n[variant.megapak]\ndescription = 'everything'\n[variant.slim]\nmore = 1\n",
        )
        .unwrap();
        let system = system("x86_64-linux");
        assert_eq!(choose(&file, None, &system).unwrap(), "megapak");
        assert_eq!(choose(&file, Some("slim"), &system).unwrap(), "slim");
        let failure = choose(&file, Some("slmi"), &system).unwrap_err();
        assert_eq!(failure.kind, error::Kind::BadInput);
        insta::assert_snapshot!(format!("{failure}\n\n{}", failure.hints.join("\n")));
    }
}
