//! What a build that failed says.

use std::collections::BTreeMap;

use super::state::{Failed, State};
use super::{Error, Graph, Nix, name_of};
use factory_base::text::elapsed;
use factory_model::layer::LayerName;

/// How many failed derivations are shown with their log; the others are named.
const SHOWN_FAILURES: usize = 3;

/// Names what failed, with its last lines, and what to do about it.
pub(super) fn failure(nix: &Nix, state: &State, layers: &BTreeMap<String, LayerName>) -> Error {
    let what = describe(&state.failed, layers);
    if state.failed.iter().any(is_disk_full) || state.errors.iter().any(|e| says_disk_full(e)) {
        return Error::DiskFull { what };
    }
    let is_fixed = fixed_outputs(nix, &state.failed);
    let (sources, others): (Vec<&Failed>, Vec<&Failed>) =
        state.failed.iter().partition(|failed| is_fixed(failed));
    let layer = sources
        .iter()
        .filter_map(|failed| layers.get(&failed.drv_path))
        .max();
    let logs = others
        .iter()
        .filter(|failed| failed.times.is_some())
        .take(SHOWN_FAILURES)
        .map(|failed| nix.log_command(&failed.drv_path));
    Error::NotBuilt {
        what,
        sources: (!sources.is_empty()).then(|| layer.map(|layer| layer.short().to_string())),
        logs: logs.collect(),
    }
}

fn describe(failed: &[Failed], layers: &BTreeMap<String, LayerName>) -> String {
    let label = |failed: &Failed| {
        let name = name_of(&failed.drv_path);
        match layers.get(&failed.drv_path) {
            Some(layer) => format!("`{name}` of layer {layer}"),
            None => format!("`{name}`"),
        }
    };
    let summary = |failed: &Failed| {
        let took = failed.times.map_or(String::new(), |(from, to)| {
            format!(" after {}", elapsed(to.duration_since(from)))
        });
        format!("{}: {}{took}", label(failed), reason(failed))
    };
    let with_log = |failed: &Failed| {
        let lines = failed.lines.iter().map(|line| format!("\n    {line}"));
        summary(failed) + &lines.collect::<String>()
    };
    if let [one] = failed {
        return format!("cannot build {}", with_log(one));
    }
    let (shown, named) = failed.split_at(failed.len().min(SHOWN_FAILURES));
    let parts = shown.iter().map(with_log).chain(named.iter().map(summary));
    let parts = parts.map(|part| format!("\n  {part}"));
    format!(
        "cannot build {} derivations{}",
        failed.len(),
        parts.collect::<String>()
    )
}

/// Nix's sentence without the path, which the label already says.
fn reason(failed: &Failed) -> String {
    let mut lines = failed.reason.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let end = first.rsplit_once(".drv'").map_or(first, |(_, end)| end);
    let end = end.trim_matches([' ', ':', ';', '.']);
    let details: Vec<&str> = lines
        .take_while(|line| !line.starts_with("Output paths"))
        .map(|line| line.trim_start_matches("Reason: ").trim_end_matches('.'))
        // As versions before 2.32 put it, without the builder that everything has.
        .map(|line| line.trim_start_matches("builder "))
        .filter(|line| !line.is_empty())
        .collect();
    match (end, details.as_slice()) {
        ("", []) => first.to_owned(),
        (end, []) => end.to_owned(),
        ("", details) => match first.split_once(" in fixed-output") {
            Some((what, _)) => format!("{what}, {}", details.join(", ")),
            None => details.join(", "),
        },
        (end, details) => format!("{end}, {}", details.join(", ")),
    }
}

fn is_disk_full(failed: &Failed) -> bool {
    says_disk_full(&failed.reason) || failed.lines.iter().any(|line| says_disk_full(line))
}

fn says_disk_full(text: &str) -> bool {
    text.to_ascii_lowercase()
        .contains("no space left on device")
}

/// Which of the failed derivations are sources. A store that cannot answer now has no opinion.
fn fixed_outputs(nix: &Nix, failed: &[Failed]) -> impl Fn(&Failed) -> bool {
    let drv_paths: Vec<String> = failed
        .iter()
        .map(|failed| failed.drv_path.clone())
        .collect();
    let graph = Graph::read(nix, &drv_paths).unwrap_or_default();
    move |failed| {
        graph
            .get(&failed.drv_path)
            .is_some_and(|node| node.is_fixed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use factory_base::error::{Explain as _, Kind};

    fn failed(reason: &str) -> Failed {
        Failed {
            drv_path: "/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.whl.drv".to_owned(),
            reason: reason.to_owned(),
            lines: vec!["one".to_owned(), "two".to_owned()],
            times: None,
        }
    }

    fn nix() -> Nix {
        Nix {
            bin: "/cache/nix/bin".into(),
            version: "nix (Nix) 2.26.3".to_owned(),
            environment: vec![("NIX_CONF_DIR".to_owned(), "/cache/nix/conf".to_owned())],
            store_root: None,
        }
    }

    #[test]
    fn ok_reasons() {
        let drv = "/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.whl.drv";
        for (text, expected) in [
            (
                format!("builder for '{drv}' failed with exit code 1"),
                "failed with exit code 1",
            ),
            (
                format!(
                    "Cannot build '{drv}'.\nReason: builder failed with exit code 1.\nOutput paths:\n"
                ),
                "failed with exit code 1",
            ),
            (
                format!(
                    "hash mismatch in fixed-output derivation '{drv}':\n  specified: a\n     got: b"
                ),
                "hash mismatch, specified: a, got: b",
            ),
        ] {
            assert_eq!(reason(&failed(&text)), expected);
        }
    }

    #[test]
    fn err_one_failure() {
        let mut state = State::default();
        state.failed.push(failed(
            "builder for '/nix/store/x-foo.whl.drv' failed with exit code 3",
        ));
        state.failed[0].times = Some((Instant::now(), Instant::now()));
        let layers = [(state.failed[0].drv_path.clone(), "05-pak3".parse().unwrap())].into();
        let failure = failure(&nix(), &state, &layers).failure();
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
    }

    #[test]
    fn err_disk_full() {
        let mut state = State::default();
        let mut one = failed("builder for '/nix/store/x-foo.whl.drv' failed with exit code 3");
        one.lines
            .push("write error: No space left on device".to_owned());
        state.failed.push(one);
        let failure = failure(&nix(), &state, &BTreeMap::new()).failure();
        assert_eq!(failure.kind, Kind::Environment);
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
    }
}
