//! Pushes to an image registry, by the OCI distribution specification 1.1.
//!
//! A blob is asked for first and sent whole in one request; nothing is kept on disk.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use comfy_image::Digest;
use ureq::Body;
use ureq::http::{Response, StatusCode, header};
use url::Url;

use super::address::{Sibling, base_of, keeps_secrecy};
use super::credentials;
use super::error::Error;
use super::session::{Content, Session, expect};
use factory_base::error::Explain as _;
use factory_base::run::Run;
use factory_fetch::http::{Http, RequestError, transport_error};
use factory_fetch::retry::{Stop, retry};

/// Media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Registries take manifests of up to 4 MiB (OCI distribution specification, "Pushing Manifests").
pub(super) const MOST_MANIFEST_BYTES: u64 = 4 << 20;
/// A registry may take minutes to store a large blob after its last byte.
const PATIENCE: Duration = Duration::from_secs(600);

/// What went over the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// HTTP requests, those for tokens included.
    pub n_requests: u64,
    /// Bytes of blobs that were sent.
    pub blob_bytes: u64,
    /// Blobs that came from a sibling.
    pub n_mounted: u64,
}

/// One repository of a registry.
pub struct Registry<'a> {
    pub(super) run: &'a dyn Run,
    pub(super) session: Session,
    pub(super) siblings: Vec<Sibling>,
    /// `HOST/NAME`, for messages.
    pub(super) name: String,
    /// What the repository is known to have.
    present: Mutex<BTreeSet<Digest>>,
    blob_bytes: AtomicU64,
    n_mounted: AtomicU64,
}

impl<'a> Registry<'a> {
    /// Reads the user's login; sends nothing yet.
    ///
    /// # Errors
    /// `name` has no registry, or a file of logins cannot be read.
    pub fn open(run: &'a dyn Run, name: &str) -> Result<Self> {
        Self::open_with_logins(run, name, &credentials::files())
    }

    /// The same, with logins from these files, in this order.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub fn open_with_logins(run: &'a dyn Run, name: &str, files: &[PathBuf]) -> Result<Self> {
        let http = Http::from_environment()?.with_idle(PATIENCE);
        let login = credentials::login(name, files)?;
        Ok(Self {
            run,
            session: Session::new(http, base_of(name)?, login),
            siblings: Vec::new(),
            name: name.to_owned(),
            present: Mutex::default(),
            blob_bytes: AtomicU64::new(0),
            n_mounted: AtomicU64::new(0),
        })
    }

    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            n_requests: self.session.n_requests(),
            blob_bytes: self.blob_bytes.load(Ordering::Relaxed),
            n_mounted: self.n_mounted.load(Ordering::Relaxed),
        }
    }

    /// Whether a tag is this very manifest; then the registry has all of its blobs, too.
    ///
    /// # Errors
    /// The registry does not answer, or refuses.
    pub fn has_manifest(&self, tag: &str, digest: &Digest) -> Result<bool> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let accept = [(header::ACCEPT, MANIFEST)];
        let response = self.retry(&|| self.session.send("HEAD", &url, &accept, None))?;
        let found = response.headers().get("docker-content-digest");
        Ok(response.status().is_success()
            && found.is_some_and(|found| found.as_bytes() == digest.to_string().as_bytes()))
    }

    /// Digest and size of the manifest that a tag is; `None` when there is no such tag.
    ///
    /// # Errors
    /// The registry does not answer, or refuses.
    pub fn manifest(&self, tag: &str) -> Result<Option<(Digest, u64)>> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let accept = [(header::ACCEPT, MANIFEST)];
        let mut response = self.retry(&|| self.session.send("GET", &url, &accept, None))?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let text = response
            .body_mut()
            .read_to_vec()
            .map_err(|source| self.refusal(transport_error(&source)))?;
        Ok(Some((Digest::of(&text), text.len() as u64)))
    }

    /// Reads an answer to its end, up to a bound.
    pub(super) fn read(&self, response: &mut Response<Body>, most_bytes: u64) -> Result<Vec<u8>> {
        response
            .body_mut()
            .with_config()
            .limit(most_bytes)
            .read_to_vec()
            .map_err(|source| self.refusal(transport_error(&source)))
    }

    /// Whether the repository has a blob.
    ///
    /// # Errors
    /// The registry does not answer, or refuses.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        if self.present()?.contains(digest) {
            return Ok(true);
        }
        let url = self.url(&format!("blobs/{digest}"))?;
        let response = self.retry(&|| self.session.send("HEAD", &url, &[], None))?;
        // A redirect leads to the storage behind the registry.
        let found = response.status().is_success() || response.status().is_redirection();
        if found {
            self.present()?.insert(*digest);
        }
        Ok(found)
    }

    /// Sends a blob, which `write` writes, in one request.
    ///
    /// # Errors
    /// `write` fails, or the registry does not take the blob.
    pub fn push_blob(
        &self,
        digest: &Digest,
        size_bytes: u64,
        write: &(dyn Fn(&mut dyn Write) -> Result<()> + Sync),
    ) -> Result<()> {
        self.retry(&|| self.upload(digest, size_bytes, write))
            .with_context(|| format!("cannot push blob `{digest}` to `{}`", self.name))?;
        self.remember(*digest)
    }

    /// Sends a blob that is in memory, unless the repository has it.
    ///
    /// # Errors
    /// As [`Registry::push_blob`].
    pub fn push_small(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if self.has_blob(digest)? {
            return Ok(());
        }
        self.push_blob(digest, bytes.len() as u64, &|out| Ok(out.write_all(bytes)?))
    }

    /// Sends a manifest under a tag or its digest, and reads back what is there then.
    ///
    /// # Errors
    /// The registry does not take it, or has another one under that name.
    pub fn push_manifest(&self, reference: &str, json: &str) -> Result<()> {
        self.put_manifest(reference, MANIFEST, json)?;
        let kept = self.manifest(reference)?.map(|(digest, _)| digest);
        if kept == Some(Digest::of(json.as_bytes())) {
            return Ok(());
        }
        let error = Error::OtherManifest {
            name: self.name.clone(),
            reference: reference.to_owned(),
            kept: kept.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string()),
        };
        Err(error.failure().into())
    }

    pub(super) fn put_manifest(
        &self,
        reference: &str,
        media_type: &str,
        json: &str,
    ) -> Result<Response<Body>> {
        self.put_manifest_where(reference, media_type, json, &|stop| stop)
    }

    /// Sends a manifest; `judge` says of a failure whether it may go by.
    pub(super) fn put_manifest_where(
        &self,
        reference: &str,
        media_type: &str,
        json: &str,
        judge: &dyn Fn(Stop) -> Stop,
    ) -> Result<Response<Body>> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let content_type = [(header::CONTENT_TYPE, media_type)];
        self.retry(&|| {
            let mut bytes = json.as_bytes();
            let content = Content::new(&mut bytes, json.len() as u64);
            let response = self
                .session
                .send("PUT", &url, &content_type, Some(content))?;
            expect(response, StatusCode::CREATED).map_err(judge)
        })
        .with_context(|| format!("cannot push manifest `{reference}` to `{}`", self.name))
    }

    /// Asks where a blob is to be sent to.
    fn upload_to(&self, digest: &Digest) -> Result<Url, Stop> {
        let start = self.url("blobs/uploads/")?;
        let response =
            self.session
                .send("POST", &start, &[], Some(Content::new(&mut io::empty(), 0)))?;
        let response = expect(response, StatusCode::ACCEPTED)?;
        let mut target = response
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| self.session.base().join(location).ok())
            .ok_or_else(|| RequestError::permanent("no place to upload to"))?;
        if !keeps_secrecy(self.session.base(), &target) {
            return Err(RequestError::permanent(format!(
                "it wants the upload sent unencrypted, to `{}`",
                target.host_str().unwrap_or_default()
            ))
            .into());
        }
        target
            .query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        Ok(target)
    }

    fn upload(
        &self,
        digest: &Digest,
        size_bytes: u64,
        write: &(dyn Fn(&mut dyn Write) -> Result<()> + Sync),
    ) -> Result<Response<Body>, Stop> {
        let target = self.upload_to(digest)?;
        let (sink, source) = UnixStream::pair().map_err(anyhow::Error::from)?;
        let (response, written, is_short) = std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                let mut sink = io::BufWriter::with_capacity(1 << 16, sink);
                write(&mut sink)?;
                Ok::<_, anyhow::Error>(sink.flush()?)
            });
            let mut counted = Counted {
                inner: source,
                n_left: size_bytes,
                sent: &self.blob_bytes,
            };
            let headers = [(header::CONTENT_TYPE, "application/octet-stream")];
            let content = Content::new(&mut counted, size_bytes);
            let response = self.session.send("PUT", &target, &headers, Some(content));
            let is_short = counted.n_left > 0;
            // A writer that nobody reads from any more ends with a broken pipe.
            drop(counted);
            (response, writer.join(), is_short)
        });
        let written = written.map_err(|_| anyhow::anyhow!("the writer of a blob panicked"))?;
        match (response, written) {
            (Ok(response), Ok(())) => expect(response, StatusCode::CREATED),
            (Ok(response), Err(_)) if !response.status().is_success() => {
                expect(response, StatusCode::CREATED)
            }
            (Err(error), Err(cause)) if is_short && !is_broken_pipe(&cause) => {
                self.run.detail(&format!("upload ended: {error}"));
                Err(Stop::Fatal(cause))
            }
            (Err(error), _) => Err(error),
            (Ok(_), Err(cause)) => Err(Stop::Fatal(cause)),
        }
    }

    pub(super) fn url(&self, path: &str) -> Result<Url> {
        self.below(self.session.base(), path)
    }

    pub(super) fn below(&self, base: &Url, path: &str) -> Result<Url> {
        base.join(path).map_err(|source| {
            let name = self.name.clone();
            let problem = format!("`{path}` makes no URL: {source}");
            Error::BadName { name, problem }.failure().into()
        })
    }

    /// Neither asks for this blob nor sends it again.
    pub(super) fn remember(&self, digest: Digest) -> Result<()> {
        self.present()?.insert(digest);
        Ok(())
    }

    pub(super) fn count_mounted(&self) {
        self.n_mounted.fetch_add(1, Ordering::Relaxed);
    }

    fn present(&self) -> Result<std::sync::MutexGuard<'_, BTreeSet<Digest>>> {
        self.present
            .lock()
            .map_err(|_| anyhow::anyhow!("another upload panicked"))
    }

    pub(super) fn retry<T>(&self, attempt: &dyn Fn() -> Result<T, Stop>) -> Result<T> {
        retry(self.run, &self.name, attempt).map_err(|stop| match stop {
            Stop::Request(failure) => self.refusal(failure),
            Stop::Fatal(error) => error,
        })
    }

    pub(super) fn refusal(&self, failure: RequestError) -> anyhow::Error {
        Error::Refused {
            name: self.name.clone(),
            host: self
                .session
                .base()
                .host_str()
                .unwrap_or_default()
                .to_owned(),
            has_login: self.session.has_login(),
            failure,
        }
        .failure()
        .into()
    }

    pub(super) fn bad_answer(&self, problem: impl std::fmt::Display) -> anyhow::Error {
        Error::BadAnswer {
            name: self.name.clone(),
            problem: problem.to_string(),
        }
        .failure()
        .into()
    }
}

/// Counts what is sent, and fails where the source ends too early, so that the request does.
struct Counted<'c> {
    inner: UnixStream,
    n_left: u64,
    sent: &'c AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_left == 0 {
            return Ok(0);
        }
        let n_bytes = self.inner.read(buffer)?;
        if n_bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.n_left = self.n_left.saturating_sub(n_bytes as u64);
        self.sent.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
