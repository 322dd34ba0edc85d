//! `bench`: measures, and writes the tables of documents.

use anyhow::Result;

use crate::bench::{self, Bench, Wishes, data};
use crate::cli::{BenchArgs, VariantArgs};
use crate::ctx::Ctx;
use crate::document::{self, BenchList, BenchListCase, BenchReport};
use crate::select;
use factory_base::error::{self, Explain as _};
use factory_base::fs::write_atomic;
use factory_base::text;
use factory_bench::Case;

/// What a user names no variant for: the one whose every source can be reached.
const VARIANT: &str = "slim";

pub(super) fn run(ctx: &Ctx, args: &BenchArgs) -> Result<()> {
    if args.list {
        return list(ctx);
    }
    if args.render {
        return render(ctx, args.check);
    }
    let cases = cases(ctx, args)?;
    // Nothing is measured for an hour before somebody hears that a program is missing.
    cases
        .iter()
        .try_for_each(|case| bench::require_programs(*case))?;
    let variant = VariantArgs {
        variant: Some(args.variant.clone().unwrap_or_else(|| VARIANT.to_owned())),
        system: None,
        omit: None,
        cuda_architectures: Vec::new(),
    };
    let wishes = Wishes {
        variant: select::variant(ctx, &variant)?,
        n_runs: args.runs,
        scratch: args.scratch.as_deref(),
        comfyui: args.comfyui.as_deref(),
        image_tool: args.image_tool.as_deref(),
    };
    let directory = args.into.clone().unwrap_or_else(|| data::results(ctx));
    let bench = Bench::new(ctx, &wishes)?;
    let mut report = BenchReport { cases: Vec::new() };
    for case in cases {
        let measured = bench::measure(&bench, case)?;
        // What is measured stays measured when a later case fails.
        let file = data::write(&directory, &measured)?;
        ctx.ui.step("Wrote", format!("`{}`", file.display()));
        if !ctx.json {
            ctx.ui.data(file.display().to_string())?;
        }
        report.cases.push(measured);
    }
    if ctx.json {
        document::print(ctx, &report)?;
    }
    if args.into.is_none() {
        ctx.ui
            .status("`cargo xtask bench --render` writes the tables of documents from these");
    }
    Ok(())
}

fn cases(ctx: &Ctx, args: &BenchArgs) -> Result<Vec<Case>> {
    if args.cases.is_empty() {
        let mut cases = Case::ALL.to_vec();
        if args.comfyui.is_none() {
            ctx.ui
                .warn("`comfyui-start` is left out: it needs a checkout, `--comfyui DIR`");
            cases.retain(|case| *case != Case::ComfyuiStart);
        }
        return Ok(cases);
    }
    let mut cases = Vec::new();
    for word in &args.cases {
        let case = word.parse();
        cases.push(case.map_err(|error: factory_bench::Error| error.failure())?);
    }
    Ok(cases)
}

fn list(ctx: &Ctx) -> Result<()> {
    let cases = Case::ALL.map(|case| {
        let about = case.about();
        BenchListCase {
            case,
            what: about.what.to_owned(),
            against: about.against.to_owned(),
            programs: about
                .programs
                .iter()
                .map(|program| (*program).to_owned())
                .collect(),
            disk_bytes: about.disk_gb * 1_000_000_000,
            minutes: about.minutes,
        }
    });
    let list = BenchList {
        cases: cases.into(),
    };
    if ctx.json {
        return document::print(ctx, &list);
    }
    let rows = list.cases.iter().map(|one| {
        vec![
            one.case.to_string(),
            one.what.clone(),
            one.against.clone(),
            one.programs.join(", "),
            text::bytes(one.disk_bytes),
            one.minutes.to_string(),
        ]
    });
    let head = [
        "case",
        "what",
        "against",
        "needs",
        "disk",
        "minutes for one run",
    ];
    ctx.ui
        .data(text::table(&head, &rows.collect::<Vec<_>>(), &[4, 5]))?;
    Ok(())
}

fn render(ctx: &Ctx, check: bool) -> Result<()> {
    let outdated = data::outdated(&ctx.root)?;
    if check {
        let Some((page, _)) = outdated.first() else {
            return Ok(());
        };
        return Err(error::not_right(format!(
            "the tables of `{}` are not those of the data",
            page.display()
        ))
        .hint("write them: `cargo xtask bench --render`")
        .into());
    }
    for (page, text) in outdated {
        write_atomic(&ctx.root.join(&page), text.as_bytes())?;
        ctx.ui.step("Wrote", format!("`{}`", page.display()));
    }
    Ok(())
}
