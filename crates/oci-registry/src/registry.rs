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
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::{Response, StatusCode, header};
use ureq::{Body, SendBody};
use url::{Host, Url};

use super::credentials::{self, Login};
use super::error::Error;
use factory_base::error::Explain as _;
use factory_base::run::Run;
use factory_fetch::http::{Http, RequestError, accept, is_transient, transport_error};
use factory_fetch::retry::{Stop, retry};

/// Media type of a manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The config of an artifact that has none.
const EMPTY: &[u8] = b"{}";
/// Media type of [`EMPTY`].
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// A registry may take minutes to store a large blob after its last byte.
const PATIENCE: Duration = Duration::from_secs(600);

/// What went over the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// HTTP requests, those for tokens included.
    pub n_requests: u64,
    /// Bytes of blobs that were sent.
    pub blob_bytes: u64,
}

/// One repository of a registry.
pub struct Registry<'a> {
    run: &'a dyn Run,
    http: Http,
    /// `HOST/NAME`, for messages.
    name: String,
    /// `https://HOST/v2/NAME/`.
    base: Url,
    login: Option<Login>,
    /// Value of the `Authorization` header that the registry accepted last.
    authorization: Mutex<Option<String>>,
    /// What the repository is known to have.
    present: Mutex<BTreeSet<Digest>>,
    n_requests: AtomicU64,
    blob_bytes: AtomicU64,
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
        let base = base_of(name)?;
        Ok(Self {
            run,
            http: Http::from_environment()?.with_idle(PATIENCE),
            name: name.to_owned(),
            base,
            login: credentials::login(name, files)?,
            authorization: Mutex::new(None),
            present: Mutex::default(),
            n_requests: AtomicU64::new(0),
            blob_bytes: AtomicU64::new(0),
        })
    }

    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            n_requests: self.n_requests.load(Ordering::Relaxed),
            blob_bytes: self.blob_bytes.load(Ordering::Relaxed),
        }
    }

    /// Whether a tag is this very manifest; then the registry has all of its blobs, too.
    ///
    /// # Errors
    /// The registry does not answer, or refuses.
    pub fn has_manifest(&self, tag: &str, digest: &Digest) -> Result<bool> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let accept = [(header::ACCEPT, MANIFEST)];
        let response = self.retry(&|| self.send("HEAD", &url, &accept, None))?;
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
        let mut response = self.retry(&|| self.send("GET", &url, &accept, None))?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let text = response
            .body_mut()
            .read_to_vec()
            .map_err(|source| self.refusal(transport_error(&source)))?;
        Ok(Some((Digest::of(&text), text.len() as u64)))
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
        let response = self.retry(&|| self.send("HEAD", &url, &[], None))?;
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
        self.present()?.insert(*digest);
        Ok(())
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

    /// Sends a manifest under a tag or its digest.
    ///
    /// # Errors
    /// The registry does not take it.
    pub fn push_manifest(&self, reference: &str, json: &str) -> Result<()> {
        self.put_manifest(reference, MANIFEST, json).map(|_| ())
    }

    /// Attaches a JSON document to a manifest, as an artifact whose subject it is.
    ///
    /// # Errors
    /// The registry does not take it.
    pub fn attach(
        &self,
        subject: &Digest,
        subject_bytes: u64,
        artifact_type: &str,
        document: &[u8],
    ) -> Result<Digest> {
        let (empty, content) = (Digest::of(EMPTY), Digest::of(document));
        self.push_small(&empty, EMPTY)?;
        self.push_small(&content, document)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": {"mediaType": EMPTY_TYPE, "digest": empty.to_string(), "size": EMPTY.len()},
            "layers": [{"mediaType": "application/json", "digest": content.to_string(), "size": document.len()}],
            "subject": {"mediaType": MANIFEST, "digest": subject.to_string(), "size": subject_bytes},
        })
        .to_string();
        let digest = Digest::of(manifest.as_bytes());
        let response = self.put_manifest(&digest.to_string(), MANIFEST, &manifest)?;
        // A registry without the referrers API wants an index under a tag made of the subject.
        if response.headers().get("oci-subject").is_none() {
            let entry = json!({
                "mediaType": MANIFEST,
                "artifactType": artifact_type,
                "digest": digest.to_string(),
                "size": manifest.len(),
            });
            self.add_referrer(&format!("sha256-{}", subject.hex()), entry)?;
        }
        Ok(digest)
    }

    fn add_referrer(&self, tag: &str, entry: Value) -> Result<()> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let accept = [(header::ACCEPT, INDEX)];
        let mut response = self.retry(&|| self.send("GET", &url, &accept, None))?;
        let mut manifests = Vec::new();
        if response.status().is_success() {
            let text = response
                .body_mut()
                .read_to_string()
                .map_err(|source| self.refusal(transport_error(&source)))?;
            let mut index: Value = serde_json::from_str(&text)
                .map_err(|source| self.bad_answer(format!("`{tag}` is not an index: {source}")))?;
            if let Some(known) = index["manifests"].as_array_mut() {
                manifests.append(known);
            }
        }
        if manifests
            .iter()
            .all(|known| known["digest"] != entry["digest"])
        {
            manifests.push(entry);
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.put_manifest(tag, INDEX, &index.to_string())
            .map(|_| ())
    }

    fn put_manifest(
        &self,
        reference: &str,
        media_type: &str,
        json: &str,
    ) -> Result<Response<Body>> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let content_type = [(header::CONTENT_TYPE, media_type)];
        self.retry(&|| {
            let mut bytes = json.as_bytes();
            let content = Content::new(&mut bytes, json.len() as u64);
            let response = self.send("PUT", &url, &content_type, Some(content))?;
            expect(response, StatusCode::CREATED)
        })
        .with_context(|| format!("cannot push manifest `{reference}` to `{}`", self.name))
    }

    fn upload(
        &self,
        digest: &Digest,
        size_bytes: u64,
        write: &(dyn Fn(&mut dyn Write) -> Result<()> + Sync),
    ) -> Result<Response<Body>, Stop> {
        let start = self.url("blobs/uploads/")?;
        let response = self.send("POST", &start, &[], Some(Content::new(&mut io::empty(), 0)))?;
        let response = expect(response, StatusCode::ACCEPTED)?;
        let mut target = response
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| self.base.join(location).ok())
            .ok_or_else(|| RequestError::permanent("no place to upload to"))?;
        if !keeps_secrecy(&self.base, &target) {
            return Err(RequestError::permanent(format!(
                "it wants the upload sent unencrypted, to `{}`",
                target.host_str().unwrap_or_default()
            ))
            .into());
        }
        target
            .query_pairs_mut()
            .append_pair("digest", &digest.to_string());

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
            let response = self.send("PUT", &target, &headers, Some(content));
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

    fn url(&self, path: &str) -> Result<Url> {
        self.base.join(path).map_err(|source| {
            let name = self.name.clone();
            let problem = format!("`{path}` makes no URL: {source}");
            Error::BadName { name, problem }.failure().into()
        })
    }

    fn present(&self) -> Result<std::sync::MutexGuard<'_, BTreeSet<Digest>>> {
        self.present
            .lock()
            .map_err(|_| anyhow::anyhow!("another upload panicked"))
    }

    fn retry<T>(&self, attempt: &dyn Fn() -> Result<T, Stop>) -> Result<T> {
        retry(self.run, &self.name, attempt).map_err(|stop| match stop {
            Stop::Request(failure) => self.refusal(failure),
            Stop::Fatal(error) => error,
        })
    }

    fn refusal(&self, failure: RequestError) -> anyhow::Error {
        Error::Refused {
            name: self.name.clone(),
            host: self.base.host_str().unwrap_or_default().to_owned(),
            has_login: self.login.is_some(),
            failure,
        }
        .failure()
        .into()
    }

    fn bad_answer(&self, problem: impl std::fmt::Display) -> anyhow::Error {
        Error::BadAnswer {
            name: self.name.clone(),
            problem: problem.to_string(),
        }
        .failure()
        .into()
    }

    /// One request; a first refusal is answered with a new token.
    fn send(
        &self,
        method: &str,
        url: &Url,
        headers: &[(header::HeaderName, &str)],
        mut content: Option<Content<'_>>,
    ) -> Result<Response<Body>, Stop> {
        let known = self.authorization(None)?;
        let response = self.send_once(method, url, headers, content.as_mut(), known.as_deref())?;
        // Nor is the login for one that asks in the registry's place.
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_own(url) {
            return Ok(response);
        }
        let challenge = response
            .headers()
            .get(header::WWW_AUTHENTICATE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let new = self.authorize(&challenge)?;
        if known.as_ref() == Some(&new) {
            return Err(refused(&response).into());
        }
        self.authorization(Some(new.clone()))?;
        if content
            .as_ref()
            .is_some_and(|content| content.size_bytes > 0)
        {
            // What was read from the content is gone: the next attempt sends it anew.
            let mut failure = refused(&response);
            failure.transient = true;
            return Err(failure.into());
        }
        Ok(self.send_once(method, url, headers, content.as_mut(), Some(&new))?)
    }

    /// Whether a URL is of this registry itself: scheme, host and port.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    fn authorization(&self, new: Option<String>) -> Result<Option<String>> {
        let mut known = self
            .authorization
            .lock()
            .map_err(|_| anyhow::anyhow!("another upload panicked"))?;
        if new.is_some() {
            *known = new;
        }
        Ok(known.clone())
    }

    fn send_once(
        &self,
        method: &str,
        url: &Url,
        headers: &[(header::HeaderName, &str)],
        content: Option<&mut Content<'_>>,
        authorization: Option<&str>,
    ) -> Result<Response<Body>, RequestError> {
        self.n_requests.fetch_add(1, Ordering::Relaxed);
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(url.as_str());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        // The registry's token is not for other hosts that it may send us to.
        if let Some(value) = authorization.filter(|_| self.is_own(url)) {
            request = request.header(header::AUTHORIZATION, value);
        }
        let agent = self.http.agent(url, None)?;
        let result = match content {
            None => {
                let request = request.body(());
                agent.run(request.map_err(|source| RequestError::permanent(source.to_string()))?)
            }
            Some(content) => {
                let request = request
                    .header(header::CONTENT_LENGTH, content.size_bytes)
                    .body(SendBody::from_reader(&mut *content.reader));
                agent.run(request.map_err(|source| RequestError::permanent(source.to_string()))?)
            }
        };
        let response = result.map_err(|source| transport_error(&source))?;
        if is_transient(response.status()) {
            return accept(response);
        }
        Ok(response)
    }

    /// Answers a challenge (RFC 9110, section 11.6.1) with what the user's login gives.
    fn authorize(&self, challenge: &str) -> Result<String, Stop> {
        let (scheme, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return match &self.login {
                Some(login) => Ok(login.basic()),
                None => Err(not_logged_in().into()),
            };
        }
        let realm = parameter(rest, "realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let mut url = realm
            .and_then(|realm| Url::parse(realm).ok())
            .ok_or_else(|| RequestError::permanent(format!("asks for `{challenge}`")))?;
        if !keeps_secrecy(&self.base, &url) {
            return Err(RequestError::permanent(format!(
                "it wants the login sent unencrypted, to `{}`",
                url.host_str().unwrap_or_default()
            ))
            .into());
        }
        {
            let path = self
                .base
                .path()
                .trim_start_matches("/v2/")
                .trim_end_matches('/');
            let mut query = url.query_pairs_mut();
            if let Some(service) = parameter(rest, "service") {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &format!("repository:{path}:pull,push"));
        }
        let login = self.login.as_ref().map(Login::basic);
        self.n_requests.fetch_add(1, Ordering::Relaxed);
        let mut request = ureq::http::Request::get(url.as_str());
        if let Some(login) = &login {
            request = request.header(header::AUTHORIZATION, login);
        }
        let request = request
            .body(())
            .map_err(|source| RequestError::permanent(source.to_string()))?;
        let response = self
            .http
            .agent(&url, None)?
            .run(request)
            .map_err(|source| transport_error(&source))?;
        let mut response = accept(response)?;
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|source| transport_error(&source))?;
        let token: Token = serde_json::from_str(&text)
            .map_err(|source| RequestError::permanent(format!("no token: {source}")))?;
        let token = token
            .token
            .or(token.access_token)
            .ok_or_else(|| RequestError::permanent("the answer to the login has no token"))?;
        Ok(format!("Bearer {token}"))
    }
}

/// `https://HOST/v2/NAME/` of `HOST/NAME`; HTTP for a registry of this machine, as docker and
/// podman do.
fn base_of(name: &str) -> Result<Url> {
    let (host, path) = name
        .split_once('/')
        .filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
        .ok_or_else(|| {
            let name = name.to_owned();
            Error::NoRegistry { name }.failure()
        })?;
    let bad = |problem: String| {
        let name = name.to_owned();
        Error::BadName { name, problem }.failure()
    };
    let mut base = Url::parse(&format!("https://{host}/v2/{path}/"))
        .map_err(|source| bad(source.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(bad("a login does not belong into it".to_owned()).into());
    }
    if is_local(&base) {
        // Parsed again, since the port that a URL leaves out is another one now.
        base = Url::parse(&format!("http://{host}/v2/{path}/"))?;
    }
    Ok(base)
}

/// Whether a URL is of this machine. `127.example.org` is a name like any other.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether what goes to `target` is as safe from listeners as what goes to the registry: it is
/// encrypted, or does not leave a machine whose registry is not encrypted either.
fn keeps_secrecy(registry: &Url, target: &Url) -> bool {
    match target.scheme() {
        "https" => true,
        "http" => registry.scheme() == "http" && is_local(target),
        _ => false,
    }
}

/// What a token server answers.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// The body of a request.
struct Content<'b> {
    reader: &'b mut dyn Read,
    size_bytes: u64,
}

impl<'b> Content<'b> {
    fn new(reader: &'b mut dyn Read, size_bytes: u64) -> Self {
        Self { reader, size_bytes }
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

fn expect(mut response: Response<Body>, wanted: StatusCode) -> Result<Response<Body>, Stop> {
    if response.status() == wanted {
        return Ok(response);
    }
    let mut failure = refused(&response);
    // The registry's own words, as far as they are there.
    if let Ok(text) = response
        .body_mut()
        .with_config()
        .limit(4096)
        .read_to_string()
        && !text.trim().is_empty()
    {
        failure.message.push_str(": ");
        failure.message.push_str(text.trim());
    }
    Err(failure.into())
}

fn refused(response: &Response<Body>) -> RequestError {
    RequestError {
        status: Some(response.status().as_u16()),
        ..RequestError::permanent(format!("the registry answers {}", response.status()))
    }
}

fn not_logged_in() -> RequestError {
    RequestError {
        status: Some(401),
        ..RequestError::permanent("the registry asks for a login")
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// A quoted parameter of a challenge.
fn parameter<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_only_this_machine_goes_without_encryption() {
        let base = |name: &str| base_of(name).unwrap().to_string();
        assert_eq!(base("localhost:5000/me"), "http://localhost:5000/v2/me/");
        assert_eq!(base("localhost:443/me"), "http://localhost:443/v2/me/");
        assert_eq!(base("127.0.0.1:80/me"), "http://127.0.0.1/v2/me/");
        assert_eq!(base("[::1]:5000/me"), "http://[::1]:5000/v2/me/");
        assert_eq!(
            base("127.evil.example/me"),
            "https://127.evil.example/v2/me/"
        );
        assert_eq!(
            base("localhost.evil.example/me"),
            "https://localhost.evil.example/v2/me/"
        );
        assert_eq!(base("ghcr.io/me/x"), "https://ghcr.io/v2/me/x/");
        assert!(base_of("127.0.0.1:1@evil.example/me").is_err());
    }

    #[test]
    fn ok_where_a_login_may_go() {
        let keeps = |registry: &str, target: &str| {
            keeps_secrecy(&Url::parse(registry).unwrap(), &Url::parse(target).unwrap())
        };
        let (far, here) = ("https://a.test/v2/", "http://127.0.0.1:5000/v2/");
        assert!(keeps(far, "https://auth.test/token"));
        assert!(!keeps(far, "http://a.test/token"));
        assert!(!keeps(far, "http://127.0.0.1/token"));
        assert!(keeps(here, "http://localhost:5001/token"));
        assert!(keeps(here, "https://auth.test/token"));
        assert!(!keeps(here, "http://auth.test/token"));
        assert!(!keeps(here, "file:///token"));
    }

    #[test]
    fn ok_challenge_parameters() {
        let text = r#"realm="https://a.test/token",service="a.test",scope="repository:me/x:pull""#;
        assert_eq!(parameter(text, "realm"), Some("https://a.test/token"));
        assert_eq!(parameter(text, "service"), Some("a.test"));
        assert_eq!(parameter(text, "error"), None);
    }
}
