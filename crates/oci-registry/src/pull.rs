//! Reads from a registry: manifests, and blobs as streams (OCI distribution specification 1.1,
//! "Pulling manifests" and "Pulling blobs").

use std::io::Read;

use anyhow::Result;
use comfy_image::Digest;
use ureq::Body;
use ureq::http::{Response, StatusCode, header};

use super::address::keeps_secrecy;
use super::error::Error;
use super::registry::Registry;
use super::session::expect;
use factory_base::error::Explain as _;
use factory_fetch::http::{RequestError, transport_error};
use factory_fetch::retry::Stop;

/// What a manifest may be: an image or an index, in OCI's form or in Docker's.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
/// The most that a document may have: what registries allow for manifests.
const MAX_DOCUMENT: u64 = 4 << 20;
/// The storage behind a registry is one step away, or two.
const MAX_REDIRECTS: usize = 5;

impl Registry<'_> {
    /// Asks for no more than reading, where the registry asks for a login: what is public needs
    /// none.
    #[must_use]
    pub fn for_reading(mut self) -> Self {
        self.session.only_read();
        self
    }

    /// The manifest that a tag or a digest names; `None` when there is none.
    ///
    /// # Errors
    /// The registry does not answer, refuses, or sends something of another digest.
    pub fn manifest_text(&self, version: &str) -> Result<Option<String>> {
        let text = self.manifest_as_sent(version)?;
        if let (Some(text), Ok(digest)) = (&text, version.parse::<Digest>()) {
            self.check(&digest, text)?;
        }
        Ok(text)
    }

    /// The same, whatever its digest is: for those who say what does not match.
    ///
    /// # Errors
    /// The registry does not answer, or refuses.
    pub fn manifest_as_sent(&self, version: &str) -> Result<Option<String>> {
        let url = self.url(&format!("manifests/{version}"))?;
        let accept = [(header::ACCEPT, MANIFESTS)];
        self.retry(&|| {
            let response = self.session.send("GET", &url, &accept, None)?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            text_of(expect(response, StatusCode::OK)?).map(Some)
        })
    }

    /// A blob that is a document, such as a config.
    ///
    /// # Errors
    /// It is not there, too large, not text, or of another digest.
    pub fn document(&self, digest: &Digest) -> Result<String> {
        let text = self.document_as_sent(digest)?;
        self.check(digest, &text)?;
        Ok(text)
    }

    /// The same, whatever its digest is: for those who say what does not match.
    ///
    /// # Errors
    /// It is not there, too large, or not text.
    pub fn document_as_sent(&self, digest: &Digest) -> Result<String> {
        self.retry(&|| text_of(self.blob(digest)?))
    }

    /// The bytes of a blob. Whoever reads them checks the digest.
    ///
    /// # Errors
    /// The registry does not answer, refuses, or has no such blob.
    pub fn open_blob(&self, digest: &Digest) -> Result<impl Read + use<>> {
        let response = self.retry(&|| self.blob(digest))?;
        Ok(response.into_body().into_reader())
    }

    /// The answer with a blob, from wherever the registry sends us.
    fn blob(&self, digest: &Digest) -> Result<Response<Body>, Stop> {
        let mut url = self.url(&format!("blobs/{digest}"))?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.session.send("GET", &url, &[], None)?;
            if !response.status().is_redirection() {
                return expect(response, StatusCode::OK);
            }
            let next = response
                .headers()
                .get(header::LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| RequestError::permanent("a redirect without a target"))?;
            if !keeps_secrecy(self.session.base(), &next) {
                let host = next.host_str().unwrap_or_default();
                let text = format!("it sends us to `{host}`, unencrypted");
                return Err(RequestError::permanent(text).into());
            }
            url = next;
        }
        Err(RequestError::permanent(format!("more than {MAX_REDIRECTS} redirects")).into())
    }

    fn check(&self, digest: &Digest, text: &str) -> Result<()> {
        let found = Digest::of(text.as_bytes());
        if found == *digest {
            return Ok(());
        }
        let error = Error::BadAnswer {
            name: self.name.clone(),
            problem: format!("what it sends for `{digest}` has the digest {found}"),
        };
        Err(error.failure().into())
    }
}

fn text_of(mut response: Response<Body>) -> Result<String, Stop> {
    let body = response.body_mut().with_config().limit(MAX_DOCUMENT);
    let text = body.read_to_string();
    text.map_err(|source| transport_error(&source).into())
}
