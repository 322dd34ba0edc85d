//! What the user sees while Nix builds: live lines on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::name_of;
use super::state::{Change, Running, State};
use factory_base::ctx::Ctx;
use factory_base::ui::{elapsed, shorten};
use factory_model::layer::LayerName;

/// Draws the state of one build.
pub(super) struct View<'a> {
    ctx: &'a Ctx,
    layers: &'a BTreeMap<String, LayerName>,
    started: Instant,
    total: Option<ProgressBar>,
    bars: BTreeMap<u64, ProgressBar>,
}

impl<'a> View<'a> {
    pub(super) fn new(ctx: &'a Ctx, layers: &'a BTreeMap<String, LayerName>) -> Self {
        Self {
            ctx,
            layers,
            started: Instant::now(),
            total: None,
            bars: BTreeMap::new(),
        }
    }

    /// Shows a change as soon as it happens.
    pub(super) fn changed(&mut self, state: &State, change: &Change) {
        let ui = &self.ctx.ui;
        match change {
            Change::Started(id) => {
                let Some(running) = state.running.get(id) else {
                    return;
                };
                if ui.is_live() {
                    let bar = self.ctx.ui.bars().add(line_bar());
                    bar.set_message(self.running_line(running));
                    self.bars.insert(*id, bar);
                } else {
                    ui.step("Building", self.label(&running.drv_path));
                }
            }
            Change::Updated(id) => {
                let Some(running) = state.running.get(id) else {
                    return;
                };
                if let (false, Some(line)) = (ui.is_live(), running.lines.back()) {
                    ui.detail(format!("{}> {line}", name_of(&running.drv_path)));
                }
            }
            Change::Finished(id, finished) => {
                self.remove(*id);
                let took = elapsed(finished.ended.duration_since(finished.started));
                ui.step(
                    "Built",
                    format!("{} {took}", self.label(&finished.drv_path)),
                );
            }
            Change::Failed(id, failed) => {
                self.remove(*id);
                let took = failed
                    .times
                    .map_or(Duration::ZERO, |(from, to)| to.duration_since(from));
                let label = self.label(&failed.drv_path);
                ui.warn(format!("{label} failed after {}", elapsed(took)));
            }
            Change::Warning(text) => ui.warn(text.strip_prefix("warning: ").unwrap_or(text)),
            Change::Totals => {}
        }
    }

    /// Redraws what moves with time.
    pub(super) fn tick(&mut self, state: &State) {
        if !self.ctx.ui.is_live() {
            return;
        }
        let totals = state.totals;
        if totals.n_expected > 0 {
            let bar = self
                .total
                .get_or_insert_with(|| self.ctx.ui.bars().insert(0, line_bar()));
            let failed = match totals.n_failed {
                0 => String::new(),
                n_failed => format!(", {n_failed} failed"),
            };
            bar.set_message(format!(
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
                bar.set_message(self.running_line(running));
            }
        }
    }

    /// Takes all lines off the screen.
    pub(super) fn finish(mut self) {
        let ids: Vec<u64> = self.bars.keys().copied().collect();
        for id in ids {
            self.remove(id);
        }
        if let Some(total) = self.total.take() {
            total.finish_and_clear();
            self.ctx.ui.bars().remove(&total);
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(bar) = self.bars.remove(&id) {
            bar.finish_and_clear();
            self.ctx.ui.bars().remove(&bar);
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
            self.ctx.ui.paint("2", line),
        )
    }
}

/// A line that is cut at the terminal's width.
fn line_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}
