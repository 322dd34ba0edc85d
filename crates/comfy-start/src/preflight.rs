//! Says in one sentence what ComfyUI would say in a traceback: no GPU, an old driver, an old
//! device, a port in use.

use std::fs;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::arguments::{has, port, value};
use crate::error::Error;
use crate::kernels::{RECORD, Record, parse_capability};
use crate::say::{detail, warn};

/// The first driver branch, and the oldest device, of each CUDA release family.
///
/// Source: NVIDIA, CUDA Compatibility, "Minor Version Compatibility", and the release notes
/// of the compilers (13.0 dropped what came before Turing).
const CUDA: [(u32, u32, (u32, u32)); 2] = [(12, 525, (5, 0)), (13, 580, (7, 5))];

/// `nvidia-smi` takes seconds where the driver is not loaded yet.
const SMI_LIMIT: Duration = Duration::from_secs(20);

/// Checks that ComfyUI's port is free.
///
/// # Errors
///
/// Somebody listens there.
pub fn check_port(arguments: &[String]) -> Result<(), Error> {
    let port = port(arguments);
    let host = value(arguments, "--listen")
        .and_then(|list| list.split(',').next())
        .and_then(|address| address.parse().ok())
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    match TcpListener::bind((host, port)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Error::PortInUse { port }),
        // ComfyUI will say what is wrong with its address.
        _ => Ok(()),
    }
}

/// Checks that the GPU can run the image's kernels. `system` is `/`, `require` the value of
/// `NVIDIA_REQUIRE_CUDA`.
///
/// # Errors
///
/// There is none, or its driver or itself is too old.
pub fn check_gpu(arguments: &[String], system: &Path, require: Option<&str>) -> Result<(), Error> {
    let elsewhere = ["--cpu", "--directml", "--oneapi-device-selector"];
    if elsewhere.iter().any(|option| has(arguments, option)) {
        return Ok(());
    }
    let there = |path: &str| system.join(path).exists();
    // Under WSL the driver is Windows' own, and only the library can be asked.
    if there("dev/dxg") {
        return Ok(());
    }
    if !there("dev/nvidiactl") {
        return Err(Error::NoGpu {
            reason: "there is no /dev/nvidiactl",
        });
    }
    let Some(cuda) = require.and_then(required_cuda) else {
        return Ok(());
    };
    let Some((_, branch, oldest)) = CUDA.into_iter().find(|(major, _, _)| *major == cuda.0) else {
        return Ok(());
    };
    if let Some(driver) = driver_version(system) {
        detail(&format!("the host's NVIDIA driver is {driver}"));
        let major: u32 = driver
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .unwrap_or(branch);
        if major < branch {
            return Err(Error::OldDriver {
                found: driver,
                cuda: format!("{}.{}", cuda.0, cuda.1),
                needed: branch,
            });
        }
    }
    let devices = devices();
    check_devices(&devices, oldest)?;
    check_kernels(&devices, &record(system), arguments)
}

/// What layer 10 compiled; nothing where the image has no such layer.
fn record(system: &Path) -> Record {
    let path = system.join(RECORD);
    let Ok(text) = fs::read_to_string(&path) else {
        return Record::default();
    };
    Record::parse(&text).unwrap_or_else(|error| {
        detail(&format!("`{}`: {error}", path.display()));
        Record::default()
    })
}

/// ComfyUI's options, and the distribution that each calls.
const ATTENTION: [(&str, &str); 2] = [
    ("--use-flash-attention", "flash-attn"),
    ("--use-sage-attention", "sageattention"),
];

/// Says which compiled kernels have no code for a device; an error where ComfyUI is told to
/// use them, for it would fail at the first picture.
fn check_kernels(devices: &[Device], record: &Record, arguments: &[String]) -> Result<(), Error> {
    let mut told = Vec::new();
    for (name, capability) in devices {
        for (distribution, architectures) in record.without_code(*capability) {
            let option = ATTENTION
                .iter()
                .find(|(option, of)| *of == distribution && has(arguments, option));
            let error = Error::NoKernels {
                device: name.clone(),
                capability: format!("{}.{}", capability.0, capability.1),
                distribution: distribution.to_owned(),
                architectures,
                option: option.map(|(option, _)| *option),
            };
            // With more devices ComfyUI may take another one.
            if option.is_some() && devices.len() == 1 {
                return Err(error);
            }
            if !told.contains(&(capability, distribution)) {
                told.push((capability, distribution));
                warn(&error.to_string());
            }
        }
    }
    Ok(())
}

/// The release in `cuda>=13.0`, as the NVIDIA container toolkit understands it.
fn required_cuda(require: &str) -> Option<(u32, u32)> {
    let after = require.split_once("cuda>=")?.1;
    let number = after.split([' ', ',']).next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn driver_version(system: &Path) -> Option<String> {
    let module = fs::read_to_string(system.join("sys/module/nvidia/version"));
    let module = module.map(|text| text.trim().to_owned()).ok();
    module.filter(|text| !text.is_empty()).or_else(|| {
        let text = fs::read_to_string(system.join("proc/driver/nvidia/version")).ok()?;
        let is_version = |word: &&str| {
            word.contains('.')
                && word
                    .chars()
                    .all(|character| character.is_ascii_digit() || character == '.')
        };
        let found = text.lines().next()?.split_whitespace().find(is_version)?;
        Some(found.to_owned())
    })
}

/// Name and compute capability of each device.
type Device = (String, (u32, u32));

fn check_devices(devices: &[Device], oldest: (u32, u32)) -> Result<(), Error> {
    let (old, able): (Vec<_>, Vec<_>) = devices.iter().partition(|(_, found)| *found < oldest);
    let text = |(major, minor): (u32, u32)| format!("{major}.{minor}");
    for (name, capability) in &old {
        let (capability, needed) = (text(*capability), text(oldest));
        if able.is_empty() {
            return Err(Error::OldDevice {
                device: name.clone(),
                capability,
                needed,
            });
        }
        warn(&format!(
            "{name} has compute capability {capability}, and the image's kernels need {needed}: leave it out with CUDA_VISIBLE_DEVICES"
        ));
    }
    Ok(())
}

/// Asks `nvidia-smi`, which the container toolkit brings; no devices where it cannot say.
fn devices() -> Vec<Device> {
    let child = Command::new("nvidia-smi")
        .args(["--query-gpu=name,compute_cap", "--format=csv,noheader"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        detail("there is no nvidia-smi to ask for devices");
        return Vec::new();
    };
    let begun = Instant::now();
    while begun.elapsed() < SMI_LIMIT {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Ok(Some(status)) if status.success() => {
                let mut text = String::new();
                let output = child.stdout.take();
                let read = output.map(|mut output| output.read_to_string(&mut text));
                return if matches!(read, Some(Ok(_))) {
                    parse_devices(&text)
                } else {
                    Vec::new()
                };
            }
            _ => return Vec::new(),
        }
    }
    warn("nvidia-smi does not answer; going on without it");
    child.kill().unwrap_or(());
    Vec::new()
}

fn parse_devices(text: &str) -> Vec<Device> {
    text.lines()
        .filter_map(|line| {
            let (name, capability) = line.rsplit_once(", ")?;
            Some((name.to_owned(), parse_capability(capability)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::split;

    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    const OPEN: &str =
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n";
    const OLD: &str = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\n";

    #[test]
    fn err_faults() {
        let check = |files: &[(&str, &str)], arguments: &str| {
            let system = system(files);
            match check_gpu(&split(arguments), system.path(), Some("cuda>=13.0")) {
                Ok(()) => "fine\n".to_owned(),
                Err(error) => error.render(),
            }
        };
        let version = "proc/driver/nvidia/version";
        let all = [
            check(&[], ""),
            check(&[], "--cpu"),
            check(&[("dev/dxg", "")], ""),
            check(&[("dev/nvidiactl", ""), (version, OLD)], ""),
            check(&[("dev/nvidiactl", ""), (version, OLD)], "--cpu"),
            check(&[("dev/nvidiactl", ""), (version, OPEN)], ""),
            check(
                &[
                    ("dev/nvidiactl", ""),
                    ("sys/module/nvidia/version", "575.57.08\n"),
                ],
                "",
            ),
        ];
        insta::assert_snapshot!(all.join("--\n"), @r"
        error: this container sees no NVIDIA GPU (there is no /dev/nvidiactl)

        hint: start the container with `--gpus all` (docker) or `--device nvidia.com/gpu=all` (podman), or run on the processor with `-e CLI_ARGS=--cpu`
        --
        fine
        --
        fine
        --
        error: the host's NVIDIA driver 550.54.15 is too old for CUDA 13.0, which needs 580 or newer

        hint: install a driver of branch 580 or newer on the host, or run on the processor with `-e CLI_ARGS=--cpu`
        --
        fine
        --
        fine
        --
        error: the host's NVIDIA driver 575.57.08 is too old for CUDA 13.0, which needs 580 or newer

        hint: install a driver of branch 580 or newer on the host, or run on the processor with `-e CLI_ARGS=--cpu`
        ");
    }

    #[test]
    fn err_devices() {
        let devices = parse_devices("Tesla V100, SXM2, 7.0\nNVIDIA H100 80GB HBM3, 9.0\nbroken\n");
        assert_eq!(devices.len(), 2);
        assert!(check_devices(&devices, (7, 5)).is_ok());
        let error = check_devices(&devices[..1], (7, 5)).unwrap_err();
        insta::assert_snapshot!(error.render(), @r"
        error: Tesla V100, SXM2 has compute capability 7.0, and the image's kernels need 7.5 or newer

        hint: take an image built for an older CUDA, or run on the processor with `-e CLI_ARGS=--cpu`
        ");
        assert!(check_devices(&[], (7, 5)).is_ok());
    }

    #[test]
    fn err_no_kernels() {
        let record = r#"{"flash-attn": {"modules": {"a": ["8.0", "9.0", "12.0+PTX"]}}}"#;
        let record = Record::parse(record).unwrap();
        let one = parse_devices("NVIDIA B200, 10.0\n");
        check_kernels(&one, &record, &[]).unwrap();
        let told = split("--use-flash-attention");
        let error = check_kernels(&one, &record, &told).unwrap_err();
        insta::assert_snapshot!(error.render(), @r"
        error: NVIDIA B200 has compute capability 10.0, and the image's flash-attn has code for 12.0+PTX, 8.0, 9.0 only

        hint: leave `--use-flash-attention` out of CLI_ARGS: PyTorch's own attention has code for this device
        ");
        let both = parse_devices("NVIDIA B200, 10.0\nNVIDIA H100, 9.0\n");
        check_kernels(&both, &record, &told).unwrap();
        check_kernels(&both[1..], &record, &told).unwrap();
    }

    #[test]
    fn ok_required_cuda() {
        assert_eq!(required_cuda("cuda>=13.0"), Some((13, 0)));
        assert_eq!(
            required_cuda("cuda>=12.8 brand=tesla,driver>=535"),
            Some((12, 8))
        );
        assert_eq!(required_cuda("driver>=580"), None);
    }

    #[test]
    fn err_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arguments = split(&format!("--listen 127.0.0.1 --port {port}"));
        assert!(matches!(
            check_port(&arguments),
            Err(Error::PortInUse { .. })
        ));
        drop(listener);
        check_port(&arguments).unwrap();
    }
}
