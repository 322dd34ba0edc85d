//! The machine itself: memory, namespaces, disks, and a GPU.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::found::last_line;
use crate::ctx::Ctx;
use crate::document::{Check, CheckState as State};
use factory_base::text;
use factory_base::{memory, process};

/// From the clone to a loaded image, where store and engine share a disk: 15 GB in the store
/// and 11 GB while podman loads were measured.
const DISK: u64 = 30_000_000_000;
/// Sources, store and cache alone, while the largest variant is built.
const BUILD_DISK: u64 = 25_000_000_000;
/// Below this not even the smallest variant fits.
const LEAST_DISK: u64 = 8_000_000_000;
/// Linking the large extensions takes this much.
const MEMORY: u64 = 8_000_000_000;

pub(super) fn platform(ctx: &Ctx) -> Result<Check> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let found = format!("{os} {arch}");
    let systems = factory_resolve::systems(ctx)?;
    if os == "linux" && systems.own().is_some() {
        return Ok(Check::ok("platform", found));
    }
    let names: Vec<&str> = systems.iter().map(|system| system.name.as_str()).collect();
    let needed = format!("images are built on and for {}", names.join(" and "));
    Ok(Check::not("platform", State::Missing, found, needed))
}

pub(super) fn memory() -> Check {
    let total = fs_err::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| memory::field(&text, "MemTotal"));
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

/// The kernel switches that forbid user namespaces.
#[derive(Debug, Default)]
pub(super) struct Switches {
    pub(super) apparmor_restricts: bool,
    pub(super) clone_forbidden: bool,
    pub(super) limit_is_zero: bool,
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

    pub(super) fn hint(&self) -> String {
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
pub(super) fn namespaces(ctx: &Ctx) -> Result<Vec<Check>> {
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

pub(super) fn disk(ctx: &Ctx, name: &'static str, directory: &Path) -> Result<Check> {
    let existing = directory.ancestors().find(|path| path.is_dir());
    let free = fs4::available_space(existing.unwrap_or(&ctx.root))?;
    let found = format!("{} free at {}", text::bytes(free), directory.display());
    let hint = format!(
        "building and loading an image takes up to {}, {} of them here if the engine has another disk; `cargo xtask clean` says what can be removed",
        text::bytes(DISK),
        text::bytes(BUILD_DISK)
    );
    Ok(match free {
        DISK.. => Check::ok(name, found),
        LEAST_DISK.. => Check::not(name, State::Optional, found, hint),
        _ => Check::not(name, State::Missing, found, hint),
    })
}

pub(super) fn gpu() -> Result<Check> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
