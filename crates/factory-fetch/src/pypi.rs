//! The user's Python indexes (Simple repository API) and where they have a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Result;
use serde::Deserialize;
use url::Url;
use xshell::{Shell, cmd};

use super::context::Context;
use super::error::Error;
use super::http::{Candidate, Http, Request, redacted};
use super::retry::retry;
use factory_base::error::{Explain as _, Failure};
use factory_base::process;
use factory_base::run::Report;
use factory_model::lock::Sha256;

/// JSON first (PEP 691), HTML (PEP 503) from mirrors that know nothing else.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
    application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";
/// The largest project page seen is about 10 MB.
const MAX_PAGE: u64 = 256 << 20;

/// Index URLs in the order in which they are asked.
#[derive(Debug, Default)]
pub struct Indexes {
    urls: Vec<String>,
    pages: Mutex<BTreeMap<String, Arc<Mutex<Option<Page>>>>>,
}

/// The files of one project, in one index.
type Page = Arc<Vec<Link>>;

/// One file of a project page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    file: String,
    url: String,
    sha256: Option<Sha256>,
}

impl Indexes {
    /// With these URLs.
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            urls,
            pages: Mutex::default(),
        }
    }

    /// As uv or pip of this user are configured; without any configuration, pip's own default.
    ///
    /// # Errors
    /// Nothing on this machine knows an index.
    pub fn of_user(report: &dyn Report) -> Result<Self> {
        let variable = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        let settings = UvSettings::of_user()?;
        let default = match variable("UV_DEFAULT_INDEX")
            .or_else(|| variable("UV_INDEX_URL"))
            .map(|value| without_name(&value).to_owned())
            .or(settings.default)
            .or_else(|| variable("PIP_INDEX_URL"))
        {
            Some(url) => url,
            None => pip_index()?,
        };
        let mut urls = vec![default];
        for name in ["UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"] {
            if let Some(value) = variable(name) {
                urls.extend(
                    value
                        .split_whitespace()
                        .map(|index| without_name(index).to_owned()),
                );
            }
        }
        urls.extend(settings.extra);
        urls.dedup();
        for url in &urls {
            report.detail(&format!("Python index: {}", redacted(url)));
        }
        Ok(Self::new(urls))
    }

    /// The URLs, for `doctor`.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Where the indexes have a file of a project.
    ///
    /// # Errors
    /// No index answers, or none has the file with this hash.
    pub fn locate(
        &self,
        ctx: &dyn Context,
        http: &Http,
        project: &str,
        file: &str,
        sha256: &Sha256,
    ) -> Result<Vec<Candidate>> {
        if ctx.is_offline() {
            return Err(Error::Offline { url: None }.failure().into());
        }
        let mut candidates = Vec::new();
        let mut reasons = Vec::new();
        for index in &self.urls {
            let url = format!("{}/{project}/", index.trim_end_matches('/'));
            match self.page(ctx, http, &url) {
                Err(error) => {
                    ctx.check_interrupted()?;
                    reasons.push(format!("{}: {error:#}", redacted(&url)));
                }
                Ok(page) => {
                    let found = page.iter().find(|link| {
                        link.file == file && link.sha256.is_none_or(|listed| listed == *sha256)
                    });
                    match found {
                        Some(link) => candidates.push(Candidate::url(&link.url)),
                        None => reasons.push(format!(
                            "{}: has no `{file}` with the locked hash",
                            redacted(&url)
                        )),
                    }
                }
            }
        }
        if candidates.is_empty() {
            return Err(Error::NotInIndexes { reasons }.failure().into());
        }
        Ok(candidates)
    }

    /// Asks for a project page once, however many threads want it.
    fn page(&self, ctx: &dyn Context, http: &Http, url: &str) -> Result<Page> {
        let panicked = |_| anyhow::anyhow!("another download panicked");
        let slot = {
            let mut pages = self.pages.lock().map_err(|_| panicked(()))?;
            Arc::clone(pages.entry(url.to_owned()).or_default())
        };
        let mut slot = slot.lock().map_err(|_| panicked(()))?;
        if let Some(page) = &*slot {
            return Ok(Arc::clone(page));
        }
        let request = Request {
            accept: Some(ACCEPT),
            ..Request::default()
        };
        let (is_json, text) = retry(ctx, &redacted(url), || {
            let response = http.send(url, request)?;
            let mime_type = response.body().mime_type();
            let is_json = mime_type.is_some_and(|mime| mime.ends_with("json"));
            Ok((is_json, http.text(response, MAX_PAGE)?))
        })?;
        let base = Url::parse(url).map_err(|source| bad_page(url, &source))?;
        let links = if is_json {
            parse_json(&text, &base).map_err(|source| bad_page(url, &source))?
        } else {
            parse_html(&text, &base)
        };
        let page = Arc::new(links);
        *slot = Some(Arc::clone(&page));
        Ok(page)
    }
}

/// `name=https://…` is uv's form of a named index.
fn without_name(index: &str) -> &str {
    match index.split_once('=') {
        Some((name, url)) if !name.contains([':', '/']) => url,
        _ => index,
    }
}

#[derive(Debug, Deserialize)]
struct JsonPage {
    files: Vec<JsonFile>,
}

#[derive(Debug, Deserialize)]
struct JsonFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

fn bad_page(url: &str, problem: &dyn std::error::Error) -> Failure {
    Error::BadPage {
        url: redacted(url),
        problem: problem.to_string(),
    }
    .failure()
}

fn parse_json(text: &str, base: &Url) -> Result<Vec<Link>, serde_json::Error> {
    let page: JsonPage = serde_json::from_str(text)?;
    Ok(page
        .files
        .into_iter()
        .filter_map(|file| {
            Some(Link {
                url: base.join(&file.url).ok()?.to_string(),
                sha256: file.hashes.get("sha256").and_then(|hex| hex.parse().ok()),
                file: file.filename,
            })
        })
        .collect())
}

/// Anchors of a PEP 503 page; the file name is the anchor's text, the hash its fragment.
fn parse_html(text: &str, base: &Url) -> Vec<Link> {
    use html5gum::{Token, Tokenizer};
    let mut base = base.clone();
    let mut links = Vec::new();
    let mut href: Option<Url> = None;
    let mut label = String::new();
    for token in Tokenizer::new(text) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let target = tag
                    .attributes
                    .get(b"href".as_slice())
                    .map(|value| String::from_utf8_lossy(value).into_owned())
                    .and_then(|value| base.join(value.trim()).ok());
                match (tag.name.as_slice(), target) {
                    (b"base", Some(target)) => base = target,
                    (b"a", target) => {
                        href = target;
                        label.clear();
                    }
                    _ => {}
                }
            }
            Token::String(string) => label.push_str(&String::from_utf8_lossy(&string)),
            Token::EndTag(tag) if tag.name.as_slice() == b"a" => {
                if let Some(mut url) = href.take() {
                    let sha256 = url
                        .fragment()
                        .and_then(|fragment| fragment.strip_prefix("sha256="))
                        .and_then(|hex| hex.parse().ok());
                    url.set_fragment(None);
                    links.push(Link {
                        file: label.trim().to_owned(),
                        url: url.to_string(),
                        sha256,
                    });
                }
            }
            _ => {}
        }
    }
    links
}

/// What uv's user or system configuration says about indexes.
#[derive(Debug, Default, PartialEq, Eq)]
struct UvSettings {
    default: Option<String>,
    extra: Vec<String>,
}

impl UvSettings {
    fn of_user() -> Result<Self> {
        let home = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
        let files = [
            home.map(|home| home.join("uv/uv.toml")),
            Some(PathBuf::from("/etc/uv/uv.toml")),
        ];
        let mut merged = Self::default();
        for file in files.into_iter().flatten().filter(|file| file.is_file()) {
            let text = fs_err::read_to_string(&file)?;
            let found = Self::parse(&text).map_err(|source| {
                let problem = source.to_string();
                Error::BadSettings {
                    path: file,
                    problem,
                }
                .failure()
            })?;
            merged.default = merged.default.or(found.default);
            merged.extra.extend(found.extra);
        }
        Ok(merged)
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        /// Only the fields that matter here: the file belongs to uv.
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct File {
            index_url: Option<String>,
            #[serde(default)]
            extra_index_url: Vec<String>,
            #[serde(default)]
            index: Vec<Index>,
        }
        #[derive(Deserialize)]
        struct Index {
            url: String,
            #[serde(default)]
            default: bool,
            #[serde(default)]
            explicit: bool,
        }
        let file: File = toml::from_str(text)?;
        let mut settings = Self {
            default: file.index_url,
            extra: file.extra_index_url,
        };
        for index in file.index.into_iter().filter(|index| !index.explicit) {
            if index.default {
                settings.default = Some(index.url);
            } else {
                settings.extra.push(index.url);
            }
        }
        Ok(settings)
    }
}

/// What pip is configured to use, else its built-in default: no index is named in this program.
/// pip takes a third of a second to say so: it is asked once.
fn pip_index() -> Result<String> {
    static KNOWN: OnceLock<String> = OnceLock::new();
    if let Some(url) = KNOWN.get() {
        return Ok(url.clone());
    }
    let url = ask_pip()?;
    Ok(KNOWN.get_or_init(|| url).clone())
}

fn ask_pip() -> Result<String> {
    const DEFAULT: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
    let shell = Shell::new()?;
    let configured = process::capture(cmd!(shell, "python3 -m pip config get global.index-url"));
    if let Ok(url) = configured {
        let url = url.trim();
        if !url.is_empty() {
            return Ok(url.to_owned());
        }
    }
    process::capture(cmd!(shell, "python3 -c {DEFAULT}"))
        .map(|url| url.trim().to_owned())
        .map_err(|source| source.context(Error::NoIndex.failure()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("https://mirror.test/simple/foo/").unwrap()
    }

    #[test]
    fn ok_json_page() {
        let hash = "a".repeat(64);
        let text = format!(
            r#"{{"meta":{{"api-version":"1.1"}},"name":"foo","files":[
                {{"filename":"foo-1.tar.gz","url":"../../files/foo-1.tar.gz","hashes":{{"sha256":"{hash}"}},"size":3}},
                {{"filename":"foo-2.tar.gz","url":"https://files.test/foo-2.tar.gz","hashes":{{}}}}]}}"#
        );
        let links = parse_json(&text, &base()).unwrap();
        assert_eq!(links[0].url, "https://mirror.test/files/foo-1.tar.gz");
        assert_eq!(links[0].sha256.unwrap().to_string(), hash);
        assert_eq!(links[1].url, "https://files.test/foo-2.tar.gz");
        assert_eq!(links[1].sha256, None);
    }

    #[test]
    fn ok_html_page() {
        let hash = "b".repeat(64);
        let text = format!(
            "<!DOCTYPE html><html><body><h1>Links</h1>\n<a href='../../f/foo-1%2Bcpu-py3-none-any.whl#sha256={hash}' data-requires-python='&gt;=3.9'>foo-1+cpu-py3-none-any.whl</a><br/>\n<A HREF=\"https://files.test/a?x=1&amp;y=2\">\n foo-2.tar.gz </A></body></html>"
        );
        let links = parse_html(&text, &base());
        assert_eq!(links.len(), 2);
        assert_eq!(links[0].file, "foo-1+cpu-py3-none-any.whl");
        assert_eq!(
            links[0].url,
            "https://mirror.test/f/foo-1%2Bcpu-py3-none-any.whl"
        );
        assert_eq!(links[0].sha256.unwrap().to_string(), hash);
        assert_eq!(links[1].file, "foo-2.tar.gz");
        assert_eq!(links[1].url, "https://files.test/a?x=1&y=2");
    }

    #[test]
    fn ok_uv_settings() {
        let settings = UvSettings::parse(
            "native-tls = true\nindex-url = 'https://a.test/simple'\n[[index]]\nname = 'b'\nurl = 'https://b.test/simple'\n[[index]]\nurl = 'https://c.test/simple'\ndefault = true\n[[index]]\nname='d'\nurl = 'https://d.test/simple'\nexplicit = true\n",
        )
        .unwrap();
        assert_eq!(settings.default.as_deref(), Some("https://c.test/simple"));
        assert_eq!(settings.extra, ["https://b.test/simple"]);
        assert_eq!(
            without_name("mine=https://e.test/simple?a=b"),
            "https://e.test/simple?a=b"
        );
        assert_eq!(
            without_name("https://e.test/simple?a=b"),
            "https://e.test/simple?a=b"
        );
    }
}
