//! `imports.toml`: the distributions that are not imported like the others, each with a reason.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{SyntaxError, syntax};

/// The file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RulesFile {
    needs_comfyui: BTreeMap<Spanned<String>, String>,
    needs_gpu: BTreeMap<Spanned<String>, String>,
    no_module: BTreeMap<Spanned<String>, String>,
    slow: BTreeMap<Spanned<String>, Slow>,
}

/// Exceptions to "every distribution of the lock can be imported".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportRules {
    /// Can be imported by ComfyUI only, and why.
    pub needs_comfyui: BTreeMap<String, String>,
    /// Cannot be imported where there is no GPU, and why.
    pub needs_gpu: BTreeMap<String, String>,
    /// Have nothing to import, and what they are instead.
    pub no_module: BTreeMap<String, String>,
    /// Take longer than others, and why.
    pub slow: BTreeMap<String, Slow>,
}

/// A time limit of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// Limit in seconds.
    pub limit_s: u64,
    /// What takes so long.
    pub reason: String,
}

impl ImportRules {
    /// Reads the file; `is_known` says whether any lock has a distribution.
    ///
    /// # Errors
    /// Says what is wrong with the text, and where.
    pub fn parse(text: &str, is_known: impl Fn(&str) -> bool) -> Result<Self, SyntaxError> {
        let file: RulesFile = syntax::read(text)?;
        let names = (file.needs_comfyui.keys())
            .chain(file.needs_gpu.keys())
            .chain(file.no_module.keys())
            .chain(file.slow.keys());
        for name in names {
            if !is_known(name.get_ref()) {
                let reason = format!("no lock has a distribution `{}`", name.get_ref());
                return Err(SyntaxError::at(text, Some(name.span()), reason));
            }
        }
        fn plain<T>(table: BTreeMap<Spanned<String>, T>) -> BTreeMap<String, T> {
            let plain = table
                .into_iter()
                .map(|(name, value)| (name.into_inner(), value));
            plain.collect()
        }
        Ok(Self {
            needs_comfyui: plain(file.needs_comfyui),
            needs_gpu: plain(file.needs_gpu),
            no_module: plain(file.no_module),
            slow: plain(file.slow),
        })
    }

    /// Adds the rules of another layer.
    pub fn extend(&mut self, other: Self) {
        self.needs_comfyui.extend(other.needs_comfyui);
        self.needs_gpu.extend(other.needs_gpu);
        self.no_module.extend(other.no_module);
        self.slow.extend(other.slow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_all_tables() {
        let text = "[needs-gpu]\nnunchaku = 'loads libcuda.so.1'\n\
                    [slow]\npymatting = { limit_s = 900, reason = 'compiles' }";
        let rules = ImportRules::parse(text, |_| true).unwrap();
        assert_eq!(rules.needs_gpu["nunchaku"], "loads libcuda.so.1");
        assert_eq!(rules.slow["pymatting"].limit_s, 900);
    }

    #[test]
    fn err_unknown_distribution() {
        let text = "[no-module]\nnumpy = 'x'\nnunpy = 'y'\n";
        let error = ImportRules::parse(text, |name| name == "numpy").unwrap_err();
        assert_eq!(error.to_string(), "3:1: no lock has a distribution `nunpy`");
    }
}
