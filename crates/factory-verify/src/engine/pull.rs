//! Pulling an image that this process serves, under a name that goes away again.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_image::Reference;
use tempfile::TempDir;
use xshell::Shell;

use super::inspect::EngineImage;
use super::{Engine, EngineKind};
use factory_base::process;
use factory_base::run::Run;

/// Where images are while they are pulled: no name of a user's own begins like this.
const NAMESPACE: &str = "cargo-xtask-load";

/// The repository under which an image is served to an engine of this machine.
pub fn served_repository(reference: &Reference) -> String {
    let last = reference.repository().rsplit('/').next();
    format!("{NAMESPACE}/{}", last.unwrap_or_default())
}

impl Engine {
    /// Pulls what is served on a loopback address under [`served_repository`]. The engine's
    /// own words are the error. [`Engine::find_image`] gives the image its name.
    ///
    /// # Errors
    /// The engine cannot be started, or the pull fails.
    pub fn pull(&self, run: &dyn Run, address: SocketAddr, reference: &Reference) -> Result<()> {
        let shell = Shell::new()?;
        let repository = served_repository(reference);
        let name = format!("{address}/{repository}:{}", reference.tag());
        let cmd = self.cmd(&shell).arg("pull");
        let scratch = self.scratch(&shell)?;
        let cmd = match &scratch {
            // The daemon takes 127.0.0.0/8 without being told.
            None => cmd,
            Some(scratch) => cmd.env("TMPDIR", scratch.path()).arg("--tls-verify=false"),
        };
        let mut lines = Vec::new();
        let ((status, text), _) = process::watch(run, cmd.arg(&name), |line| {
            lines.extend(line.map(str::to_owned));
        })?;
        process::finish(&text, status, &lines)
    }

    /// Where podman keeps blobs while it pulls. It leaves them there, gigabytes, when it is
    /// interrupted; this is removed when it is dropped. Docker's daemon has a place of its own.
    fn scratch(&self, shell: &Shell) -> Result<Option<TempDir>> {
        if self.kind() == EngineKind::Docker {
            return Ok(None);
        }
        // The user's own choice of a disk: containers.conf(5), `image_copy_tmp_dir`.
        let format = "{{.Store.ImageCopyTmpDir}}";
        let (_, told) = process::run(self.cmd(shell).args(["info", "--format", format]), |_| {})?;
        let told = Path::new(told.trim());
        let above = if told.is_dir() {
            told
        } else {
            Path::new("/var/tmp")
        };
        let scratch = tempfile::Builder::new()
            .prefix("cargo-xtask-load-")
            .tempdir_in(above)
            .with_context(|| format!("cannot make a directory in `{}`", above.display()))?;
        Ok(Some(scratch))
    }

    /// Takes away the names under which an image was pulled, those of a killed run, too.
    pub(super) fn remove_served_names(&self, shell: &Shell, image: &EngineImage) -> Result<()> {
        for name in image.tags().filter(|name| is_served_name(name)) {
            process::capture(self.cmd(shell).args(["rmi", name]))?;
        }
        Ok(())
    }
}

/// `127.0.0.1:PORT/cargo-xtask-load/NAME:TAG`.
fn is_served_name(name: &str) -> bool {
    let mut parts = name.splitn(3, '/');
    let is_here = parts
        .next()
        .is_some_and(|host| host.starts_with("127.0.0.1:"));
    is_here && parts.next() == Some(NAMESPACE) && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_names_that_go_away() {
        let reference: Reference = "ghcr.io/me/comfyui-boot:x".parse().unwrap();
        let name = format!("127.0.0.1:5000/{}:x", served_repository(&reference));
        assert_eq!(name, "127.0.0.1:5000/cargo-xtask-load/comfyui-boot:x");
        assert!(is_served_name(&name));
        for other in [
            "127.0.0.1:5000/comfyui-boot:x",
            "localhost/cargo-xtask-load/comfyui-boot:x",
            "cargo-xtask-load/comfyui-boot:x",
            "127.0.0.1:5000/cargo-xtask-load:x",
            "127.0.0.1:5000/me/cargo-xtask-load/x:x",
        ] {
            assert!(!is_served_name(other), "{other}");
        }
    }
}
