//! Results as Markdown tables.

use std::collections::BTreeSet;

use factory_base::text;

use crate::{Case, Machine, Measured, Run, Series, Side, Spread};

/// A table of Markdown.
pub(crate) fn markdown(columns: &[String], rows: &[Vec<String>]) -> String {
    // An empty cell is `| |`, as people write it.
    let cell = |cell: &String| match cell.as_str() {
        "" => " |".to_owned(),
        some => format!(" {some} |"),
    };
    let line = |cells: &[String]| format!("|{}\n", cells.iter().map(cell).collect::<String>());
    let mut table = line(columns);
    table.push_str(&line(&vec!["---".to_owned(); columns.len()]));
    for row in rows {
        table.push_str(&line(row));
    }
    table
}

/// A column that a table has only where there is something in it.
struct Column {
    title: &'static str,
    cell: fn(&Series) -> Option<String>,
}

/// All columns of a case after `what` and `by`.
fn columns(case: Case) -> Vec<Column> {
    let mut columns = vec![
        Column {
            title: "wall",
            cell: |series| series.wall().map(|wall| spread(wall, seconds)),
        },
        Column {
            title: "processor",
            cell: |series| series.cpu().map(|cpu| spread(cpu, seconds)),
        },
        Column {
            title: "memory",
            cell: |series| peak(series, |run| run.peak_memory_bytes),
        },
        Column {
            title: "disk",
            cell: |series| peak(series, |run| run.peak_disk_bytes),
        },
    ];
    match case {
        Case::Stream => columns.push(Column {
            title: "rate",
            cell: |series| series.spread(rate).map(|rate| spread(rate, megabytes)),
        }),
        Case::Growth => columns.extend([
            Column {
                title: "processor for each",
                cell: |series| {
                    let each = series.spread(|run| per_item(run, run.cpu_seconds));
                    each.map(|each| format!("{:.2} ms", each.median * 1e3))
                },
            },
            Column {
                title: "memory for each",
                cell: |series| {
                    let each = series.spread(|run| {
                        let memory = run.peak_memory_bytes.map(|bytes| bytes as f64);
                        memory.and_then(|bytes| per_item(run, bytes))
                    });
                    each.map(|each| bytes(each.median))
                },
            },
        ]),
        _ => columns.push(Column {
            title: "bytes moved",
            cell: |series| {
                let moved = series.spread(|run| run.moved_bytes.map(|bytes| bytes as f64));
                moved.map(|moved| bytes(moved.median))
            },
        }),
    }
    columns.push(Column {
        title: "requests",
        cell: |series| {
            let requests = series.spread(|run| run.n_requests.map(|n| n as f64));
            requests.map(|requests| format!("{:.0}", requests.median))
        },
    });
    columns
}

/// All that one case measured.
pub(crate) fn of_case(measured: &Measured) -> String {
    let mut columns = columns(measured.case);
    let is_used = |column: &Column| {
        let mut cells = measured.series.iter().filter_map(column.cell);
        cells.next().is_some()
    };
    columns.retain(is_used);
    let head = ["what", "by"].into_iter();
    let head = head.chain(columns.iter().map(|column| column.title));
    let head: Vec<String> = head.map(str::to_owned).collect();
    let rows = measured.series.iter().map(|series| {
        let cells = columns.iter();
        let cells = cells.map(|column| (column.cell)(series).unwrap_or_default());
        [series.what.clone(), series.by.clone()]
            .into_iter()
            .chain(cells)
            .collect::<Vec<_>>()
    });
    let table = markdown(&head, &rows.collect::<Vec<_>>());
    let mut text = format!("{table}\n{}\n", footer(&[measured]));
    if measured.case == Case::Growth {
        for pair in measured.series.chunks(2) {
            text.extend(growth(pair));
        }
    }
    for note in &measured.notes {
        text.push_str(note);
        text.push('\n');
    }
    text
}

/// How much more each of many items takes than each of a few.
fn growth(pair: &[Series]) -> Option<String> {
    let [few, many] = pair else { return None };
    let items = |series: &Series| series.runs.first().and_then(|run| run.n_items);
    let each = |series: &Series, figure: fn(&Run) -> Option<f64>| {
        let each = series.spread(|run| figure(run).and_then(|value| per_item(run, value)));
        each.map(|each| each.median)
    };
    let ratio = |figure| Some(each(many, figure)? / each(few, figure)?);
    Some(format!(
        "From {} to {} items, each takes {:.2} times the processor time and {:.2} times the memory.\n",
        items(few)?,
        items(many)?,
        ratio(|run| Some(run.cpu_seconds))?,
        ratio(|run| run.peak_memory_bytes.map(|bytes| bytes as f64))?,
    ))
}

/// One line for each comparison of all cases: medians of wall time.
pub(crate) fn summary(all: &[&Measured]) -> String {
    let mut rows = Vec::new();
    for measured in all {
        let title = measured.case.about().what;
        let sides = |side: Side| measured.series.iter().filter(move |one| one.side == side);
        for ours in sides(Side::Ours) {
            for peer in sides(Side::Peer).filter(|peer| peer.what == ours.what) {
                let (Some(our), Some(their)) = (ours.wall(), peer.wall()) else {
                    continue;
                };
                rows.push(vec![
                    title.to_owned(),
                    ours.what.clone(),
                    seconds(our.median),
                    format!("{}: {}", peer.by, seconds(their.median)),
                    format!("{:.2}", our.median / their.median),
                ]);
            }
        }
    }
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let head = [
        "what",
        "how far",
        "here",
        "peer",
        "share of the peer's time",
    ];
    let table = markdown(&head.map(str::to_owned), &rows);
    format!("{table}\n{}\n", footer(all))
}

/// What stands in a table's place before anything was measured.
pub(crate) const NOTHING: &str = "Nothing is measured yet.\n";

/// When and where, for all that stands above it.
fn footer(all: &[&Measured]) -> String {
    let distinct = |each: &dyn Fn(&Measured) -> String| {
        let texts: BTreeSet<String> = all.iter().map(|measured| each(measured)).collect();
        texts.into_iter().collect::<Vec<_>>().join(" and ")
    };
    let runs = distinct(&|measured| {
        let n_runs = measured.series.iter().map(|series| series.runs.len());
        n_runs.max().unwrap_or(0).to_string()
    });
    let revision = distinct(&|measured| {
        let short: String = measured.revision.chars().take(7).collect();
        let modified = if measured.modified {
            " with changes"
        } else {
            ""
        };
        format!("`{short}`{modified}")
    });
    // What one case needs, another does not: programs are named once for all.
    let programs: BTreeSet<&str> = all
        .iter()
        .flat_map(|measured| measured.machine.programs.values().map(String::as_str))
        .collect();
    let programs = match programs.len() {
        0 => String::new(),
        _ => format!("; {}", Vec::from_iter(programs).join(", ")),
    };
    format!(
        "Medians (least to most) of runs in turn, {runs} of each. {}{programs}. Revision {revision}, {}; load at the start {}.",
        distinct(&|measured| machine(&measured.machine)),
        distinct(&|measured| measured.date.chars().take(10).collect()),
        distinct(&|measured| format!("{:.1}", measured.load_average)),
    )
}

fn machine(machine: &Machine) -> String {
    format!(
        "{}, {}, {} of memory, Linux {}, {}",
        machine.processor,
        text::count(machine.n_cores, "core"),
        text::bytes(machine.memory_bytes),
        machine.kernel,
        machine.disk,
    )
}

fn per_item(run: &Run, value: f64) -> Option<f64> {
    run.n_items.map(|n_items| value / n_items as f64)
}

fn rate(run: &Run) -> Option<f64> {
    run.moved_bytes
        .map(|bytes| bytes as f64 / 1e6 / run.wall_seconds)
}

/// The most that any run took.
fn peak(series: &Series, figure: fn(&Run) -> Option<u64>) -> Option<String> {
    series.runs.iter().filter_map(figure).max().map(text::bytes)
}

fn spread(spread: Spread, show: fn(f64) -> String) -> String {
    let median = show(spread.median);
    if spread.least == spread.most {
        return median;
    }
    let bare = |value: f64| {
        let text = show(value);
        text.split(' ').next().unwrap_or_default().to_owned()
    };
    format!("{median} ({} to {})", bare(spread.least), bare(spread.most))
}

/// Three digits are more than two runs agree on.
fn seconds(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2} s"),
        10.0..100.0 => format!("{value:.1} s"),
        _ => format!("{value:.0} s"),
    }
}

fn megabytes(value: f64) -> String {
    format!("{value:.0} MB/s")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are positive and far below 2^53"
)]
fn bytes(value: f64) -> String {
    text::bytes(value as u64)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn run(order: u32, wall_seconds: f64) -> Run {
        Run {
            order,
            wall_seconds,
            cpu_seconds: wall_seconds * 1.5,
            peak_memory_bytes: Some(512_000_000),
            ..Run::default()
        }
    }

    pub(crate) fn measured() -> Measured {
        let series = |by: &str, side, walls: [f64; 3], first: u32| Series {
            what: "until it runs in podman".to_owned(),
            by: by.to_owned(),
            side,
            runs: walls
                .into_iter()
                .zip(0..)
                .map(|(wall, index)| run(first + 2 * index, wall))
                .collect(),
        };
        Measured {
            case: Case::Edit,
            revision: "a60bee2c4b7e5a1fdd1f6f4a0e6a1f3f2a0b9c8d".to_owned(),
            modified: false,
            date: "2026-11-28T18:00:00Z".to_owned(),
            variant: "slim".to_owned(),
            machine: Machine {
                processor: "A Processor".to_owned(),
                n_cores: 2,
                memory_bytes: 25_000_000_000,
                kernel: "6.1.0".to_owned(),
                disk: "ext4, solid state".to_owned(),
                programs: [("podman".to_owned(), "podman version 4.3.1".to_owned())].into(),
            },
            load_average: 0.42,
            notes: vec!["The wheel is fetched in it.".to_owned()],
            series: vec![
                series("cargo xtask", Side::Ours, [11.94, 12.3, 11.8], 1),
                series("Dockerfile + uv", Side::Peer, [41.0, 38.5, 143.2], 2),
            ],
        }
    }

    #[test]
    fn ok_table_of_a_case() {
        insta::assert_snapshot!(of_case(&measured()), @"
        | what | by | wall | processor | memory |
        | --- | --- | --- | --- | --- |
        | until it runs in podman | cargo xtask | 11.9 s (11.8 to 12.3) | 17.9 s (17.7 to 18.5) | 512.0 MB |
        | until it runs in podman | Dockerfile + uv | 41.0 s (38.5 to 143) | 61.5 s (57.8 to 215) | 512.0 MB |

        Medians (least to most) of runs in turn, 3 of each. A Processor, 2 cores, 25.0 GB of memory, Linux 6.1.0, ext4, solid state; podman version 4.3.1. Revision `a60bee2`, 2026-11-28; load at the start 0.4.
        The wheel is fetched in it.
        ");
    }

    #[test]
    fn ok_summary() {
        insta::assert_snapshot!(summary(&[&measured()]), @"
        | what | how far | here | peer | share of the peer's time |
        | --- | --- | --- | --- | --- |
        | One wheel more in pak7, its lock included | until it runs in podman | 11.9 s | Dockerfile + uv: 41.0 s | 0.29 |

        Medians (least to most) of runs in turn, 3 of each. A Processor, 2 cores, 25.0 GB of memory, Linux 6.1.0, ext4, solid state; podman version 4.3.1. Revision `a60bee2`, 2026-11-28; load at the start 0.4.
        ");
        assert_eq!(summary(&[]), NOTHING);
    }

    #[test]
    fn ok_one_machine_is_named_once() {
        let mut other = measured();
        let openssl = ("openssl".to_owned(), "openssl 3.0.19".to_owned());
        other.machine.programs = [openssl].into();
        let text = footer(&[&measured(), &other]);
        let machine = "ext4, solid state; openssl 3.0.19, podman version 4.3.1. Revision";
        assert_eq!(text.matches("A Processor").count(), 1, "{text}");
        assert!(text.contains(machine), "{text}");
    }

    #[test]
    fn ok_growth_is_shown_for_each_item() {
        let mut measured = measured();
        measured.case = Case::Growth;
        measured.notes.clear();
        for (series, n_items) in measured.series.iter_mut().zip([1_000, 10_000]) {
            for run in &mut series.runs {
                run.n_items = Some(n_items);
            }
        }
        insta::assert_snapshot!(of_case(&measured), @"
        | what | by | wall | processor | memory | processor for each | memory for each |
        | --- | --- | --- | --- | --- | --- | --- |
        | until it runs in podman | cargo xtask | 11.9 s (11.8 to 12.3) | 17.9 s (17.7 to 18.5) | 512.0 MB | 17.91 ms | 512.0 kB |
        | until it runs in podman | Dockerfile + uv | 41.0 s (38.5 to 143) | 61.5 s (57.8 to 215) | 512.0 MB | 6.15 ms | 51.2 kB |

        Medians (least to most) of runs in turn, 3 of each. A Processor, 2 cores, 25.0 GB of memory, Linux 6.1.0, ext4, solid state; podman version 4.3.1. Revision `a60bee2`, 2026-11-28; load at the start 0.4.
        From 1000 to 10000 items, each takes 0.34 times the processor time and 0.10 times the memory.
        ");
    }

    #[test]
    fn ok_seconds() {
        let shown = [0.523, 9.994, 12.34, 204.4].map(seconds);
        assert_eq!(shown, ["0.52 s", "9.99 s", "12.3 s", "204 s"]);
    }
}
