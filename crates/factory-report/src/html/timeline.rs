//! How the image was built: a row for each place, the chain that determined the end, and a row
//! for each layer; and the tables of it.

use super::{escape, folded, table, words};
use crate::{TimedBuild, Timeline};

/// Height of a row with names in it, pixels.
const ROW: usize = 26;
/// Height of a layer's row.
const THIN: usize = 16;
/// Height of the axis.
const AXIS: usize = 20;
/// So many builds that waited long are listed.
const MOST_WAITING: usize = 15;

pub(super) fn absent() -> String {
    "<section id=\"build\" aria-labelledby=\"build-head\"><h2 id=\"build-head\">How it was built</h2>\n\
     <p class=\"note\">No build of it is recorded here: the next one will be.</p></section>\n"
        .to_owned()
}

pub(super) fn section(timeline: &Timeline) -> String {
    let chart = Chart::new(timeline);
    format!(
        "<section id=\"build\" aria-labelledby=\"build-head\">\n<h2 id=\"build-head\">How it was built</h2>\n\
         <p>{}</p>\n{}{}{}{}{}{}</section>\n",
        summary(timeline),
        chart.draw(),
        folded(
            &format!(
                "The chain that determined the end: {}",
                words::count(timeline.critical.len() as u64, "build")
            ),
            &critical(timeline),
        ),
        folded("What waited", &waiting(timeline)),
        folded("By layer", &layers(timeline)),
        folded(
            &format!(
                "What was reused: {}",
                words::count(timeline.reused.len() as u64, "derivation")
            ),
            &reused(timeline),
        ),
        folded(
            &format!(
                "All {}",
                words::count(timeline.builds.len() as u64, "build")
            ),
            &builds(timeline),
        ),
    )
}

fn summary(timeline: &Timeline) -> String {
    // What is not of this image is said before any figure.
    let which = match timeline.is_of_this_image {
        true => "The build that made this image",
        false => {
            "<b>Not of this image</b>, whose build is not recorded: the last build of its variant and layer"
        }
    };
    let places = timeline.n_places as f64;
    let from = timeline
        .builds
        .first()
        .map_or(0.0, |build| build.started_seconds);
    let busy = words::share(timeline.busy_seconds, places * (timeline.seconds - from));
    let chain: f64 = timeline
        .critical
        .iter()
        .map(|step| step.waited_seconds + step.seconds)
        .sum();
    let fetch = timeline.fetch.map_or_else(String::new, |fetch| {
        format!(
            " {} ({}) came in {}.",
            words::count(fetch.n_sources as u64, "source"),
            words::bytes(fetch.size_bytes),
            words::time(fetch.seconds)
        )
    });
    format!(
        "{which}: {}, {}, <b>{}</b> in <b>{}</b>, in {} of {}, busy {busy} of the time. \
         The chain that determined the end took {} of it.{fetch} {} {} there and used.",
        words::moment(&timeline.started_at),
        timeline.outcome.text(),
        words::count(timeline.builds.len() as u64, "build"),
        words::time(timeline.seconds),
        words::count(timeline.n_places as u64, "place"),
        timeline.jobs,
        words::time(chain),
        words::count(timeline.reused.len() as u64, "derivation"),
        if timeline.reused.len() == 1 {
            "was"
        } else {
            "were"
        },
    )
}

/// Rows of bars over one axis of time.
struct Chart<'t> {
    timeline: &'t Timeline,
    /// Seconds from the left edge to the right one.
    span: f64,
    /// Names of the rows, each with its height.
    labels: Vec<(String, usize)>,
    bars: String,
    /// The upper edge of the next row.
    y: usize,
}

impl<'t> Chart<'t> {
    fn new(timeline: &'t Timeline) -> Self {
        Self {
            timeline,
            span: timeline.seconds.max(0.001),
            labels: Vec::new(),
            bars: String::new(),
            y: AXIS,
        }
    }

    fn draw(mut self) -> String {
        self.fetch();
        self.places();
        self.chain();
        self.layers();
        let labels = self.labels.iter();
        let labels =
            labels.map(|(label, height)| format!("<li style=\"height:{height}px\">{label}</li>"));
        let height = self.y;
        format!(
            "<div class=\"bar\"><label>Zoom <input type=\"range\" id=\"zoom\" min=\"0\" max=\"6\" step=\"0.25\" value=\"0\" aria-label=\"Zoom of the timeline\"></label>\
             <span class=\"legend\"><span><i class=\"key critical\"></i>in the chain</span><span><i class=\"key waited\"></i>waited</span><span><i class=\"key failed\"></i>failed</span></span></div>\n\
             <div class=\"lanes\"><ul class=\"labels\" aria-hidden=\"true\" style=\"padding-top:{AXIS}px\">{}</ul>\n\
             <div class=\"scroll\" id=\"lanes\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline. Arrow keys move between builds, Escape lets go.\">\
             <svg id=\"time\" width=\"100%\" height=\"{height}\" role=\"presentation\">{}{}</svg></div></div>\n\
             <p id=\"time-detail\" class=\"detail\" aria-live=\"polite\">&nbsp;</p>\n",
            labels.collect::<String>(),
            axis(self.span, height),
            self.bars,
        )
    }

    fn row(&mut self, label: &str, height: usize) -> usize {
        let y = self.y;
        self.labels.push((label.to_owned(), height));
        self.y += height;
        y
    }

    fn percent(&self, seconds: f64) -> String {
        format!("{:.3}%", seconds / self.span * 100.0)
    }

    /// A bar with a name in it. The name is escaped.
    fn bar(
        &mut self,
        class: &str,
        attributes: &str,
        (from, took): (f64, f64),
        (y, height): (usize, usize),
        name: &str,
    ) {
        let (x, width) = (self.percent(from), self.percent(took));
        let text = match name {
            "" => String::new(),
            // Bars that are narrower on any screen show nothing of their name.
            _ if took / self.span < 0.002 => String::new(),
            name => format!("<text x=\"5\" y=\"{}\">{name}</text>", height - 9),
        };
        self.bars.push_str(&format!(
            "<svg class=\"{class}\"{attributes} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><rect width=\"100%\" height=\"{}\"/>{text}</svg>",
            height - 2
        ));
    }

    fn fetch(&mut self) {
        let Some(fetch) = self.timeline.fetch else {
            return;
        };
        let y = self.row("sources", ROW);
        let name = format!(
            "{}, {}",
            words::count(fetch.n_sources as u64, "source"),
            words::bytes(fetch.size_bytes)
        );
        let time = (fetch.started_seconds, fetch.seconds);
        self.bar("fetch", " style=\"--h:0;--c:0\"", time, (y, ROW), &name);
    }

    fn places(&mut self) {
        let timeline = self.timeline;
        let rows: Vec<usize> = (1..=timeline.n_places)
            .map(|place| self.row(&format!("place {place}"), ROW))
            .collect();
        for (index, build) in timeline.builds.iter().enumerate() {
            let y = rows.get(build.place).copied().unwrap_or(AXIS);
            let attributes = format!(" data-build=\"{index}\"{}", self.hue(build));
            let time = (build.started_seconds, build.seconds);
            self.bar(
                &class(build),
                &attributes,
                time,
                (y, ROW),
                &escape::text(&build.name),
            );
        }
    }

    fn chain(&mut self) {
        let timeline = self.timeline;
        if timeline.critical.is_empty() {
            return;
        }
        let y = self.row("chain", ROW);
        for step in &timeline.critical {
            let Some(build) = timeline.builds.get(step.build) else {
                continue;
            };
            if step.waited_seconds > 0.0 {
                let from = build.started_seconds - step.waited_seconds;
                self.bar("waited", "", (from, step.waited_seconds), (y, ROW), "");
            }
            let attributes = format!(" data-build=\"{}\"{}", step.build, self.hue(build));
            let time = (build.started_seconds, step.seconds);
            self.bar(
                "build chain",
                &attributes,
                time,
                (y, ROW),
                &escape::text(&build.name),
            );
        }
    }

    fn layers(&mut self) {
        let timeline = self.timeline;
        for (place, layer) in timeline.layers.iter().enumerate() {
            let label = format!(
                "<i class=\"key\" style=\"{}\"></i>{}",
                words::hue(Some(place)),
                escape::text(&layer.name)
            );
            let y = self.row(&label, THIN);
            for build in &timeline.builds {
                if build.layer.as_deref() == Some(&layer.name) {
                    let time = (build.started_seconds, build.seconds);
                    let hue = self.hue(build);
                    self.bar("thin", &hue, time, (y, THIN), "");
                }
            }
        }
    }

    fn hue(&self, build: &TimedBuild) -> String {
        format!(" style=\"{}\"", words::hue(place_of(self.timeline, build)))
    }
}

fn place_of(timeline: &Timeline, build: &TimedBuild) -> Option<usize> {
    let layer = build.layer.as_deref()?;
    timeline.layers.iter().position(|known| known.name == layer)
}

fn class(build: &TimedBuild) -> String {
    use factory_model::build_record::Outcome;
    let mut class = "build".to_owned();
    if build.is_critical {
        class.push_str(" critical");
    }
    if build.outcome != Outcome::Done {
        class.push_str(" failed");
    }
    class
}

/// Lines at round times: not more than eight.
fn axis(span: f64, height: usize) -> String {
    const STEPS: [f64; 16] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
        7200.0,
    ];
    let step = STEPS
        .into_iter()
        .find(|step| span / step <= 8.0)
        .unwrap_or(span / 8.0);
    let mut out = String::new();
    for tick in 0..=(span / step) as usize {
        let at = tick as f64 * step;
        let x = at / span * 100.0;
        // The last line's text would lead beyond the edge.
        let text = match x < 93.0 {
            true => format!(
                "<text class=\"tick\" x=\"{x:.3}%\" dx=\"3\" y=\"13\">{}</text>",
                label(at)
            ),
            false => String::new(),
        };
        out.push_str(&format!(
            "<line class=\"tick\" x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"0\" y2=\"{height}\"/>{text}"
        ));
    }
    out
}

/// `0`, `30 s`, `2 min`.
fn label(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        _ if seconds >= 60.0 && seconds % 60.0 == 0.0 => format!("{} min", seconds / 60.0),
        _ => format!("{} s", (seconds * 10.0).round() / 10.0),
    }
}

fn layer_cell(timeline: &Timeline, build: &TimedBuild) -> String {
    match &build.layer {
        Some(layer) => format!(
            "<i class=\"key\" style=\"{}\"></i>{}",
            words::hue(place_of(timeline, build)),
            escape::text(layer)
        ),
        None => "image".to_owned(),
    }
}

fn critical(timeline: &Timeline) -> String {
    let rows = timeline.critical.iter().filter_map(|step| {
        let build = timeline.builds.get(step.build)?;
        Some(vec![
            escape::text(&build.name),
            layer_cell(timeline, build),
            words::time(build.started_seconds),
            words::time(step.waited_seconds),
            words::time(step.seconds),
            words::share(step.seconds, timeline.seconds),
        ])
    });
    table(
        "critical",
        "Each build needs the one above it, which was the last of what it needs to be done",
        &[
            "build",
            "layer",
            "began after",
            "waited for a place",
            "took",
            "of all",
        ],
        &[2, 3, 4, 5],
        &rows.collect::<Vec<_>>(),
    )
}

fn waiting(timeline: &Timeline) -> String {
    let mut waiting: Vec<&TimedBuild> = timeline.builds.iter().collect();
    waiting.sort_by(|one, other| other.waited_seconds.total_cmp(&one.waited_seconds));
    let rows = waiting.into_iter().take(MOST_WAITING).map(|build| {
        vec![
            escape::text(&build.name),
            layer_cell(timeline, build),
            words::time(build.waited_seconds),
            words::time(build.seconds),
        ]
    });
    table(
        "waiting",
        "Builds that waited longest for a place, from when all that they need was there",
        &["build", "layer", "waited", "took"],
        &[2, 3],
        &rows.collect::<Vec<_>>(),
    )
}

fn layers(timeline: &Timeline) -> String {
    let rows = timeline.layers.iter().map(|layer| {
        let own = || {
            timeline
                .builds
                .iter()
                .filter(|build| build.layer.as_deref() == Some(&layer.name))
        };
        let from = own()
            .map(|build| build.started_seconds)
            .fold(f64::INFINITY, f64::min);
        let to = own()
            .map(|build| build.started_seconds + build.seconds)
            .fold(0.0, f64::max);
        let n_built = own().count();
        let n_reused = layer.n_derivations.saturating_sub(layer.n_missing);
        vec![
            escape::text(&layer.name),
            words::number(n_built as u64),
            words::number(n_reused as u64),
            if n_built > 0 {
                words::time(own().map(|build| build.seconds).sum())
            } else {
                String::new()
            },
            if n_built > 0 {
                words::time(to - from)
            } else {
                "was there".to_owned()
            },
        ]
    });
    table(
        "built-layers",
        "Layers of the build; a derivation belongs to the lowest layer that needs it",
        &[
            "layer",
            "built",
            "not built anew",
            "builds together",
            "first to last",
        ],
        &[1, 2, 3, 4],
        &rows.collect::<Vec<_>>(),
    )
}

fn reused(timeline: &Timeline) -> String {
    let rows = timeline.reused.iter();
    let rows = rows.map(|one| {
        vec![
            escape::text(&one.name),
            one.layer
                .as_deref()
                .map_or_else(|| "image".to_owned(), escape::text),
        ]
    });
    table(
        "reused",
        "Derivations that the builds needed, and the store had",
        &["derivation", "layer"],
        &[],
        &rows.collect::<Vec<_>>(),
    )
}

fn builds(timeline: &Timeline) -> String {
    let rows = timeline.builds.iter().map(|build| {
        vec![
            escape::text(&build.name),
            layer_cell(timeline, build),
            words::number(build.place as u64 + 1),
            words::time(build.started_seconds),
            words::time(build.waited_seconds),
            words::time(build.seconds),
            build.outcome.text().to_owned(),
        ]
    });
    table(
        "builds",
        "Builds in the order of starting",
        &[
            "build",
            "layer",
            "place",
            "began after",
            "waited",
            "took",
            "end",
        ],
        &[2, 3, 4, 5],
        &rows.collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_round_times() {
        let times = [0.0, 0.30000000000000004, 30.0, 60.0, 90.0, 120.0].map(label);
        assert_eq!(times, ["0", "0.3 s", "30 s", "1 min", "90 s", "2 min"]);
        for span in [0.001, 0.7, 3.0, 59.0, 433.0, 12_000.0, 1e6] {
            let n = axis(span, 10).matches("<line").count();
            assert!((1..=9).contains(&n), "{span}: {n}");
        }
    }
}
