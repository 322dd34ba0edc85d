//! The checks of a layer: `layers/NN-name/checks/*.toml`, what people write.
//!
//! Pure: text in, types out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::layer::LayerName;

/// The file beside the checks that excuses distributions from being imported.
pub const IMPORTS_FILE: &str = "imports.toml";

/// One check, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckFile {
    /// What it proves, one sentence without a period.
    proves: String,
    /// Limit in seconds.
    timeout_s: u64,
    /// Whether it needs a GPU.
    #[serde(default)]
    gpu: bool,
    /// A line for bash.
    command: Option<String>,
    /// A file beside this one: `*.sh` for bash, `*.py` for the image's Python.
    script: Option<PathBuf>,
}

/// What a check runs inside the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A line for bash.
    Command(String),
    /// The name of a file beside the check, for bash.
    Shell(PathBuf),
    /// The name of a file beside the check, for Python.
    Python(PathBuf),
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The layer whose promise it is.
    pub layer: LayerName,
    /// The file's name without `.toml`.
    pub name: String,
    /// What it proves.
    pub proves: String,
    /// Limit in seconds.
    pub timeout_s: u64,
    /// Whether it needs a GPU.
    pub gpu: bool,
    /// What it runs.
    pub body: Body,
}

impl Check {
    /// Reads a check.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(layer: &LayerName, name: &str, text: &str) -> Result<Self, String> {
        let file: CheckFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let body = match (file.command, file.script) {
            (Some(command), None) => Body::Command(command),
            (None, Some(script)) => script_body(script)?,
            _ => return Err("give either `command` or `script`".to_owned()),
        };
        if file.timeout_s == 0 {
            return Err("`timeout_s` is 0".to_owned());
        }
        Ok(Self {
            layer: layer.clone(),
            name: name.to_owned(),
            proves: file.proves,
            timeout_s: file.timeout_s,
            gpu: file.gpu,
            body,
        })
    }
}

fn script_body(script: PathBuf) -> Result<Body, String> {
    if script.components().count() != 1 || script.is_absolute() {
        return Err(format!(
            "`{}` is not a file beside the check",
            script.display()
        ));
    }
    match script.extension().and_then(|extension| extension.to_str()) {
        Some("sh") => Ok(Body::Shell(script)),
        Some("py") => Ok(Body::Python(script)),
        _ => Err(format!("`{}` is neither `.sh` nor `.py`", script.display())),
    }
}

/// Reads `imports.toml`: each distribution that cannot be imported without a GPU, and why.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_excuses(text: &str) -> Result<BTreeMap<String, String>, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Check, String> {
        Check::parse(&"02-python-tools".parse().unwrap(), "gil", text)
    }

    #[test]
    fn ok_forms() {
        let check = parse("proves = 'x'\ntimeout_s = 5\ncommand = 'true'").unwrap();
        assert_eq!(
            (check.gpu, check.body),
            (false, Body::Command("true".to_owned()))
        );
        let check = parse("proves = 'x'\ntimeout_s = 5\ngpu = true\nscript = 'a.py'").unwrap();
        assert_eq!((check.gpu, check.body), (true, Body::Python("a.py".into())));
        let excuses = parse_excuses("nunchaku = 'loads libcuda.so.1'").unwrap();
        assert_eq!(excuses["nunchaku"], "loads libcuda.so.1");
    }

    #[test]
    fn err_forms() {
        for (text, expected) in [
            (
                "proves = 'x'\ntimeout_s = 5",
                "give either `command` or `script`",
            ),
            (
                "proves = 'x'\ntimeout_s = 0\ncommand = 'x'",
                "`timeout_s` is 0",
            ),
            (
                "proves = 'x'\ntimeout_s = 5\nscript = '../a.py'",
                "`../a.py` is not a file beside the check",
            ),
            (
                "proves = 'x'\ntimeout_s = 5\nscript = 'a.rb'",
                "`a.rb` is neither `.sh` nor `.py`",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
        assert!(parse("nothing = 1").unwrap_err().contains("unknown field"));
    }
}
