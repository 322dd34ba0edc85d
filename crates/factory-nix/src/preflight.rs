//! Says in seconds what hours of building would end at: no network, no host, no disk.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::Nix;
use super::missing::{MissingSource, describe, named, plural};
use factory_base::ctx::Ctx;
use factory_base::error;
use factory_base::ui;
use factory_fetch::{Candidate, Http, Indexes, Mirrors, Request, RequestError, git};
use factory_model::lock::Origin;

/// Hosts asked at the same time.
const PROBES: usize = 16;

/// Sources that no host gives.
pub(super) struct NoAnswer {
    /// Their output paths.
    pub out_paths: BTreeSet<String>,
    /// Names them and the ways on.
    pub failure: error::Failure,
}

/// Checks that what is missing can be had and has room, before any of it is fetched.
///
/// # Errors
/// No room, or no network at all (`--offline`).
pub(super) fn check(ctx: &Ctx, nix: &Nix, missing: &[MissingSource]) -> Result<Option<NoAnswer>> {
    if ctx.offline {
        let local = |source: &&MissingSource| !has_local_origin(source);
        let remote: Vec<_> = missing.iter().filter(local).map(describe).collect();
        if remote.is_empty() {
            return Ok(None);
        }
        return Err(error::environment(format!(
            "{} not in the store, and `--offline` forbids fetching\n{}",
            plural(remote.len(), "source is", "sources are"),
            named(&remote)
        ))
        .hint("run `cargo xtask fetch` once with a network; builds work offline from then on")
        .into());
    }
    enough_disk(ctx, nix, missing)?;
    let unreachable = unreachable(ctx, missing)?;
    if unreachable.is_empty() {
        return Ok(None);
    }
    let sources = unreachable.values().flatten();
    Ok(Some(NoAnswer {
        out_paths: sources.map(|source| source.out_path.clone()).collect(),
        failure: explain(&unreachable),
    }))
}

/// Crates lie in cargo's cache, which a network-less machine may well have.
fn has_local_origin(source: &MissingSource) -> bool {
    source
        .origins
        .iter()
        .any(|origin| matches!(origin, Origin::Crates { .. }))
}

fn enough_disk(ctx: &Ctx, nix: &Nix, missing: &[MissingSource]) -> Result<()> {
    let needed: u64 = missing.iter().filter_map(|source| source.size).sum();
    let store = nix.physical("/nix/store");
    for place in [store.as_path(), &ctx.cache] {
        let Some(existing) = place.ancestors().find(|path| path.is_dir()) else {
            continue;
        };
        let free = fs4::available_space(existing)
            .with_context(|| format!("cannot ask for the free space at `{}`", place.display()))?;
        // A download waits in the cache only until it is in the store.
        let wanted = if place == store {
            needed
        } else {
            needed.min(8 << 30)
        };
        if free < wanted {
            return Err(error::environment(format!(
                "not enough disk space at `{}`\n    needed {}\n    free   {}",
                place.display(),
                ui::bytes(wanted),
                ui::bytes(free)
            ))
            .hint("`cargo xtask clean` says what can be removed")
            .into());
        }
    }
    Ok(())
}

/// Sources that no host gives, under what their hosts said.
type Unreachable<'a> = BTreeMap<String, Vec<&'a MissingSource>>;

fn unreachable<'a>(ctx: &Ctx, missing: &'a [MissingSource]) -> Result<Unreachable<'a>> {
    let mut probes: BTreeMap<String, &Origin> = BTreeMap::new();
    let mut wanted: Vec<(&MissingSource, BTreeSet<String>)> = Vec::new();
    for source in missing.iter().filter(|source| !has_local_origin(source)) {
        let mut keys = BTreeSet::new();
        for origin in &source.origins {
            let key = probe_key(origin)?;
            probes.entry(key.clone()).or_insert(origin);
            keys.insert(key);
        }
        wanted.push((source, keys));
    }
    ctx.ui.detail(format!("asking {} hosts", probes.len()));
    let http = Http::impatient()?;
    let probes: Vec<_> = probes.into_iter().collect();
    let mut failures: BTreeMap<String, String> = BTreeMap::new();
    factory_fetch::for_each(
        &probes,
        PROBES,
        |(_, origin)| probe(ctx, &http, origin),
        |(key, _), result| {
            ctx.check_interrupted()?;
            if let Err(error) = result {
                failures.insert(key.clone(), reason(&error));
            }
            Ok(())
        },
    )?;
    let mut unreachable = Unreachable::new();
    for (source, keys) in wanted {
        let reasons: Option<Vec<String>> = keys
            .iter()
            .map(|key| Some(format!("{key}: {}", failures.get(key)?)))
            .collect();
        if let Some(reasons) = reasons {
            let sources = unreachable.entry(reasons.join("; ")).or_default();
            sources.push(source);
        }
    }
    Ok(unreachable)
}

/// What is asked once for all sources that share it: a registry, a host, or a local mirror's
/// path.
fn probe_key(origin: &Origin) -> Result<String> {
    Ok(match origin {
        Origin::Url { url } => factory_fetch::host_of(url)?,
        Origin::Git { url, .. } => {
            let actual = git::actual_url(url)?;
            factory_fetch::host_of(&actual).unwrap_or(actual)
        }
        Origin::Pypi { .. } => "Python index".to_owned(),
        Origin::Debian { archive, .. } | Origin::DebMember { archive, .. } => {
            format!("archive `{archive}`")
        }
        Origin::Crates { .. } => "cargo".to_owned(),
    })
}

/// Whether somebody answers; which files there are is found soon enough.
fn probe(ctx: &Ctx, http: &Http, origin: &Origin) -> Result<()> {
    match origin {
        Origin::Url { url } => answers(http.send(url, head(None)), &[401, 403, 405, 429]),
        Origin::Git { url, .. } => git::reachable(ctx, url),
        Origin::Pypi { project, .. } => {
            let urls = Indexes::of_user(ctx)?;
            any(urls.urls().iter().map(|url| {
                let url = format!("{}/{project}/", url.trim_end_matches('/'));
                answers(http.send(&url, head(None)), &[])
            }))
        }
        Origin::Debian {
            archive,
            path,
            snapshot,
        }
        | Origin::DebMember {
            archive,
            path,
            snapshot,
            ..
        } => {
            let mirrors = Mirrors::of_machine()?;
            any(mirrors.candidates(archive, path, snapshot).iter().map(
                |candidate| match candidate {
                    Candidate::Http { url, proxy } => {
                        answers(http.send(url, head(proxy.as_deref())), &[])
                    }
                    Candidate::File(_) => Ok(()),
                },
            ))
        }
        Origin::Crates { .. } => Ok(()),
    }
}

fn head(proxy: Option<&str>) -> Request<'_> {
    Request {
        proxy,
        head: true,
        ..Request::default()
    }
}

/// A registry answers with any status. A single file must be there; statuses in `fine` are
/// those of servers that allow GET only.
fn answers<T>(sent: Result<T, RequestError>, fine: &[u16]) -> Result<()> {
    match sent {
        Err(error) => match error.status {
            Some(status) if fine.is_empty() || fine.contains(&status) => Ok(()),
            _ => Err(error.into()),
        },
        Ok(_) => Ok(()),
    }
}

/// The first success, else the last failure; nothing to ask is fine.
fn any(results: impl Iterator<Item = Result<()>>) -> Result<()> {
    let mut last = Ok(());
    for result in results {
        match result {
            Ok(()) => return Ok(()),
            Err(error) => last = Err(error),
        }
    }
    last
}

/// git says the reason after `fatal:`, and advice after that.
fn reason(error: &anyhow::Error) -> String {
    let text = error.root_cause().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines.clone().find_map(|line| line.strip_prefix("fatal: "));
    fatal
        .or_else(|| lines.next_back())
        .unwrap_or_default()
        .to_owned()
}

fn explain(unreachable: &Unreachable<'_>) -> error::Failure {
    let mut message = format!(
        "{} neither in the store nor reachable",
        plural(
            unreachable.values().map(Vec::len).sum(),
            "source is",
            "sources are"
        )
    );
    for (reasons, sources) in unreachable {
        message.push_str(&format!("\n    {reasons}"));
        for source in sources {
            message.push_str(&format!("\n        {}", describe(source)));
            for origin in &source.origins {
                if let Origin::Url { url } | Origin::Git { url, .. } = origin {
                    message.push_str(&format!(" from {url}"));
                }
            }
        }
    }
    let failure = error::environment(message);
    let git = unreachable
        .values()
        .flatten()
        .flat_map(|source| &source.origins)
        .find_map(|origin| match origin {
            Origin::Git { url, .. } => Some(url),
            _ => None,
        });
    let Some(url) = git else {
        return failure.hint(
            "behind a proxy: set `HTTPS_PROXY`; `cargo xtask doctor` says what each client uses",
        );
    };
    let host = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    failure
        .hint(format!(
            "behind a mirror: `git config --global url.MIRROR/.insteadOf {host}/`; behind a proxy: set `HTTPS_PROXY`"
        ))
        .hint("without what comes from git: `--omit git`; the image's tag, its labels and its start say so")
        .hint("with Python's index and Debian alone: `--variant slim`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_model::lock::Sha256;

    fn source(name: &str, origins: Vec<Origin>) -> MissingSource {
        MissingSource {
            name: name.to_owned(),
            out_path: format!("/nix/store/x-{name}"),
            hash: Sha256::of(b""),
            recursive: false,
            size: None,
            origins,
        }
    }

    #[test]
    fn err_every_source_is_named() {
        let git = |name: &str| {
            let url = format!("https://forge.test/owner/{name}");
            let rev = "0".repeat(40);
            source(
                name,
                vec![Origin::Git {
                    url,
                    rev,
                    submodules: false,
                }],
            )
        };
        let sources: Vec<_> = (0..12)
            .map(|number| git(&format!("node-{number:02}")))
            .collect();
        let wheel = source(
            "torch.whl",
            vec![Origin::Pypi {
                project: "torch".to_owned(),
                file: "torch.whl".to_owned(),
            }],
        );
        let mut unreachable = Unreachable::new();
        unreachable.insert("forge.test: no route".to_owned(), sources.iter().collect());
        unreachable.insert("Python index: refused".to_owned(), vec![&wheel]);
        let failure = explain(&unreachable);
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
        let only = BTreeMap::from([("Python index: refused".to_owned(), vec![&wheel])]);
        insta::assert_snapshot!(explain(&only).hints.join("\n"), @"behind a proxy: set `HTTPS_PROXY`; `cargo xtask doctor` says what each client uses");
    }
}
