//! The listening socket: who gets a place, and who is told to come again.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{self, Shared};
use super::gate::{Gate, Place};
use super::images::Images;
use super::tls::Tls;
use super::users::Users;
use crate::error::Error;
use factory_base::error::Explain as _;

pub use super::connection::Observer;

/// How often it is looked whether the server should end.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// How long new connections wait for a place before they are turned away.
const CROWD_TIME: Duration = Duration::from_secs(1);
/// What a connection's thread needs, the handshake of TLS included.
const STACK_BYTES: usize = 1 << 20;
/// What a server does at once, and how long it waits for clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections with a place. More wait a second, and are then turned away with 503.
    pub connections: usize,
    /// Blobs that are written at once. Each takes about 2 MB and two threads.
    pub streams: usize,
    /// How long a client waits for its turn with a blob before it is told to come again.
    pub turn: Duration,
    /// How long a connection may be open without a request; less where others wait.
    pub idle: Duration,
    /// While a client is waited for so long, it must take 60 kB.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            streams: 16,
            turn: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            stall: Duration::from_secs(60),
        }
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    places: Gate,
    shared: Shared,
}

impl Server {
    /// Listens; connections wait until the server runs.
    ///
    /// # Errors
    /// The address is not free, or not this machine's.
    pub fn bind(address: SocketAddr, limits: Limits) -> Result<Self> {
        let bad = |source: io::Error| {
            let problem = source.to_string();
            Error::CannotListen { address, problem }.failure()
        };
        let listener = TcpListener::bind(address).map_err(bad)?;
        listener.set_nonblocking(true).map_err(bad)?;
        Ok(Self {
            address: listener.local_addr().map_err(bad)?,
            listener,
            places: Gate::new(limits.connections),
            shared: Shared {
                images: Images::default(),
                tls: None,
                users: None,
                streams: Gate::new(limits.streams),
                turn: limits.turn,
                idle: limits.idle,
                stall: limits.stall,
                stopping: AtomicBool::new(false),
                crowded: AtomicBool::new(false),
            },
        })
    }

    /// Serves these images.
    #[must_use]
    pub fn with_images(mut self, images: Images) -> Self {
        self.shared.images = images;
        self
    }

    /// Speaks TLS and nothing else.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.shared.tls = Some(tls);
        self
    }

    /// Answers only who has a login.
    #[must_use]
    pub fn with_users(mut self, users: Users) -> Self {
        self.shared.users = Some(users);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says so; then what is being sent is cut.
    ///
    /// # Errors
    /// The listening socket fails.
    pub fn run(&self, stop: &(dyn Fn() -> bool + Sync), observer: &dyn Observer) -> Result<()> {
        self.shared.stopping.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let mut crowded_since = None;
            while !stop() {
                if !self.is_asked()? {
                    continue;
                }
                let place = self.place(&mut crowded_since);
                let (tcp, peer) = match self.listener.accept() {
                    Ok(accepted) => accepted,
                    // The client is gone again, or this process has no descriptor left.
                    Err(_) => {
                        std::thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                };
                let Some(place) = place else {
                    refuse(tcp, self.shared.tls.is_some());
                    continue;
                };
                let work = move || {
                    let _place = place;
                    connection::serve(&self.shared, observer, tcp, peer);
                };
                let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
                // Without a thread the connection closes, and its client may come again.
                let _started = builder.spawn_scoped(scope, work);
            }
            self.shared.stopping.store(true, Ordering::Relaxed);
            Ok(())
        })
    }

    /// Waits for a connection.
    fn is_asked(&self) -> Result<bool> {
        let mut listening = [PollFd::new(&self.listener, PollFlags::IN)];
        match poll(&mut listening, Some(&TICK)) {
            Ok(n_ready) => Ok(n_ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(source) => Err(io::Error::from(source).into()),
        }
    }

    /// A place for the next connection. Where there is none those without a request give
    /// theirs up, and that is waited for, once for a whole crowd.
    fn place(&self, crowded_since: &mut Option<Instant>) -> Option<Place<'_>> {
        let found = self.places.enter(Duration::ZERO).or_else(|| {
            self.shared.crowded.store(true, Ordering::Relaxed);
            let since = crowded_since.get_or_insert_with(Instant::now);
            self.places
                .enter(CROWD_TIME.saturating_sub(since.elapsed()))
        });
        if found.is_some() {
            *crowded_since = None;
            self.shared.crowded.store(false, Ordering::Relaxed);
        }
        found
    }
}

/// Turns a client away, without waiting for it.
fn refuse(mut tcp: TcpStream, has_tls: bool) {
    if has_tls || tcp.set_nonblocking(true).is_err() {
        return;
    }
    // What it has asked is read: closing over unread bytes would take the answer away.
    let mut asked = [0; 4096];
    let _read = tcp.read(&mut asked);
    let _written = tcp.write_all(&connection::too_many());
    let _closed = tcp.shutdown(std::net::Shutdown::Write);
}
