//! Measured cases: a bar for the run in the middle, a line from the quickest to the slowest.

use super::{escape, folded, table, words};
use crate::bench::{Bar, Case, Group};

pub(super) fn section(cases: &[Case]) -> String {
    if cases.is_empty() {
        return String::new();
    }
    let cases: String = cases.iter().map(case).collect();
    format!(
        "<section id=\"benchmarks\" aria-labelledby=\"benchmarks-head\">\n<h2 id=\"benchmarks-head\">Against others</h2>\n\
         <p>Wall time: a bar is the run in the middle, its line leads from the quickest run to the slowest. Shorter is better.</p>\n{cases}</section>\n"
    )
}

fn case(case: &Case) -> String {
    let groups: String = case.groups.iter().map(group).collect();
    let notes: String = case
        .notes
        .iter()
        .map(|note| format!("<p class=\"note\">{}</p>\n", escape::text(note)))
        .collect();
    format!(
        "<article class=\"case\" data-case=\"{}\"><h3>{}</h3>\n{groups}<p class=\"note\">{}</p>\n{notes}{}</article>\n",
        escape::text(&case.name),
        escape::text(&case.what),
        escape::text(&case.about),
        folded("As a table", &figures(case)),
    )
}

fn group(group: &Group) -> String {
    let most = group
        .bars
        .iter()
        .map(|bar| bar.most_seconds)
        .fold(0.0, f64::max);
    let percent = |seconds: f64| {
        if most > 0.0 {
            seconds / most * 100.0
        } else {
            0.0
        }
    };
    let bar = |bar: &Bar| {
        let class = if bar.is_ours { "ours" } else { "peer" };
        format!(
            "<li class=\"{class}\"><span class=\"by\">{}</span><svg width=\"100%\" height=\"18\" aria-hidden=\"true\">\
             <rect width=\"{:.2}%\" height=\"18\" rx=\"3\"/><line x1=\"{:.2}%\" x2=\"{:.2}%\" y1=\"9\" y2=\"9\"/></svg><b>{}</b></li>",
            escape::text(&bar.by),
            percent(bar.median_seconds),
            percent(bar.least_seconds),
            percent(bar.most_seconds),
            words::time(bar.median_seconds),
        )
    };
    let bars: String = group.bars.iter().map(bar).collect();
    format!(
        "<h4>{}</h4>\n<ul class=\"race\">{bars}</ul>\n",
        escape::text(&group.what)
    )
}

fn figures(case: &Case) -> String {
    let groups = case.groups.iter();
    let all = groups.flat_map(|group| group.bars.iter().map(move |bar| (group, bar)));
    let rows = all.map(|(group, bar)| {
        vec![
            escape::text(&group.what),
            escape::text(&bar.by),
            words::number(bar.n_runs as u64),
            words::time(bar.least_seconds),
            words::time(bar.median_seconds),
            words::time(bar.most_seconds),
        ]
    });
    table(
        "race",
        &escape::text(&case.what),
        &["what", "by", "runs", "quickest", "middle", "slowest"],
        &[2, 3, 4, 5],
        &rows.collect::<Vec<_>>(),
    )
}
