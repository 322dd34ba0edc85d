//! What the user's words for a variant and a layer mean in this checkout.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::cli::VariantArgs;
use crate::ctx::Ctx;
use factory_base::error::{self, Failure};
use factory_model::cuda::{self, CudaArchitecture};
use factory_model::layer::{self, LayerName};
use factory_model::nearest::nearest;
use factory_nix::{Nix, Plan};

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
}

/// A variant as the user wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    /// As in `package-lists/variants.toml`; its lock has this name too.
    pub(crate) name: String,
    /// Without what comes from git.
    pub(crate) without_git: bool,
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
        architectures.fold(self.attribute(), |label, one| format!("{label}-{one}"))
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
        format!("--variant {}{omit}{architectures}", self.name)
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
        nix.plan(ctx, &self.attribute(), &self.cuda_architectures)
    }

    /// What the flake of another checkout says.
    pub(crate) fn plan_of(&self, ctx: &Ctx, nix: &Nix, root: &Path) -> Result<Plan> {
        nix.plan_of(ctx, root, &self.attribute(), &self.cuda_architectures)
    }
}

fn read(ctx: &Ctx) -> Result<VariantsFile> {
    let path = ctx.lists().join("variants.toml");
    let text = fs_err::read_to_string(&path)?;
    Ok(toml::from_str(&text).map_err(|error| {
        error::bad_input(format!("`{}` cannot be read: {error}", path.display()))
    })?)
}

/// Every variant but one, also those without git, for the architectures of the one: the quick
/// one first, then by name.
pub(crate) fn others(ctx: &Ctx, asked: Option<&Variant>) -> Result<Vec<Variant>> {
    let file = read(ctx)?;
    let mut names: Vec<(&String, &VariantHead)> = file.variant.iter().collect();
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
                cuda_architectures: same.map_or(Vec::new(), |one| one.cuda_architectures.clone()),
            });
        }
    }
    others.retain(|other| Some(other) != asked);
    Ok(others)
}

/// What the user's words mean.
pub(crate) fn variant(ctx: &Ctx, args: &VariantArgs) -> Result<Variant> {
    let file = read(ctx)?;
    let architectures = &args.cuda_architectures;
    if !architectures.is_empty() {
        cuda::check_list(architectures)
            .map_err(|reason| error::bad_input(format!("`--cuda-arch`: {reason}")))?;
    }
    let name = choose(&file, args.variant.as_deref())?;
    let has_git = file.variant[&name].git;
    if args.omit.is_some() && !has_git {
        ctx.ui.status(format!(
            "The variant `{name}` takes nothing from git: `--omit git` changes nothing"
        ));
    }
    Ok(Variant {
        without_git: has_git && args.omit.is_some(),
        cuda_architectures: architectures.clone(),
        name,
    })
}

fn choose(file: &VariantsFile, wanted: Option<&str>) -> Result<String, Failure> {
    let Some(wanted) = wanted else {
        return Ok(file.default.clone());
    };
    if file.variant.contains_key(wanted) {
        return Ok(wanted.to_owned());
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

    #[test]
    fn ok_architectures_in_names_and_arguments() {
        let mut variant = Variant {
            name: "megapak".to_owned(),
            without_git: false,
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
    }

    #[test]
    fn err_unknown_variant() {
        let file: VariantsFile = toml::from_str(
            "default = 'megapak'\n[variant.megapak]\ndescription = 'everything'\n[variant.slim]\nmore = 1\n",
        )
        .unwrap();
        assert_eq!(choose(&file, None).unwrap(), "megapak");
        assert_eq!(choose(&file, Some("slim")).unwrap(), "slim");
        let failure = choose(&file, Some("slmi")).unwrap_err();
        assert_eq!(failure.kind, error::Kind::BadInput);
        insta::assert_snapshot!(format!("{failure}\n\n{}", failure.hints.join("\n")));
    }
}
