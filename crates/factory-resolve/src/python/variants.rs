//! `variants.toml` as types. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::name::PackageName;
use super::requirement::{self, Requirement};
use super::wheel::Abi;
use crate::error::Problem;
use factory_model::cuda::{self, CudaArchitecture};
use factory_model::lock::SriSha256;
use factory_model::schema;
use factory_model::system::System;

/// `package-lists/variants.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variants {
    /// 1.
    pub schema_version: u32,
    /// What is built when no variant is named.
    pub default: String,
    /// What Nix takes where it must not begin a long build: checks, development shell.
    pub quick: String,
    /// What CUDA code is compiled for, in variants that do not name their own.
    pub cuda_architectures: Vec<CudaArchitecture>,
    /// By name.
    pub variant: BTreeMap<String, Variant>,
}

/// One variant of the image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// ABI tag of its interpreter.
    pub abi: Abi,
    /// One sentence.
    pub description: String,
    /// Whether the lists' git URLs belong to it.
    pub git: bool,
    /// The systems that it is locked for; none: the default one.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Bounds that hold in this variant only.
    #[serde(default)]
    pub constraints: Vec<String>,
    /// Projects whose bound in `constraints.txt` does not hold in this variant.
    #[serde(default)]
    pub without_constraints: Vec<PackageName>,
    /// Published wheels that stand for the project of the same name.
    #[serde(default)]
    pub direct: BTreeMap<PackageName, Direct>,
    /// What a variant without git takes from the index for a git line: a requirement by the name
    /// of the line.
    #[serde(default)]
    pub from_index: BTreeMap<PackageName, String>,
    /// Projects that nobody gets, though some require them.
    #[serde(default)]
    pub dropped: Vec<PackageName>,
    /// Distributions that may come as sdist, each with a build recipe.
    #[serde(default)]
    pub sdists: Vec<PackageName>,
    /// What its CUDA code is compiled for, instead of the file's list.
    #[serde(default)]
    pub cuda_architectures: Option<Vec<CudaArchitecture>>,
    /// Variant with the same PyTorch release, with whose headers its CUDA objects are compiled:
    /// those that do not need Python are then the same derivations.
    #[serde(default)]
    pub kernels_of: Option<String>,
    /// Distributions whose files another one brings.
    #[serde(default)]
    pub provided: Vec<Provided>,
    /// Distributions whose metadata does not hold here.
    #[serde(default, rename = "override")]
    pub overrides: Vec<Override>,
}

impl Variant {
    /// The ABI whose native code this variant is to equal: the same version with the GIL
    /// (docs/design/D17-equal-to-the-gil-or-said.md). `None` for one that has the GIL.
    pub(super) fn compared_with(&self) -> Option<Abi> {
        self.abi.free_threaded.then_some(Abi {
            free_threaded: false,
            ..self.abi
        })
    }

    /// Whether it is locked for a system.
    pub(super) fn is_for(&self, system: &System) -> bool {
        system.has_variant(&self.systems)
    }

    /// As a system sees it: without the overrides for others.
    pub(super) fn on(&self, system: &System) -> Self {
        let mut variant = self.clone();
        variant
            .overrides
            .retain(|one| system.has_rule(&one.systems));
        variant
    }

    /// Names whose requirements do not count in this variant, sorted.
    pub fn never_required(&self) -> BTreeSet<&PackageName> {
        let provided = self.provided.iter().map(|one| &one.name);
        provided
            .chain(&self.dropped)
            .chain(self.overrides.iter().flat_map(|one| &one.drop))
            .collect()
    }
}

/// What is changed in the metadata of a distribution; Nix does it before the wheel is
/// unpacked, so that `pip check` holds in the image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Project name.
    pub name: PackageName,
    /// Requirements that it does not have; nothing else gets them either.
    #[serde(default)]
    pub drop: Vec<PackageName>,
    /// All its requirements but those of extras, in place of its own, as PEP 508: where its
    /// bounds exclude what works.
    #[serde(default)]
    pub requires: Option<Vec<String>>,
    /// Tags of its `WHEEL` file, in place of its own.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Members of which its `RECORD` has a wrong hash or size, and gets the right one: else the
    /// wheel is not installed.
    #[serde(default)]
    pub record: Vec<String>,
    /// The wheel that the same Python with the GIL gets is taken although its tags do not fit:
    /// its native code is no extension module.
    #[serde(default)]
    pub wheel_for: Option<Abi>,
    /// The systems on which it holds; none: on all.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Why.
    pub reason: String,
    /// What would make this needless.
    pub lifts: String,
}

/// A wheel at a place that is no Python index.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direct {
    /// The whole URL.
    pub url: String,
    /// Its hash, as published.
    pub hash: SriSha256,
    /// What its metadata requires, as PEP 508, so that resolving needs no download.
    #[serde(default)]
    pub requires: Vec<String>,
}

/// A distribution that is satisfied by another one's files and gets metadata only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provided {
    /// The name that others require.
    pub name: PackageName,
    /// The distribution whose files and version it takes.
    pub by: PackageName,
}

impl Variants {
    /// Reads `variants.toml`.
    ///
    /// # Errors
    /// The text, with what is wrong in it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let variants: Self = toml::from_str(text)?;
        schema::check(variants.schema_version)?;
        for (key, name) in [("default", &variants.default), ("quick", &variants.quick)] {
            if !variants.variant.contains_key(name) {
                return Err(Problem::Content(format!(
                    "{key} names `{name}`, a variant that is not defined"
                )));
            }
        }
        cuda::check_list(&variants.cuda_architectures)
            .map_err(|error| Problem::Content(error.to_string()))?;
        for (name, variant) in &variants.variant {
            if let Some(own) = &variant.cuda_architectures {
                cuda::check_list(own)
                    .map_err(|error| Problem::Content(format!("variant `{name}`: {error}")))?;
            }
            check_from_index(variant)
                .map_err(|error| Problem::Content(format!("variant `{name}`: {error}")))?;
            check_wheels(variant)
                .map_err(|error| Problem::Content(format!("variant `{name}`: {error}")))?;
            if let Some(other) = &variant.kernels_of
                && !variants.variant.contains_key(other)
            {
                return Err(Problem::Content(format!(
                    "variant `{name}`: kernels_of names `{other}`, which is not defined"
                )));
            }
        }
        Ok(variants)
    }
}

/// Only where the git lines are left out, and only what an index can have.
fn check_from_index(variant: &Variant) -> Result<(), String> {
    for (name, text) in &variant.from_index {
        if variant.git {
            return Err(format!("from_index has `{name}`, which comes from git"));
        }
        match requirement::parse(text) {
            Ok(Requirement::Index { .. }) => {}
            Ok(Requirement::Git { .. }) => {
                return Err(format!("from_index.{name} is a git URL"));
            }
            Err((_, reason)) => return Err(format!("from_index.{name}: {reason}")),
        }
    }
    Ok(())
}

/// A wheel of another ABI is taken for the same Python with the GIL, and says what it fits.
fn check_wheels(variant: &Variant) -> Result<(), String> {
    for one in &variant.overrides {
        let Some(abi) = one.wheel_for else { continue };
        if variant.compared_with() != Some(abi) {
            return Err(format!(
                "the override of `{}` takes the wheel for {abi}, which {} is not compared with",
                one.name, variant.abi
            ));
        }
        if one.tags.is_empty() {
            return Err(format!(
                "the override of `{}` takes a wheel for {abi} and gives no `tags` that fit {}",
                one.name, variant.abi
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lists: &str, own: &str) -> Result<Variants, String> {
        let variants = Variants::parse(&format!(
            "schema_version = 1\ndefault = 'a'\nquick = 'a'\n{lists}\n[variant.a]\nabi = 'cp314t'\ndescription = 'd'\ngit = false\n{own}\n"
        ));
        variants.map_err(|problem| problem.to_string())
    }

    #[test]
    fn ok_architectures_of_a_variant() {
        let all = "cuda_architectures = ['8.0', '12.0+PTX']";
        let variants = parse(all, "cuda_architectures = ['9.0']").unwrap();
        assert_eq!(variants.cuda_architectures.len(), 2);
        let own = variants.variant["a"].cuda_architectures.as_ref().unwrap();
        assert_eq!(own[0].to_string(), "9.0");
    }

    #[test]
    fn err_architectures() {
        let reason = parse("cuda_architectures = ['9']", "").unwrap_err();
        assert!(reason.contains("`9` is no CUDA architecture"), "{reason}");
        let reason = parse("", "").unwrap_err();
        assert!(
            reason.contains("missing field `cuda_architectures`"),
            "{reason}"
        );
        let all = "cuda_architectures = ['8.0']";
        assert_eq!(
            parse(all, "cuda_architectures = []").unwrap_err(),
            "variant `a`: no CUDA architecture is named"
        );
    }

    #[test]
    fn err_from_the_index_and_from_git() {
        let all = "cuda_architectures = ['8.0']";
        let parsed = parse(all, "[variant.a.from_index]\nclip = 'clip-anytorch>=2'").unwrap();
        assert_eq!(parsed.variant["a"].from_index.len(), 1);
        let bad = "[variant.a.from_index]\nclip = 'clip=>2'";
        let said = parse(all, bad).unwrap_err();
        assert!(said.starts_with("variant `a`: from_index.clip: "), "{said}");
        let text = "schema_version = 1\ndefault = 'a'\nquick = 'a'\ncuda_architectures = ['8.0']\n\
            [variant.a]\nabi = 'cp314t'\ndescription = 'd'\ngit = true\n\
            [variant.a.from_index]\nclip = 'clip-anytorch'\n";
        assert_eq!(
            Variants::parse(text).unwrap_err().to_string(),
            "variant `a`: from_index has `clip`, which comes from git"
        );
    }

    #[test]
    fn err_wheels_for_another_abi() {
        let all = "cuda_architectures = ['8.0']";
        let entry = |abi: &str, tags: &str| {
            let own = format!(
                "[[variant.a.override]]\nname = 'x'\nwheel_for = '{abi}'\ntags = [{tags}]\nreason = 'r'\nlifts = 'l'"
            );
            parse(all, &own)
        };
        let tag = "'py3-none-manylinux2014_x86_64'";
        assert!(entry("cp314", tag).is_ok());
        assert_eq!(
            entry("cp313", tag).unwrap_err(),
            "variant `a`: the override of `x` takes the wheel for cp313, which cp314t is not compared with"
        );
        assert_eq!(
            entry("cp314", "").unwrap_err(),
            "variant `a`: the override of `x` takes a wheel for cp314 and gives no `tags` that fit cp314t"
        );
    }

    #[test]
    fn err_kernels_of_an_undefined_variant() {
        let all = "cuda_architectures = ['8.0']";
        assert!(parse(all, "kernels_of = 'a'").is_ok());
        assert_eq!(
            parse(all, "kernels_of = 'b'").unwrap_err(),
            "variant `a`: kernels_of names `b`, which is not defined"
        );
    }
}
