//! `doctor`: what this machine has and lacks, and the command that helps.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::ctx::Ctx;
use crate::document::{self, Check, CheckState as State, Doctor};
use factory_base::error;
use factory_base::process;
use factory_base::text;
use factory_fetch::{Http, Indexes, Mirrors, Request, git};
use factory_model::lock::{self, SourcesLock};
use factory_nix::{Nix, tested_versions};
use factory_verify::engine::EngineKind;

/// Sources, store and cache of the largest variant (design, target "peak disk").
const DISK: u64 = 25_000_000_000;
/// Below this not even the smallest variant fits.
const LEAST_DISK: u64 = 8_000_000_000;
/// Linking the large extensions takes this much.
const MEMORY: u64 = 8_000_000_000;

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            found: found.into(),
            hint: None,
        }
    }

    fn not(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            hint: Some(hint.into()),
        }
    }
}

pub(crate) fn run(ctx: &Ctx) -> Result<()> {
    let mut checks = vec![platform(), memory()];
    checks.extend(namespaces(ctx)?);
    checks.push(disk(ctx, "disk of the store", &Nix::store_directory(ctx))?);
    checks.push(disk(ctx, "disk of the cache", &ctx.cache)?);
    checks.push(nix(ctx)?);
    checks.extend(programs());
    for kind in EngineKind::ALL {
        checks.push(engine(kind)?);
    }
    checks.push(gpu()?);
    checks.extend(registries(ctx)?);
    report(ctx, checks)
}

fn report(ctx: &Ctx, checks: Vec<Check>) -> Result<()> {
    let n_missing = checks
        .iter()
        .filter(|check| check.state == State::Missing)
        .count();
    if ctx.json {
        let can_build = n_missing == 0;
        document::print(ctx, &Doctor { can_build, checks })?;
    } else {
        ctx.ui.data(render(&checks))?;
    }
    match n_missing {
        0 => Ok(()),
        1 => Err(error::environment("one thing that a build needs is missing").into()),
        count => {
            Err(error::environment(format!("{count} things that a build needs are missing")).into())
        }
    }
}

fn render(checks: &[Check]) -> String {
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let state = match check.state {
                State::Ok => "ok",
                State::Optional => "optional",
                State::Missing => "MISSING",
            };
            vec![state.to_owned(), check.name.to_owned(), check.found.clone()]
        })
        .collect();
    let mut text = text::table(&["state", "what", "found"], &rows, &[]);
    let mut hints = checks
        .iter()
        .filter_map(|check| Some((check.name, check.hint.as_ref()?)))
        .peekable();
    if hints.peek().is_some() {
        text.push('\n');
    }
    for (name, hint) in hints {
        text.push_str(&format!("\n{name}: {hint}"));
    }
    text
}

fn platform() -> Check {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let found = format!("{os} {arch}");
    if (os, arch) == ("linux", "x86_64") {
        Check::ok("platform", found)
    } else {
        Check::not(
            "platform",
            State::Missing,
            found,
            "the image is built on and for Linux on x86_64",
        )
    }
}

fn memory() -> Check {
    let total = fs_err::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total_memory(&text));
    match total {
        Some(bytes) if bytes < MEMORY => Check::not(
            "memory",
            State::Optional,
            text::bytes(bytes),
            format!(
                "source builds may need {}: add swap, or build with `--jobs 1`",
                text::bytes(MEMORY)
            ),
        ),
        Some(bytes) => Check::ok("memory", text::bytes(bytes)),
        None => Check::ok("memory", "unknown"),
    }
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The kernel switches that forbid user namespaces.
#[derive(Debug, Default)]
struct Switches {
    apparmor_restricts: bool,
    clone_forbidden: bool,
    limit_is_zero: bool,
}

impl Switches {
    fn read() -> Self {
        let value = |path: &str| {
            fs_err::read_to_string(path)
                .ok()
                .map(|text| text.trim().to_owned())
        };
        Self {
            apparmor_restricts: value("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
                .as_deref()
                == Some("1"),
            clone_forbidden: value("/proc/sys/kernel/unprivileged_userns_clone").as_deref()
                == Some("0"),
            limit_is_zero: value("/proc/sys/user/max_user_namespaces").as_deref() == Some("0"),
        }
    }

    fn hint(&self) -> String {
        let setting = if self.limit_is_zero {
            "user.max_user_namespaces=15000"
        } else if self.clone_forbidden {
            "kernel.unprivileged_userns_clone=1"
        } else if self.apparmor_restricts {
            "kernel.apparmor_restrict_unprivileged_userns=0"
        } else {
            return "builds need them: in a container, start it with `--security-opt seccomp=unconfined --cap-add SYS_ADMIN`".to_owned();
        };
        format!(
            "`sudo sysctl -w {setting}`; to keep it, write the setting to a file in /etc/sysctl.d"
        )
    }
}

/// Tried rather than computed: sysctls, AppArmor, seccomp and capabilities all have a say.
fn namespaces(ctx: &Ctx) -> Result<Vec<Check>> {
    const NAMESPACES: &str = "user namespaces";
    const OVERLAY: &str = "overlay mounts";
    let switches = Switches::read();
    let shell = Shell::new()?;
    if process::find("unshare").is_none() {
        return Ok(vec![Check::not(
            NAMESPACES,
            State::Optional,
            "not tried: `unshare` is not on PATH",
            "install util-linux",
        )]);
    }
    if let Err(error) = process::capture(cmd!(
        shell,
        "unshare --user --map-root-user --mount --pid --fork true"
    )) {
        return Ok(vec![Check::not(
            NAMESPACES,
            State::Missing,
            last_line(&error),
            switches.hint(),
        )]);
    }
    let found = Check::ok(NAMESPACES, "allowed");
    fs_err::create_dir_all(&ctx.cache)?;
    let directory = tempfile::tempdir_in(&ctx.cache)?;
    for name in ["lower", "upper", "work", "merged"] {
        fs_err::create_dir(directory.path().join(name))?;
    }
    shell.change_dir(directory.path());
    // The kernel makes a directory without permissions in `work`, which only the root of
    // the namespace can remove again.
    let script = "mount -t overlay overlay \
        -o lowerdir=lower,upperdir=upper,workdir=work,userxattr merged && umount merged; \
        status=$?; rm -rf work; exit $status";
    let mounted = process::capture(cmd!(
        shell,
        "unshare --user --map-root-user --mount sh -c {script}"
    ));
    directory.close()?;
    let overlay = match mounted {
        Ok(_) => Check::ok(OVERLAY, "allowed in user namespaces"),
        Err(error) => Check::not(
            OVERLAY,
            State::Missing,
            last_line(&error),
            format!(
                "builds mount the image so far: they need Linux 5.11 or newer, `modprobe overlay`, and a file system other than overlay below `{}`",
                ctx.cache.display()
            ),
        ),
    };
    Ok(vec![found, overlay])
}

fn disk(ctx: &Ctx, name: &'static str, directory: &Path) -> Result<Check> {
    let existing = directory.ancestors().find(|path| path.is_dir());
    let free = fs4::available_space(existing.unwrap_or(&ctx.root))?;
    let found = format!("{} free at {}", text::bytes(free), directory.display());
    let hint = format!(
        "a full build needs about {}; `cargo xtask clean` says what can be removed",
        text::bytes(DISK)
    );
    Ok(match free {
        DISK.. => Check::ok(name, found),
        LEAST_DISK.. => Check::not(name, State::Optional, found, hint),
        _ => Check::not(name, State::Missing, found, hint),
    })
}

fn nix(ctx: &Ctx) -> Result<Check> {
    let found = match Nix::on_path(ctx)? {
        Some(nix) => nix.version().to_owned(),
        None => "will be provided from pinned Debian packages".to_owned(),
    };
    let tested = tested_versions(ctx)?.join(" and ");
    Ok(Check::ok("nix", format!("{found} (tested: {tested})")))
}

fn programs() -> Vec<Check> {
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

fn engine(kind: EngineKind) -> Result<Check> {
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

fn gpu() -> Result<Check> {
    if process::find("nvidia-smi").is_none() {
        return Ok(Check::not(
            "gpu",
            State::Optional,
            "no NVIDIA driver",
            "a build needs none; the image needs a driver for CUDA 13.0 (580 or newer)",
        ));
    }
    let shell = Shell::new()?;
    let query = "--query-gpu=name,driver_version";
    Ok(
        match process::capture(cmd!(shell, "nvidia-smi {query} --format=csv,noheader")) {
            Ok(text) => Check::ok("gpu", text.lines().collect::<Vec<_>>().join("; ")),
            Err(error) => Check::not(
                "gpu",
                State::Optional,
                last_line(&error),
                "the driver is installed but not loaded: `nvidia-smi` says more",
            ),
        },
    )
}

fn registries(ctx: &Ctx) -> Result<Vec<Check>> {
    const DEBIAN: &str = "Debian mirror";
    const PYTHON: &str = "Python index";
    const GIT: &str = "git host";
    if ctx.offline {
        return Ok(vec![Check::not(
            "network",
            State::Optional,
            "not asked, because of `--offline`",
            "run `cargo xtask doctor` without it",
        )]);
    }
    let http = Http::impatient()?;
    let ask = |name: &'static str, url: &str, proxy: Option<&str>, hint: &str| {
        let host = factory_fetch::host_of(url).unwrap_or_default();
        let request = Request {
            head: true,
            proxy,
            ..Request::default()
        };
        match http.send(url, request) {
            Ok(_) => Check::ok(name, format!("{host} answers")),
            // Mirrors need not have a page at their root.
            Err(error) if matches!(error.status, Some(400..500)) => {
                Check::ok(name, format!("{host} answers"))
            }
            Err(error) => Check::not(name, State::Missing, format!("{host}: {error}"), hint),
        }
    };
    let mut checks = Vec::new();
    let mirrors = Mirrors::of_machine()?;
    let first = mirrors.first_url("debian");
    checks.push(ask(
        DEBIAN,
        &first,
        mirrors.proxy(),
        "set `HTTP_PROXY`/`HTTPS_PROXY`, or name a mirror in /etc/apt/sources.list.d",
    ));
    checks.push(match Indexes::of_user(ctx) {
        Err(error) => Check::not(
            PYTHON,
            State::Missing,
            format!("{error}"),
            error::hints_of(&error).join("; "),
        ),
        Ok(indexes) => ask(
            PYTHON,
            indexes.urls().first().map_or("", String::as_str),
            None,
            "set `HTTPS_PROXY`, or `UV_DEFAULT_INDEX` to a mirror",
        ),
    });
    if let Some(url) = first_git_url(ctx)? {
        checks.push(match git::reachable(ctx, &url) {
            Ok(()) => Check::ok(GIT, format!("{} answers", git::actual_url(&url)?)),
            Err(error) => Check::not(
                GIT,
                State::Optional,
                format!("{url}: {}", last_line(&error)),
                "`--variant slim` and `--omit git` need none; a mirror: `git config --global url.MIRROR.insteadOf ORIGINAL`",
            ),
        });
    }
    Ok(checks)
}

/// One repository that a build may clone.
fn first_git_url(ctx: &Ctx) -> Result<Option<String>> {
    let path = ctx.locks().join("sources.toml");
    if !path.is_file() {
        return Ok(None);
    }
    let sources =
        lock::parse::<SourcesLock>(&fs_err::read_to_string(&path)?).map_err(|source| {
            error::bad_input(format!("cannot read `{}`: {source}", path.display()))
        })?;
    Ok(sources.lock.git.into_values().next().map(|tree| tree.url))
}

/// What a program said last is what it stumbled over.
fn last_line(error: &anyhow::Error) -> String {
    let text = error.root_cause().to_string();
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_table_and_hints() {
        let checks = [
            Check::ok("platform", "linux x86_64"),
            Check::not("podman", State::Optional, "not on PATH", "install it"),
            Check::not(
                "user namespaces",
                State::Missing,
                "unshare failed: Operation not permitted",
                Switches {
                    apparmor_restricts: true,
                    ..Switches::default()
                }
                .hint(),
            ),
        ];
        insta::assert_snapshot!(render(&checks), @"
        state     what             found
        ok        platform         linux x86_64
        optional  podman           not on PATH
        MISSING   user namespaces  unshare failed: Operation not permitted

        podman: install it
        user namespaces: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; to keep it, write the setting to a file in /etc/sysctl.d
        ");
    }

    #[test]
    fn ok_switch_that_matters_first() {
        let all = Switches {
            apparmor_restricts: true,
            clone_forbidden: true,
            limit_is_zero: true,
        };
        assert!(all.hint().contains("user.max_user_namespaces"));
        assert!(Switches::default().hint().contains("container"));
    }

    #[test]
    fn ok_memory() {
        assert_eq!(
            total_memory("MemTotal:        8031234 kB\nMemFree: 1 kB\n"),
            Some(8_031_234 * 1024)
        );
        assert_eq!(total_memory("what"), None);
    }
}
