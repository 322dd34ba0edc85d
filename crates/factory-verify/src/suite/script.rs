//! One check that runs a program: its words, and what its end means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::Place;
use crate::check::{Body, Check, StandardInput};
use crate::engine::{Ended, Input, Invocation, Word};
use crate::report::{CheckReport, Verdict};
use crate::{Error, Subject};
use factory_base::error::Explain as _;
use factory_base::run::Run;

/// How many of the last lines of a check are kept.
const KEPT_LINES: usize = 20;

/// A script's own way to say that what it is about is not here, as test programs of automake
/// do; the last line of its stdout says what.
const ABSENT_STATUS: i32 = 77;

/// Where a ComfyUI checkout of the user's is seen in the container.
const COMFYUI_MOUNT: &str = "/mnt/comfyui";

/// The variable that tells scripts about it.
const COMFYUI_VARIABLE: &str = "COMFYUI_DIR";

pub(super) fn run(
    run: &dyn Run,
    subject: &Subject,
    place: &Place,
    check: &Check,
    report: &mut CheckReport,
) -> Result<()> {
    let invocation = invocation(subject, place, check)?;
    let ended = place.runner.run(run, &invocation)?;
    report.seconds = ended.took.as_secs_f64();
    report.output = last_lines(&ended);
    report.command = Some(place.runner.command_text(&invocation));
    (report.result, report.reason) = judge(&ended, check.timeout_s);
    Ok(())
}

/// What the end of a program means.
fn judge(ended: &Ended, timeout_s: u64) -> (Verdict, Option<String>) {
    if ended.timed_out {
        let reason = format!("it had not ended after {timeout_s} s");
        return (Verdict::TimedOut, Some(reason));
    }
    if let Some(signal) = ended.signal {
        return (Verdict::Crashed, Some(signal_text(signal)));
    }
    match ended.status {
        Some(0) => (Verdict::Passed, None),
        Some(ABSENT_STATUS) => {
            let last = ended.stdout.lines().last();
            (Verdict::Absent, last.map(str::to_owned))
        }
        Some(status) => (Verdict::Failed, Some(format!("status {status}"))),
        None => (Verdict::Failed, None),
    }
}

/// `signal 11 (SIGSEGV)`.
fn signal_text(signal: i32) -> String {
    let meaning = match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL, as when memory runs out)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    };
    format!("signal {signal}{meaning}")
}

fn last_lines(ended: &Ended) -> Vec<String> {
    let lines: Vec<&str> = ended.stdout.lines().chain(ended.stderr.lines()).collect();
    let kept = &lines[lines.len().saturating_sub(KEPT_LINES)..];
    kept.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Scripts go through standard input, or as an argument where they read something: an engine
/// on another machine has none of our files.
fn invocation(subject: &Subject, place: &Place, check: &Check) -> Result<Invocation> {
    let (arguments, stdin) = match &check.body {
        Body::Command(command) => {
            let words = ["bash", "-c", command];
            (words.map(Into::into).to_vec(), Input::default())
        }
        Body::Shell(script) => script_words(subject, check, script, "bash", "-s")?,
        Body::Python(script) => script_words(subject, check, script, "python3", "-")?,
        Body::Config(_) => anyhow::bail!("`{}` runs no program", check.name),
    };
    let mut invocation = Invocation {
        arguments,
        stdin,
        timeout: Some(Duration::from_secs(check.timeout_s)),
        gpu: check.gpu,
        ..Invocation::default()
    };
    if let Some(comfyui) = &subject.comfyui {
        let comfyui = fs_err::canonicalize(comfyui)?;
        let seen = if place.is_host() {
            comfyui.to_string_lossy().into_owned()
        } else {
            invocation.mounts.push((comfyui, COMFYUI_MOUNT.to_owned()));
            COMFYUI_MOUNT.to_owned()
        };
        let variable = (COMFYUI_VARIABLE.to_owned(), seen);
        invocation.environment.push(variable);
    }
    Ok(invocation)
}

/// The command line of a script and what it reads; `from_stdin` is the interpreter's word for
/// a script on standard input.
fn script_words(
    subject: &Subject,
    check: &Check,
    script: &Path,
    interpreter: &str,
    from_stdin: &str,
) -> Result<(Vec<Word>, Input)> {
    let directory = PathBuf::from(format!("layers/{}/checks", check.layer));
    let read = |path: &Path| fs_err::read_to_string(subject.root.join(path));
    let script = directory.join(script);
    let text = read(&script)?;
    let mut words: Vec<Word> = vec![interpreter.into()];
    let read_by_script = match check.stdin {
        None => None,
        Some(StandardInput::Check) => Some(directory.join(format!("{}.toml", check.name))),
        Some(StandardInput::Lock) => Some(lock_path(subject)?),
    };
    let input = match read_by_script {
        None => {
            words.push(from_stdin.into());
            Input {
                bytes: text.into_bytes(),
                path: Some(script),
            }
        }
        Some(path) => {
            words.push("-c".into());
            words.push(Word::FileText { path: script, text });
            Input {
                bytes: read(&path)?.into_bytes(),
                path: Some(path),
            }
        }
    };
    words.extend(check.arguments.iter().map(|word| word.as_str().into()));
    if check.stdin == Some(StandardInput::Lock) {
        if subject.without_git {
            words.push("--without-git".into());
        }
        words.extend(subject.layers.iter().map(|layer| layer.to_string().into()));
    }
    Ok((words, input))
}

fn lock_path(subject: &Subject) -> Result<PathBuf> {
    let variant = &subject.variant;
    let path = PathBuf::from(format!("package-lists/locks/python/{variant}.toml"));
    if subject.root.join(&path).is_file() {
        return Ok(path);
    }
    let variant = variant.clone();
    Err(Error::NoLock { variant }.failure().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: Option<i32>, signal: Option<i32>) -> Ended {
        Ended {
            status,
            signal,
            timed_out: false,
            stdout: "no GPU in this test\n".to_owned(),
            stderr: "warning: of a library\n".to_owned(),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn ok_ends() {
        let judge = |ended: Ended| judge(&ended, 5);
        assert_eq!(judge(ended(Some(0), None)), (Verdict::Passed, None));
        let (verdict, reason) = judge(ended(Some(77), None));
        assert_eq!(
            (verdict, reason.as_deref()),
            (Verdict::Absent, Some("no GPU in this test"))
        );
        let (verdict, reason) = judge(ended(None, Some(11)));
        assert_eq!(
            (verdict, reason.as_deref()),
            (Verdict::Crashed, Some("signal 11 (SIGSEGV)"))
        );
        let (verdict, reason) = judge(ended(Some(1), None));
        assert_eq!(
            (verdict, reason.as_deref()),
            (Verdict::Failed, Some("status 1"))
        );
        let late = Ended {
            timed_out: true,
            ..ended(Some(137), Some(9))
        };
        assert_eq!(judge(late).1.as_deref(), Some("it had not ended after 5 s"));
    }
}
