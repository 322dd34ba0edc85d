//! Measured cases of `bench/`, as the page draws them.

use anyhow::Result;

use crate::ctx::Ctx;
use factory_base::error::Explain as _;
use factory_base::text;
use factory_bench::{Measured, Side};
use factory_report::bench::{Bar, Case, Group};

/// Those of `bench/results/`, the quick ones first.
///
/// # Errors
/// A file is not what its schema says.
pub(super) fn measured(ctx: &Ctx) -> Result<Vec<Case>> {
    let directory = ctx.root.join("bench/results");
    let mut cases = Vec::new();
    for case in factory_bench::Case::ALL {
        let file = directory.join(format!("{case}.json"));
        if file.exists() {
            let text = fs_err::read_to_string(&file)?;
            let measured = Measured::read(&file.display().to_string(), &text);
            cases.push(case_of(measured.map_err(|error| error.failure())?));
        }
    }
    Ok(cases)
}

fn case_of(measured: Measured) -> Case {
    let mut groups: Vec<Group> = Vec::new();
    for series in &measured.series {
        let Some(wall) = series.wall() else { continue };
        let bar = Bar {
            by: series.by.clone(),
            is_ours: series.side == Side::Ours,
            n_runs: series.runs.len(),
            least_seconds: wall.least,
            median_seconds: wall.median,
            most_seconds: wall.most,
        };
        match groups.iter_mut().find(|group| group.what == series.what) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group {
                what: series.what.clone(),
                bars: vec![bar],
            }),
        }
    }
    let machine = &measured.machine;
    let changed = match measured.modified {
        true => ", with changed files",
        false => "",
    };
    let about = format!(
        "{}, {}, at {}{changed}; {}, {}, {} of memory, {}, load {:.1} before",
        measured.variant,
        measured.date,
        measured.revision.get(..12).unwrap_or(&measured.revision),
        machine.processor,
        text::count(machine.n_cores, "core"),
        text::bytes(machine.memory_bytes),
        machine.disk,
        measured.load_average,
    );
    Case {
        name: measured.case.to_string(),
        what: measured.case.about().what.to_owned(),
        about,
        notes: measured.notes,
        groups,
    }
}
