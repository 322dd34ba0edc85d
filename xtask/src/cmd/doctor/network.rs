//! Whether the registries and hosts that sources come from answer.

use anyhow::Result;

use super::found::last_line;
use crate::alternatives::{alternatives, command, table};
use crate::ctx::Ctx;
use crate::document::{Check, CheckState as State};
use crate::select;
use factory_base::error;
use factory_fetch::{Http, Indexes, Mirrors, Request, git};
use factory_model::layer;
use factory_model::lock::{self, SourcesLock};
use factory_nix::Nix;

pub(super) fn registries(ctx: &Ctx) -> Result<Vec<Check>> {
    if ctx.offline {
        return Ok(vec![Check::not(
            "network",
            State::Optional,
            "not asked, because of `--offline`",
            "run `cargo xtask doctor` without it",
        )]);
    }
    let http = Http::impatient()?;
    let mut checks = vec![debian(&http)?, python(ctx, &http)];
    checks.extend(git_host(ctx)?);
    if checks.iter().any(|check| check.state != State::Ok) {
        checks.push(variants(ctx));
    }
    Ok(checks)
}

/// What can be built although somebody does not answer.
fn variants(ctx: &Ctx) -> Check {
    const VARIANTS: &str = "variants";
    let found = Nix::find_or_provide(ctx)
        .and_then(|nix| alternatives(ctx, &nix, &select::layer(ctx, layer::LAST)?, None));
    match found {
        Err(error) => Check::not(
            VARIANTS,
            State::Optional,
            format!("not known: {error}"),
            "`cargo xtask status` says more",
        ),
        Ok(found) if found.is_empty() => Check::not(
            VARIANTS,
            State::Missing,
            "none can be built here",
            "each has sources that are neither in the store nor within reach",
        ),
        Ok(found) => {
            let labels: Vec<String> = found.iter().map(|one| one.variant.label()).collect();
            let build = ["build-final".to_owned()];
            let commands = found.iter().map(|one| command(&build, &one.variant));
            let table = table(&found, &commands.collect::<Vec<_>>());
            Check::not(
                VARIANTS,
                State::Optional,
                format!("{} can be built here", labels.join(", ")),
                format!("the others have sources out of reach\n{table}"),
            )
        }
    }
}

fn debian(http: &Http) -> Result<Check> {
    let mirrors = Mirrors::of_machine()?;
    Ok(ask(
        http,
        "Debian mirror",
        &mirrors.first_url("debian"),
        mirrors.proxy(),
        "set `HTTP_PROXY`/`HTTPS_PROXY`, or name a mirror in /etc/apt/sources.list.d",
    ))
}

fn python(ctx: &Ctx, http: &Http) -> Check {
    const PYTHON: &str = "Python index";
    match Indexes::of_user(ctx) {
        Err(error) => Check::not(
            PYTHON,
            State::Missing,
            format!("{error}"),
            error::hints_of(&error).join("; "),
        ),
        Ok(indexes) => ask(
            http,
            PYTHON,
            indexes.urls().first().map_or("", String::as_str),
            None,
            "set `HTTPS_PROXY`, or `UV_DEFAULT_INDEX` to a mirror",
        ),
    }
}

fn git_host(ctx: &Ctx) -> Result<Option<Check>> {
    const GIT: &str = "git host";
    let Some(url) = first_git_url(ctx)? else {
        return Ok(None);
    };
    Ok(Some(match git::reachable(ctx, &url) {
        Ok(()) => Check::ok(GIT, format!("{} answers", git::actual_url(&url)?)),
        Err(error) => Check::not(
            GIT,
            State::Optional,
            format!("{url}: {}", last_line(&error)),
            "behind a mirror: `git config --global url.MIRROR/.insteadOf ORIGINAL/`; behind a proxy: set `HTTPS_PROXY`",
        ),
    }))
}

fn ask(http: &Http, name: &'static str, url: &str, proxy: Option<&str>, hint: &str) -> Check {
    let host = factory_fetch::host_of(url).unwrap_or_default();
    let request = Request {
        head: true,
        proxy,
        ..Request::default()
    };
    match http.send(url, request) {
        Ok(_) => Check::ok(name, format!("{host} answers")),
        // Mirrors need not have a page at their root.
        Err(error) if matches!(error.status, Some(400..500)) => {
            Check::ok(name, format!("{host} answers"))
        }
        Err(error) => Check::not(name, State::Missing, format!("{host}: {error}"), hint),
    }
}

/// One repository that a build may clone.
fn first_git_url(ctx: &Ctx) -> Result<Option<String>> {
    let path = ctx.locks().join("sources.toml");
    if !path.is_file() {
        return Ok(None);
    }
    let sources =
        lock::parse::<SourcesLock>(&fs_err::read_to_string(&path)?).map_err(|source| {
            error::bad_input(format!("cannot read `{}`: {source}", path.display()))
        })?;
    Ok(sources.lock.git.into_values().next().map(|tree| tree.url))
}
