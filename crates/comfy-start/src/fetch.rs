//! Brings ComfyUI by its revision, for images that hold none.
//!
//! git checks every object's hash while it unpacks them, so a commit's name vouches for all
//! its files. They get their place by one rename: a checkout is whole, or not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::byte_code::compile;
use crate::error::{At as _, Error};
use crate::files::{look, make_directory, remove_tree, sync_file_system};
use crate::say::{detail, say};
use crate::settings::Settings;

/// Where checkouts are, below ComfyUI's directory.
const CHECKOUTS: &str = ".comfy-start/checkouts";
/// Where one comes to be.
const FETCHING: &str = ".comfy-start/fetching";

/// Returns the checkout of the wanted revision, fetched if it is not here yet.
///
/// # Errors
///
/// It cannot be fetched, or something else came.
pub fn checkout(settings: &Settings, base: &Path, revision: &str) -> Result<PathBuf, Error> {
    let name: String = revision
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() || character == '.' {
                character
            } else {
                '-'
            }
        })
        .collect();
    let done = base.join(CHECKOUTS).join(format!("comfyui-{name}"));
    let fetching = base.join(FETCHING);
    remove_tree(&fetching)?;
    if look(&done)?.is_some() {
        return Ok(done);
    }
    make_directory(&fetching)?;
    make_directory(&base.join(CHECKOUTS))?;
    // A checkout that an earlier image made may have the commit already.
    let old = base.join(".git");
    let mut sources = vec![settings.repository.clone()];
    if is_commit(revision) && look(&old)?.is_some() && has_commit(base, revision) {
        sources.insert(0, base.to_string_lossy().into_owned());
    }
    let mut result = Ok(());
    for source in sources {
        say(&format!("fetching ComfyUI {revision} from {source}"));
        result = fetch(&fetching, &source, revision);
        if result.is_ok() {
            break;
        }
    }
    result?;
    remove_tree(&fetching.join(".git"))?;
    compile(&fetching, base);
    sync_file_system(&fetching)?;
    fs::rename(&fetching, &done).at("rename", &fetching)?;
    Ok(done)
}

/// Removes checkouts that are not the one in use.
///
/// # Errors
///
/// One cannot be removed.
pub fn forget_others(base: &Path, used: &Path) -> Result<(), Error> {
    let directory = base.join(CHECKOUTS);
    if look(&directory)?.is_none() {
        return Ok(());
    }
    for item in fs::read_dir(&directory).at("list", &directory)? {
        let path = item.at("list", &directory)?.path();
        if path != used {
            detail(&format!("removing `{}`", path.display()));
            remove_tree(&path)?;
        }
    }
    Ok(())
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn has_commit(repository: &Path, revision: &str) -> bool {
    let object = format!("{revision}^{{commit}}");
    git(repository, &["cat-file", "-e", &object]).is_ok()
}

fn fetch(directory: &Path, repository: &str, revision: &str) -> Result<(), Error> {
    let failed = |reason: String| Error::Fetch {
        revision: revision.to_owned(),
        repository: repository.to_owned(),
        reason,
    };
    git(directory, &["init", "--quiet"]).map_err(failed)?;
    let arguments = [
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        repository,
        revision,
    ];
    git(directory, &arguments).map_err(failed)?;
    let found =
        git(directory, &["rev-parse", "--verify", "FETCH_HEAD^{commit}"]).map_err(failed)?;
    if is_commit(revision) && found != revision {
        return Err(Error::WrongRevision {
            repository: repository.to_owned(),
            expected: revision.to_owned(),
            found,
        });
    }
    git(
        directory,
        &["checkout", "--quiet", "--detach", "FETCH_HEAD"],
    )
    .map_err(failed)?;
    // What the files hold is what the commit says.
    let changes = git(directory, &["status", "--porcelain", "--ignored"]).map_err(failed)?;
    if changes.is_empty() {
        Ok(())
    } else {
        Err(failed(format!("the checkout differs: {changes}")))
    }
}

/// Runs git without prompts, hooks and endless waits; returns its output, or its last words.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let settings = [
        "core.autocrlf=false",
        "core.hooksPath=/dev/null",
        "fetch.fsckObjects=true",
        "gc.auto=0",
        "http.lowSpeedLimit=1000",
        "http.lowSpeedTime=60",
        "safe.directory=*",
    ];
    detail(&format!("git {}", arguments.join(" ")));
    let output = Command::new("git")
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments)
        .current_dir(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start git: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(reason(&String::from_utf8_lossy(&output.stderr)))
}

/// What git says went wrong, without its advice; its last words where it names nothing so.
fn reason(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let is_reason = |line: &&&str| {
        let kinds = ["fatal: ", "error: ", "remote: "];
        kinds.iter().any(|kind| line.starts_with(kind))
    };
    let mut found: Vec<&str> = lines.iter().filter(is_reason).copied().collect();
    if found.is_empty() {
        found = lines.into_iter().filter(|line| !line.is_empty()).collect();
    }
    found[found.len().saturating_sub(3)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_reasons_of_git() {
        let said = "fatal: detected dubious ownership in repository at '/x'\n\
            To add an exception for this directory, call:\n\n\tgit config\n\
            fatal: Could not read from remote repository.\n\n\
            Please make sure you have the correct access rights\nand the repository exists.\n";
        assert_eq!(
            reason(said),
            "fatal: detected dubious ownership in repository at '/x'; fatal: Could not read from remote repository."
        );
        assert_eq!(reason("one\n\ntwo\n"), "one; two");
        assert_eq!(reason(""), "");
    }
}
