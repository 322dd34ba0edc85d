//! Says in seconds what hours of building would end at: no network, no host, no disk.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::missing::MissingSource;
use super::{Context, Error, Nix};
use factory_base::error::Explain as _;
use factory_fetch::{Silent, is_local};
use factory_model::lock::Origin;

/// Sources that no host gives.
pub(super) struct NoAnswer {
    /// Their output paths.
    pub out_paths: BTreeSet<String>,
    /// Names them and the ways on.
    pub error: Error,
}

/// Checks that what is missing can be had and has room, before any of it is fetched.
///
/// # Errors
/// No room, or no network at all (`--offline`).
pub(super) fn check(
    ctx: &dyn Context,
    nix: &Nix,
    missing: &[MissingSource],
) -> Result<Option<NoAnswer>> {
    let remote = || missing.iter().filter(|source| !has_local_origin(source));
    if ctx.is_offline() {
        let sources: Vec<_> = remote().map(MissingSource::describe).collect();
        if sources.is_empty() {
            return Ok(None);
        }
        return Err(Error::Offline { sources }.failure().into());
    }
    enough_disk(ctx, nix, missing)?;
    let silent = Silent::among(ctx, remote().flat_map(|source| &source.origins))?;
    let mut unreachable = Unreachable::new();
    for source in remote() {
        if let Some(said) = silent.about(&source.origins)? {
            unreachable.entry(said).or_default().push(source);
        }
    }
    if unreachable.is_empty() {
        return Ok(None);
    }
    let sources = unreachable.values().flatten();
    Ok(Some(NoAnswer {
        out_paths: sources.map(|source| source.out_path.clone()).collect(),
        error: explain(&unreachable),
    }))
}

/// Which of several builds have all their sources within reach, given what each lacks. Every
/// host is asked once.
///
/// # Errors
/// The run was interrupted, or an origin cannot be understood.
pub fn within_reach(ctx: &dyn Context, builds: &[Vec<MissingSource>]) -> Result<Vec<bool>> {
    let remote = |build: &'_ Vec<MissingSource>| -> Vec<Vec<Origin>> {
        let remote = build.iter().filter(|source| !has_local_origin(source));
        remote.map(|source| source.origins.clone()).collect()
    };
    let builds: Vec<Vec<Vec<Origin>>> = builds.iter().map(remote).collect();
    let silent = Silent::among(ctx, builds.iter().flatten().flatten())?;
    let is_within = |build: &Vec<Vec<Origin>>| {
        for origins in build {
            if silent.about(origins)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    builds.iter().map(is_within).collect()
}

fn has_local_origin(source: &MissingSource) -> bool {
    source.origins.iter().any(is_local)
}

fn enough_disk(ctx: &dyn Context, nix: &Nix, missing: &[MissingSource]) -> Result<()> {
    let needed: u64 = missing.iter().filter_map(|source| source.size).sum();
    let store = nix.physical("/nix/store");
    for place in [store.as_path(), ctx.cache()] {
        let Some(existing) = place.ancestors().find(|path| path.is_dir()) else {
            continue;
        };
        let free = fs4::available_space(existing)
            .with_context(|| format!("cannot ask for the free space at `{}`", place.display()))?;
        // A download waits in the cache only until it is in the store.
        let needed = if place == store {
            needed
        } else {
            needed.min(8 << 30)
        };
        if free < needed {
            let place = place.to_owned();
            let error = Error::NoSpace {
                place,
                needed,
                free,
            };
            return Err(error.failure().into());
        }
    }
    Ok(())
}

/// Sources that no host gives, under what their hosts said.
type Unreachable<'a> = BTreeMap<String, Vec<&'a MissingSource>>;

fn explain(unreachable: &Unreachable<'_>) -> Error {
    let described = |source: &&MissingSource| {
        let urls = source.origins.iter().filter_map(url_of);
        let urls = urls.map(|url| format!(" from {url}"));
        source.describe() + &urls.collect::<String>()
    };
    let mut origins = unreachable
        .values()
        .flatten()
        .flat_map(|source| &source.origins);
    Error::Unreachable {
        silent: unreachable
            .iter()
            .map(|(said, sources)| (said.clone(), sources.iter().map(described).collect()))
            .collect(),
        git: origins.find_map(|origin| match origin {
            Origin::Git { url, .. } => Some(url.clone()),
            _ => None,
        }),
    }
}

/// Where a source is, when that is one place.
fn url_of(origin: &Origin) -> Option<&str> {
    match origin {
        Origin::Url { url } | Origin::Git { url, .. } => Some(url),
        _ => None,
    }
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
                    exclude: Vec::new(),
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
        let failure = explain(&unreachable).failure();
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
        let only = BTreeMap::from([("Python index: refused".to_owned(), vec![&wheel])]);
        insta::assert_snapshot!(explain(&only).hints().join("\n"), @"behind a proxy: set `HTTPS_PROXY`; `cargo xtask doctor` says what each client uses");
    }
}
