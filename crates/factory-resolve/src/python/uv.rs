//! uv: found on PATH or installed into the cache; started with the user's own index settings.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use super::error::Error;
use crate::context::Context;
use factory_base::error::Explain as _;
use factory_base::process;
use factory_model::lock::Sha256;

/// What is installed when PATH has no usable uv: pip's requirement, with hashes.
const REQUIREMENTS: &str = include_str!("uv-requirements.txt");
/// The first version whose pylock output and `--format` option are as used here.
const OLDEST: (u32, u32) = (0, 9);
/// uv's newest name for a glibc platform that is not newer than the base's 2.41; the machine
/// stands before it.
const PLATFORM: &str = "manylinux_2_40";

/// A usable uv.
pub(super) struct Uv {
    program: PathBuf,
    environment: Vec<(String, String)>,
    index: Vec<String>,
}

/// What one `uv pip compile` gets.
pub(super) struct Compile<'a> {
    /// Directory of the files below, and of a `uv.toml`.
    pub directory: &'a Path,
    /// Interpreter to resolve for.
    pub python: &'a Path,
    /// Machine to resolve for: `x86_64`.
    pub machine: &'a str,
    /// Requirement files.
    pub lists: &'a [String],
    /// Constraint files.
    pub constraints: &'a [&'a str],
    /// Override file.
    pub overrides: &'a str,
    /// Output file, whose present content uv keeps where it can.
    pub output: &'a str,
    /// `requirements.txt` or `pylock.toml`.
    pub format: &'a str,
    /// Projects that may come as sdist; `uv.toml` says what they require.
    pub sdists: &'a [String],
    /// More arguments.
    pub arguments: &'a [String],
}

impl Uv {
    /// Finds or installs uv.
    pub fn provide(ctx: &dyn Context) -> Result<Self> {
        let shell = Shell::new()?;
        let settings = PipSettings::read(&shell);
        let mut uv = Self {
            program: PathBuf::from("uv"),
            environment: settings.environment(),
            index: settings.index_arguments(),
        };
        if let Some(found) = process::find("uv") {
            let version = process::capture(cmd!(shell, "{found} --version"))?;
            if is_new_enough(&version) {
                uv.program = found;
                return Ok(uv);
            }
        }
        // Named after the hashes too: what was installed for others is not taken.
        let mut hash = Sha256::of(REQUIREMENTS.as_bytes()).to_string();
        hash.truncate(12);
        let directory = ctx.cache().join(format!("uv-{hash}"));
        uv.program = directory.join("bin/uv");
        if !uv.program.exists() {
            let requirement = requirement();
            ctx.step("Installing", &requirement.replace("==", " "));
            uv.install(ctx.cache(), &directory).map_err(|error| {
                let requirement = requirement.to_owned();
                error.context(Error::NoUv { requirement }.failure())
            })?;
        }
        Ok(uv)
    }

    /// Installs the uv whose hash is known, beside its place first.
    fn install(&self, cache: &Path, directory: &Path) -> Result<()> {
        fs_err::create_dir_all(cache)?;
        let work = tempfile::tempdir_in(cache)?;
        let (list, target) = (work.path().join("requirements.txt"), work.path().join("uv"));
        fs_err::write(&list, REQUIREMENTS)?;
        let sh = Shell::new()?;
        process::capture(cmd!(
            sh,
            "python3 -m pip install --quiet --no-deps --require-hashes --only-binary :all: --root-user-action=ignore --target {target} --requirement {list}"
        ))?;
        fs_err::rename(&target, directory)?;
        Ok(())
    }

    /// An interpreter that is installed already.
    pub fn find_python(&self, request: &str) -> Option<PathBuf> {
        let uv = &self.program;
        let sh = Shell::new().ok()?;
        let command = cmd!(
            sh,
            "{uv} python find --no-project --no-python-downloads {request}"
        );
        let path = process::capture(command).ok()?;
        let path = PathBuf::from(path.trim());
        path.exists().then_some(path)
    }

    /// Lets uv install an interpreter into the cache; fails fast where its host is not reachable.
    pub fn install_python(&self, ctx: &dyn Context, request: &str) -> Result<PathBuf> {
        let (uv, sh) = (&self.program, Shell::new()?);
        let directory = ctx.cache().join("uv-python");
        let with = |cmd: Cmd<'_>| -> Result<String> {
            let cmd = cmd
                .env("UV_PYTHON_INSTALL_DIR", &directory)
                .env("UV_HTTP_TIMEOUT", "15")
                .env("UV_HTTP_RETRIES", "0");
            process::capture(cmd.envs(self.environment.iter().map(|(k, v)| (k, v))))
        };
        with(cmd!(sh, "{uv} python install --no-bin {request}"))?;
        let path = with(cmd!(
            sh,
            "{uv} python find --no-project --no-python-downloads {request}"
        ))?;
        Ok(PathBuf::from(path.trim()))
    }

    /// Runs `uv pip compile`; the inner error is what uv says about the requirements.
    pub fn compile(&self, request: &Compile<'_>) -> Result<Result<(), String>> {
        let uv = &self.program;
        let sh = Shell::new()?;
        sh.change_dir(request.directory);
        let (python, format, output) = (request.python, request.format, request.output);
        let overrides = request.overrides;
        let platform = format!("{}-{PLATFORM}", request.machine);
        let mut command = cmd!(
            sh,
            "{uv} pip compile --no-header --annotation-style line --color never --python {python} --python-platform {platform} --format {format} --output-file {output} --override {overrides}"
        );
        // An sdist's own backend would run here to say what it requires. uv refuses to build
        // where no sdist is allowed; of those that are, `uv.toml` has the requirements.
        command = command.args(["--only-binary", ":all:"]);
        for name in request.sdists {
            command = command.arg("--no-binary").arg(name);
        }
        for file in request.constraints {
            command = command.arg("--constraint").arg(file);
        }
        command = command
            .args(&self.index)
            .args(request.arguments)
            .args(request.lists)
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        let mut lines = Vec::new();
        let ((status, text), _) = process::run(command, |line| lines.push(line.to_owned()))?;
        if status.success() {
            return Ok(Ok(()));
        }
        let message = lines.join("\n");
        if !message.contains("No solution found") {
            process::finish(&text, status, &lines).context(Error::UvFailed.failure())?;
        }
        Ok(Err(message))
    }
}

/// `uv==0.13.9`.
fn requirement() -> &'static str {
    REQUIREMENTS
        .lines()
        .find(|line| line.starts_with("uv=="))
        .map_or("uv", |line| line.trim_end_matches(['\\', ' ']))
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => (major, minor) >= OLDEST,
        _ => false,
    }
}

/// What the user told pip; used for what uv was not told itself.
#[derive(Default)]
struct PipSettings {
    index: Option<String>,
    extra: Vec<String>,
    certificates: Option<String>,
}

impl PipSettings {
    fn read(sh: &Shell) -> Self {
        if process::find("python3").is_none() {
            return Self::default();
        }
        // No pip means no pip settings.
        match process::capture(cmd!(sh, "python3 -m pip config list")) {
            Ok(text) => Self::parse(&text),
            Err(_) => Self::default(),
        }
    }

    /// `global.index-url='URL'`, `:env:.cert='FILE'`; the environment comes first and wins.
    fn parse(text: &str) -> Self {
        let mut settings = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches(['\'', '"']).to_owned();
            match key.rsplit('.').next() {
                Some("index-url") => {
                    settings.index.get_or_insert(value);
                }
                Some("extra-index-url") => settings.extra = words(&value),
                Some("cert") => {
                    settings.certificates.get_or_insert(value);
                }
                _ => {}
            }
        }
        settings
    }

    fn index_arguments(&self) -> Vec<String> {
        let told = [
            "UV_DEFAULT_INDEX",
            "UV_INDEX_URL",
            "UV_INDEX",
            "UV_CONFIG_FILE",
        ]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
        let configured = ["/etc/uv/uv.toml".to_owned()]
            .into_iter()
            .chain(
                std::env::var("HOME")
                    .ok()
                    .map(|home| format!("{home}/.config/uv/uv.toml")),
            )
            .any(|file| fs_err::read_to_string(file).is_ok_and(|text| text.contains("index")));
        if told || configured {
            return Vec::new();
        }
        let mut arguments = Vec::new();
        if let Some(url) = &self.index {
            arguments.extend(["--default-index".to_owned(), url.clone()]);
        }
        for url in &self.extra {
            arguments.extend(["--index".to_owned(), url.clone()]);
        }
        arguments
    }

    fn environment(&self) -> Vec<(String, String)> {
        match &self.certificates {
            Some(file) if std::env::var_os("SSL_CERT_FILE").is_none() => {
                vec![("SSL_CERT_FILE".to_owned(), file.clone())]
            }
            _ => Vec::new(),
        }
    }
}

/// `extra-index-url` holds several, separated by a newline that `pip config list` escapes.
fn words(value: &str) -> Vec<String> {
    value
        .replace("\\n", " ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_versions() {
        assert!(is_new_enough("uv 0.13.9 (x86_64)"));
        assert!(is_new_enough("uv 1.0.0"));
        assert!(!is_new_enough("uv 0.4.30"));
        assert!(!is_new_enough("nonsense"));
    }

    #[test]
    fn ok_installed_version_is_one_that_we_can_use() {
        assert!(is_new_enough(&requirement().replace("==", " ")));
        assert_eq!(REQUIREMENTS.matches("--hash=sha256:").count(), 2);
    }

    #[test]
    fn ok_pip_settings() {
        let settings = PipSettings::parse(
            ":env:.cert='/etc/ca.pem'\nglobal.cert='/other.pem'\nglobal.index-url='https://mirror.example/simple'\nglobal.extra-index-url='\\nhttps://a.example/s\\nhttps://b.example/s'\n",
        );
        assert_eq!(settings.certificates.as_deref(), Some("/etc/ca.pem"));
        assert_eq!(
            settings.index.as_deref(),
            Some("https://mirror.example/simple")
        );
        assert_eq!(settings.extra.len(), 2);
    }
}
