//! One measured run: wall time, and what all of its processes took.
//!
//! This process adopts the orphans of what it starts (prctl(2), `PR_SET_CHILD_SUBREAPER`), so
//! that a container's monitor counts too, and nothing that goes on in the background is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use factory_base::process;
use factory_bench::Run;
use rustix::process::{Pid, WaitOptions};
use xshell::Cmd;

use crate::ctx::Ctx;

/// The first look at what runs; a run of milliseconds has a peak too.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// Looks of a long run, which must not cost anything.
const LATER_LOOKS: Duration = Duration::from_millis(100);
/// How long what a program left in the background may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures programs.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    ctx: &'a Ctx,
    /// A directory of the file system whose growth is measured.
    disk: Option<&'a Path>,
    /// Processes that run all the time, and are not measured.
    services: BTreeSet<u32>,
}

/// A run and what it said.
#[derive(Debug)]
pub(crate) struct Metered {
    pub(crate) run: Run,
    pub(crate) stdout: String,
}

impl<'a> Meter<'a> {
    /// # Errors
    /// The kernel refuses to hand over orphans.
    pub(crate) fn new(ctx: &'a Ctx) -> Result<Self> {
        let this = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(this)).context("cannot adopt orphans")?;
        Ok(Self {
            ctx,
            disk: None,
            services: BTreeSet::new(),
        })
    }

    /// Watches the file system of a directory too.
    pub(crate) fn with_disk(mut self, directory: &'a Path) -> Self {
        self.disk = Some(directory);
        self
    }

    /// A process that must not count, with all that it starts.
    pub(crate) fn ignore(&mut self, pid: u32) {
        self.services.insert(pid);
    }

    /// Waits until the disk has what others wrote: an engine that unmounts a container's root
    /// waits for all of it, whoever wrote it. What a run itself leaves to be written counts with
    /// whatever follows on its own side.
    pub(crate) fn settle() {
        rustix::fs::sync();
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It is missing, or ends with a status other than 0, or the user asks to stop.
    pub(crate) fn run(&self, cmd: Cmd<'_>) -> Result<Metered> {
        let before = Children::now()?;
        let free_before = self.free()?;
        let is_done = AtomicBool::new(false);
        let (outcome, wall, peaks) = std::thread::scope(|scope| {
            let looking = scope.spawn(|| self.look(&is_done, free_before));
            let start = Instant::now();
            let mut lines = Vec::new();
            let outcome = process::watch(self.ctx, cmd, |line| {
                lines.extend(line.map(str::to_owned));
            });
            let wall = start.elapsed();
            is_done.store(true, Ordering::Relaxed);
            (outcome.map(|ran| (ran, lines)), wall, looking.join())
        });
        let peaks = peaks.map_err(|_| anyhow::anyhow!("who looked at processes panicked"))?;
        self.reap()?;
        self.ctx.check_interrupted()?;
        let (((status, text), stdout), lines) = outcome?;
        process::finish(&text, status, &lines)?;
        let cpu = Children::now()?.ticks - before.ticks;
        Ok(Metered {
            run: Run {
                wall_seconds: round(wall.as_secs_f64()),
                cpu_seconds: round(cpu as f64 / ticks_per_second()),
                peak_memory_bytes: (peaks.memory > 0).then_some(peaks.memory),
                peak_disk_bytes: self.disk.map(|_| peaks.disk),
                ..Run::default()
            },
            stdout,
        })
    }

    fn look(&self, is_done: &AtomicBool, free_before: u64) -> Peaks {
        let mut peaks = Peaks::default();
        let mut pause = FIRST_LOOK;
        while !is_done.load(Ordering::Relaxed) {
            let memory = self.processes().values().map(|one| one.resident).sum();
            peaks.memory = peaks.memory.max(memory);
            // A file system that says nothing for a moment has no peak then.
            let free = self.free().unwrap_or(free_before);
            peaks.disk = peaks.disk.max(free_before.saturating_sub(free));
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(LATER_LOOKS);
        }
        peaks
    }

    fn free(&self) -> std::io::Result<u64> {
        self.disk.map_or(Ok(0), fs4::available_space)
    }

    /// All that descends from this process, but for services.
    fn processes(&self) -> BTreeMap<u32, Process> {
        let all = all_processes();
        let mut found = BTreeMap::new();
        let mut parents = vec![std::process::id()];
        while let Some(parent) = parents.pop() {
            let children = all.iter().filter(|(_, one)| one.parent == parent);
            for (pid, process) in children.filter(|(pid, _)| !self.services.contains(pid)) {
                parents.push(*pid);
                found.insert(*pid, *process);
            }
        }
        found
    }

    /// Waits for what a program left behind, so that its time counts, and counts for this run.
    fn reap(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() || start.elapsed() > PATIENCE {
                return Ok(());
            }
            for (pid, _) in left.iter().filter(|(_, one)| one.is_over) {
                let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
                // Only the children of this process can be waited for; others have a parent
                // that does it.
                let _over = rustix::process::waitpid(pid, WaitOptions::NOHANG);
            }
            std::thread::sleep(FIRST_LOOK);
        }
    }
}

#[derive(Debug, Default)]
struct Peaks {
    memory: u64,
    disk: u64,
}

/// Of `/proc/PID/stat`, proc_pid_stat(5).
#[derive(Debug, Clone, Copy)]
struct Process {
    parent: u32,
    is_over: bool,
    resident: u64,
}

fn all_processes() -> BTreeMap<u32, Process> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return found;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse::<u32>().ok());
        // A process may end while it is looked at.
        let stat = pid.and_then(|_| std::fs::read_to_string(entry.path().join("stat")).ok());
        if let (Some(pid), Some(process)) = (pid, stat.as_deref().and_then(parse_stat)) {
            found.insert(pid, process);
        }
    }
    found
}

fn parse_stat(stat: &str) -> Option<Process> {
    let fields = fields(stat)?;
    let pages: u64 = fields.get(21)?.parse().ok()?;
    Some(Process {
        is_over: fields.first() == Some(&"Z"),
        parent: fields.get(1)?.parse().ok()?,
        resident: pages * rustix::param::page_size() as u64,
    })
}

/// What stands behind the name, which may hold blanks and brackets: from the state on.
fn fields(stat: &str) -> Option<Vec<&str>> {
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split_whitespace().collect())
}

/// Processor time of all children that were waited for, and of theirs.
struct Children {
    ticks: u64,
}

impl Children {
    fn now() -> Result<Self> {
        let stat = fs_err::read_to_string("/proc/self/stat")?;
        let ticks = fields(&stat).and_then(|fields| {
            // `cutime` and `cstime`.
            let user: u64 = fields.get(13)?.parse().ok()?;
            let system: u64 = fields.get(14)?.parse().ok()?;
            Some(user + system)
        });
        let ticks = ticks.context("`/proc/self/stat` has another form than proc(5) says")?;
        Ok(Self { ticks })
    }
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// Milliseconds: no clock here is better.
fn round(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_a_name_with_brackets() {
        let stat = "7 (a) b) (c) Z 3 7 7 0 -1 4194560 1 0 0 0 10 20 30 40 20 0 1 0 99 4096 5 1";
        let process = parse_stat(stat).unwrap();
        assert_eq!(process.parent, 3);
        assert!(process.is_over);
        assert_eq!(process.resident, 5 * rustix::param::page_size() as u64);
        assert_eq!(fields(stat).unwrap()[13], "30");
    }
}
