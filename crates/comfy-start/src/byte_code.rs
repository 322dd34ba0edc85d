//! Byte code of a fetched ComfyUI, for an image has none of what it does not hold.
//!
//! Python would compile each module as ComfyUI imports it, one after the other. Here several
//! processes do it, before the checkout has its name: byte code gets its place in the volume as
//! sources do, and a start that is cut off leaves none.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::say::detail;

/// More would wait for one another's start.
const MAX_PROCESSES: usize = 8;

/// ComfyUI imports none of its tests.
const NOT_IMPORTED: &str = "/tests(-unit)?/";

/// Compiles the modules of a directory that will be at `place`. What cannot be compiled stays as
/// it is: ComfyUI's Python does it again, and says what is wrong.
pub fn compile(directory: &Path, place: &Path) {
    let n_processes = std::thread::available_parallelism().map_or(1, usize::from);
    let output = Command::new("python3")
        // Compared with its source by hash at each import: an edit counts at once (PEP 552).
        .args(["-I", "-m", "compileall", "-qq"])
        .args(["--invalidation-mode", "checked-hash", "-x", NOT_IMPORTED])
        .args(["-j", &n_processes.min(MAX_PROCESSES).to_string()])
        .arg("-s")
        .arg(directory)
        .arg("-p")
        .arg(place)
        .arg(directory)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => detail(&format!(
            "not all of ComfyUI could be compiled: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => detail(&format!("cannot start python3: {error}")),
    }
}
