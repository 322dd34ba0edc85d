//! Trying a request again while its failure may pass by itself.

use std::time::Duration;

use anyhow::Result;

use super::http::RequestError;
use factory_base::run::{Cancel, Run};

/// Failures in a row before something is given up.
const ATTEMPTS: u32 = 4;
/// The first pause between attempts; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No server is waited for longer than this, whatever it asks.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An attempt that brings the file further by so much does not count as failed.
const FORGIVEN: u64 = 64 << 10;

/// Why an attempt did not succeed.
pub enum Stop {
    /// The other side; trying again may help, or asking another one.
    Request(RequestError),
    /// Nothing will help: interrupted, or our own side.
    Fatal(anyhow::Error),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Request(error) => error.fmt(formatter),
            Stop::Fatal(error) => write!(formatter, "{error:#}"),
        }
    }
}

impl From<RequestError> for Stop {
    fn from(error: RequestError) -> Self {
        Stop::Request(error)
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Stop::Fatal(error)
    }
}

impl From<Stop> for anyhow::Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Request(failure) => failure.into(),
            Stop::Fatal(error) => error,
        }
    }
}

/// Attempts until one succeeds, one fails for good, or the attempts are used up. `name` is
/// what is asked, for the details of a run.
///
/// # Errors
/// The last failure; or the run was interrupted.
pub fn retry<T>(
    run: &dyn Run,
    name: &str,
    attempt: impl Fn() -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut n_failures = 0;
    loop {
        run.check_interrupted()?;
        let failure = match attempt() {
            Err(Stop::Request(failure)) => failure,
            ended => return ended,
        };
        n_failures += 1;
        if !failure.transient || n_failures >= ATTEMPTS {
            return Err(failure.into());
        }
        run.detail(&format!("{name}: {failure}; trying again"));
        pause(run, n_failures, failure.retry_after)?;
    }
}

/// Waits before the next attempt: exponential, with jitter so that clients spread out.
///
/// # Errors
/// The user stops the run meanwhile.
pub fn pause(cancel: &dyn Cancel, n_failures: u32, asked: Option<Duration>) -> Result<()> {
    const SLICE: Duration = Duration::from_millis(100);
    let exponential = FIRST_PAUSE * 2_u32.saturating_pow(n_failures.saturating_sub(1));
    let mut left = asked
        .unwrap_or_else(|| exponential.mul_f64(0.5 + fastrand::f64()))
        .min(LONGEST_PAUSE);
    while left > Duration::ZERO {
        cancel.check_interrupted()?;
        std::thread::sleep(left.min(SLICE));
        left = left.saturating_sub(SLICE);
    }
    Ok(())
}

/// Counts what one server was asked for one file.
pub(super) struct Attempts {
    max_requests: u32,
    pub(super) n_requests: u32,
    /// Failures since the file last got further.
    n_failures: u32,
    /// The most that there ever was: a server may make us start again.
    furthest: u64,
}

impl Attempts {
    /// For a part that is so long already.
    pub(super) fn new(max_requests: u32, length: u64) -> Self {
        Self {
            max_requests,
            n_requests: 0,
            n_failures: 0,
            furthest: length,
        }
    }

    /// One more request failed, after which the part is so long; returns the failures in a
    /// row, or `None` when it was the last attempt.
    pub(super) fn failed(&mut self, length: u64) -> Option<u32> {
        self.n_requests += 1;
        if length >= self.furthest.saturating_add(FORGIVEN) {
            self.n_failures = 0;
            self.furthest = length;
        }
        self.n_failures += 1;
        (self.n_failures < ATTEMPTS && self.n_requests < self.max_requests)
            .then_some(self.n_failures)
    }
}

/// The next candidate may do better.
pub(super) fn unfit(message: impl Into<String>) -> Stop {
    RequestError::permanent(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths after each request; how many requests there are.
    fn n_requests(lengths: impl IntoIterator<Item = u64>) -> u32 {
        let mut attempts = Attempts::new(100, 0);
        for length in lengths {
            if attempts.failed(length).is_none() {
                break;
            }
        }
        attempts.n_requests
    }

    #[test]
    fn ok_every_server_is_given_up() {
        // Nothing at all; a byte each; back and forth; forward, but for ever.
        assert_eq!(n_requests(std::iter::repeat(0)), 4);
        assert_eq!(n_requests(1..), 4);
        assert_eq!(n_requests([500_000, 900_000].into_iter().cycle()), 5);
        assert_eq!(n_requests((0..).map(|index| index * FORGIVEN)), 100);
    }
}
