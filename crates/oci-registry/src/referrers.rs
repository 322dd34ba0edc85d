//! Artifacts about an image, in a registry: which there are, and adding some
//! (OCI distribution specification 1.1, "Listing Referrers" and "Pushing Manifests with Subject").

use std::collections::BTreeMap;

use anyhow::Result;
use comfy_image::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::Body;
use ureq::http::{Response, StatusCode, header};

use factory_fetch::retry::Stop;

use super::registry::{INDEX, MANIFEST, MOST_MANIFEST_BYTES, Registry};

/// The config of an artifact that has none.
pub(crate) const EMPTY: &[u8] = b"{}";
/// Media type of [`EMPTY`].
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// So many pages of a list are read; each may be [`MOST_MANIFEST_BYTES`].
const MOST_PAGES: usize = 16;

/// The code of an error about a manifest whose blob the registry does not have; `BLOB_UNKNOWN` and
/// `MANIFEST_BLOB_UNKNOWN` are both in use ("Error Codes").
const BLOB_UNKNOWN: &str = "BLOB_UNKNOWN";

/// What is to be attached: one blob with a type.
#[derive(Debug, Clone, Copy)]
pub struct NewArtifact<'a> {
    /// What kind of artifact it is.
    pub artifact_type: &'a str,
    /// Media type of its blob.
    pub media_type: &'a str,
    /// Annotations of its manifest.
    pub annotations: &'a BTreeMap<String, String>,
    /// The blob.
    pub content: &'a [u8],
}

/// An artifact as a registry lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// Media type of its manifest.
    pub media_type: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Size of its manifest.
    pub size: u64,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A list of artifacts. Registries may put more into it than is read here; a writer keeps that.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    manifests: Vec<Referrer>,
}

impl NewArtifact<'_> {
    /// The manifest: the same bytes for the same content.
    pub fn manifest(&self, subject: &Digest, subject_bytes: u64) -> String {
        let (empty, content) = (Digest::of(EMPTY), Digest::of(self.content));
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": self.artifact_type,
            "config": {"mediaType": EMPTY_TYPE, "digest": empty.to_string(), "size": EMPTY.len()},
            "layers": [{"mediaType": self.media_type, "digest": content.to_string(), "size": self.content.len()}],
            "subject": {"mediaType": MANIFEST, "digest": subject.to_string(), "size": subject_bytes},
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        manifest.to_string()
    }

    /// Its entry in a list, when this is its manifest.
    pub(crate) fn referrer(&self, manifest: &str) -> Referrer {
        let annotations = (!self.annotations.is_empty()).then_some(self.annotations);
        Referrer {
            media_type: MANIFEST.to_owned(),
            digest: Digest::of(manifest.as_bytes()).to_string(),
            size: manifest.len() as u64,
            artifact_type: Some(self.artifact_type.to_owned()),
            annotations: annotations.cloned(),
        }
    }
}

impl Registry<'_> {
    /// The artifacts about a manifest: from the referrers API, or from the tag that stands for it
    /// where there is none.
    ///
    /// # Errors
    /// The registry does not answer, or refuses, or answers with something else.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>> {
        let accept = [(header::ACCEPT, INDEX)];
        let mut found = Vec::new();
        let mut next = Some(self.url(&format!("referrers/{subject}"))?);
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { break };
            let mut response = self.retry(&|| self.session.send("GET", &url, &accept, None))?;
            match response.status() {
                StatusCode::OK => {}
                // What else means "I do not know this path" differs among registries.
                status if status.is_client_error() && found.is_empty() => {
                    return self.in_tag(&tag_of(subject));
                }
                status => {
                    return Err(self.bad_answer(format!("it lists referrers with {status}")));
                }
            }
            // RFC 8288: `<URL>; rel="next"`.
            let link = response.headers().get(header::LINK);
            let link = link.and_then(|link| link.to_str().ok()).unwrap_or_default();
            next = link
                .split_once('<')
                .and_then(|(_, rest)| rest.split_once('>'))
                .filter(|(_, relation)| relation.contains("next"))
                .and_then(|(target, _)| url.join(target).ok())
                .filter(|target| target.origin() == self.session.base().origin());
            let text = self.read(&mut response, MOST_MANIFEST_BYTES)?;
            let list: List = serde_json::from_slice(&text)
                .map_err(|source| self.bad_answer(format!("no list of referrers: {source}")))?;
            found.extend(list.manifests);
        }
        Ok(found)
    }

    fn in_tag(&self, tag: &str) -> Result<Vec<Referrer>> {
        let entries = self
            .index(tag)?
            .map(|index| index.entries)
            .unwrap_or_default();
        let entries = serde_json::Value::Array(entries);
        serde_json::from_value(entries)
            .map_err(|source| self.bad_answer(format!("`{tag}` lists no artifacts: {source}")))
    }

    /// Attaches artifacts to a manifest whose digest and size these are.
    ///
    /// # Errors
    /// The registry does not take one.
    pub fn attach(
        &self,
        subject: &Digest,
        subject_bytes: u64,
        artifacts: &[NewArtifact<'_>],
    ) -> Result<Vec<Digest>> {
        let mut digests = Vec::new();
        // A registry without the referrers API wants an index under a tag made of the subject.
        let mut unlisted = Vec::new();
        for artifact in artifacts {
            self.push_small(&Digest::of(EMPTY), EMPTY)?;
            self.push_small(&Digest::of(artifact.content), artifact.content)?;
            let manifest = artifact.manifest(subject, subject_bytes);
            let digest = Digest::of(manifest.as_bytes());
            let response = self.put_artifact(&digest, &manifest)?;
            if response.headers().get("oci-subject").is_none() {
                unlisted.push(json!(artifact.referrer(&manifest)));
            }
            digests.push(digest);
        }
        if !unlisted.is_empty() {
            self.list(&tag_of(subject), &unlisted)?;
        }
        Ok(digests)
    }

    /// Sends the manifest of an artifact. While another client sends the same blob, Debian's
    /// registry has it for a moment not, or only its beginning, and says that it is unknown.
    fn put_artifact(&self, digest: &Digest, manifest: &str) -> Result<Response<Body>> {
        self.put_manifest_where(&digest.to_string(), MANIFEST, manifest, &|mut stop| {
            if let Stop::Request(failure) = &mut stop {
                failure.transient |= failure.message.contains(BLOB_UNKNOWN);
            }
            stop
        })
    }
}

/// `sha256-HEX` ("Referrers Tag Schema").
fn tag_of(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
