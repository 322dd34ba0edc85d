//! The least rate at which a server has to send.
//!
//! A limit for each read alone is no limit: one byte just before it ends is enough to hold a
//! download for ever.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// So many bytes in so much time, or the server is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes that have to come in each [`Pace::window`].
    pub n_bytes: u64,
    /// How long a slow server is waited for.
    pub window: Duration,
}

impl Default for Pace {
    /// 1 kB/s over a minute: less would bring no wheel of use within a day, and the stalls of a
    /// busy line are over sooner.
    fn default() -> Self {
        Self {
            n_bytes: 60_000,
            window: Duration::from_secs(60),
        }
    }
}

/// A reader that fails once its source is too slow.
#[derive(Debug)]
pub(crate) struct Paced<R> {
    reader: R,
    pace: Pace,
    since: Instant,
    received: u64,
}

impl<R> Paced<R> {
    /// The first window starts now.
    pub(crate) fn new(reader: R, pace: Pace) -> Self {
        Self {
            reader,
            pace,
            since: Instant::now(),
            received: 0,
        }
    }

    fn count(&mut self, n_bytes: usize, now: Instant) -> io::Result<()> {
        self.received += n_bytes as u64;
        let passed = now.duration_since(self.since);
        if passed < self.pace.window {
            return Ok(());
        }
        if self.received < self.pace.n_bytes {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                TooSlow {
                    received: self.received,
                    passed,
                },
            ));
        }
        self.since = now;
        self.received = 0;
        Ok(())
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.reader.read(buffer)?;
        // The end is no matter of speed.
        if n_bytes > 0 {
            self.count(n_bytes, Instant::now())?;
        }
        Ok(n_bytes)
    }
}

/// What came in a window that was not enough.
#[derive(Debug, thiserror::Error)]
#[error("too slow: {received} bytes in {}", factory_base::text::elapsed(*passed))]
pub(crate) struct TooSlow {
    received: u64,
    passed: Duration,
}

impl TooSlow {
    /// Whether a failed read failed for this.
    pub(crate) fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads so many bytes each so many seconds, for an hour.
    fn an_hour_of(n_bytes: usize, pause: u64) -> io::Result<()> {
        let mut paced = Paced::new(io::empty(), Pace::default());
        let start = paced.since;
        (1..=3600 / pause).try_for_each(|index| {
            let now = start + Duration::from_secs(index * pause);
            paced.count(n_bytes, now)
        })
    }

    #[test]
    fn ok_slow_but_steady() {
        an_hour_of(1_000, 1).unwrap();
        // Seen behind a busy line: nothing for long, then much at once.
        an_hour_of(40_000, 29).unwrap();
    }

    #[test]
    fn err_drips() {
        let error = an_hour_of(1, 10).unwrap_err();
        assert!(TooSlow::is_cause_of(&error));
        insta::assert_snapshot!(error.to_string(), @"too slow: 6 bytes in 1m00s");
        an_hour_of(900, 1).unwrap_err();
    }
}
