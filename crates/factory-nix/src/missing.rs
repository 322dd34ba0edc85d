//! Which fixed outputs a build still needs
//! (docs/design/D03-mirrors-never-change-a-store-path.md).

use std::collections::BTreeMap;

use anyhow::Result;
use xshell::Shell;

use super::drv::Drv;
use super::{Context, Error, Nix};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::text;
use factory_model::lock::{Origin, Sha256};

/// A fixed-output derivation that a build needs and the store lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSource {
    /// Store name of the output (after the hash).
    pub name: String,
    /// The output path.
    pub out_path: String,
    /// Hash over the file (flat) or over its NAR (recursive).
    pub hash: Sha256,
    /// NAR hash instead of file hash.
    pub recursive: bool,
    /// Size in bytes when the lock has it.
    pub size: Option<u64>,
    /// Where to look, in order.
    pub origins: Vec<Origin>,
}

impl MissingSource {
    /// Its name, with its size when that is known.
    pub(super) fn describe(&self) -> String {
        match self.size {
            Some(size) => format!("{} ({})", self.name, text::bytes(size)),
            None => self.name.clone(),
        }
    }
}

/// The fixed outputs that realizing `drv_paths` needs and the store lacks, by name. What is
/// built already does not need its sources.
///
/// # Errors
/// Nix fails, or a derivation's `origins` cannot be read.
pub fn missing_sources(
    ctx: &dyn Context,
    nix: &Nix,
    drv_paths: &[String],
) -> Result<Vec<MissingSource>> {
    if drv_paths.is_empty() {
        return Ok(Vec::new());
    }
    let shell = Shell::new()?;
    let mut cmd = nix
        .cmd(&shell, "nix-store")
        .args(["--realise", "--dry-run"])
        .args(drv_paths);
    if ctx.is_offline() {
        cmd = cmd.args(["--option", "substitute", "false"]);
    }
    let mut lines = Vec::new();
    let ((status, command), _) = process::run(cmd, |line| lines.push(line.to_owned()))?;
    process::finish(&command, status, &lines)?;
    let mut missing = BTreeMap::new();
    for drv_path in to_be_built(&lines) {
        if let Some(source) = source_of(drv_path, &nix.derivation(drv_path)?)? {
            // Two derivations may declare the same output.
            missing.insert(source.out_path.clone(), source);
        }
    }
    let mut missing: Vec<_> = missing.into_values().collect();
    missing.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(missing)
}

/// The derivations under "will be built" in what a dry run of `nix-store` says.
fn to_be_built(lines: &[String]) -> impl Iterator<Item = &str> {
    let mut is_section = false;
    lines.iter().filter_map(move |line| {
        let Some(path) = line.strip_prefix("  ") else {
            is_section = line.ends_with("will be built:");
            return None;
        };
        (is_section && path.ends_with(".drv")).then_some(path)
    })
}

fn source_of(drv_path: &str, drv: &Drv) -> Result<Option<MissingSource>> {
    let Some(output) = drv
        .outputs
        .get("out")
        .filter(|output| !output.hash.is_empty())
    else {
        return Ok(None);
    };
    let bad = |problem: String| {
        let drv_path = drv_path.to_owned();
        Error::BadSource { drv_path, problem }.failure()
    };
    let recursive = match output.hash_algorithm.as_str() {
        "sha256" => false,
        "r:sha256" => true,
        other => return Err(bad(format!("has a hash by `{other}`, not by SHA-256")).into()),
    };
    let hash = output.hash.parse();
    let hash = hash.map_err(|error| bad(format!("has another hash: {error}")))?;
    let origins = drv
        .attribute("origins")
        .ok_or_else(|| bad("does not say where it comes from (no `origins`)".to_owned()))?;
    let origins = serde_json::from_str(&origins)
        .map_err(|source| bad(format!("has `origins` that cannot be read: {source}")))?;
    let name = drv
        .attribute("name")
        .ok_or_else(|| bad("has no name".to_owned()))?;
    Ok(Some(MissingSource {
        name,
        out_path: output.path.clone(),
        hash,
        recursive,
        size: drv
            .attribute("sizeBytes")
            .and_then(|text| text.parse().ok()),
        origins,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_base::error::{Kind, kind_of};

    fn read(attributes: &str, output: &str) -> Result<Option<MissingSource>> {
        let text = format!(
            r#"Derive([("out","/nix/store/x-a.whl",{output})],[],[],"s","b",[],[{attributes}])"#
        );
        source_of("/nix/store/x-a.whl.drv", &Drv::parse(&text).unwrap())
    }

    /// What a file under `nix/` got wrong is no bug of this program.
    #[test]
    fn err_sources_that_say_too_little() {
        let hash = "e3".repeat(32);
        let good = format!(r#""sha256","{hash}""#);
        let origins = r#"("name","a.whl"),("origins","[]")"#;
        assert_eq!(read(origins, &good).unwrap().unwrap().name, "a.whl");
        assert_eq!(read(origins, r#""","""#).unwrap(), None);
        let found = [
            read(origins, &format!(r#""sha1","{hash}""#)),
            read(origins, r#""sha256","e3""#),
            read(r#"("name","a.whl")"#, &good),
            read(r#"("name","a.whl"),("origins","[1]")"#, &good),
            read(r#"("origins","[]")"#, &good),
        ];
        let errors = found.map(Result::unwrap_err);
        assert!(errors.iter().all(|error| kind_of(error) == Kind::BadInput));
        let text = errors.map(|error| error.to_string()).join("\n");
        insta::assert_snapshot!(text, @r"
        the source `/nix/store/x-a.whl.drv` has a hash by `sha1`, not by SHA-256
        the source `/nix/store/x-a.whl.drv` has another hash: `e3` is not a SHA-256 in hex (64 digits)
        the source `/nix/store/x-a.whl.drv` does not say where it comes from (no `origins`)
        the source `/nix/store/x-a.whl.drv` has `origins` that cannot be read: invalid type: integer `1`, expected internally tagged enum Origin at line 1 column 2
        the source `/nix/store/x-a.whl.drv` has no name
        ");
    }
}
