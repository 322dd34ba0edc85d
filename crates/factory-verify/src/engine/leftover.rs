//! Containers that outlived the program that started them.
//!
//! A program that is killed cannot end its containers, and `--rm` waits for their own end. So each
//! has a label that says who started it, and the next run removes those whose owner is gone. A
//! process of another machine, or of another namespace of processes, cannot be looked at: its
//! containers are left alone.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use xshell::Shell;

use super::Engine;
use factory_base::process;
use factory_base::run::Report;

/// The label; its value is an [`Owner`].
const LABEL: &str = "io.comfyui-boot.owner";

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A check, or the search for a way to start containers.
    Check,
    /// ComfyUI on this port of the machine.
    Run(u16),
}

impl fmt::Display for Purpose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check => formatter.write_str("check"),
            Self::Run(port) => write!(formatter, "run-{port}"),
        }
    }
}

impl FromStr for Purpose {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix("run-") {
            Some(port) => port.parse().map(Self::Run).map_err(|_| ()),
            None if text == "check" => Ok(Self::Check),
            None => Err(()),
        }
    }
}

/// The process that started a container, so that another one with its number is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    purpose: Purpose,
    /// `/proc/sys/kernel/random/boot_id`, random(4).
    boot: String,
    /// The namespace that the number is of, pid_namespaces(7).
    namespace: String,
    pid: u32,
    /// When it started, in ticks since boot: field 22 of proc_pid_stat(5).
    started: u64,
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            purpose,
            boot,
            namespace,
            pid,
            started,
        } = self;
        write!(formatter, "{purpose} {boot} {namespace} {pid} {started}")
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        let &[purpose, boot, namespace, pid, started] = words.as_slice() else {
            return Err(());
        };
        Ok(Self {
            purpose: purpose.parse()?,
            boot: boot.to_owned(),
            namespace: namespace.to_owned(),
            pid: pid.parse().map_err(|_| ())?,
            started: started.parse().map_err(|_| ())?,
        })
    }
}

impl Owner {
    /// This process. What it becomes by `exec` is the same process.
    fn current(purpose: Purpose) -> Result<Self> {
        let pid = std::process::id();
        let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let namespace = fs_err::read_link("/proc/self/ns/pid")?;
        Ok(Self {
            purpose,
            boot: boot.trim().to_owned(),
            namespace: namespace.to_string_lossy().into_owned(),
            pid,
            started: started(pid).context("no time of start in /proc/self/stat")?,
        })
    }

    /// It ran here, and runs no more.
    fn is_gone(&self) -> Result<bool> {
        let here = Self::current(self.purpose)?;
        Ok(self.boot == here.boot
            && self.namespace == here.namespace
            && started(self.pid) != Some(self.started))
    }
}

/// When a process started; `None` if there is none. A zombie has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state is field 3.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The option by which a container says who started it.
///
/// # Errors
/// `/proc` does not say who we are.
pub fn label(purpose: Purpose) -> Result<String> {
    Ok(format!("--label={LABEL}={}", Owner::current(purpose)?))
}

impl Engine {
    /// Removes the containers of these purposes whose owner was killed. A ComfyUI among them is
    /// asked to end first.
    ///
    /// # Errors
    /// The engine does not list its containers.
    pub fn remove_leftovers(&self, report: &dyn Report, purposes: &[Purpose]) -> Result<()> {
        let shell = Shell::new()?;
        let filter = format!("label={LABEL}");
        let list = ["ps", "--all", "--quiet", "--filter", &filter];
        let ids = process::capture(self.cmd(&shell).args(list))?;
        if ids.trim().is_empty() {
            return Ok(());
        }
        let format = format!("{{{{.Id}}}} {{{{index .Config.Labels \"{LABEL}\"}}}}");
        let inspect = self.cmd(&shell).args(["inspect", "--format", &format]);
        // One that ended meanwhile is no failure.
        let (_, found) = process::run(inspect.args(ids.split_whitespace()), |_| {})?;
        for line in found.lines() {
            let Some((id, owner)) = line.split_once(' ') else {
                continue;
            };
            let Ok(owner) = owner.parse::<Owner>() else {
                continue;
            };
            if purposes.contains(&owner.purpose) && owner.is_gone()? {
                self.remove_leftover(report, id, &owner)?;
            }
        }
        Ok(())
    }

    fn remove_leftover(&self, report: &dyn Report, id: &str, owner: &Owner) -> Result<()> {
        if owner.purpose != Purpose::Check {
            // It is removed when it has ended, if `--rm` still works; else below.
            self.on_container(&["stop"], id)?;
        }
        self.remove(id)?;
        let short: String = id.chars().take(12).collect();
        report.step(
            "Removed",
            &format!("container {short}, which process {} left behind", owner.pid),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_owners() {
        let own = Owner::current(Purpose::Run(8188)).unwrap();
        assert_eq!(own.to_string().parse(), Ok(own.clone()));
        assert!(!own.is_gone().unwrap());
        let later = Owner {
            started: own.started + 1,
            ..own.clone()
        };
        assert!(later.is_gone().unwrap(), "another process has the number");
        for elsewhere in [
            Owner {
                boot: "another".to_owned(),
                ..later.clone()
            },
            Owner {
                namespace: "pid:[1]".to_owned(),
                ..later
            },
        ] {
            assert!(!elsewhere.is_gone().unwrap(), "{elsewhere}");
        }
    }

    #[test]
    fn ok_a_process_that_ended_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner {
            pid: child.id(),
            started: started(child.id()).unwrap_or_default(),
            ..Owner::current(Purpose::Check).unwrap()
        };
        child.wait().unwrap();
        assert!(owner.is_gone().unwrap());
    }

    #[test]
    fn err_labels() {
        for text in [
            "",
            "check",
            "check a b c d",
            "run-x a b 1 2",
            "other a b 1 2",
        ] {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
    }
}
