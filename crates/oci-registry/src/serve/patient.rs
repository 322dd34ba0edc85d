//! A connection with limits for slow clients: none of them holds its thread for ever.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a thread that waits looks whether it should.
const TICK: Duration = Duration::from_millis(200);
/// What a client must take while `Limits::stall` passes, in bytes.
const STALL_BYTES: u64 = 60_000;

/// A connection that gives up on a client.
pub(super) struct Patient<'s> {
    tcp: TcpStream,
    /// The server ends.
    stopping: &'s AtomicBool,
    /// Others wait for a place.
    crowded: &'s AtomicBool,
    /// When reading is given up.
    deadline: Instant,
    /// Reading is given up once others wait, too.
    gives_way: bool,
    stall: Duration,
    /// What went out, and how long that took, since the rate was last looked at.
    written: u64,
    writing: Duration,
}

impl<'s> Patient<'s> {
    pub(super) fn new(
        tcp: TcpStream,
        stopping: &'s AtomicBool,
        crowded: &'s AtomicBool,
        stall: Duration,
    ) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(TICK))?;
        tcp.set_write_timeout(Some(TICK))?;
        Ok(Self {
            tcp,
            stopping,
            crowded,
            deadline: Instant::now(),
            gives_way: true,
            stall,
            written: 0,
            writing: Duration::ZERO,
        })
    }

    /// For how long is read from now on, and whether the place is given up for others.
    pub(super) fn wait_for(&mut self, patience: Duration, gives_way: bool) {
        self.deadline = Instant::now() + patience;
        self.gives_way = gives_way;
    }

    /// Says that nothing more will be written, and reads what the client still sends: closing
    /// at once would take the answer away from it.
    pub(super) fn close(&mut self) {
        if self.tcp.shutdown(std::net::Shutdown::Write).is_err() {
            return;
        }
        self.wait_for(Duration::from_secs(1), true);
        let mut rest = [0; 4096];
        for _ in 0..64 {
            match self.read(&mut rest) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    fn is_hopeless(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
            || Instant::now() >= self.deadline
            || (self.gives_way && self.crowded.load(Ordering::Relaxed))
    }

    /// Whether the client takes less than it must.
    fn is_stalled(&mut self, n_bytes: usize, took: Duration) -> bool {
        self.written += n_bytes as u64;
        self.writing += took;
        if self.writing < self.stall {
            return false;
        }
        let is_slow = self.written < STALL_BYTES;
        (self.written, self.writing) = (0, Duration::ZERO);
        is_slow
    }
}

fn is_tick(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // A client that sends a byte now and then must come to an end as well.
            if Instant::now() >= self.deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.tcp.read(buffer) {
                Err(error) if is_tick(&error) => {
                    if self.is_hopeless() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            if self.stopping.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let start = Instant::now();
            let written = self.tcp.write(buffer);
            let n_bytes = written.as_ref().map_or(0, |n_bytes| *n_bytes);
            if self.is_stalled(n_bytes, start.elapsed()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match written {
                Err(error) if is_tick(&error) => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}
