//! `exclusions.toml` and `requested.toml`: what was asked for and is not in a variant. Pure.

use serde::Deserialize;

use super::name::normalized;
use crate::error::Problem;
use factory_model::schema;
use factory_model::system::System;

/// `package-lists/exclusions.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusions {
    schema_version: u32,
    /// In the order of the file.
    #[serde(default)]
    pub exclusion: Vec<Exclusion>,
}

/// Why variants leave out a thing, or a class of things.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// Name of a list line or of a table in `sources.toml`.
    pub name: Option<String>,
    /// Instead of a name: the distribution is there, and native code of it is not, which Python
    /// with the GIL gets.
    pub native: Option<String>,
    /// Instead of a name.
    pub all: Option<Class>,
    /// The variants that leave it out.
    pub variants: Vec<String>,
    /// The systems on which they do; none: on all.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Why it is not there.
    pub reason: String,
    /// What would bring it back.
    pub lifts: String,
    /// No pin of it is known; one in `sources.toml` makes this entry superfluous.
    #[serde(default)]
    pub unpinned: bool,
}

/// Things that a variant leaves out as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Everything from git, in a variant with `git = false`.
    Git,
}

impl Exclusions {
    /// Reads `exclusions.toml`.
    ///
    /// # Errors
    /// What is wrong in the text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let exclusions: Self = toml::from_str(text)?;
        schema::check(exclusions.schema_version)?;
        for one in &exclusions.exclusion {
            let shown = one.shown();
            let subjects = [one.name.is_some(), one.native.is_some(), one.all.is_some()];
            match subjects.iter().filter(|is| **is).count() {
                1 => {}
                0 => {
                    let problem = "an exclusion has neither `name` nor `native` nor `all`";
                    return Err(Problem::Content(problem.to_owned()));
                }
                _ => {
                    return Err(Problem::Content(format!(
                        "the exclusion of {shown} has more than one of `name`, `native` and `all`"
                    )));
                }
            }
            if one.variants.is_empty() {
                let problem = format!("the exclusion of {shown} names no variant");
                return Err(Problem::Content(problem));
            }
            for (field, text) in [("reason", &one.reason), ("lifts", &one.lifts)] {
                if text.trim().is_empty() {
                    let problem = format!("the exclusion of {shown} has an empty `{field}`");
                    return Err(Problem::Content(problem));
                }
            }
        }
        Ok(exclusions)
    }

    /// Whether a variant leaves out the thing of this name on a system.
    pub fn has(&self, name: &str, variant: &str, system: &System) -> bool {
        let name = normalized(name);
        self.of(variant, system)
            .any(|one| one.name.as_deref().map(normalized).as_ref() == Some(&name))
    }

    /// Whether it is said that a variant lacks native code of the distribution of this name.
    pub(super) fn has_native(&self, name: &str, variant: &str, system: &System) -> bool {
        let name = normalized(name);
        self.of(variant, system)
            .any(|one| one.native.as_deref().map(normalized).as_ref() == Some(&name))
    }

    /// Those of one variant on a system.
    pub(super) fn of<'a>(
        &'a self,
        variant: &str,
        system: &System,
    ) -> impl Iterator<Item = &'a Exclusion> {
        self.exclusion.iter().filter(move |one| {
            one.variants.iter().any(|other| other == variant) && system.has_rule(&one.systems)
        })
    }
}

impl Exclusion {
    /// What it is about, for messages.
    pub(super) fn shown(&self) -> String {
        match (&self.name, &self.native, self.all) {
            (Some(name), ..) => format!("`{name}`"),
            (None, Some(name), _) => format!("native code of `{name}`"),
            (None, None, Some(Class::Git)) => "all `git`".to_owned(),
            (None, None, None) => "nothing".to_owned(),
        }
    }
}

/// `package-lists/requested.toml`: what the image was asked to hold, whatever a list says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    schema_version: u32,
    /// Debian packages.
    #[serde(default)]
    pub debian: Vec<String>,
    /// Normalized names.
    #[serde(default)]
    pub python: Vec<String>,
    /// Repositories of custom nodes.
    #[serde(default)]
    pub nodes: Vec<String>,
}

impl Requested {
    /// Reads `requested.toml`.
    ///
    /// # Errors
    /// What is wrong in the text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let requested: Self = toml::from_str(text)?;
        schema::check(requested.schema_version)?;
        Ok(requested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_unreadable() {
        let said = |entry: &str| {
            let text = format!("schema_version = 1\n[[exclusion]]\n{entry}");
            Exclusions::parse(&text).unwrap_err().to_string()
        };
        let rest = "variants = ['slim']\nreason = 'r'\nlifts = ' '";
        assert_eq!(
            said(rest),
            "an exclusion has neither `name` nor `native` nor `all`"
        );
        for other in ["all = 'git'", "native = 'x'"] {
            assert_eq!(
                said(&format!("name = 'x'\n{other}\n{rest}")),
                "the exclusion of `x` has more than one of `name`, `native` and `all`"
            );
        }
        assert_eq!(
            said(&format!("native = 'x'\n{rest}")),
            "the exclusion of native code of `x` has an empty `lifts`"
        );
        assert_eq!(
            said(&format!("name = 'x'\n{rest}")),
            "the exclusion of `x` has an empty `lifts`"
        );
        assert_eq!(
            said("name = 'x'\nvariants = []\nreason = 'r'\nlifts = 'l'"),
            "the exclusion of `x` names no variant"
        );
    }
}
