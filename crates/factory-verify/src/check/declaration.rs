//! One check: what it proves, its limits, what it needs, and what it runs.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{ImageConfig, RESERVED, SyntaxError, syntax};
use factory_model::layer::LayerName;

/// One check, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckFile {
    /// What it proves, one sentence without a period.
    proves: Spanned<String>,
    /// Limit in seconds.
    timeout_s: Spanned<u64>,
    /// Whether it needs a GPU.
    #[serde(default)]
    gpu: bool,
    /// The least compute capability it needs, as `8.0`.
    compute_capability: Option<Spanned<String>>,
    /// A line for bash.
    command: Option<Spanned<String>>,
    /// A file beside this one: `*.sh` for bash, `*.py` for the image's Python.
    script: Option<Spanned<PathBuf>>,
    /// What the script gets on its command line.
    #[serde(default)]
    arguments: Vec<String>,
    /// How the engine must describe the image.
    config: Option<Spanned<ImageConfig>>,
    /// What the script reads from its standard input.
    stdin: Option<Spanned<StandardInput>>,
    /// What must be there for the check to make sense.
    #[serde(default)]
    needs: Needs,
    /// For the script; only looked at by it.
    data: Option<Spanned<toml::Table>>,
}

/// What a script reads from its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandardInput {
    /// The check's own file, for its table `data`.
    Check,
    /// The Python lock of the variant.
    Lock,
}

/// What a check is about: where that is not there, the check is absent and not passed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Needs {
    /// Normalized names. In an image the lock says which there are, so that a distribution
    /// which the image has lost is a failure.
    pub distributions: Vec<String>,
    /// Programs on PATH. An image must have them.
    pub programs: Vec<String>,
    /// Paths. An image must have them.
    pub files: Vec<PathBuf>,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A line for bash.
    Command(String),
    /// The name of a file beside the check, for bash.
    Shell(PathBuf),
    /// The name of a file beside the check, for Python.
    Python(PathBuf),
    /// What the engine says of the image.
    Config(Box<ImageConfig>),
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
    /// The least compute capability of that GPU.
    pub compute_capability: Option<(u32, u32)>,
    /// What must be there.
    pub needs: Needs,
    /// What the script reads.
    pub stdin: Option<StandardInput>,
    /// What the script gets on its command line.
    pub arguments: Vec<String>,
    /// What it looks at.
    pub body: Body,
}

impl Check {
    /// Reads a check.
    ///
    /// # Errors
    /// Says what is wrong with the text, and where.
    pub fn parse(layer: &LayerName, name: &str, text: &str) -> Result<Self, SyntaxError> {
        let file: CheckFile = syntax::read(text)?;
        let wrong = |span, reason: &str| Err(SyntaxError::at(text, Some(span), reason));
        if RESERVED.contains(&name) {
            return wrong(0..0, "`verify` itself makes a check of this name");
        }
        if file.proves.get_ref().trim().is_empty() {
            return wrong(file.proves.span(), "`proves` is empty");
        }
        if *file.timeout_s.get_ref() == 0 {
            return wrong(file.timeout_s.span(), "`timeout_s` is 0");
        }
        let capability = match &file.compute_capability {
            None => None,
            Some(written) if !file.gpu => {
                return wrong(written.span(), "`compute_capability` without `gpu = true`");
            }
            Some(written) => match parse_capability(written.get_ref()) {
                None => return wrong(written.span(), "not a compute capability such as `8.0`"),
                found => found,
            },
        };
        let body = match (file.command, file.script, file.config) {
            (Some(command), None, None) => Body::Command(command.into_inner()),
            (None, Some(script), None) => script_body(script.get_ref())
                .map_err(|reason| SyntaxError::at(text, Some(script.span()), reason))?,
            (None, None, Some(config)) => Body::Config(Box::new(config.into_inner())),
            _ => return wrong(0..0, "give one of `command`, `script` and `config`"),
        };
        let is_script = matches!(body, Body::Shell(_) | Body::Python(_));
        if let (Some(stdin), false) = (&file.stdin, is_script) {
            return wrong(stdin.span(), "only a script reads standard input");
        }
        let stdin = file.stdin.map(Spanned::into_inner);
        if let (Some(data), false) = (&file.data, stdin == Some(StandardInput::Check)) {
            return wrong(data.span(), "`data` is read with `stdin = \"check\"`");
        }
        Ok(Self {
            layer: layer.clone(),
            name: name.to_owned(),
            proves: file.proves.into_inner(),
            timeout_s: file.timeout_s.into_inner(),
            gpu: file.gpu,
            compute_capability: capability,
            needs: file.needs,
            stdin,
            arguments: file.arguments,
            body,
        })
    }
}

/// `8.0`, as NVIDIA and `nvidia-smi` write it.
pub fn parse_capability(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn script_body(script: &Path) -> Result<Body, String> {
    let shown = script.display();
    if script.components().count() != 1 || script.is_absolute() {
        return Err(format!("`{shown}` is not a file beside the check"));
    }
    match script.extension().and_then(|extension| extension.to_str()) {
        Some("sh") => Ok(Body::Shell(script.to_owned())),
        Some("py") => Ok(Body::Python(script.to_owned())),
        _ => Err(format!("`{shown}` is neither `.sh` nor `.py`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Check, SyntaxError> {
        Check::parse(&"02-python-tools".parse().unwrap(), "gil", text)
    }

    #[test]
    fn ok_forms() {
        let check = parse("proves = 'x'\ntimeout_s = 5\ncommand = 'true'").unwrap();
        assert_eq!(
            (check.gpu, check.body),
            (false, Body::Command("true".to_owned()))
        );
        let text = "proves = 'x'\ntimeout_s = 5\ngpu = true\ncompute_capability = '8.9'\n\
                    script = 'a.py'\nstdin = 'check'\n[needs]\ndistributions = ['torch']\n\
                    [data]\nanything = 1";
        let check = parse(text).unwrap();
        assert_eq!(check.compute_capability, Some((8, 9)));
        assert_eq!(check.needs.distributions, ["torch"]);
        assert_eq!((check.gpu, check.body), (true, Body::Python("a.py".into())));
    }

    #[test]
    fn err_forms() {
        for (rest, expected) in [
            ("", "1:1: give one of `command`, `script` and `config`"),
            (
                "script = '../a.py'",
                "3:10: `../a.py` is not a file beside the check",
            ),
            ("script = 'a.rb'", "3:10: `a.rb` is neither `.sh` nor `.py`"),
            (
                "command = 'x'\nstdin = 'lock'",
                "4:9: only a script reads standard input",
            ),
            (
                "command = 'x'\ngpu = true\ncompute_capability = '9'",
                "5:22: not a compute capability such as `8.0`",
            ),
            (
                "script = 'x.sh'\ndata = {}",
                "4:8: `data` is read with `stdin = \"check\"`",
            ),
        ] {
            let error = parse(&format!("proves = 'x'\ntimeout_s = 5\n{rest}")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = parse("proves = 'x'\ntimeout_s = 0\ncommand = 'x'").unwrap_err();
        assert_eq!(error.to_string(), "2:13: `timeout_s` is 0");
        let error = parse("proves = 'x'\ntimeout_s = 1\nnothing = 1").unwrap_err();
        assert!(
            error.to_string().starts_with("3:1: unknown field"),
            "{error}"
        );
    }
}
