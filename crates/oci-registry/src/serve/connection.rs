//! One connection: requests and answers, until either side has enough.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::answer::{self, Answer, Body};
use super::gate::Gate;
use super::head::{self, HEAD_BYTES, Head, Parsed};
use super::images::{Images, Opened, Stored};
use super::patient::Patient;
use super::stream::Stream;
use super::tls::Tls;
use super::users::Users;
use super::window::Window;

/// How long a client may take for a request's head, or for the handshake of TLS.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) images: Images,
    pub(super) tls: Option<Tls>,
    pub(super) users: Option<Users>,
    /// Blobs that are written at once.
    pub(super) streams: Gate,
    pub(super) turn: Duration,
    pub(super) idle: Duration,
    pub(super) stall: Duration,
    pub(super) stopping: AtomicBool,
    pub(super) crowded: AtomicBool,
}

/// Hears what a server does; all of it may be ignored.
pub trait Observer: Send + Sync {
    /// A request got an answer of this status.
    fn answered(&self, _peer: SocketAddr, _method: &str, _target: &str, _status: u16) {}

    /// So many bytes of a blob went out.
    fn sent(&self, _n_bytes: u64) {}

    /// A blob, or the end of one, went out.
    fn blob_sent(&self, _peer: SocketAddr, _digest: &comfy_image::Digest) {}

    /// A blob could not be read from the store.
    fn failed(&self, _error: comfy_image::Error) {}
}

struct Connection<'s> {
    shared: &'s Shared,
    observer: &'s dyn Observer,
    peer: SocketAddr,
    stream: Stream<'s>,
    /// Bytes that were read and not yet used.
    ahead: Vec<u8>,
}

/// Serves a client to its end. What goes wrong with a client concerns nobody else.
pub(super) fn serve(shared: &Shared, observer: &dyn Observer, tcp: TcpStream, peer: SocketAddr) {
    let (stopping, crowded) = (&shared.stopping, &shared.crowded);
    let stream = Patient::new(tcp, stopping, crowded, shared.stall)
        .and_then(|patient| Stream::open(patient, shared.tls.as_ref(), HEAD_TIME));
    let Ok(stream) = stream else {
        return;
    };
    let mut connection = Connection {
        shared,
        observer,
        peer,
        stream,
        ahead: Vec::new(),
    };
    // A client that is gone, or too slow, has been given up.
    if connection.run().is_ok() {
        connection.stream.close();
    }
}

impl Connection<'_> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let head = match self.read_head()? {
                Next::Request(head) => head,
                Next::Closed => return Ok(()),
                Next::Wrong(status, message) => {
                    let answer = Answer::error(status, "UNSUPPORTED", message);
                    self.observer.answered(self.peer, "?", "?", status);
                    return self.write_small(&answer, false, true);
                }
            };
            let keeps_alive = self.answer(&head)? && head.keeps_alive && !head.has_body;
            if !keeps_alive {
                return Ok(());
            }
        }
    }

    /// Answers a request, and says whether the connection is still good for another.
    fn answer(&mut self, head: &Head) -> io::Result<bool> {
        let may_read = self
            .shared
            .users
            .as_ref()
            .is_none_or(|users| users.accept(head.authorization.as_deref()));
        let mut answer = match may_read {
            true => answer::answer(&self.shared.images, head),
            false => Answer::login(),
        };
        let is_head = head.method == "HEAD";
        let ends = !head.keeps_alive || head.has_body;
        if let (
            Body::Blob {
                stored: Stored::Trees(tree),
                ..
            },
            false,
        ) = (&answer.body, is_head)
        {
            let tree = tree.clone();
            let shared = self.shared;
            let Some(_place) = shared.streams.enter(shared.turn) else {
                let message = "too many blobs are being read";
                answer = Answer::error(503, "TOOMANYREQUESTS", message).header("Retry-After", "5");
                self.tell(head, answer.status);
                return self.write_small(&answer, is_head, ends).map(|()| true);
            };
            match tree.open() {
                Ok(opened) => return self.write_blob(head, &answer, &opened, ends),
                Err(error) => {
                    self.observer.failed(error);
                    answer =
                        Answer::error(500, "UNKNOWN", "the blob cannot be read from the store");
                }
            }
        }
        self.tell(head, answer.status);
        self.write_small(&answer, is_head, ends).map(|()| true)
    }

    fn tell(&self, head: &Head, status: u16) {
        let Head { method, target, .. } = head;
        self.observer.answered(self.peer, method, target, status);
    }

    /// Writes an answer whose body is in memory, or is none.
    fn write_small(&mut self, answer: &Answer, is_head: bool, ends: bool) -> io::Result<()> {
        let mut bytes = render(answer, ends);
        if !is_head {
            match &answer.body {
                Body::Bytes(body) => bytes.extend_from_slice(body),
                Body::Blob {
                    stored: Stored::Memory(body),
                    from,
                    to,
                    ..
                } => {
                    let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
                    let part = range.and_then(|(from, to)| body.get(from..to));
                    bytes.extend_from_slice(part.unwrap_or_default());
                }
                Body::Blob { .. } => {}
            }
        }
        self.stream.write_all(&bytes)?;
        self.stream.flush()
    }

    fn write_blob(
        &mut self,
        head: &Head,
        answer: &Answer,
        opened: &Opened<'_>,
        ends: bool,
    ) -> io::Result<bool> {
        let Body::Blob {
            digest, from, to, ..
        } = &answer.body
        else {
            return Ok(true);
        };
        self.stream.write_all(&render(answer, ends))?;
        self.tell(head, answer.status);
        let observer = self.observer;
        let sent = |n_bytes| observer.sent(n_bytes);
        let mut window = Window::new(&mut self.stream, *from, *to, &sent);
        let written = opened.write(&mut window);
        if window.is_complete() {
            self.stream.flush()?;
            self.observer.blob_sent(self.peer, digest);
            return Ok(true);
        }
        match written {
            // Its length was promised, so the client notices.
            Ok(()) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(comfy_image::Error::Output { source }) => Err(source),
            Err(error) => {
                self.observer.failed(error);
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn read_head(&mut self) -> io::Result<Next> {
        self.stream.patient().wait_for(self.shared.idle, true);
        loop {
            match head::parse(&self.ahead) {
                Parsed::Complete(head, length) => {
                    self.ahead.drain(..length);
                    return Ok(Next::Request(head));
                }
                Parsed::Wrong => return Ok(Next::Wrong(400, "no request")),
                Parsed::Partial if self.ahead.len() >= HEAD_BYTES => {
                    return Ok(Next::Wrong(431, "the head of the request is too long"));
                }
                Parsed::Partial => {}
            }
            let mut buffer = [0; 4096];
            let n_bytes = self.stream.read(&mut buffer)?;
            if n_bytes == 0 {
                return Ok(Next::Closed);
            }
            if self.ahead.is_empty() {
                self.stream.patient().wait_for(HEAD_TIME, false);
            }
            self.ahead.extend_from_slice(&buffer[..n_bytes]);
        }
    }
}

/// What comes next over a connection.
enum Next {
    Request(Head),
    Closed,
    Wrong(u16, &'static str),
}

/// What is said to who gets no place.
pub(super) fn too_many() -> Vec<u8> {
    let answer = Answer::error(503, "TOOMANYREQUESTS", "too many connections are open");
    let answer = answer.header("Retry-After", "5");
    let mut bytes = render(&answer, true);
    if let Body::Bytes(body) = &answer.body {
        bytes.extend_from_slice(body);
    }
    bytes
}

/// Status line and headers.
fn render(answer: &Answer, ends: bool) -> Vec<u8> {
    let reason = match answer.status {
        200 => "OK",
        206 => "Partial Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        _ => "Service Unavailable",
    };
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let end = if ends { "Connection: close\r\n" } else { "" };
    let size_bytes = answer.body.size_bytes();
    text.push_str(&format!(
        "Content-Length: {size_bytes}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nX-Content-Type-Options: nosniff\r\n{end}\r\n"
    ));
    text.into_bytes()
}
