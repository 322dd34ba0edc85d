//! `sdists.toml`: what source distributions require, so that no build backend runs to say it.
//! Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::Error;
use super::name::PackageName;
use super::requirement;
use super::resolution::Chosen;
use super::variants::Variant;
use crate::error::Problem;
use factory_model::lock::DistributionKind;
use factory_model::schema;

/// `package-lists/sdists.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sdists {
    schema_version: u32,
    /// By project.
    #[serde(default)]
    sdist: BTreeMap<PackageName, Sdist>,
}

/// What one version of a source distribution requires.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sdist {
    /// PEP 440.
    pub version: String,
    /// PEP 508, those of extras left out.
    pub requires: Vec<String>,
}

impl Sdists {
    /// Reads `sdists.toml`.
    ///
    /// # Errors
    /// What is wrong in the text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let sdists: Self = toml::from_str(text)?;
        schema::check(sdists.schema_version)?;
        for (name, sdist) in &sdists.sdist {
            for text in &sdist.requires {
                requirement::parse(text)
                    .map_err(|(_, reason)| Problem::Content(format!("sdist.{name}: {reason}")))?;
            }
        }
        Ok(sdists)
    }

    /// The source distributions that a variant may take.
    pub fn of<'a>(
        &'a self,
        variant: &'a Variant,
    ) -> impl Iterator<Item = (&'a PackageName, &'a Sdist)> {
        self.sdist
            .iter()
            .filter(|(name, _)| variant.sdists.contains(name))
    }

    /// Each sdist that was chosen must be of the version whose requirements are known.
    pub fn check(&self, chosen: &BTreeMap<PackageName, Chosen>) -> Result<(), Error> {
        let mut packages = Vec::new();
        for (name, file) in chosen {
            if file.kind != DistributionKind::Sdist {
                continue;
            }
            match self.sdist.get(name) {
                Some(known) if known.version == file.version => {}
                Some(known) => packages.push(format!(
                    "{name} {} (those there are of {})",
                    file.version, known.version
                )),
                None => packages.push(format!("{name} {}", file.version)),
            }
        }
        if packages.is_empty() {
            return Ok(());
        }
        Err(Error::UnknownSdists { packages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_model::lock::Sha256;

    fn sdists(requires: &str) -> Result<Sdists, Problem> {
        Sdists::parse(&format!(
            "schema_version = 1\n[sdist.dlib]\nversion = '20.0.1'\nrequires = [{requires}]\n"
        ))
    }

    fn check(name: &str, version: &str, kind: DistributionKind) -> Result<(), String> {
        let file = Chosen {
            version: version.into(),
            kind,
            file: "f".into(),
            url: String::new(),
            size: None,
            sha256: Sha256::from_bytes([0; 32]),
            pure: false,
        };
        let chosen = BTreeMap::from([(name.parse().unwrap(), file)]);
        let sdists = sdists("").unwrap();
        sdists.check(&chosen).map_err(|error| error.to_string())
    }

    #[test]
    fn ok_known_version_or_wheel() {
        assert_eq!(check("dlib", "20.0.1", DistributionKind::Sdist), Ok(()));
        assert_eq!(check("dlib", "21", DistributionKind::Wheel), Ok(()));
    }

    #[test]
    fn err_other_version_or_unknown() {
        let head = "`package-lists/sdists.toml` does not have the requirements of";
        let said = check("dlib", "21", DistributionKind::Sdist).unwrap_err();
        assert_eq!(
            said,
            format!("{head}\n  dlib 21 (those there are of 20.0.1)")
        );
        let said = check("wget", "3.2", DistributionKind::Sdist).unwrap_err();
        assert_eq!(said, format!("{head}\n  wget 3.2"));
    }

    #[test]
    fn err_requirement() {
        let said = sdists("'numpy=>2'").unwrap_err().to_string();
        assert!(
            said.starts_with("sdist.dlib: `numpy=>2` is not a PEP 508 requirement"),
            "{said}"
        );
    }
}
