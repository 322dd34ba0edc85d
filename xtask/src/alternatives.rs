//! What can be built here when sources of the asked variant are out of reach
//! (docs/design/D12-variants-are-named.md).

use anyhow::Result;

use crate::ctx::Ctx;
use crate::estimate::{self, jobs};
use crate::select::{self, Variant};
use factory_base::error::{Explain as _, Failure};
use factory_base::text;
use factory_model::layer::LayerName;
use factory_nix::{Error, Estimate, Graph, MissingSource, Nix, Times, within_reach};

/// Plans evaluated at the same time: each is a process with some hundred megabytes.
const EVALUATIONS: usize = 2;

/// What to do when another variant can be built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Instead {
    /// Name it.
    #[default]
    Name,
    /// Ask who sits at the terminal; without one, name it.
    Ask,
    /// Take the first.
    First,
}

/// A variant whose sources are all in the store or within reach.
#[derive(Debug, Clone)]
pub(crate) struct Alternative {
    pub(crate) variant: Variant,
    n_sources: usize,
    fetch_bytes: u64,
    estimate: Estimate,
}

/// The variants that can be built here up to a layer: the quick one first, then by name. Without
/// the one that was asked for; none where not even that is known.
///
/// # Errors
/// The run was interrupted, or the lists or the store cannot be read.
pub(crate) fn alternatives(
    ctx: &Ctx,
    nix: &Nix,
    layer: &LayerName,
    asked: Option<&Variant>,
) -> Result<Vec<Alternative>> {
    let candidates = select::others(ctx, asked)?;
    ctx.ui.step(
        "Looking",
        format!("at {}", text::count(candidates.len(), "other variant")),
    );
    let times = Times::read(ctx)?;
    let mut found = Vec::new();
    factory_fetch::for_each(
        &candidates,
        EVALUATIONS,
        |variant| look(ctx, nix, &times, layer, variant),
        |variant, result| {
            ctx.check_interrupted()?;
            match result {
                Ok(looked) => found.push(looked),
                // It is advice: what is wrong with another variant is not what was asked.
                Err(error) => ctx.ui.detail(format!("{}: {error:#}", variant.label())),
            }
            Ok(())
        },
    )?;
    let place = |one: &Alternative| candidates.iter().position(|other| *other == one.variant);
    found.sort_by_key(|(one, _)| place(one));
    let (found, sources): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let within_reach = within_reach(ctx, &sources)?;
    let found = found.into_iter().zip(within_reach);
    Ok(found.filter_map(|(one, is)| is.then_some(one)).collect())
}

/// What is quicker to build than a variant that takes long: for this machine's GPUs alone, where
/// it has CUDA code to compile and says which they are, and the quick variant. It is advice:
/// what stands in the way of it is a detail.
pub(crate) fn quicker(
    ctx: &Ctx,
    nix: &Nix,
    layer: &LayerName,
    (asked, estimate): (&Variant, Estimate),
) -> Vec<Alternative> {
    let mut candidates = Vec::new();
    if estimate.n_objects > 0 {
        candidates.extend(select::for_these_gpus(asked));
    }
    match select::quick(ctx, asked) {
        Ok(quick) => candidates.extend(quick),
        Err(error) => ctx.ui.detail(format!("{error:#}")),
    }
    let times = Times::read(ctx);
    let looked = times.and_then(|times| {
        let looked = candidates
            .iter()
            .map(|one| look(ctx, nix, &times, layer, one));
        looked.collect::<Result<Vec<_>>>()
    });
    match looked {
        Ok(looked) => {
            let found = looked.into_iter().map(|(one, _)| one);
            let is_quicker = |one: &Alternative| one.estimate.seconds < estimate.seconds;
            found.filter(is_quicker).collect()
        }
        Err(error) => {
            ctx.ui.detail(format!("{error:#}"));
            Vec::new()
        }
    }
}

fn look(
    ctx: &Ctx,
    nix: &Nix,
    times: &Times,
    layer: &LayerName,
    variant: &Variant,
) -> Result<(Alternative, Vec<MissingSource>)> {
    let plan = variant.plan(ctx, nix)?;
    let targets = [plan.layer(layer)?.image.drv_path.clone()];
    let graph = Graph::read(nix, &targets)?;
    let missing = graph.missing(nix, &targets)?;
    let sources = graph.missing_sources(ctx, nix, (&missing, &targets))?;
    let alternative = Alternative {
        variant: variant.clone(),
        n_sources: sources.len(),
        fetch_bytes: sources.iter().filter_map(|source| source.size).sum(),
        estimate: times.estimate(&graph, &missing, jobs(None)),
    };
    Ok((alternative, sources))
}

/// What can be built instead of a variant. What is out of reach is said at once: looking at the
/// others takes longer.
///
/// # Errors
/// As [`alternatives`].
pub(crate) fn instead_of(
    ctx: &Ctx,
    nix: &Nix,
    layer: &LayerName,
    asked: &Variant,
    unreachable: &Error,
) -> Result<Vec<Alternative>> {
    ctx.ui.warn(head(unreachable));
    alternatives(ctx, nix, layer, Some(asked))
}

/// A failure with what can be built instead as a hint.
pub(crate) fn with_hint(unreachable: &Error, found: &[Alternative]) -> Failure {
    let failure = unreachable.failure();
    let hint = match found {
        [] => "no other variant can be built here either; `cargo xtask doctor` says what answers"
            .to_owned(),
        some => {
            let commands = some.iter().map(|one| command(&arguments(), &one.variant));
            format!(
                "what can be built here:\n{}",
                table(some, &commands.collect::<Vec<_>>())
            )
        }
    };
    failure.hint(hint)
}

/// The variant to build in place of one that cannot be: by a question, or as it was decided
/// beforehand.
///
/// # Errors
/// Nothing can be built, nobody wants it, or nobody can be asked; the error names the sources
/// and the alternatives.
pub(crate) fn choose(
    ctx: &Ctx,
    nix: &Nix,
    layer: &LayerName,
    (asked, instead): (&Variant, Instead),
    unreachable: &Error,
) -> Result<Variant> {
    let found = instead_of(ctx, nix, layer, asked, unreachable)?;
    let chosen = match (found.first(), instead) {
        (Some(first), Instead::First) => Some(first),
        (Some(_), Instead::Ask) if ctx.ui.can_ask() => ask(ctx, &found)?,
        _ => None,
    };
    let Some(chosen) = chosen else {
        return Err(with_hint(unreachable, &found).into());
    };
    ctx.ui.warn(format!(
        "building `{}` instead of `{}`",
        chosen.variant.label(),
        asked.label()
    ));
    Ok(chosen.variant.clone())
}

/// Asks which one; `None` for none of them.
fn ask<'a>(ctx: &Ctx, found: &'a [Alternative]) -> Result<Option<&'a Alternative>> {
    let numbers: Vec<String> = (1..=found.len()).map(|number| number.to_string()).collect();
    ctx.ui.status(format!(
        "\nWhat can be built here:\n{}\n",
        table(found, &numbers)
    ));
    loop {
        let answer = ctx.ui.ask("Which one? [1; n for none] ", || {
            ctx.check_interrupted().is_ok()
        })?;
        ctx.check_interrupted()?;
        match answer.as_deref().map(str::trim) {
            Some("") => return Ok(found.first()),
            None | Some("n" | "N" | "no") => return Ok(None),
            Some(text) => {
                let number = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                let named = |one: &&Alternative| one.variant.label() == text;
                let one = number.and_then(|n| found.get(n));
                if let Some(one) = one.or_else(|| found.iter().find(named)) {
                    return Ok(Some(one));
                }
                ctx.ui
                    .status(format!("`{text}` is none of 1 to {}", found.len()));
            }
        }
    }
}

/// The first line of what is out of reach, with the hosts.
fn head(unreachable: &Error) -> String {
    let text = unreachable.to_string();
    let head = text.lines().next().unwrap_or_default().to_owned();
    match unreachable {
        Error::Unreachable { silent, .. } => {
            let said = silent.iter().map(|(said, _)| said.as_str());
            format!("{head} ({})", said.collect::<Vec<_>>().join("; "))
        }
        _ => head,
    }
}

/// Size and time of each, and what to say for it.
pub(crate) fn table(found: &[Alternative], last: &[String]) -> String {
    let rows = found.iter().zip(last).map(|(one, last)| {
        let fetch = match one.n_sources {
            0 => "nothing".to_owned(),
            _ => text::bytes(one.fetch_bytes),
        };
        let label = one.variant.label();
        vec![label, fetch, estimate::text(one.estimate), last.clone()]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let table = text::table(&["variant", "to fetch", "to build", ""], &rows, &[1]);
    let table: Vec<String> = table.lines().map(|line| format!("  {line}")).collect();
    let mut table = table.join("\n");
    if found.iter().any(|one| one.variant.without_git) {
        table.push_str(
            "\n  (`-nogit` is without what comes from git; its tag, labels and start say so)",
        );
    }
    table
}

/// What this program was called with, its own name left out.
pub(crate) fn arguments() -> Vec<String> {
    let arguments = std::env::args_os().skip(1);
    arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect()
}

/// The same command for another variant.
pub(crate) fn command(arguments: &[String], variant: &Variant) -> String {
    let end = arguments.iter().position(|argument| argument == "--");
    let (own, passed) = arguments.split_at(end.unwrap_or(arguments.len()));
    let mut words = vec!["cargo".to_owned(), "xtask".to_owned()];
    let mut own = own.iter();
    while let Some(word) = own.next() {
        let is = |option: &&str| word == option;
        let with_value = |option: &&str| word.starts_with(&format!("{option}="));
        let options = ["--variant", "--omit", "--cuda-arch"];
        if options.iter().any(is) {
            own.next();
        } else if !options.iter().any(with_value) {
            words.push(quoted(word));
        }
    }
    words.push(variant.arguments());
    words.extend(passed.iter().map(|word| quoted(word)));
    words.join(" ")
}

/// As a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
