//! Pulling an image that this process serves, under a name that goes away again.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use comfy_image::Reference;
use comfy_image::image::Image;
use tempfile::TempDir;
use xshell::Shell;

use super::inspect;
use super::{Engine, EngineKind};
use factory_base::fs::Lock;
use factory_base::memory;
use factory_base::process;
use factory_base::run::Run;

/// Where images are while they are pulled: no name of a user's own begins like this.
const NAMESPACE: &str = "cargo-xtask-load";
/// Where podman keeps blobs if nobody says otherwise.
const DISK: &str = "/var/tmp";
/// A file system in memory, shm_overview(7).
const MEMORY: &str = "/dev/shm";
/// What the directories begin with in which podman keeps blobs while it pulls.
const SCRATCH: &str = "cargo-xtask-load-";
/// Who serves on the loopback answers a connection at once.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// In such a directory; held by the run whose directory it is.
const SCRATCH_LOCK: &str = "lock";

/// The repository under which an image is served to an engine of this machine.
pub fn served_repository(reference: &Reference) -> String {
    let last = reference.repository().rsplit('/').next();
    format!("{NAMESPACE}/{}", last.unwrap_or_default())
}

impl Engine {
    /// Pulls what is served on a loopback address under [`served_repository`] with these tags,
    /// one after the other. The engine's own words are the error. [`Engine::find_image`] gives
    /// the image its name. `most_bytes` is the most that one of the tags adds to another.
    ///
    /// # Errors
    /// The engine cannot be started, or the pull fails.
    pub fn pull(
        &self,
        run: &dyn Run,
        address: SocketAddr,
        reference: &Reference,
        tags: &[String],
        most_bytes: u64,
    ) -> Result<()> {
        let shell = Shell::new()?;
        let scratch = self.scratch(&shell, most_bytes)?;
        for tag in tags {
            let name = format!("{address}/{}:{tag}", served_repository(reference));
            let cmd = self.cmd(&shell).arg("pull");
            let cmd = match &scratch {
                // The daemon takes 127.0.0.0/8 without being told.
                None => cmd,
                Some(scratch) => {
                    let path = scratch.directory.path();
                    cmd.env("TMPDIR", path).arg("--tls-verify=false")
                }
            };
            let mut lines = Vec::new();
            let ((status, text), _) = process::watch(run, cmd.arg(&name), |line| {
                lines.extend(line.map(str::to_owned));
            })?;
            process::finish(&text, status, &lines)?;
        }
        Ok(())
    }

    /// How many of the image's blobs, from the lowest up, some image of the engine has in the
    /// same order.
    ///
    /// # Errors
    /// The engine fails.
    pub fn n_known_blobs(&self, image: &Image) -> Result<usize> {
        let shell = Shell::new()?;
        Ok(self
            .images(&shell)?
            .iter()
            .map(|known| known.n_common_blobs(image))
            .max()
            .unwrap_or(0))
    }

    /// Where podman keeps blobs while it pulls. It leaves them there, gigabytes, when it is
    /// interrupted; this is removed when it is dropped, or by the next run where this one is
    /// killed. Docker's daemon has a place of its own.
    ///
    /// In memory where there is plenty: what is unpacked is written to the disk once, then, and
    /// not twice (docs/design/D15-loading-is-a-pull.md).
    fn scratch(&self, shell: &Shell, most_bytes: u64) -> Result<Option<Scratch>> {
        if self.kind() == EngineKind::Docker {
            return Ok(None);
        }
        // The user's own choice of a disk: containers.conf(5), `image_copy_tmp_dir`.
        let format = "{{.Store.ImageCopyTmpDir}}";
        let (_, told) = process::run(self.cmd(shell).args(["info", "--format", format]), |_| {})?;
        let told = Path::new(told.trim());
        let disk = Path::new(DISK);
        let memory = Path::new(MEMORY);
        let has_memory = memory.is_dir();
        if has_memory {
            remove_left(memory)?;
        }
        let above = if told.is_dir() && told != disk {
            told
        } else if has_memory && is_plenty(memory, most_bytes)? {
            memory
        } else {
            disk
        };
        remove_left(above)?;
        Scratch::new(above).map(Some)
    }

    /// Takes away the names under which images were pulled, those of killed runs, too, but
    /// not those of a run that still serves.
    ///
    /// # Errors
    /// The engine fails.
    pub fn remove_served_names(&self) -> Result<()> {
        let shell = &Shell::new()?;
        let format = "{{.Repository}}:{{.Tag}}";
        let names = process::capture(self.cmd(shell).args(["images", "--format", format]))?;
        for name in names.lines().filter(|name| is_left(name)) {
            process::capture(self.cmd(shell).args(["rmi", name]))?;
        }
        Ok(())
    }

    fn images(&self, shell: &Shell) -> Result<Vec<inspect::EngineImage>> {
        let ids = process::capture(self.cmd(shell).args(["images", "--quiet", "--no-trunc"]))?;
        if ids.trim().is_empty() {
            return Ok(Vec::new());
        }
        let inspect = self.cmd(shell).args(["image", "inspect"]);
        // Status 1 says that one of them went away meanwhile.
        let (_, json) = process::run(inspect.args(ids.lines()), |_| {})?;
        inspect::parse(&json)
    }
}

/// A directory of one run; see [`Engine::scratch`].
struct Scratch {
    /// Removed before the lock is let go.
    directory: TempDir,
    _lock: Lock,
}

impl Scratch {
    fn new(above: &Path) -> Result<Self> {
        let context = || format!("cannot make a directory in `{}`", above.display());
        let directory = tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(above)
            .with_context(context)?;
        let file = File::create_new(directory.path().join(SCRATCH_LOCK)).with_context(context)?;
        let lock = Lock::of_file(file)?;
        let lock = lock.with_context(context)?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }
}

/// Whether so much fits into a file system in memory several times over, and into the memory that
/// is free. A container's limit (cgroups(7)) is not in `/proc/meminfo`, but in the size of the
/// file system that the container has.
fn is_plenty(memory: &Path, most_bytes: u64) -> Result<bool> {
    let context = || format!("cannot look at `{}`", memory.display());
    let room = fs4::available_space(memory).with_context(context)?;
    let meminfo = fs_err::read_to_string("/proc/meminfo")?;
    let free = memory::field(&meminfo, "MemAvailable").unwrap_or_default();
    Ok(room >= 2 * most_bytes && free >= 4 * most_bytes)
}

/// Removes the directories of runs that were killed. One without its lock file is another
/// run's that has just begun, or not ours.
fn remove_left(above: &Path) -> Result<()> {
    for entry in fs_err::read_dir(above)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(SCRATCH) {
            continue;
        }
        // Another user's cannot be opened.
        let Ok(file) = File::open(entry.path().join(SCRATCH_LOCK)) else {
            continue;
        };
        if Lock::of_file(file)?.is_some() {
            fs_err::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Whether nobody serves a name of ours any more.
fn is_left(name: &str) -> bool {
    let host = name.split('/').next().unwrap_or_default();
    let address: Result<SocketAddr, _> = host.parse();
    is_served_name(name)
        && address.is_ok_and(|address| TcpStream::connect_timeout(&address, ANSWER_WITHIN).is_err())
}

/// `127.0.0.1:PORT/cargo-xtask-load/NAME:TAG`.
pub(super) fn is_served_name(name: &str) -> bool {
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

    #[test]
    fn ok_memory_that_is_free() {
        let here = tempfile::tempdir().unwrap();
        assert!(is_plenty(here.path(), 1).unwrap());
        assert!(!is_plenty(here.path(), u64::MAX / 8).unwrap());
    }

    #[test]
    fn ok_what_a_killed_run_left_goes_away() {
        let above = tempfile::tempdir().unwrap();
        let mine = Scratch::new(above.path()).unwrap();
        let killed = above.path().join("cargo-xtask-load-killed");
        fs_err::create_dir(&killed).unwrap();
        fs_err::write(killed.join(SCRATCH_LOCK), "").unwrap();
        fs_err::write(killed.join("blob"), [0; 4096]).unwrap();
        let beginning = above.path().join("cargo-xtask-load-beginning");
        fs_err::create_dir(&beginning).unwrap();
        let other = above.path().join("storage123");
        fs_err::create_dir(&other).unwrap();
        fs_err::write(other.join(SCRATCH_LOCK), "").unwrap();

        remove_left(above.path()).unwrap();
        let mine = mine.directory.path();
        for (path, stays) in [
            (mine, true),
            (&killed, false),
            (&beginning, true),
            (&other, true),
        ] {
            assert_eq!(path.exists(), stays, "{}", path.display());
        }
    }
}
