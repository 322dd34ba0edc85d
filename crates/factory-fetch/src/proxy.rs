//! Which proxy the environment names for a URL.

use url::Url;

/// The proxy variables as curl reads them: lower case first, `http_proxy` in lower case only
/// unless nothing else could have set it (a CGI program gets `HTTP_PROXY` from its client; we
/// are none, so both spellings count).
#[derive(Debug, Default)]
pub(super) struct ProxyVariables {
    http: Option<String>,
    https: Option<String>,
    exceptions: Vec<String>,
}

impl ProxyVariables {
    /// Reads them.
    pub(super) fn from_environment() -> Self {
        let variable = |names: &[&str]| {
            names
                .iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|value| !value.is_empty())
        };
        Self {
            http: variable(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: variable(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            exceptions: variable(&["no_proxy", "NO_PROXY"])
                .unwrap_or_default()
                .split([',', ' '])
                .map(|entry| {
                    entry
                        .trim()
                        .trim_start_matches("*.")
                        .trim_start_matches('.')
                        .to_owned()
                })
                .filter(|entry| !entry.is_empty())
                .collect(),
        }
    }

    /// The proxy for a URL, unless its host is excepted.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<String> {
        let host = url.host_str()?;
        let excepted = self.exceptions.iter().any(|entry| {
            let entry = entry.split_once(':').map_or(entry.as_str(), |pair| pair.0);
            entry == "*"
                || host.eq_ignore_ascii_case(entry)
                || host
                    .to_ascii_lowercase()
                    .ends_with(&format!(".{}", entry.to_ascii_lowercase()))
        });
        if excepted {
            return None;
        }
        match url.scheme() {
            "https" => self.https.clone(),
            _ => self.http.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_proxy_by_scheme_and_exceptions() {
        let variables = ProxyVariables {
            http: Some("http://one:1".to_owned()),
            https: Some("http://two:2".to_owned()),
            exceptions: vec!["example.org".to_owned(), "127.0.0.1".to_owned()],
        };
        let proxy = |url: &str| variables.proxy_for(&Url::parse(url).unwrap());
        assert_eq!(proxy("http://a.test/").as_deref(), Some("http://one:1"));
        assert_eq!(proxy("https://a.test/").as_deref(), Some("http://two:2"));
        assert_eq!(proxy("https://sub.example.org/"), None);
        assert_eq!(proxy("http://127.0.0.1:8080/"), None);
        assert!(proxy("https://notexample.org/").is_some());
    }
}
