//! The user's scripts, run as the user that ComfyUI has.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{At as _, Error};
use crate::say::say;

/// Sources `set-proxy.sh`, and returns the environment that it leaves.
///
/// # Errors
///
/// bash cannot be started, or the script fails.
pub fn source(script: &Path) -> Result<BTreeMap<OsString, OsString>, Error> {
    say(&format!("reading `{}`", script.display()));
    // The script may print; the environment comes through a descriptor of its own.
    let mut child = Command::new("bash")
        .args([
            "-c",
            "exec 3>&1 1>&2; source \"$1\"; status=$?; env -0 >&3; exit $status",
            "bash",
        ])
        .arg(script)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| Error::Start {
            program: "bash".to_owned(),
            source,
        })?;
    let mut text = Vec::new();
    if let Some(output) = &mut child.stdout {
        output.read_to_end(&mut text).at("read", script)?;
    }
    let status = child.wait().at("wait for", script)?;
    if !status.success() {
        return Err(Error::Script {
            script: script.to_owned(),
            status: status.code().unwrap_or(-1),
        });
    }
    Ok(parse(&text))
}

fn parse(text: &[u8]) -> BTreeMap<OsString, OsString> {
    text.split(|byte| *byte == 0)
        .filter_map(|entry| {
            let at = entry.iter().position(|byte| *byte == b'=')?;
            let name = OsStr::from_bytes(&entry[..at]);
            // Of the shell that ran the script.
            let is_shells = name == "_" || name == "SHLVL";
            (!is_shells).then(|| {
                (
                    name.to_owned(),
                    OsString::from_vec(entry[at + 1..].to_vec()),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_environment() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("set-proxy.sh");
        std::fs::write(&script, "echo printed; export PROXY='a b\nc'; unset HOME\n").unwrap();
        let environment = source(&script).unwrap();
        assert_eq!(
            environment.get(OsStr::new("PROXY")),
            Some(&OsString::from("a b\nc"))
        );
        assert!(!environment.contains_key(OsStr::new("HOME")));
        assert!(!environment.contains_key(OsStr::new("SHLVL")));
        assert!(environment.contains_key(OsStr::new("PATH")));
        std::fs::write(&script, "exit 4\n").unwrap();
        assert!(source(&script).is_err());
    }
}
