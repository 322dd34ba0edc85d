//! What the flake says a variant consists of, from one evaluation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xshell::Shell;

use super::{Context, Error, Nix};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_model::cuda::CudaArchitecture;
use factory_model::layer::LayerName;
use factory_model::lock::Sha256;

/// Which plan of a flake is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The kind of machine that the image is for, as Nix calls it.
    pub system: &'a str,
    /// The variant's name in the flake.
    pub variant: &'a str,
    /// What CUDA code is compiled for; the variant's own when there are none.
    pub architectures: &'a [CudaArchitecture],
}

/// The evaluated `legacyPackages.SYSTEM.factory.VARIANT.plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Variant name.
    pub variant: String,
    /// Image reference `name:tag` of the final image.
    pub reference: String,
    /// The twelve layers in order.
    pub layers: Vec<LayerPlan>,
}

/// One layer of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPlan {
    /// `05-pak3`.
    pub name: LayerName,
    /// The layer spec (JSON file) of this layer alone.
    pub spec: Derivation,
    /// The image (JSON file) of layers 01 to this one.
    pub image: Derivation,
    /// What the blobs of this layer are for a registry (JSON file), by the encoding's name.
    pub encoded: BTreeMap<String, Derivation>,
}

/// A derivation and the path of its `out` output.
///
/// In the flake the fields are `drv` and `out`: a set with `outPath` becomes a mere string
/// on its way to JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derivation {
    /// `/nix/store/….drv`.
    #[serde(rename = "drv")]
    pub drv_path: String,
    /// `/nix/store/…`.
    #[serde(rename = "out")]
    pub out_path: String,
}

impl Plan {
    /// The layers up to one, this one included.
    pub fn up_to(&self, layer: &LayerName) -> &[LayerPlan] {
        let n_layers = self
            .layers
            .iter()
            .take_while(|plan| plan.name <= *layer)
            .count();
        &self.layers[..n_layers]
    }

    /// One layer.
    ///
    /// # Errors
    /// The flake has no such layer, although `layers/` has.
    pub fn layer(&self, layer: &LayerName) -> Result<&LayerPlan> {
        self.layers
            .iter()
            .find(|plan| plan.name == *layer)
            .ok_or_else(|| {
                let variant = self.variant.clone();
                let layer = layer.to_string();
                Error::NoLayer { variant, layer }.failure().into()
            })
    }

    /// Every derivation of the plan.
    pub fn derivations(&self) -> impl Iterator<Item = &Derivation> {
        self.layers.iter().flat_map(|layer| {
            [&layer.spec, &layer.image]
                .into_iter()
                .chain(layer.encoded.values())
        })
    }

    /// The spec derivations in order, for [`super::Graph::layers`].
    pub fn specs(&self) -> Vec<(LayerName, String)> {
        let pair = |layer: &LayerPlan| (layer.name.clone(), layer.spec.drv_path.clone());
        self.layers.iter().map(pair).collect()
    }

    fn check(&self, variant: &str) -> Result<(), Error> {
        if self.variant != variant {
            return Err(Error::OtherVariant {
                asked: variant.to_owned(),
                got: self.variant.clone(),
            });
        }
        if !self.layers.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Error::LayersNotInOrder);
        }
        Ok(())
    }
}

impl Nix {
    /// Evaluates what is asked of a checkout (and instantiates its derivations). A plan that was
    /// evaluated before from the same files is reused while the store still holds it.
    ///
    /// # Errors
    /// The flake does not evaluate, or there is no such variant.
    pub fn plan(&self, ctx: &dyn Context, root: &Path, asked: Asked<'_>) -> Result<Plan> {
        let cached = self.cache_file(ctx.cache(), root, asked)?;
        if let Some(file) = &cached
            && let Some(plan) = read(file)
            && plan.check(asked.variant).is_ok()
            && self.holds(&plan)?
        {
            return Ok(plan);
        }
        let plan = self.evaluate(ctx, root, asked)?;
        if let Some(file) = &cached {
            factory_base::fs::write_atomic(file, &serde_json::to_vec(&plan)?)?;
        }
        Ok(plan)
    }

    /// A plan is of use while each derivation can be built or is built.
    fn holds(&self, plan: &Plan) -> Result<bool> {
        let paths: Vec<&str> = plan
            .derivations()
            .flat_map(|derivation| [derivation.drv_path.as_str(), derivation.out_path.as_str()])
            .collect();
        let invalid = self.invalid_paths(&paths)?;
        Ok(plan.derivations().all(|derivation| {
            !invalid.contains(&derivation.drv_path) || !invalid.contains(&derivation.out_path)
        }))
    }

    /// Named by all that an evaluation can depend on: the commit, what differs from it
    /// in tracked files (Nix sees no others), what is asked, the Nix and its store.
    /// `None` outside a git checkout.
    fn cache_file(&self, cache: &Path, root: &Path, asked: Asked<'_>) -> Result<Option<PathBuf>> {
        let shell = Shell::new()?;
        shell.change_dir(root);
        let git = |arguments: &[&str]| {
            let cmd = shell.cmd("git").env("GIT_OPTIONAL_LOCKS", "0");
            process::capture(cmd.args(arguments)).ok()
        };
        let Some(commit) = git(&["rev-parse", "HEAD"]) else {
            return Ok(None);
        };
        let Some(difference) = git(&[
            "diff",
            "HEAD",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--full-index",
            "--binary",
        ]) else {
            return Ok(None);
        };
        let store = self
            .store_root
            .as_deref()
            .map(|root| root.display().to_string());
        let key = [
            "plan 3",
            &commit,
            asked.system,
            asked.variant,
            &serde_json::to_string(asked.architectures)?,
            &self.version,
            store.as_deref().unwrap_or("/nix"),
            &difference,
        ];
        let key = Sha256::of(key.join("\0").as_bytes());
        let plans = cache.join("plans");
        Ok(Some(plans.join(format!("{key}.json"))))
    }

    /// The derivations that `nix flake check` builds on a system.
    ///
    /// # Errors
    /// The flake does not evaluate; the error has Nix's own words.
    pub fn checks(&self, ctx: &dyn Context, system: &str) -> Result<Vec<String>> {
        let shell = Shell::new()?;
        ctx.step("Evaluating", "checks");
        let cmd = self
            .cmd(&shell, "nix")
            .args(["eval", "--json", "--no-write-lock-file", "--no-warn-dirty"])
            .args(["--option", "allow-import-from-derivation", "false"])
            .arg(format!("{}#checks.{system}", ctx.root().display()))
            .args(["--apply", "builtins.mapAttrs (_: check: check.drvPath)"]);
        let json = process::capture(cmd)?;
        let checks: BTreeMap<String, String> = parse("checks", &json)?;
        Ok(checks.into_values().collect())
    }

    fn evaluate(&self, ctx: &dyn Context, root: &Path, asked: Asked<'_>) -> Result<Plan> {
        let Asked {
            system,
            variant,
            architectures,
        } = asked;
        let shell = Shell::new()?;
        // A flake has no arguments, but a function among its outputs has.
        let (output, apply) = match architectures {
            [] => ("plan", None),
            some => {
                let list = some.iter().map(|one| format!(" \"{one}\""));
                let list = list.collect::<String>();
                ("planFor", Some(format!("planFor: planFor [{list} ]")))
            }
        };
        let attribute = format!(
            "{}#legacyPackages.{system}.factory.{variant}.{output}",
            root.display()
        );
        ctx.step("Evaluating", &format!("variant {variant} for {system}"));
        let cmd = self
            .cmd(&shell, "nix")
            .args(["eval", "--json", "--no-write-lock-file", "--no-warn-dirty"])
            .args(["--option", "allow-import-from-derivation", "false"])
            .arg(attribute)
            .args(apply.iter().flat_map(|apply| ["--apply", apply]));
        let mut lines = Vec::new();
        let ((status, _), json) = process::watch(ctx, cmd, |line| {
            lines.extend(line.map(super::log::plain));
        })?;
        ctx.check_interrupted()?;
        if !status.success() {
            let variant = variant.to_owned();
            return Err(Error::NotEvaluated { variant, lines }.failure().into());
        }
        for line in &lines {
            ctx.detail(line);
        }
        let plan: Plan = parse("plan", &json)?;
        plan.check(variant).map_err(|error| error.failure())?;
        Ok(plan)
    }
}

fn read(file: &Path) -> Option<Plan> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn parse<T: DeserializeOwned>(what: &'static str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|source| {
        let problem = source.to_string();
        Error::BadFlake { what, problem }.failure().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivation(name: &str) -> Derivation {
        Derivation {
            drv_path: format!("/nix/store/{name}.drv"),
            out_path: format!("/nix/store/{name}"),
        }
    }

    fn plan() -> Plan {
        let layers = ["01-base-cuda", "02-python-tools"].map(|name| LayerPlan {
            name: name.parse().unwrap(),
            spec: derivation(&format!("{name}-spec")),
            image: derivation(&format!("{name}-image")),
            encoded: BTreeMap::from([("zstd".to_owned(), derivation(&format!("{name}-zstd")))]),
        });
        Plan {
            variant: "slim".to_owned(),
            reference: "comfyui-boot:x".to_owned(),
            layers: layers.to_vec(),
        }
    }

    #[test]
    fn ok_the_flakes_form() {
        let json = serde_json::to_string(&plan()).unwrap();
        assert!(
            json.contains(r#""spec":{"drv":"/nix/store/01-base-cuda-spec.drv","out""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan());
        assert_eq!(plan().up_to(&"01-base-cuda".parse().unwrap()).len(), 1);
    }

    #[test]
    fn err_layers_out_of_order() {
        let mut plan = plan();
        plan.layers.reverse();
        let error = plan.check("slim").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the layers of the flake's plan are not in order"
        );
    }

    #[test]
    fn err_the_flake_gives_something_else() {
        let error = parse::<Plan>("plan", r#"{"variant":1}"#).unwrap_err();
        assert_eq!(
            factory_base::error::kind_of(&error),
            factory_base::error::Kind::BadInput
        );
        insta::assert_snapshot!(error, @"the flake's plan cannot be read: invalid type: integer `1`, expected a string at line 1 column 12");
    }

    #[test]
    fn err_untracked_file() {
        let lines =
            vec!["error: path '/nix/store/x-source/layers/13-new' does not exist".to_owned()];
        let variant = "slim".to_owned();
        let failure = Error::NotEvaluated { variant, lines }.failure();
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
    }
}
