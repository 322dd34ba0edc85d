//! One file from the first candidate that serves the right bytes, resumed where it stopped.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Result;
use ureq::Body;
use ureq::http::{Response, StatusCode, header};

use super::context::Context;
use super::error::Error;
use super::http::{Candidate, Http, Request, RequestError};
use super::job::{Done, Job};
use super::locate::Locations;
use super::pace::{Paced, TooSlow};
use super::part::{Part, hash_of};
use super::progress::{FileProgress, Progress};
use super::retry::{Attempts, Stop, pause, unfit};
use factory_base::error::Explain as _;
use factory_base::run::Cancel;

/// No source is as large; guards a lock entry without a size.
const MAX_SIZE: u64 = 64 << 30;
/// Requests to one server for one file, however much each of them brings. Proxies have been
/// seen that cut a connection after each minute: enough for the largest wheels behind them.
const MAX_REQUESTS: u32 = 100;

/// Fetches files; shared by the threads of one fetch.
#[derive(Debug)]
pub struct Downloader<'a> {
    pub(super) ctx: &'a dyn Context,
    http: &'a Http,
    locations: &'a Locations<'a>,
    parts: PathBuf,
    max_requests: u32,
}

/// Whether an error ends a whole fetch, not only one file.
pub fn is_fatal(cancel: &dyn Cancel, error: &anyhow::Error) -> bool {
    cancel.is_interrupted()
        || error.chain().any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(|io| {
                matches!(
                    io.kind(),
                    io::ErrorKind::StorageFull
                        | io::ErrorKind::QuotaExceeded
                        | io::ErrorKind::ReadOnlyFilesystem
                        | io::ErrorKind::PermissionDenied
                )
            })
        })
}

impl<'a> Downloader<'a> {
    /// Unfinished files lie in `<cache>/downloads`.
    pub fn new(
        ctx: &'a dyn Context,
        http: &'a Http,
        locations: &'a Locations<'a>,
        cache: &Path,
    ) -> Self {
        Self {
            ctx,
            http,
            locations,
            parts: cache.join("downloads"),
            max_requests: MAX_REQUESTS,
        }
    }

    /// The same, with at most so many requests to one server for one file.
    #[must_use]
    pub fn with_max_requests(self, max_requests: u32) -> Self {
        Self {
            max_requests,
            ..self
        }
    }

    /// Brings one file to its destination.
    ///
    /// # Errors
    /// No candidate serves the right bytes: each one with its reason; or see [`is_fatal`].
    pub fn fetch(&self, job: &Job, progress: &Progress<'_>) -> Result<Done> {
        let mut bar = progress.file(&job.name, job.size);
        if job.destination.is_file() && hash_of(&job.destination)? == job.sha256 {
            bar.advance(job.size.unwrap_or(0));
            return Ok(Done::default());
        }
        let mut part = Part::open(&self.parts.join(format!("{}.part", job.sha256)), &mut bar)?;
        let mut failures = Vec::new();
        let mut done = Done::default();
        for origin in &job.origins {
            let candidates = match self.locations.candidates(origin, &job.sha256) {
                Ok(candidates) => candidates,
                Err(error) => {
                    self.ctx.check_interrupted()?;
                    failures.push(format!("{error:#}"));
                    continue;
                }
            };
            for candidate in candidates {
                match self.try_candidate(job, &candidate, &mut part, &mut bar, &mut done) {
                    Ok(()) => {
                        part.persist(&job.destination)?;
                        bar.done();
                        return Ok(done);
                    }
                    Err(Stop::Fatal(error)) => return Err(error),
                    Err(Stop::Request(reason)) => {
                        self.ctx.detail(&format!("{candidate}: {reason}"));
                        failures.push(format!("{candidate}: {reason}"));
                    }
                }
            }
        }
        part.discard_if_empty()?;
        let name = job.name.clone();
        let reasons = failures;
        Err(Error::Nowhere { name, reasons }.failure().into())
    }

    fn try_candidate(
        &self,
        job: &Job,
        candidate: &Candidate,
        part: &mut Part,
        bar: &mut FileProgress<'_>,
        done: &mut Done,
    ) -> Result<(), Stop> {
        match candidate {
            Candidate::File(path) => {
                part.restart(bar)?;
                let mut file = fs_err::File::open(path)
                    .map_err(|source| unfit(format!("cannot be read: {source}")))?;
                self.pour(job, &mut file, part, bar)?;
                part.verify(job, bar)
            }
            Candidate::Http { .. } if self.ctx.is_offline() => {
                Err(unfit("not asked, because of `--offline`"))
            }
            Candidate::Http { url, proxy } => {
                let had = part.length;
                let result = self.download(job, url, proxy.as_deref(), part, bar, done);
                match result {
                    // What was there before may have been the wrong half.
                    Err(Stop::Request(_)) if had > 0 && part.length == 0 => {
                        self.download(job, url, proxy.as_deref(), part, bar, done)
                    }
                    result => result,
                }
            }
        }
    }

    fn download(
        &self,
        job: &Job,
        url: &str,
        proxy: Option<&str>,
        part: &mut Part,
        bar: &mut FileProgress<'_>,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let mut attempts = Attempts::new(self.max_requests, part.length);
        while job.size != Some(part.length) || part.length == 0 {
            self.ctx.check_interrupted()?;
            let before = part.length;
            let failure = match self.stream(job, url, proxy, part, bar) {
                Ok(()) => {
                    done.bytes_fetched += part.length.saturating_sub(before);
                    break;
                }
                Err(failure) => failure,
            };
            done.bytes_fetched += part.length.saturating_sub(before);
            let Stop::Request(request) = failure else {
                return Err(failure);
            };
            if !request.transient {
                return Err(request.into());
            }
            let Some(n_failures) = attempts.failed(part.length) else {
                let n = attempts.n_requests;
                return Err(unfit(format!("{} ({n} attempts)", request.message)));
            };
            pause(self.ctx, n_failures, request.retry_after)?;
        }
        part.verify(job, bar)
    }

    /// One request, from where the part ends.
    fn stream(
        &self,
        job: &Job,
        url: &str,
        proxy: Option<&str>,
        part: &mut Part,
        bar: &mut FileProgress<'_>,
    ) -> Result<(), Stop> {
        let response = self.http.send(
            url,
            Request {
                proxy,
                from: part.length,
                ..Request::default()
            },
        )?;
        let status = response.status();
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            part.restart(bar)?;
            return Err(transient("the server has fewer bytes than are here"));
        }
        if status != StatusCode::PARTIAL_CONTENT && part.length > 0 {
            part.restart(bar)?;
        }
        if status == StatusCode::PARTIAL_CONTENT && range_start(&response) != Some(part.length) {
            part.restart(bar)?;
            return Err(transient("the server sends another range than was asked"));
        }
        if let (Some(size), Some(rest)) = (job.size, response.body().content_length()) {
            let offered = part.length.saturating_add(rest);
            if offered != size {
                part.restart(bar)?;
                return Err(unfit(format!(
                    "wrong size\n      expected {size} bytes\n      found    {offered} bytes"
                )));
            }
        }
        let mut reader = Paced::new(response.into_body().into_reader(), self.http.pace());
        self.pour(job, &mut reader, part, bar)?;
        if job.size.is_some_and(|size| part.length < size) {
            return Err(transient("the connection ended early"));
        }
        Ok(())
    }

    /// Copies and hashes until the reader ends, within the size limit.
    fn pour(
        &self,
        job: &Job,
        reader: &mut dyn Read,
        part: &mut Part,
        bar: &mut FileProgress<'_>,
    ) -> Result<(), Stop> {
        let limit = job.size.unwrap_or(MAX_SIZE);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            self.ctx.check_interrupted()?;
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => continue,
                // Asking again would give it another window: the next one may do better.
                Err(source) if TooSlow::is_cause_of(&source) => {
                    return Err(unfit(source.to_string()));
                }
                Err(source) => {
                    return Err(transient(format!("the connection broke: {source}")));
                }
            };
            if part.length + count as u64 > limit {
                let found = part.length + count as u64;
                part.restart(bar)?;
                return Err(unfit(format!(
                    "more bytes than the lock says\n      expected {limit} bytes\n      found    {found} bytes or more"
                )));
            }
            part.append(&buffer[..count])?;
            bar.advance(count as u64);
        }
    }
}

/// The same candidate may do better.
fn transient(message: impl Into<String>) -> Stop {
    RequestError {
        transient: true,
        ..RequestError::permanent(message)
    }
    .into()
}

/// `Content-Range: bytes 100-199/200` starts at 100 (RFC 9110, section 14.4).
fn range_start(response: &Response<Body>) -> Option<u64> {
    response
        .headers()
        .get(header::CONTENT_RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?
        .split_once('-')?
        .0
        .trim()
        .parse()
        .ok()
}
