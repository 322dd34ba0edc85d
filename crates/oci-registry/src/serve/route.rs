//! What a request's target asks for. Pure.

use comfy_image::Digest;
use percent_encoding::percent_decode_str;

/// The longest name of a repository: what registries accept.
const NAME_BYTES: usize = 255;

/// What is asked for; the specification's table of endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`: whether this is a registry, and the login is right.
    Version,
    /// `/v2/NAME/manifests/REFERENCE`.
    Manifest { name: String, reference: Reference },
    /// `/v2/NAME/blobs/DIGEST`.
    Blob { name: String, digest: Wanted },
    /// `/v2/NAME/tags/list?n=&last=`.
    Tags {
        name: String,
        n: Option<usize>,
        last: Option<String>,
    },
    /// `/v2/NAME/referrers/DIGEST?artifactType=`.
    Referrers {
        name: String,
        subject: Wanted,
        artifact_type: Option<String>,
    },
}

/// By what a manifest is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    Tag(String),
    Digest(Wanted),
}

/// A digest by the specification's grammar; only SHA-256 can be one of ours.
pub(super) type Wanted = Option<Digest>;

/// Why a target asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// Not below `/v2/`, or none of its endpoints.
    NoEndpoint,
    Name,
    Tag,
    Digest,
    /// A parameter of the query.
    Query,
}

/// Reads a target: path and query.
pub(super) fn parse(target: &str) -> Result<Route, Problem> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = decode(path)?;
    let Some(rest) = path.strip_prefix("/v2") else {
        return Err(Problem::NoEndpoint);
    };
    let rest = match rest {
        "" | "/" => return Ok(Route::Version),
        rest => rest.strip_prefix('/').ok_or(Problem::NoEndpoint)?,
    };
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Ok(Route::Tags {
            name: repository(name)?,
            n: parameter(query, "n")?
                .map(|text| text.parse().map_err(|_| Problem::Query))
                .transpose()?,
            last: parameter(query, "last")?,
        });
    }
    // From the end: a repository may be called `blobs`.
    let (before, last) = rest.rsplit_once('/').ok_or(Problem::NoEndpoint)?;
    let (name, kind) = before.rsplit_once('/').ok_or(Problem::NoEndpoint)?;
    match kind {
        "manifests" => Ok(Route::Manifest {
            name: repository(name)?,
            reference: reference(last)?,
        }),
        "blobs" => Ok(Route::Blob {
            name: repository(name)?,
            digest: digest(last)?,
        }),
        "referrers" => Ok(Route::Referrers {
            name: repository(name)?,
            subject: digest(last)?,
            artifact_type: parameter(query, "artifactType")?,
        }),
        _ => Err(Problem::NoEndpoint),
    }
}

/// Percent-encoding undone once, as registries do.
fn decode(text: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| Problem::NoEndpoint)?.into_owned())
}

fn parameter(query: &str, name: &str) -> Result<Option<String>, Problem> {
    let found = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name);
    let decoded = found.map(|(_, value)| percent_decode_str(value).decode_utf8());
    Ok(decoded
        .transpose()
        .map_err(|_| Problem::Query)?
        .map(std::borrow::Cow::into_owned))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by slashes.
pub(super) fn repository(text: &str) -> Result<String, Problem> {
    let is_good = text.len() <= NAME_BYTES && text.split('/').all(is_component);
    is_good.then(|| text.to_owned()).ok_or(Problem::Name)
}

fn is_component(text: &str) -> bool {
    let is_word = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_known = |separator: &str| {
        matches!(separator, "." | "_" | "__")
            || (!separator.is_empty() && separator.bytes().all(|byte| byte == b'-'))
    };
    text.starts_with(is_word)
        && text.ends_with(is_word)
        && text
            .split(is_word)
            .all(|part| part.is_empty() || is_known(part))
}

fn reference(text: &str) -> Result<Reference, Problem> {
    if text.contains(':') {
        return digest(text).map(Reference::Digest);
    }
    is_tag(text)
        .then(|| Reference::Tag(text.to_owned()))
        .ok_or(Problem::Tag)
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub(super) fn is_tag(text: &str) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.len() <= 128
        && text.starts_with(is_word)
        && text
            .chars()
            .all(|character| is_word(character) || ".-".contains(character))
}

/// `algorithm ":" encoded`.
fn digest(text: &str) -> Result<Wanted, Problem> {
    let (algorithm, encoded) = text.split_once(':').ok_or(Problem::Digest)?;
    if algorithm == "sha256" {
        return text.parse().map(Some).map_err(|_| Problem::Digest);
    }
    let is_algorithm = !algorithm.is_empty()
        && algorithm.split(['+', '.', '_', '-']).all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
    let is_encoded = !encoded.is_empty()
        && encoded
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"=_-".contains(&byte));
    if is_algorithm && is_encoded {
        Ok(None)
    } else {
        Err(Problem::Digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn sha256() -> Wanted {
        Some(Digest::of(b""))
    }

    #[test]
    fn ok_endpoints() {
        let name = "me/x".to_owned();
        let is = |target: &str, route: Route| assert_eq!(parse(target), Ok(route), "{target}");
        is("/v2/", Route::Version);
        is("/v2", Route::Version);
        let manifest = |reference| Route::Manifest {
            name: name.clone(),
            reference,
        };
        let tag = Reference::Tag("V1.0_x".to_owned());
        is("/v2/me/x/manifests/V1.0_x", manifest(tag));
        let by_digest = manifest(Reference::Digest(sha256()));
        is(&format!("/v2/me/x/manifests/sha256:{HEX}"), by_digest);
        let blob = |name: &str, digest| Route::Blob {
            name: name.to_owned(),
            digest,
        };
        let (escaped, nested) = (format!("sha256%3A{HEX}"), format!("sha256:{HEX}"));
        is(&format!("/v2/me/x/blobs/{escaped}"), blob("me/x", sha256()));
        let of_blobs = blob("blobs/blobs", sha256());
        is(&format!("/v2/blobs/blobs/blobs/{nested}"), of_blobs);
        is("/v2/me/x/blobs/sha512:abc=", blob("me/x", None));
    }

    #[test]
    fn ok_queries() {
        let tags = |n, last: Option<&str>| Route::Tags {
            name: "me/x".to_owned(),
            n,
            last: last.map(str::to_owned),
        };
        let list = "/v2/me/x/tags/list";
        assert_eq!(parse(list), Ok(tags(None, None)));
        let page = format!("{list}?n=2&last=a%2Eb");
        assert_eq!(parse(&page), Ok(tags(Some(2), Some("a.b"))));
        let referrers = Route::Referrers {
            name: "me/x".to_owned(),
            subject: sha256(),
            artifact_type: Some("a/b".to_owned()),
        };
        let target = format!("/v2/me/x/referrers/sha256:{HEX}?artifactType=a%2Fb");
        assert_eq!(parse(&target), Ok(referrers));
    }

    #[test]
    fn err_targets() {
        for (target, problem) in [
            ("/", Problem::NoEndpoint),
            ("/v1/me/x/manifests/1", Problem::NoEndpoint),
            ("/v2x", Problem::NoEndpoint),
            ("/v2/_catalog", Problem::NoEndpoint),
            ("/v2/me/x/uploads/1", Problem::NoEndpoint),
            ("/v2//manifests/1", Problem::Name),
            ("/v2/../manifests/1", Problem::Name),
            ("/v2/%2e%2e/%2e%2e/etc/manifests/passwd", Problem::Name),
            ("/v2/Me/manifests/1", Problem::Name),
            ("/v2/a..b/manifests/1", Problem::Name),
            ("/v2/a-/manifests/1", Problem::Name),
            ("/v2/a/manifests/.x", Problem::Tag),
            ("/v2/a/manifests/", Problem::Tag),
            ("/v2/a/blobs/x", Problem::Digest),
            ("/v2/a/blobs/sha256:x", Problem::Digest),
            ("/v2/a/blobs/sha256:..", Problem::Digest),
            ("/v2/a/blobs/sha512:../x", Problem::NoEndpoint),
            ("/v2/a/manifests/sha256:totallywrong", Problem::Digest),
            ("/v2/a/tags/list?n=x", Problem::Query),
            ("/v2/a/tags/list?n=-1", Problem::Query),
        ] {
            assert_eq!(parse(target), Err(problem), "{target}");
        }
    }

    #[test]
    fn ok_names_by_the_grammar() {
        for good in ["a", "a.b", "a_b", "a__b", "a---b", "a0/b-1"] {
            assert!(repository(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a___b", "a._b", "a-.b", "é", "a b", "A",
        ] {
            assert!(repository(bad).is_err(), "{bad}");
        }
        assert!(repository(&"a".repeat(256)).is_err());
    }

    proptest! {
        /// Whatever is asked for: no panic, and a name that no path could be made of.
        #[test]
        fn ok_names_never_climb(target in "(/v2)?(/|%2[eEfF]|\\.|[a-z]|%00|\\\\|manifests|blobs|tags/list|sha256:|[0-9]){0,40}") {
            match parse(&target) {
                Ok(Route::Manifest { name, .. } | Route::Blob { name, .. } | Route::Tags { name, .. } | Route::Referrers { name, .. }) => {
                    prop_assert!(!name.contains("..") && !name.contains("//") && !name.starts_with('/'));
                    prop_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte)));
                }
                Ok(Route::Version) | Err(_) => {}
            }
        }

        #[test]
        fn ok_any_text_is_read(target in "\\PC{0,80}") {
            let _read = parse(&target);
        }
    }
}
