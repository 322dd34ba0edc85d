//! What is answered to a request: status, headers and where the body is. Reads no file.

use comfy_image::{Digest, oci};
use serde_json::json;

use super::head::Head;
use super::images::{Document, Images, Repository, Stored};
use super::range::{self, Part};
use super::route::{self, Problem, Reference, Route, Wanted};
use crate::referrers::Referrer;

/// The most tags of one answer; a client that wants more follows the `Link`.
const N_TAGS: usize = 1000;

/// An answer before it is written.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// The body of an answer. That of a `HEAD` is described and not sent.
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// A part of a blob, never an empty one.
    Blob {
        digest: Digest,
        stored: Stored,
        from: u64,
        to: u64,
    },
}

impl Body {
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob { from, to, .. } => to - from,
        }
    }
}

impl Answer {
    fn ok(media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", media_type.to_owned())],
            body: Body::Bytes(bytes),
        }
    }

    /// An error as the specification writes them.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let document = json!({"errors": [{"code": code, "message": message}]});
        let mut answer = Self::ok("application/json", document.to_string().into_bytes());
        answer.status = status;
        answer
    }

    /// Asks for a login.
    pub(super) fn login() -> Self {
        let message = "a user name and a password of this registry are needed";
        let challenge = r#"Basic realm="images", charset="UTF-8""#;
        Self::error(401, "UNAUTHORIZED", message).header("WWW-Authenticate", challenge)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers a request of somebody who may read.
pub(super) fn answer(images: &Images, head: &Head) -> Answer {
    if !["GET", "HEAD"].contains(&head.method.as_str()) {
        return Answer::error(405, "UNSUPPORTED", "this registry is read-only")
            .header("Allow", "GET, HEAD");
    }
    let route = match route::parse(&head.target) {
        Ok(route) => route,
        Err(problem) => return refuse(problem),
    };
    match route {
        Route::Version => Answer::ok("application/json", b"{}".to_vec()),
        Route::Manifest { name, reference } => {
            with(images, &name, |repository| manifest(repository, &reference))
        }
        Route::Blob { name, digest } => {
            with(images, &name, |repository| blob(repository, digest, head))
        }
        Route::Tags { name, n, last } => with(images, &name, |repository| {
            tags(repository, &name, n, last.as_deref())
        }),
        Route::Referrers {
            name,
            subject,
            artifact_type,
        } => with(images, &name, |repository| {
            referrers(repository, subject, artifact_type.as_deref())
        }),
    }
}

fn refuse(problem: Problem) -> Answer {
    let (status, code, message) = match problem {
        Problem::NoEndpoint => (404, "UNSUPPORTED", "no endpoint of a registry"),
        Problem::Name => (400, "NAME_INVALID", "no name of a repository"),
        Problem::Tag => (400, "TAG_INVALID", "no tag"),
        Problem::Digest => (400, "DIGEST_INVALID", "no digest"),
        Problem::Query => (400, "PAGINATION_NUMBER_INVALID", "no such page"),
    };
    Answer::error(status, code, message)
}

fn with(images: &Images, name: &str, found: impl FnOnce(&Repository) -> Answer) -> Answer {
    match images.repository(name) {
        Some(repository) => found(repository),
        None => Answer::error(404, "NAME_UNKNOWN", "no repository of this name is served"),
    }
}

fn manifest(repository: &Repository, reference: &Reference) -> Answer {
    let digest = match reference {
        Reference::Tag(tag) => repository.tags.get(tag).copied(),
        Reference::Digest(digest) => *digest,
    };
    let found = digest.and_then(|digest| Some((digest, repository.manifest(&digest)?)));
    let Some((digest, Document { media_type, bytes })) = found else {
        return Answer::error(404, "MANIFEST_UNKNOWN", "no such manifest");
    };
    Answer::ok(media_type, bytes.clone())
        .header("Docker-Content-Digest", digest.to_string())
        .header("ETag", etag(&digest))
}

fn blob(repository: &Repository, digest: Wanted, head: &Head) -> Answer {
    let found = digest.and_then(|digest| Some((digest, repository.blob(&digest)?)));
    let Some((digest, stored)) = found else {
        return Answer::error(404, "BLOB_UNKNOWN", "no such blob");
    };
    let size_bytes = stored.size_bytes();
    // Bytes of a digest never change, so any other tag is of something else.
    let is_same = head
        .if_range
        .as_ref()
        .is_none_or(|tag| *tag == etag(&digest));
    let part = match head.method == "GET" && is_same {
        true => range::parse(head.range.as_deref(), size_bytes),
        false => Part::Whole,
    };
    let (status, from, to) = match part {
        Part::Whole => (200, 0, size_bytes),
        Part::Slice { from, to } => (206, from, to),
        Part::None => {
            return Answer::error(416, "BLOB_UNKNOWN", "no such range of the blob")
                .header("Content-Range", format!("bytes */{size_bytes}"));
        }
    };
    let answer = Answer {
        status,
        headers: vec![
            ("Content-Type", "application/octet-stream".to_owned()),
            ("Accept-Ranges", "bytes".to_owned()),
            ("Docker-Content-Digest", digest.to_string()),
            ("ETag", etag(&digest)),
        ],
        body: Body::Blob {
            digest,
            stored: stored.clone(),
            from,
            to,
        },
    };
    match status {
        206 => {
            let last = to - 1;
            answer.header("Content-Range", format!("bytes {from}-{last}/{size_bytes}"))
        }
        _ => answer,
    }
}

fn tags(repository: &Repository, name: &str, n: Option<usize>, last: Option<&str>) -> Answer {
    let after = repository
        .tags
        .keys()
        .filter(|tag| last.is_none_or(|last| tag.as_str() > last));
    let after: Vec<&String> = after.collect();
    let n = n.unwrap_or(N_TAGS).min(N_TAGS);
    let page = &after[..n.min(after.len())];
    let document = json!({"name": name, "tags": page});
    let answer = Answer::ok("application/json", document.to_string().into_bytes());
    match page.last() {
        Some(last) if page.len() < after.len() => answer.header(
            "Link",
            format!(r#"</v2/{name}/tags/list?n={n}&last={last}>; rel="next""#),
        ),
        _ => answer,
    }
}

fn referrers(repository: &Repository, subject: Wanted, artifact_type: Option<&str>) -> Answer {
    let all = subject.map_or(&[][..], |subject| repository.referrers(&subject));
    let is_wanted = |one: &&Referrer| {
        artifact_type.is_none_or(|wanted| one.artifact_type.as_deref() == Some(wanted))
    };
    let manifests: Vec<&Referrer> = all.iter().filter(is_wanted).collect();
    let index = json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": manifests});
    let answer = Answer::ok(oci::INDEX, index.to_string().into_bytes());
    match artifact_type {
        Some(_) => answer.header("OCI-Filters-Applied", "artifactType"),
        None => answer,
    }
}

fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}
