//! What `verify` found.

use super::{escape, table, words};
use crate::Checks;

pub(super) fn absent() -> String {
    "<section id=\"checks\" aria-labelledby=\"checks-head\"><h2 id=\"checks-head\">What was checked</h2>\n\
     <p class=\"note\">No report of <code>cargo xtask verify</code> is known for it.</p></section>\n"
        .to_owned()
}

pub(super) fn section(checks: &Checks) -> String {
    let counts = checks.counts;
    let figures = [
        ("passed", counts.passed),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("absent", counts.absent),
    ];
    let whole: usize = figures.iter().map(|(_, n)| n).sum();
    let parts = figures
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(word, n)| format!("<i class=\"{word}\" style=\"flex-grow:{n}\"></i>"));
    let words =
        figures.map(|(word, n)| format!("<span><i class=\"key {word}\"></i>{n} {word}</span>"));
    format!(
        "<section id=\"checks\" aria-labelledby=\"checks-head\">\n<h2 id=\"checks-head\">What was checked</h2>\n<p>{}</p>\n\
         <div class=\"split\" role=\"img\" aria-label=\"{} of {whole} checks passed\">{}</div>\n<p class=\"legend\">{}</p>\n{}</section>\n",
        about(checks),
        counts.passed,
        parts.collect::<String>(),
        words.join(" "),
        rows(checks),
    )
}

fn about(checks: &Checks) -> String {
    let image = match (checks.is_of_this_image, &checks.image) {
        (Some(true), _) => "this very image".to_owned(),
        (Some(false), Some(image)) => {
            format!(
                "<b>another image</b>, which was <code>{}</code>",
                escape::text(&image.reference)
            )
        }
        (_, Some(image)) => format!("<code>{}</code>", escape::text(&image.reference)),
        (_, None) => "the host".to_owned(),
    };
    let gpus: Vec<String> = checks
        .gpu
        .devices
        .iter()
        .map(|device| escape::text(&device.name))
        .collect();
    let gpus = match (gpus.as_slice(), &checks.gpu.reason) {
        ([], Some(reason)) => format!("without a GPU ({})", escape::text(reason)),
        ([], None) => "without a GPU".to_owned(),
        (some, _) => format!("with {}", some.join(", ")),
    };
    format!(
        "{}, {} up to {}, on {image}, in {} ({}), {gpus}.",
        words::moment(&checks.date),
        escape::text(&checks.variant),
        escape::text(&checks.layer),
        escape::text(&checks.runtime.name),
        escape::text(&checks.runtime.version),
    )
}

/// What is not right comes first.
fn rows(checks: &Checks) -> String {
    let mut all: Vec<_> = checks.checks.iter().collect();
    all.sort_by_key(|check| !check.result.is_failure());
    let rows = all.into_iter().map(|check| {
        let word = check.result.text();
        let class = if check.result.is_failure() {
            "failed"
        } else {
            word
        };
        let reason = check.reason.as_ref().map_or_else(String::new, |reason| {
            format!("<br><small>{}</small>", escape::text(reason))
        });
        vec![
            format!("<span class=\"verdict {class}\">{word}</span>"),
            escape::text(&check.layer),
            escape::text(&check.name),
            format!("{}{reason}", escape::text(&check.proves)),
            words::time(check.seconds),
        ]
    });
    table(
        "checks",
        "Checks, what failed first",
        &["", "layer", "check", "proves", "took"],
        &[4],
        &rows.collect::<Vec<_>>(),
    )
}
