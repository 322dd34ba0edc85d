//! What the user sees while Nix builds: live lines on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::name_of;
use super::state::{Change, Running, State};
use factory_base::run::{Bar, Look, Report};
use factory_base::text::{elapsed, shorten};
use factory_model::layer::LayerName;

/// Draws the state of one build.
pub(super) struct View<'a> {
    report: &'a dyn Report,
    layers: &'a BTreeMap<String, LayerName>,
    started: Instant,
    has_total: bool,
    total: Option<Box<dyn Bar>>,
    bars: BTreeMap<u64, Box<dyn Bar>>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        report: &'a dyn Report,
        layers: &'a BTreeMap<String, LayerName>,
        has_total: bool,
    ) -> Self {
        Self {
            report,
            layers,
            started: Instant::now(),
            has_total,
            total: None,
            bars: BTreeMap::new(),
        }
    }

    /// Shows a change as soon as it happens.
    pub(super) fn changed(&mut self, state: &State, change: &Change) {
        let report = self.report;
        match change {
            Change::Started(id) => {
                let Some(running) = state.running.get(id) else {
                    return;
                };
                if report.is_live() {
                    let bar = report.bar(Look::Line, None, &self.running_line(running));
                    self.bars.insert(*id, bar);
                } else {
                    report.step("Building", &self.label(&running.drv_path));
                }
            }
            Change::Updated(id) => {
                let Some(running) = state.running.get(id) else {
                    return;
                };
                if let (false, Some(line)) = (report.is_live(), running.lines.back()) {
                    report.detail(&format!("{}> {line}", name_of(&running.drv_path)));
                }
            }
            Change::Finished(id, finished) => {
                self.bars.remove(id);
                let took = elapsed(finished.ended.duration_since(finished.started));
                let label = self.label(&finished.drv_path);
                report.step("Built", &format!("{label} {took}"));
            }
            Change::Failed(id, failed) => {
                self.bars.remove(id);
                let took = failed
                    .times
                    .map_or(Duration::ZERO, |(from, to)| to.duration_since(from));
                let label = self.label(&failed.drv_path);
                report.warn(&format!("{label} failed after {}", elapsed(took)));
            }
            Change::Warning(text) => report.warn(text.strip_prefix("warning: ").unwrap_or(text)),
            Change::Totals => {}
        }
    }

    /// Redraws what moves with time.
    pub(super) fn tick(&mut self, state: &State) {
        if !self.report.is_live() {
            return;
        }
        let totals = state.totals;
        if self.has_total && totals.n_expected > 0 {
            let report = self.report;
            let bar = self
                .total
                .get_or_insert_with(|| report.bar(Look::Head, None, ""));
            let failed = match totals.n_failed {
                0 => String::new(),
                n_failed => format!(", {n_failed} failed"),
            };
            bar.message(&format!(
                "{:>12} {} of {} done, {} running{failed}, {}",
                "Total",
                totals.n_done,
                totals.n_expected,
                state.running.len(),
                elapsed(self.started.elapsed()),
            ));
        }
        for (id, running) in &state.running {
            if let Some(bar) = self.bars.get(id) {
                bar.message(&self.running_line(running));
            }
        }
    }

    fn label(&self, drv_path: &str) -> String {
        match self.layers.get(drv_path) {
            Some(layer) => format!("{} ({layer})", name_of(drv_path)),
            None => name_of(drv_path),
        }
    }

    fn running_line(&self, running: &Running) -> String {
        let layer = self
            .layers
            .get(&running.drv_path)
            .map_or(String::new(), LayerName::to_string);
        let phase = running.phase.as_deref().unwrap_or("");
        let line = running.lines.back().map_or("", |line| line.trim());
        format!(
            "{layer:>14} {} {} {phase} {}",
            shorten(&name_of(&running.drv_path), 36),
            elapsed(running.started.elapsed()),
            self.report.faint(line),
        )
    }
}
