//! The programs that a build, `load` and `update-locks` start.

use anyhow::Result;
use xshell::{Shell, cmd};

use super::found::last_line;
use crate::ctx::Ctx;
use crate::document::{Check, CheckState as State};
use factory_base::process;
use factory_nix::{Nix, tested_versions};
use factory_verify::engine::EngineKind;

pub(super) fn nix(ctx: &Ctx) -> Result<Check> {
    let found = match Nix::on_path(ctx)? {
        Some(nix) => nix.version().to_owned(),
        None => "will be provided from pinned Debian packages".to_owned(),
    };
    let tested = tested_versions(ctx)?.join(" and ");
    Ok(Check::ok("nix", format!("{found} (tested: {tested})")))
}

pub(super) fn programs() -> Vec<Check> {
    let needed = |name: &'static str, package: &str| match process::find(name) {
        Some(path) => Check::ok(name, path.display().to_string()),
        None => Check::not(
            name,
            State::Missing,
            "not on PATH",
            format!("`sudo apt-get install {package}`"),
        ),
    };
    let optional = |name: &'static str, hint: &str| match process::find(name) {
        Some(path) => Check::ok(name, path.display().to_string()),
        None => Check::not(name, State::Optional, "not on PATH", hint),
    };
    vec![
        needed("git", "git"),
        needed("cargo", "cargo"),
        optional(
            "uv",
            "only `update-locks` needs it: `python3 -m pip install uv`",
        ),
        optional(
            "apt-get",
            "only `update-locks` needs it, to resolve Debian packages: run it on Debian or Ubuntu",
        ),
    ]
}

pub(super) fn engine(kind: EngineKind) -> Result<Check> {
    let name = kind.program();
    let start = match kind {
        EngineKind::Docker => {
            "`sudo systemctl start docker`; where nothing manages services: `sudo dockerd --iptables=false --bridge=none &`, then `docker run --network none`"
        }
        EngineKind::Podman => {
            "`podman info` says why; where control groups are mixed: `podman --runtime runc run --ulimit nofile=1024:1024`"
        }
    };
    if process::find(name).is_none() {
        return Ok(Check::not(
            name,
            State::Optional,
            "not on PATH",
            "`load` and `verify` need docker or podman; `stream` needs neither",
        ));
    }
    let shell = Shell::new()?;
    let format = match kind {
        EngineKind::Docker => "{{.ServerVersion}}",
        EngineKind::Podman => "{{.Version.Version}}",
    };
    Ok(
        match process::capture(cmd!(shell, "{name} info --format {format}")) {
            Ok(version) => Check::ok(name, format!("{}, answers", version.trim())),
            Err(error) => Check::not(
                name,
                State::Optional,
                format!("installed, does not answer: {}", last_line(&error)),
                start,
            ),
        },
    )
}
