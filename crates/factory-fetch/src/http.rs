//! One HTTP request: the user's proxies, credentials and certificates, and which failures pass.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use base64::Engine as _;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Proxy};
use url::Url;

use super::error::Error;
use super::netrc::Netrc;
use super::pace::{Pace, Paced, TooSlow};
use super::proxy::ProxyVariables;
use super::resolver::CachingResolver;
use factory_base::error::Explain as _;

/// A server that sends nothing for this long is given up; the download resumes elsewhere.
const IDLE: Duration = Duration::from_secs(30);
/// Mirrors behind a far proxy need seconds for the handshake.
const CONNECT: Duration = Duration::from_secs(15);
/// A preflight has to end in seconds.
const IMPATIENCE: Duration = Duration::from_secs(5);
/// As in browsers: a longer chain is a loop.
const MAX_REDIRECTS: usize = 10;

/// One place that may serve a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// An HTTP or HTTPS server, through its own proxy when there is one.
    Http {
        /// The whole URL.
        url: String,
        /// Proxy for this candidate, before those of the environment.
        proxy: Option<String>,
    },
    /// A file another client downloaded earlier.
    File(PathBuf),
}

impl Candidate {
    /// A URL without a proxy of its own.
    pub fn url(url: impl Into<String>) -> Self {
        Self::Http {
            url: url.into(),
            proxy: None,
        }
    }
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Candidate::Http { url, .. } => formatter.write_str(&redacted(url)),
            Candidate::File(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// Why a request did not give a usable response.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What happened, without the URL.
    pub message: String,
    /// Whether trying again may help.
    pub transient: bool,
    /// How long the server asks to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The status, when there was a response.
    pub status: Option<u16>,
}

impl RequestError {
    /// A failure that trying again may mend.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self {
            transient: true,
            ..Self::permanent(message)
        }
    }

    /// A failure that trying again cannot mend.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            transient: false,
            retry_after: None,
            status: None,
        }
    }
}

/// What to ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Proxy for this request, before those of the environment.
    pub proxy: Option<&'a str>,
    /// First byte wanted (`Range`), and all after it.
    pub from: u64,
    /// First byte and number of bytes wanted (`Range`), instead of `from`.
    pub part: Option<(u64, u64)>,
    /// Value of `Accept`; without it the bytes are wanted exactly as stored.
    pub accept: Option<&'a str>,
    /// Ask for the headers only.
    pub head: bool,
}

/// A client with the settings of this machine and user.
#[derive(Debug)]
pub struct Http {
    environment: ProxyVariables,
    netrc: Netrc,
    agents: Mutex<BTreeMap<Option<String>, Agent>>,
    connect: Duration,
    idle: Duration,
    pace: Pace,
}

impl Http {
    /// Reads the proxy variables and the user's `.netrc`.
    ///
    /// # Errors
    /// The `.netrc` exists but cannot be read.
    pub fn from_environment() -> Result<Self> {
        Ok(Self {
            environment: ProxyVariables::from_environment(),
            netrc: Netrc::of_user()?,
            agents: Mutex::default(),
            connect: CONNECT,
            idle: IDLE,
            pace: Pace::default(),
        })
    }

    /// The same, for asking whether a server is there at all.
    ///
    /// # Errors
    /// As [`Http::from_environment`].
    pub fn impatient() -> Result<Self> {
        Ok(Self {
            connect: IMPATIENCE,
            idle: IMPATIENCE,
            ..Self::from_environment()?
        })
    }

    /// The same, for servers that may work for so long before they answer.
    pub fn with_idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// The same, for bodies that have to come at this rate.
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The least rate at which a body has to come.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Reads a whole body of text.
    ///
    /// # Errors
    /// It is larger than `max_bytes`, comes too slowly, is cut off, or is not UTF-8.
    pub fn text(&self, response: Response<Body>, max_bytes: u64) -> Result<String, RequestError> {
        let body = response.into_body().into_with_config().limit(max_bytes);
        let mut text = String::new();
        let read = Paced::new(body.reader(), self.pace).read_to_string(&mut text);
        read.map_err(|source| RequestError {
            transient: !TooSlow::is_cause_of(&source) && source.kind() != ErrorKind::InvalidData,
            ..RequestError::permanent(format!("the answer cannot be read: {source}"))
        })?;
        Ok(text)
    }

    /// Sends one request and follows redirects; a status of 2xx or 416 is a response.
    ///
    /// # Errors
    /// No connection, a bad URL, or any other status.
    pub fn send(&self, url: &str, request: Request<'_>) -> Result<Response<Body>, RequestError> {
        let mut url = Url::parse(url)
            .map_err(|source| RequestError::permanent(format!("not a URL: {source}")))?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_once(&url, request)?;
            if !response.status().is_redirection() {
                return accept(response);
            }
            let target = response
                .headers()
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok())
                .ok_or_else(|| RequestError::permanent("a redirect without a target"))?;
            let next = url.join(target).map_err(|source| {
                RequestError::permanent(format!("a redirect to a bad URL: {source}"))
            })?;
            if url.scheme() == "https" && next.scheme() == "http" {
                return Err(RequestError::permanent(
                    "a redirect from HTTPS to unencrypted HTTP",
                ));
            }
            url = next;
        }
        Err(RequestError::permanent(format!(
            "more than {MAX_REDIRECTS} redirects"
        )))
    }

    fn send_once(&self, url: &Url, request: Request<'_>) -> Result<Response<Body>, RequestError> {
        let agent = self.agent(url, request.proxy)?;
        let authorization = self.authorization(url);
        let mut bare = url.clone();
        // Credentials travel in a header; neither call fails for a URL with a host.
        if bare.set_username("").is_err() || bare.set_password(None).is_err() {
            return Err(RequestError::permanent("the URL has no host"));
        }
        bare.set_fragment(None);
        let mut builder = if request.head {
            agent.head(bare.as_str())
        } else {
            agent.get(bare.as_str())
        };
        if let Some(value) = authorization {
            builder = builder.header(header::AUTHORIZATION, value);
        }
        match request.accept {
            Some(accept) => builder = builder.header(header::ACCEPT, accept),
            // A server that compresses on the way would change the bytes that are hashed.
            None => builder = builder.header(header::ACCEPT_ENCODING, "identity"),
        }
        let range = match request.part {
            Some((from, length)) => Some(format!(
                "bytes={from}-{}",
                (from + length).saturating_sub(1)
            )),
            None => (request.from > 0).then(|| format!("bytes={}-", request.from)),
        };
        if let Some(range) = range {
            builder = builder.header(header::RANGE, range);
        }
        builder.call().map_err(|source| transport_error(&source))
    }

    /// The client for an address, by its proxy and the user's settings.
    ///
    /// # Errors
    /// The proxy's address cannot be read.
    pub fn agent(&self, url: &Url, proxy: Option<&str>) -> Result<Agent, RequestError> {
        let proxy = proxy
            .map(str::to_owned)
            .or_else(|| self.environment.proxy_for(url));
        let mut agents = self
            .agents
            .lock()
            .map_err(|_| RequestError::permanent("another download panicked"))?;
        if let Some(agent) = agents.get(&proxy) {
            return Ok(agent.clone());
        }
        let parsed = match &proxy {
            None => None,
            Some(text) => Some(Proxy::new(text).map_err(|source| {
                RequestError::permanent(format!(
                    "the proxy `{}` cannot be used: {source}",
                    redacted(text)
                ))
            })?),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(parsed)
            .timeout_resolve(Some(self.connect))
            .timeout_connect(Some(self.connect))
            .timeout_recv_response(Some(self.idle))
            .timeout_per_read(Some(self.idle))
            .max_idle_connections(64)
            .max_idle_connections_per_host(16)
            .user_agent(concat!("comfyui-image-factory/", env!("CARGO_PKG_VERSION")))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            )
            .build();
        let agent = Agent::with_parts(
            config,
            DefaultConnector::default(),
            CachingResolver::default(),
        );
        agents.insert(proxy, agent.clone());
        Ok(agent)
    }

    fn authorization(&self, url: &Url) -> Option<String> {
        let (user, password) = if url.username().is_empty() {
            self.netrc.login(url.host_str()?)?
        } else {
            (
                percent_decode(url.username()),
                percent_decode(url.password().unwrap_or("")),
            )
        };
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Some(format!("Basic {token}"))
    }
}

/// Whether the same request may be answered otherwise later.
pub fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// Takes a success (or 416, which a resumed download handles), and refuses the rest.
///
/// # Errors
/// The status of the response, with `Retry-After` where the server says so.
pub fn accept(response: Response<Body>) -> Result<Response<Body>, RequestError> {
    let status = response.status();
    if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(response);
    }
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    Err(RequestError {
        message: format!("the server answers {status}"),
        transient: is_transient(status),
        retry_after,
        status: Some(status.as_u16()),
    })
}

/// A failure below HTTP, and whether trying again may help.
pub fn transport_error(source: &ureq::Error) -> RequestError {
    use ureq::Error;
    let transient = matches!(
        source,
        Error::Io(_)
            | Error::Timeout(_)
            | Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Protocol(_)
            | Error::BodyStalled
    );
    let message = match source {
        Error::HostNotFound => "the host name cannot be resolved".to_owned(),
        Error::Timeout(which) => format!("no answer in time ({which})"),
        Error::Io(source) => source.to_string(),
        other => other.to_string(),
    };
    RequestError {
        message,
        transient,
        retry_after: None,
        status: None,
    }
}

/// The URL without its password, for messages.
pub fn redacted(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            if parsed.set_password(Some("***")).is_err() {
                return "(a URL with a password)".to_owned();
            }
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

/// The host of a URL, and its port when it is given, for messages and for grouping.
///
/// # Errors
/// Not a URL with a host.
pub fn host_of(url: &str) -> Result<String> {
    let bad = |problem: String| Error::BadUrl {
        url: redacted(url),
        problem,
    };
    let parsed =
        Url::parse(url).map_err(|source| bad(format!("is not a URL: {source}")).failure())?;
    let host = parsed
        .host_str()
        .ok_or_else(|| bad("has no host".to_owned()).failure())?;
    Ok(match parsed.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_passwords_stay_out_of_messages() {
        assert_eq!(
            redacted("https://me:secret@mirror.test/simple"),
            "https://me:***@mirror.test/simple"
        );
        assert_eq!(redacted("https://mirror.test/"), "https://mirror.test/");
        assert_eq!(percent_decode("a%40b%2"), "a@b%2");
    }
}
