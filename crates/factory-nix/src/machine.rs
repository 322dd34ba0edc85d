//! What kind of machine this is, and for which kinds its Nix can build.

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use xshell::Shell;

use super::{Error, Nix};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::run::Directories;
use factory_model::system::{System, Systems};

/// The kind of this machine, as `package-lists/systems.toml` has it; the default one on a machine
/// that it does not name.
///
/// # Errors
/// The file cannot be read, or is wrong.
pub(super) fn of_machine(directories: &dyn Directories) -> Result<System> {
    let path = directories.root().join(Systems::FILE);
    let text = fs_err::read_to_string(&path)?;
    let systems = Systems::parse(&text).map_err(|source| {
        let problem = source.to_string();
        Error::BadSystems { path, problem }.failure()
    })?;
    Ok(systems.own().unwrap_or(systems.default()).clone())
}

/// What of `nix config show` says for which systems builds can run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Builders {
    system: String,
    extra: Vec<String>,
    /// Lines of remote builders (nix.conf(5), `builders`).
    remote: String,
    substituters: Vec<String>,
}

impl Nix {
    /// Refuses what this machine cannot build, before anything is fetched for it. Where there are
    /// binary caches, Nix may find what is missing there, and says itself what it does not.
    ///
    /// # Errors
    /// Nothing that this Nix knows of builds for the system.
    pub fn require_builder(&self, system: &str) -> Result<()> {
        let builders = self.builders()?;
        if builders.build_for(system) || !builders.substituters.is_empty() {
            return Ok(());
        }
        let system = system.to_owned();
        let own = builders.system;
        Err(Error::NoBuilder { system, own }.failure().into())
    }

    fn builders(&self) -> Result<Builders> {
        let shell = Shell::new()?;
        let cmd = self.cmd(&shell, "nix").args(["config", "show", "--json"]);
        let mut builders = parse(&process::capture(cmd)?).ok_or_else(|| {
            Error::UnknownAnswer {
                command: "nix config show --json",
                version: self.version.clone(),
            }
            .failure()
        })?;
        if let Some(file) = builders.remote.trim().strip_prefix('@') {
            // There need not be such a file.
            builders.remote = fs_err::read_to_string(file).unwrap_or_default();
        }
        Ok(builders)
    }
}

impl Builders {
    fn build_for(&self, system: &str) -> bool {
        let is_remote = |line: &str| {
            let mut fields = line.split_whitespace();
            // The address; then systems, or `-` for that of the machine here.
            let has_address = fields.next().is_some_and(|word| !word.starts_with('#'));
            let systems = fields.next().unwrap_or("-");
            has_address
                && systems
                    .split(',')
                    .any(|one| one == system || (one == "-" && self.system == system))
        };
        self.system == system
            || self.extra.iter().any(|one| one == system)
            || self.remote.split(['\n', ';']).any(is_remote)
    }
}

fn parse(json: &str) -> Option<Builders> {
    #[derive(Deserialize)]
    struct Setting {
        value: Value,
    }
    let settings: BTreeMap<String, Setting> = serde_json::from_str(json).ok()?;
    let text = |name: &str| Some(settings.get(name)?.value.as_str()?.to_owned());
    let list = |name: &str| {
        let values = settings.get(name)?.value.as_array()?.iter();
        let words = values.map(|value| value.as_str().map(str::to_owned));
        words.collect::<Option<Vec<String>>>()
    };
    Some(Builders {
        system: text("system")?,
        extra: list("extra-platforms")?,
        remote: text("builders")?,
        substituters: list("substituters")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builders(extra: &str, remote: &str) -> Builders {
        let json = format!(
            r#"{{"system":{{"value":"x86_64-linux"}},"extra-platforms":{{"value":[{extra}]}},"builders":{{"value":"{remote}"}},"substituters":{{"value":[]}},"cores":{{"value":0}}}}"#
        );
        parse(&json).unwrap()
    }

    #[test]
    fn ok_who_builds() {
        let none = builders(r#""i686-linux""#, "");
        assert!(none.build_for("x86_64-linux"));
        assert!(!none.build_for("aarch64-linux"));
        assert!(builders(r#""aarch64-linux""#, "").build_for("aarch64-linux"));
        let remote = |line: &str| builders("", line).build_for("aarch64-linux");
        assert!(remote(
            "ssh://one; ssh-ng://two x86_64-linux,aarch64-linux /key 8"
        ));
        assert!(!remote("ssh://one x86_64-linux"));
        assert!(!remote("ssh://one"));
        assert!(!remote("# aarch64-linux aarch64-linux"));
    }

    #[test]
    fn err_another_form() {
        assert_eq!(parse("{}"), None);
        assert_eq!(parse("system = x86_64-linux"), None);
    }
}
