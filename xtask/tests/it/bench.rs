//! `bench`: real runs of the cheap cases, and the documents that are written from data.

use std::path::PathBuf;

use factory_bench::{Case, Measured, Side, stray_figures};
use rustix::process::{Pid, Signal, kill_process};
use xtask::bench::data;

use crate::fixture::{Checkout, encoder};
use crate::skips::skip;
use crate::tidy::root;

/// The data and its tables are one.
#[test]
fn ok_documents_have_the_tables_of_the_data() {
    let outdated = data::outdated(&root()).unwrap();
    let pages: Vec<&PathBuf> = outdated.iter().map(|(page, _)| page).collect();
    assert!(
        pages.is_empty(),
        "{pages:?}: write their tables with `cargo xtask bench --render`"
    );
}

/// A figure that was typed between markers is found.
#[test]
fn err_a_figure_that_is_not_from_the_data() {
    let tables = data::tables(&root()).unwrap();
    let name = "docs/design/D34-a-program-installs-wheels.md";
    let text = fs_err::read_to_string(root().join(name)).unwrap();
    assert_eq!(factory_bench::render(name, &text, &tables).unwrap(), text);
    let edited = text.replacen("| 288 s |", "| 28 s |", 1);
    assert_ne!(edited, text);
    assert_eq!(factory_bench::render(name, &edited, &tables).unwrap(), text);
}

#[test]
fn ok_no_table_of_measurements_is_outside_of_markers() {
    let mut found = Vec::new();
    for page in data::pages(&root()).unwrap() {
        let text = fs_err::read_to_string(root().join(&page)).unwrap();
        let stray = stray_figures(&text).into_iter();
        found.extend(stray.map(|(line, cell)| format!("{}:{line}: {cell}", page.display())));
    }
    assert!(
        found.is_empty(),
        "figures that no data stand behind:\n{}",
        found.join("\n")
    );
}

/// Every case is explained, and every table of earlier days is somewhere.
#[test]
fn ok_all_data_are_shown() {
    let pages = data::pages(&root()).unwrap();
    let texts: Vec<String> = pages
        .iter()
        .map(|page| fs_err::read_to_string(root().join(page)).unwrap())
        .collect();
    let is_shown = |name: &str| {
        let marker = format!("<!-- bench:{name} -->\n");
        texts.iter().any(|text| text.contains(&marker))
    };
    for case in Case::ALL {
        assert!(is_shown(case.name()), "no page has `{case}`");
    }
    for name in data::tables(&root()).unwrap().earlier.keys() {
        assert!(is_shown(&format!("earlier/{name}")), "no page has `{name}`");
    }
}

/// Runs a case and reads what it wrote.
fn measured(checkout: &Checkout, case: &str) -> Measured {
    let into = checkout.data().join("results");
    let tool = encoder().display().to_string();
    let into_text = into.display().to_string();
    let ran = checkout.run(&[
        "bench",
        case,
        "--runs",
        "2",
        "--variant",
        "tiny",
        "--into",
        &into_text,
        "--image-tool",
        &tool,
    ]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let file = into.join(format!("{case}.json"));
    assert_eq!(ran.stdout.trim(), file.display().to_string());
    let text = fs_err::read_to_string(&file).unwrap();
    Measured::read(&file.display().to_string(), &text).unwrap()
}

/// Nothing of a run is left but its results and the lock.
fn assert_clean(checkout: &Checkout) {
    let left: Vec<String> = fs_err::read_dir(checkout.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("bench-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn committed() -> Checkout {
    let checkout = Checkout::without_flake();
    checkout.git(&["add", "-A"]);
    checkout.git(&["commit", "-qm", "fixture"]);
    checkout
}

#[test]
fn ok_growth() {
    let checkout = committed();
    let measured = measured(&checkout, "growth");
    assert_eq!(measured.case, Case::Growth);
    assert_eq!((measured.series.len(), measured.revision.len()), (4, 40));
    for series in &measured.series {
        assert_eq!((series.side, series.runs.len()), (Side::Ours, 2));
        for run in &series.runs {
            assert!(
                run.wall_seconds > 0.0 && run.cpu_seconds > 0.0,
                "{series:?}"
            );
            // More than the program itself, and less than all that it reads.
            let memory = run.peak_memory_bytes.unwrap();
            assert!((1_000_000..1_000_000_000).contains(&memory), "{series:?}");
        }
    }
    let mut orders: Vec<u32> = measured
        .series
        .iter()
        .flat_map(|series| series.runs.iter().map(|run| run.order))
        .collect();
    orders.sort_unstable();
    assert_eq!(orders, (1..=8).collect::<Vec<_>>());
    assert_clean(&checkout);
}

/// Both sides hash the very same bytes.
#[test]
fn ok_stream() {
    if factory_base::process::find("openssl").is_none() {
        skip("no `openssl` on PATH");
        return;
    }
    let checkout = committed();
    let measured = measured(&checkout, "stream");
    assert_eq!(measured.series.len(), 6);
    for pair in measured.series.chunks(2) {
        assert_eq!((pair[0].side, pair[1].side), (Side::Ours, Side::Peer));
        assert_eq!(pair[0].what, pair[1].what);
        let bytes = pair[0].runs[0].moved_bytes.unwrap();
        assert!(bytes > 512 << 20);
        let runs = pair.iter().flat_map(|series| &series.runs);
        assert!(runs.clone().all(|run| run.moved_bytes == Some(bytes)));
    }
    assert!(measured.machine.programs["openssl"].starts_with("openssl "));
    let text = serde_json::to_string(&measured).unwrap();
    let home = std::env::var("HOME").unwrap();
    assert!(!text.contains(&home) && !text.contains("/tmp"), "{text}");
    assert_clean(&checkout);
}

/// A peer that is not there is no comparison, and leaves no result.
#[test]
fn err_a_peer_is_absent() {
    let checkout = committed();
    let programs = checkout.data().join("programs");
    fs_err::create_dir_all(&programs).unwrap();
    let git = factory_base::process::find("git").unwrap();
    fs_err::os::unix::fs::symlink(git, programs.join("git")).unwrap();
    let mut command = checkout.command(&["bench", "stream", "--variant", "tiny"]);
    let output = command.env("PATH", &programs).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    insta::assert_snapshot!(checkout.filter(&said), @"
    error: `stream` compares with `openssl`, which is not on PATH

    hint: on Debian: `apt-get install openssl`
    ");
    assert!(!checkout.root().join("bench").exists());
    assert_clean(&checkout);
}

#[test]
fn err_unknown_case() {
    let checkout = committed();
    let ran = checkout.run(&["bench", "warm"]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(ran.stderr, @"
    error: there is no case `warm`

    hint: see which there are: `cargo xtask bench --list`
    ");
}

/// Ctrl-C leaves nothing.
#[test]
fn ok_interrupted() {
    let checkout = committed();
    let tool = encoder().display().to_string();
    let mut command = checkout.command(&[
        "bench",
        "growth",
        "--runs",
        "50",
        "--variant",
        "tiny",
        "--image-tool",
        &tool,
    ]);
    let mut child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let first = lines.find(|line| line.as_ref().unwrap().contains("Measured"));
    first.expect("it measures something").unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(3), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("interrupted")),
        "{rest:?}"
    );
    assert!(!checkout.root().join("bench").exists());
    assert_clean(&checkout);
}

#[test]
fn ok_list() {
    let checkout = committed();
    let ran = checkout.run(&["bench", "--list"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    for case in Case::ALL {
        assert!(
            ran.stdout.lines().any(|line| line.starts_with(case.name())),
            "{case}"
        );
    }
}
