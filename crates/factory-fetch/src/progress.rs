//! Bars for files under way and for the whole on a live terminal; plain lines elsewhere.

use std::time::Instant;

use factory_base::run::{Bar, Look, Report};
use factory_base::text::{bytes, elapsed};

/// Without a terminal, smaller files get a line only with `--verbose`.
const LINE_FROM: u64 = 20_000_000;

/// The progress of one set of downloads.
#[derive(Debug)]
pub struct Progress<'a> {
    report: &'a dyn Report,
    total: Box<dyn Bar>,
    n_files: usize,
    started: Instant,
}

/// One file under way; its bar goes away when it is dropped.
#[derive(Debug)]
pub struct FileProgress<'a> {
    progress: &'a Progress<'a>,
    name: String,
    bar: Box<dyn Bar>,
    received: u64,
    started: Instant,
}

impl<'a> Progress<'a> {
    /// For `n_files` files of together `n_bytes` bytes, as far as known.
    pub fn new(report: &'a dyn Report, n_files: usize, n_bytes: u64) -> Self {
        Self {
            report,
            total: report.bar(Look::Files, Some(n_bytes), &format!("0/{n_files}")),
            n_files,
            started: Instant::now(),
        }
    }

    /// A file starts.
    pub fn file(&'a self, name: &str, size: Option<u64>) -> FileProgress<'a> {
        let size_bytes = size.unwrap_or(0);
        if !self.report.is_live() && size_bytes >= LINE_FROM {
            let line = format!("{name} ({})", bytes(size_bytes));
            self.report.step("Fetching", &line);
        }
        FileProgress {
            progress: self,
            name: name.to_owned(),
            bar: self.report.bar(Look::File, size, name),
            received: 0,
            started: Instant::now(),
        }
    }

    /// A file is in its place.
    pub fn count(&self, n_done: usize) {
        self.total.message(&format!("{n_done}/{}", self.n_files));
    }

    /// Removes the total bar and says what was done.
    pub fn finish(self, n_files: usize, n_bytes: u64) {
        drop(self.total);
        if n_files == 0 {
            return;
        }
        let seconds = self.started.elapsed();
        let rate = n_bytes as f64 / seconds.as_secs_f64().max(0.001);
        self.report.step(
            "Fetched",
            &format!(
                "{n_files} {} ({}) in {} ({}/s)",
                if n_files == 1 { "source" } else { "sources" },
                bytes(n_bytes),
                elapsed(seconds),
                bytes(rate as u64),
            ),
        );
    }
}

impl FileProgress<'_> {
    /// Bytes came, or were already there.
    pub fn advance(&mut self, n_bytes: u64) {
        self.received += n_bytes;
        self.bar.advance(n_bytes);
        self.progress.total.advance(n_bytes);
    }

    /// The file starts again from nothing.
    pub fn restart(&mut self) {
        self.progress.total.retreat(self.received);
        self.bar.retreat(self.received);
        self.received = 0;
    }

    /// The file is whole and has the right hash.
    pub fn done(&self) {
        let report = self.progress.report;
        if report.is_live() {
            return;
        }
        let line = format!(
            "{} ({}) in {}",
            self.name,
            bytes(self.received),
            elapsed(self.started.elapsed())
        );
        if self.received >= LINE_FROM {
            report.step("Fetched", &line);
        } else {
            report.detail(&format!("{:>12} {line}", "Fetched"));
        }
    }
}
