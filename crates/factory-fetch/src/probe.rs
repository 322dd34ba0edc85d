//! Which registries and hosts answer, asked in seconds before anything is fetched.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::apt::Mirrors;
use super::context::Context;
use super::git;
use super::http::{Candidate, Http, Request, RequestError, host_of};
use super::parallel::for_each;
use super::pypi::Indexes;
use factory_model::lock::Origin;

/// Hosts asked at the same time.
const PROBES: usize = 16;

/// Who does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silent {
    /// What went wrong, by [`key`].
    reasons: BTreeMap<String, String>,
}

impl Silent {
    /// Asks everybody that origins name, each once.
    ///
    /// # Errors
    /// The run was interrupted, or an origin cannot be understood.
    pub fn among<'a>(
        ctx: &dyn Context,
        origins: impl IntoIterator<Item = &'a Origin>,
    ) -> Result<Self> {
        let mut probes: BTreeMap<String, &Origin> = BTreeMap::new();
        for origin in origins {
            probes.entry(key(origin)?).or_insert(origin);
        }
        ctx.detail(&format!("asking {} hosts", probes.len()));
        let http = Http::impatient()?;
        let probes: Vec<_> = probes.into_iter().collect();
        let mut reasons = BTreeMap::new();
        for_each(
            &probes,
            PROBES,
            |(_, origin)| probe(ctx, &http, origin),
            |(key, _), result| {
                ctx.check_interrupted()?;
                if let Err(error) = result {
                    reasons.insert(key.clone(), reason(&error));
                }
                Ok(())
            },
        )?;
        Ok(Self { reasons })
    }

    /// What everybody who may have a source says; `None` when one of them answers.
    ///
    /// # Errors
    /// An origin cannot be understood.
    pub fn about(&self, origins: &[Origin]) -> Result<Option<String>> {
        let keys = origins.iter().map(key).collect::<Result<BTreeSet<_>>>()?;
        let said = keys
            .iter()
            .map(|key| Some(format!("{key}: {}", self.reasons.get(key)?)));
        let said: Option<Vec<String>> = said.collect();
        Ok(said.map(|said| said.join("; ")))
    }
}

/// Crates lie in cargo's cache, which a network-less machine may well have.
pub fn is_local(origin: &Origin) -> bool {
    matches!(origin, Origin::Crates { .. })
}

/// What is asked once for all sources that share it: a registry, a host, or a local mirror's
/// path.
fn key(origin: &Origin) -> Result<String> {
    Ok(match origin {
        Origin::Url { url } => host_of(url)?,
        Origin::Git { url, .. } => {
            let actual = git::actual_url(url)?;
            host_of(&actual).unwrap_or(actual)
        }
        Origin::Pypi { .. } => "Python index".to_owned(),
        Origin::Debian { archive, .. } | Origin::DebMember { archive, .. } => {
            format!("archive `{archive}`")
        }
        Origin::Crates { .. } => "cargo".to_owned(),
    })
}

/// Whether somebody answers; which files there are is found soon enough.
fn probe(ctx: &dyn Context, http: &Http, origin: &Origin) -> Result<()> {
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
