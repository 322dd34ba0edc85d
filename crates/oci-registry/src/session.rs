//! Requests to one registry: with the token that it gives for the user's login, which goes to
//! nobody else.

use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use serde::Deserialize;
use ureq::http::{Response, StatusCode, header};
use ureq::{Body, SendBody};
use url::Url;

use super::address::keeps_secrecy;
use super::credentials::Login;
use factory_fetch::http::{Http, RequestError, accept, is_transient, transport_error};
use factory_fetch::retry::Stop;

/// A login at one registry.
pub(super) struct Session {
    http: Http,
    /// `https://HOST/v2/NAME/`.
    base: Url,
    login: Option<Login>,
    /// What is asked for: `pull`, or `pull,push`.
    actions: &'static str,
    /// Other repositories of the registry that are read, such as `me/image`.
    scopes: Vec<String>,
    /// Value of the `Authorization` header that the registry accepted last.
    authorization: Mutex<Option<String>>,
    n_requests: AtomicU64,
}

impl Session {
    /// Sends nothing yet.
    pub(super) fn new(http: Http, base: Url, login: Option<Login>) -> Self {
        Self {
            http,
            base,
            login,
            actions: "pull,push",
            scopes: Vec::new(),
            authorization: Mutex::new(None),
            n_requests: AtomicU64::new(0),
        }
    }

    /// `https://HOST/v2/NAME/`.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Asks for a token that may read only.
    pub(super) fn only_read(&mut self) {
        self.actions = "pull";
    }

    /// Asks for a token that may read this repository, too.
    pub(super) fn add_scope(&mut self, name: &str) {
        self.scopes.push(name.to_owned());
    }

    /// Whether the user is logged in.
    pub(super) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// HTTP requests so far, those for tokens included.
    pub(super) fn n_requests(&self) -> u64 {
        self.n_requests.load(Ordering::Relaxed)
    }

    /// One request; a first refusal is answered with a new token.
    pub(super) fn send(
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
            query.append_pair("scope", &format!("repository:{path}:{}", self.actions));
            for name in &self.scopes {
                query.append_pair("scope", &format!("repository:{name}:pull"));
            }
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

/// What a token server answers.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// The body of a request.
pub(super) struct Content<'b> {
    reader: &'b mut dyn Read,
    size_bytes: u64,
}

impl<'b> Content<'b> {
    pub(super) fn new(reader: &'b mut dyn Read, size_bytes: u64) -> Self {
        Self { reader, size_bytes }
    }
}

/// The response, if it has this status.
pub(super) fn expect(
    mut response: Response<Body>,
    wanted: StatusCode,
) -> Result<Response<Body>, Stop> {
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

/// A quoted parameter of a challenge.
fn parameter<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_challenge_parameters() {
        let text = r#"realm="https://a.test/token",service="a.test",scope="repository:me/x:pull""#;
        assert_eq!(parameter(text, "realm"), Some("https://a.test/token"));
        assert_eq!(parameter(text, "service"), Some("a.test"));
        assert_eq!(parameter(text, "error"), None);
    }
}
