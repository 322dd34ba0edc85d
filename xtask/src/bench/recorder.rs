//! The runs of a case, in the order in which they came.

use factory_base::text;
use factory_bench::{Run, Series, Side};

use crate::ctx::Ctx;

/// Keeps every run.
pub(crate) struct Recorder<'a> {
    ctx: &'a Ctx,
    order: u32,
    pub(crate) series: Vec<Series>,
    /// What a reader must know.
    pub(crate) notes: Vec<String>,
}

/// What was done, by whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct What<'a> {
    pub(crate) what: &'a str,
    pub(crate) by: &'a str,
    pub(crate) side: Side,
}

impl<'a> What<'a> {
    pub(crate) fn ours(what: &'a str, by: &'a str) -> Self {
        let side = Side::Ours;
        Self { what, by, side }
    }

    pub(crate) fn peer(what: &'a str, by: &'a str) -> Self {
        let side = Side::Peer;
        Self { what, by, side }
    }
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(ctx: &'a Ctx) -> Self {
        Self {
            ctx,
            order: 0,
            series: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// One more run.
    pub(crate) fn add(&mut self, what: What<'_>, mut run: Run) {
        self.order += 1;
        run.order = self.order;
        let seconds = std::time::Duration::from_secs_f64(run.wall_seconds);
        self.ctx.ui.step(
            "Measured",
            format!(
                "{}, {}: {} ({:.1} s of processors)",
                what.what,
                what.by,
                text::elapsed(seconds),
                run.cpu_seconds
            ),
        );
        let known = self.series.iter_mut();
        let mut known = known.filter(|one| one.what == what.what && one.by == what.by);
        match known.next() {
            Some(series) => series.runs.push(run),
            None => self.series.push(Series {
                what: what.what.to_owned(),
                by: what.by.to_owned(),
                side: what.side,
                runs: vec![run],
            }),
        }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// One run of two commands: the second began when the first was done.
pub(crate) fn then(first: &Run, second: &Run) -> Run {
    let most = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).max();
    Run {
        order: 0,
        wall_seconds: first.wall_seconds + second.wall_seconds,
        cpu_seconds: first.cpu_seconds + second.cpu_seconds,
        peak_memory_bytes: most(first.peak_memory_bytes, second.peak_memory_bytes),
        peak_disk_bytes: most(first.peak_disk_bytes, second.peak_disk_bytes),
        moved_bytes: most(first.moved_bytes, second.moved_bytes),
        n_requests: most(first.n_requests, second.n_requests),
        n_items: most(first.n_items, second.n_items),
    }
}
