//! The list of artifacts in a registry without the referrers API: an index under a tag that every
//! client reads, changes and writes as a whole ("Referrers Tag Schema").
//!
//! Two that do so at once would lose what one of them wrote. The specification has nothing
//! against it; HTTP has `If-Match`, which a registry may know. For those that do not, one's own
//! entries are looked for again, until they have stayed for longer than another client needs from
//! reading the index to having written it (docs/design/D33-where-it-comes-from.md).

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use ureq::http::{StatusCode, header};

use super::registry::{INDEX, MOST_MANIFEST_BYTES, Registry};
use super::session::{Content, expect};

/// Times that the index is written before it is somebody else's turn to give up.
const MOST_WRITES: u32 = 20;
/// Own entries have to stay for so long,
const SHORTEST_WATCH: Duration = Duration::from_secs(2);
/// or so many times longer than reading and writing took here: others may be slower.
const WATCH: u32 = 4;
/// How often the index is looked at meanwhile.
const LOOKS: u32 = 8;

/// The index under a tag.
pub(super) struct Index {
    /// Its entries, with all that others wrote into them.
    pub(super) entries: Vec<Value>,
    etag: Option<String>,
}

/// What was there when an index was read.
#[derive(PartialEq, Eq)]
enum Before {
    /// No index.
    Nothing,
    /// One with this entity tag (RFC 9110, section 8.8.3), if the registry gives any.
    Index(Option<String>),
}

impl Registry<'_> {
    /// The index under a tag; `None` when there is none.
    ///
    /// # Errors
    /// The registry does not answer, or what it has there is no index.
    pub(super) fn index(&self, tag: &str) -> Result<Option<Index>> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let accept = [(header::ACCEPT, INDEX)];
        let mut response = self.retry(&|| self.session.send("GET", &url, &accept, None))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !response.status().is_success() {
            let status = response.status();
            return Err(self.bad_answer(format!("it answers `{tag}` with {status}")));
        }
        let etag = response.headers().get(header::ETAG);
        let etag = etag.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let text = self.read(&mut response, MOST_MANIFEST_BYTES)?;
        let mut index: Value = serde_json::from_slice(&text)
            .map_err(|source| self.bad_answer(format!("`{tag}` is not an index: {source}")))?;
        let entries = match index["manifests"].take() {
            Value::Array(entries) => entries,
            _ => return Err(self.bad_answer(format!("`{tag}` is not an index"))),
        };
        Ok(Some(Index { entries, etag }))
    }

    /// Adds entries to the index under a tag, and sees to it that they stay there.
    ///
    /// # Errors
    /// The registry does not take the index, or others write it faster than can be read.
    pub(super) fn list(&self, tag: &str, own: &[Value]) -> Result<()> {
        let mut refused = None;
        for _ in 0..MOST_WRITES {
            let start = Instant::now();
            let index = self.index(tag)?;
            let found = index.as_ref().map_or(&[][..], |index| &index.entries);
            let missing = missing(found, own);
            if !missing.is_empty() {
                let entries: Vec<&Value> = found.iter().chain(missing).collect();
                let before = match &index {
                    None => Before::Nothing,
                    Some(index) => Before::Index(index.etag.clone()),
                };
                // One that refuses although nothing changed does not mean the index.
                let condition = (refused.as_ref() != Some(&before)).then_some(&before);
                if !self.write(tag, &entries, condition)? {
                    refused = Some(before);
                    continue;
                }
            }
            let watch = SHORTEST_WATCH.max(start.elapsed() * WATCH);
            if self.stays(tag, own, watch)? {
                return Ok(());
            }
        }
        let problem = format!("others change `{tag}` faster than it can be read");
        Err(self.bad_answer(problem))
    }

    /// Writes the index, on condition that what was there is still there (RFC 9110, section
    /// 13.1). False when the registry says that it is not.
    fn write(&self, tag: &str, entries: &[&Value], condition: Option<&Before>) -> Result<bool> {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let text = index.to_string();
        let url = self.url(&format!("manifests/{tag}"))?;
        let mut headers = vec![(header::CONTENT_TYPE, INDEX)];
        match condition {
            Some(Before::Nothing) => headers.push((header::IF_NONE_MATCH, "*")),
            Some(Before::Index(Some(etag))) => headers.push((header::IF_MATCH, etag)),
            Some(Before::Index(None)) | None => {}
        }
        let status = self.retry(&|| {
            let mut bytes = text.as_bytes();
            let content = Content::new(&mut bytes, text.len() as u64);
            let response = self.session.send("PUT", &url, &headers, Some(content))?;
            match response.status() {
                StatusCode::PRECONDITION_FAILED => Ok(response.status()),
                _ => Ok(expect(response, StatusCode::CREATED)?.status()),
            }
        })?;
        Ok(status == StatusCode::CREATED)
    }

    /// Whether entries are still there after a while.
    fn stays(&self, tag: &str, own: &[Value], watch: Duration) -> Result<bool> {
        let end = Instant::now() + watch;
        loop {
            let index = self.index(tag)?;
            let found = index.as_ref().map_or(&[][..], |index| &index.entries);
            if !missing(found, own).is_empty() {
                return Ok(false);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(true);
            }
            self.run.check_interrupted()?;
            std::thread::sleep(left.min(watch / LOOKS));
        }
    }
}

/// Those of one's own that are not there.
fn missing<'o>(found: &[Value], own: &'o [Value]) -> Vec<&'o Value> {
    let is_there = |one: &Value| found.iter().any(|other| other["digest"] == one["digest"]);
    own.iter().filter(|one| !is_there(one)).collect()
}
