//! Whether an engine can connect to the loopback of this process, so that it can pull from it.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::Shell;

use super::{Engine, EngineKind};
use factory_base::process;

/// Whether an engine reaches what listens on 127.0.0.1 here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nothing says that it does not.
    Loopback,
    /// It does not, and why.
    None(String),
}

/// The parts of `docker info` that say where the daemon is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DockerInfo {
    /// The host name that the daemon sees.
    name: String,
    operating_system: String,
    security_options: Option<Vec<String>>,
}

/// The parts of `podman info` that say where podman works.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodmanInfo {
    host: PodmanHost,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodmanHost {
    service_is_remote: bool,
}

impl Engine {
    /// Whether this engine can pull from a port of this machine's loopback.
    ///
    /// # Errors
    /// The engine says nothing of itself.
    pub fn reach(&self) -> Result<Reach> {
        let shell = Shell::new()?;
        let ask = |arguments: &[&str]| process::capture(self.cmd(&shell).args(arguments));
        let unreadable = || format!("cannot read the output of `{self} info`");
        let reason = match self.kind() {
            EngineKind::Podman => {
                let info = ask(&["info", "--format", "json"])?;
                podman(&serde_json::from_str(&info).with_context(unreadable)?)
            }
            EngineKind::Docker => {
                let info = ask(&["info", "--format", "{{json .}}"])?;
                let endpoint = "{{.Endpoints.docker.Host}}";
                let endpoint = ask(&["context", "inspect", "--format", endpoint])?;
                let host = fs_err::read_to_string("/proc/sys/kernel/hostname")?;
                let info = serde_json::from_str(&info).with_context(unreadable)?;
                docker(&info, endpoint.trim(), host.trim())
            }
        };
        Ok(reason.map_or(Reach::Loopback, Reach::None))
    }
}

fn podman(info: &PodmanInfo) -> Option<String> {
    let is_remote = info.host.service_is_remote;
    is_remote.then(|| "podman works in a service elsewhere, such as its virtual machine".to_owned())
}

/// `host` is what this process's own host is called.
fn docker(info: &DockerInfo, endpoint: &str, host: &str) -> Option<String> {
    let is_rootless = |option: &String| option.split(',').any(|word| word == "name=rootless");
    if !endpoint.starts_with("unix://") {
        Some(format!("docker's daemon is reached by `{endpoint}`"))
    } else if info.operating_system == "Docker Desktop" {
        Some("Docker Desktop works in a virtual machine".to_owned())
    } else if info.security_options.iter().flatten().any(is_rootless) {
        Some("docker's daemon has no root, and so a network of its own".to_owned())
    } else if info.name != host {
        Some(format!(
            "docker's daemon works on `{}`, and this is `{host}`",
            info.name
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: &str = "unix:///var/run/docker.sock";

    fn docker_info(json: &str, endpoint: &str) -> Option<String> {
        docker(&serde_json::from_str(json).unwrap(), endpoint, "here")
    }

    #[test]
    fn ok_engines_of_this_machine() {
        let info = r#"{"Name": "here", "OperatingSystem": "Debian", "SecurityOptions": ["name=seccomp,profile=default"]}"#;
        assert_eq!(docker_info(info, SOCKET), None);
        assert_eq!(
            docker_info(r#"{"Name": "here", "SecurityOptions": null}"#, SOCKET),
            None
        );
        let local = r#"{"host": {"serviceIsRemote": false}, "store": {}}"#;
        assert_eq!(podman(&serde_json::from_str(local).unwrap()), None);
    }

    #[test]
    fn err_engines_elsewhere() {
        let here = r#"{"Name": "here"}"#;
        for endpoint in [
            "ssh://me@far",
            "tcp://10.0.0.1:2376",
            "tcp://127.0.0.1:2375",
        ] {
            assert!(docker_info(here, endpoint).unwrap().contains(endpoint));
        }
        for info in [
            r#"{"Name": "here", "OperatingSystem": "Docker Desktop"}"#,
            r#"{"Name": "here", "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}"#,
            r#"{"Name": "the-host-of-this-container"}"#,
        ] {
            assert!(docker_info(info, SOCKET).is_some(), "{info}");
        }
        let remote = r#"{"host": {"serviceIsRemote": true}}"#;
        assert!(podman(&serde_json::from_str(remote).unwrap()).is_some());
    }
}
