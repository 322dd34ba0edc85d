//! Becoming the user of `PUID`, for good.
//!
//! PID 1 itself becomes that user by executing this program again, so that nothing is left
//! that runs as root and could be made to run what the user wrote.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::files::replace;
use crate::handover;
use crate::place::mount_points;
use crate::say::{detail, say, warn};
use crate::settings::Settings;

/// The name of a user whom `/etc/passwd` does not know.
const NAME: &str = "comfy";

/// Becomes the user of `PUID` if there is one and we are root; does not return then.
///
/// # Errors
///
/// The engine does not let us.
pub fn become_user(settings: &Settings) -> Result<(), Error> {
    let own = rustix::process::geteuid().as_raw();
    let Some((uid, gid)) = settings.account.filter(|(uid, _)| *uid != own) else {
        return Ok(());
    };
    if own != 0 {
        warn(&format!(
            "PUID={uid} has no effect: the container was started as uid {own}"
        ));
        return Ok(());
    }
    handover::hand_over(&settings.home, &mount_points(), uid, gid);
    if let Err(error) = add_to_passwd(Path::new("/etc/passwd"), uid, gid, &settings.home) {
        detail(&format!("no entry in /etc/passwd for uid {uid}: {error}"));
    }
    say(&format!("running as uid {uid}, gid {gid}"));
    // A program with the setuid bit gives nothing back.
    let unprivileged = rustix::thread::set_no_new_privs(true);
    let program = std::env::current_exe();
    let failed = |source| Error::Become { uid, gid, source };
    unprivileged.map_err(|error| failed(error.into()))?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program.map_err(failed)?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Supplementary groups go with root: the standard library drops them here.
    let error = command.args(arguments).uid(uid).gid(gid).exec();
    Err(failed(error))
}

/// The name of the user that we are, for `USER`.
pub fn name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    find(&passwd, uid).unwrap_or(NAME).to_owned()
}

fn find(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == uid).then_some(name)
    })
}

/// Adds a user whom `passwd(5)` does not have, so that `getpwuid` finds one.
fn add_to_passwd(path: &Path, uid: u32, gid: u32, home: &Path) -> Result<(), Error> {
    let Ok(mut passwd) = fs::read_to_string(path) else {
        return Ok(());
    };
    if find(&passwd, uid).is_some() {
        return Ok(());
    }
    let name = if passwd.lines().any(|line| line.starts_with("comfy:")) {
        format!("{NAME}{uid}")
    } else {
        NAME.to_owned()
    };
    if !passwd.is_empty() && !passwd.ends_with('\n') {
        passwd.push('\n');
    }
    let home = home.display();
    passwd.push_str(&format!("{name}:x:{uid}:{gid}::{home}:/bin/bash\n"));
    replace(path, passwd.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_passwd() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passwd");
        fs::write(&path, "root:x:0:0:root:/root:/bin/bash").unwrap();
        for uid in [1000, 1000, 1001] {
            add_to_passwd(&path, uid, 100, Path::new("/root")).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(text, @r"
        root:x:0:0:root:/root:/bin/bash
        comfy:x:1000:100::/root:/bin/bash
        comfy1001:x:1001:100::/root:/bin/bash
        ");
        assert_eq!(find(&text, 1001), Some("comfy1001"));
        assert_eq!(find("broken\n:::\n", 0), None);
    }
}
