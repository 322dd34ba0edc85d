//! Bars for files under way and for the whole on a live terminal; plain lines elsewhere.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use factory_base::ui::{self, Ui};

/// Without a terminal, smaller files get a line only with `--verbose`.
const LINE_FROM: u64 = 20_000_000;

/// The progress of one set of downloads.
#[derive(Debug)]
pub struct Progress<'a> {
    ui: &'a Ui,
    total: ProgressBar,
    n_files: usize,
    started: Instant,
}

/// One file under way; its bar goes away when it is dropped.
#[derive(Debug)]
pub struct FileProgress<'a> {
    progress: &'a Progress<'a>,
    name: String,
    bar: ProgressBar,
    received: u64,
    started: Instant,
}

impl<'a> Progress<'a> {
    /// For `n_files` files of together `bytes` bytes, as far as known.
    pub fn new(ui: &'a Ui, n_files: usize, bytes: u64) -> Self {
        let total = ui.bars().add(ProgressBar::new(bytes));
        total.set_style(style(
            "    Fetching [{bar:24}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} eta {eta} {msg}",
        ));
        total.set_message(format!("0/{n_files}"));
        Self {
            ui,
            total,
            n_files,
            started: Instant::now(),
        }
    }

    /// A file starts.
    pub fn file(&'a self, name: &str, size: Option<u64>) -> FileProgress<'a> {
        let bar = self.ui.bars().insert_before(
            &self.total,
            size.map_or_else(ProgressBar::no_length, ProgressBar::new),
        );
        bar.set_style(style(
            "             {msg:40!} {decimal_bytes:>10}/{decimal_total_bytes} {decimal_bytes_per_sec}",
        ));
        bar.set_message(name.to_owned());
        if !self.ui.is_live() && size.unwrap_or(0) >= LINE_FROM {
            self.ui.step(
                "Fetching",
                format!("{name} ({})", ui::bytes(size.unwrap_or(0))),
            );
        }
        FileProgress {
            progress: self,
            name: name.to_owned(),
            bar,
            received: 0,
            started: Instant::now(),
        }
    }

    /// A file is in its place.
    pub fn count(&self, n_done: usize) {
        self.total.set_message(format!("{n_done}/{}", self.n_files));
    }

    /// Removes the total bar and says what was done.
    pub fn finish(&self, n_files: usize, bytes: u64) {
        self.total.finish_and_clear();
        if n_files == 0 {
            return;
        }
        let seconds = self.started.elapsed();
        let rate = bytes as f64 / seconds.as_secs_f64().max(0.001);
        self.ui.step(
            "Fetched",
            format!(
                "{n_files} {} ({}) in {} ({}/s)",
                if n_files == 1 { "source" } else { "sources" },
                ui::bytes(bytes),
                ui::elapsed(seconds),
                ui::bytes(rate as u64),
            ),
        );
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.total.finish_and_clear();
    }
}

impl FileProgress<'_> {
    /// Bytes came, or were already there.
    pub fn advance(&mut self, bytes: u64) {
        self.received += bytes;
        self.bar.inc(bytes);
        self.progress.total.inc(bytes);
    }

    /// The file starts again from nothing.
    pub fn restart(&mut self) {
        self.progress.total.dec(self.received);
        self.received = 0;
        self.bar.reset();
    }

    /// The file is whole and has the right hash.
    pub fn done(&self) {
        if self.progress.ui.is_live() {
            return;
        }
        let line = format!(
            "{} ({}) in {}",
            self.name,
            ui::bytes(self.received),
            ui::elapsed(self.started.elapsed())
        );
        if self.received >= LINE_FROM {
            self.progress.ui.step("Fetched", line);
        } else {
            self.progress.ui.detail(format!("{:>12} {line}", "Fetched"));
        }
    }
}

impl Drop for FileProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
