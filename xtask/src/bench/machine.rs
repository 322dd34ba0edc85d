//! What figures were measured on: no name of a machine, and no path.

use std::path::Path;

use anyhow::Result;
use factory_base::{memory, process};
use factory_bench::Machine;
use factory_nix::Nix;
use xshell::Shell;

/// A program and the words that make it say its version; Nix may not be on PATH.
const PROGRAMS: [(&str, &[&str]); 4] = [
    ("docker-registry", &["--version"]),
    ("openssl", &["version"]),
    ("podman", &["--version"]),
    ("skopeo", &["--version"]),
];

/// This machine; `programs` are those that a case uses.
pub(super) fn machine(disk: &Path, programs: &[&str], nix: Option<&Nix>) -> Result<Machine> {
    let cores = fs_err::read_to_string("/proc/cpuinfo")?;
    let meminfo = fs_err::read_to_string("/proc/meminfo")?;
    let shell = Shell::new()?;
    let mut machine = Machine {
        processor: field(&cores, "model name").unwrap_or("unknown").to_owned(),
        n_cores: std::thread::available_parallelism().map_or(1, Into::into),
        memory_bytes: memory::field(&meminfo, "MemTotal").unwrap_or_default(),
        kernel: fs_err::read_to_string("/proc/sys/kernel/osrelease")?
            .trim()
            .to_owned(),
        disk: kind_of_disk(disk)?,
        programs: std::collections::BTreeMap::new(),
    };
    if let Some(nix) = nix {
        let version = short("nix", nix.version());
        machine.programs.insert("nix".to_owned(), version);
    }
    for (program, arguments) in PROGRAMS {
        if programs.contains(&program) && process::find(program).is_some() {
            let said = process::capture(shell.cmd(program).args(arguments))?;
            let version = short(program, &said);
            machine.programs.insert(program.to_owned(), version);
        }
    }
    Ok(machine)
}

/// `podman 4.3.1`: the first word that begins with a digit is the version.
fn short(program: &str, said: &str) -> String {
    let mut words = said.split([' ', '\n']);
    let version = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    format!("{program} {}", version.unwrap_or("of unknown version"))
}

/// The average of the last minute, proc(5).
pub(super) fn load_average() -> Result<f64> {
    let text = fs_err::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().unwrap_or_default();
    Ok(first.parse()?)
}

/// What stands behind a colon.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// `ext4, solid state`.
fn kind_of_disk(directory: &Path) -> Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
    let device = fs_err::metadata(directory)?.dev();
    let (major, minor) = (major_of(device), minor_of(device));
    let number = format!("{major}:{minor}");
    let Some(mount) = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(&number))
    else {
        return Ok("unknown".to_owned());
    };
    let system = mount
        .split_once(" - ")
        .and_then(|(_, rest)| rest.split(' ').next())
        .unwrap_or("unknown");
    let block = Path::new("/sys/dev/block").join(&number);
    // A partition's queue is that of its disk.
    let queue = ["queue/rotational", "../queue/rotational"]
        .into_iter()
        .find_map(|file| std::fs::read_to_string(block.join(file)).ok());
    Ok(match queue.as_deref().map(str::trim) {
        Some("0") => format!("{system}, solid state"),
        Some("1") => format!("{system}, rotating or virtual"),
        _ => system.to_owned(),
    })
}

/// As makedev(3) puts numbers together.
fn major_of(device: u64) -> u64 {
    ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff)
}

fn minor_of(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & !0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_versions_are_short() {
        let shown = [
            short("podman", "podman version 4.3.1\n"),
            short(
                "openssl",
                "OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19)",
            ),
            short(
                "docker-registry",
                "docker-registry github.com/docker/distribution 2.8.2+ds1",
            ),
            short("nix", "nix (Nix) 2.26.3"),
            short("x", "none"),
        ];
        assert_eq!(
            shown,
            [
                "podman 4.3.1",
                "openssl 3.0.19",
                "docker-registry 2.8.2+ds1",
                "nix 2.26.3",
                "x of unknown version"
            ]
        );
    }
}
