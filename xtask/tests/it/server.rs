//! An HTTP server on the loopback that can misbehave: cut bodies off, refuse ranges, be busy.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between two bytes of a server that drips.
const DRIP: Duration = Duration::from_millis(20);

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, `PUT`.
    pub method: String,
    /// Path with the leading slash.
    pub path: String,
    /// First byte of a `Range` header.
    pub from: Option<usize>,
    /// The byte after the last one of it, where it has an end.
    pub to: Option<usize>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Host` header.
    pub host: String,
    /// What follows the headers, by `Content-Length`.
    pub body: Vec<u8>,
}

/// What is answered.
pub struct Reply {
    status: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
    cut_after: Option<usize>,
    drip_after: Option<usize>,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status("200 OK", body)
    }

    /// Any status.
    pub fn status(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut_after: None,
            drip_after: None,
        }
    }

    /// The part that was asked for, as a server with ranges does.
    pub fn range(body: &[u8], request: &Request) -> Self {
        match request.from {
            None => Self::ok(body),
            Some(from) if from >= body.len() => Self::status("416 Range Not Satisfiable", ""),
            Some(from) => {
                let to = request.to.unwrap_or(body.len()).min(body.len());
                Self::status("206 Partial Content", &body[from..to]).header(&format!(
                    "Content-Range: bytes {from}-{}/{}",
                    to - 1,
                    body.len()
                ))
            }
        }
    }

    /// One more header line.
    pub fn header(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }

    /// Close the connection after so many bytes of the body.
    pub fn cut_after(mut self, n_bytes: usize) -> Self {
        self.cut_after = Some(n_bytes);
        self
    }

    /// After so many bytes of the body, send the rest one byte at a time, slowly.
    pub fn drip_after(mut self, n_bytes: usize) -> Self {
        self.drip_after = Some(n_bytes);
        self
    }
}

/// Runs until the test process ends.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `answer`, which also gets the number of requests before it.
    pub fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream.unwrap(), &seen, &*answer));
            }
        });
        Self { base, requests }
    }

    /// Everything that was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(usize, &Request) -> Reply,
) {
    let Some(request) = read_request(stream) else {
        return;
    };
    let n_before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let reply = answer(n_before, &request);
    let mut head = format!(
        "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    for line in &reply.headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let body = if request.method == "HEAD" {
        &[][..]
    } else {
        &reply.body[..reply.cut_after.unwrap_or(reply.body.len())]
    };
    let n_at_once = reply.drip_after.unwrap_or(body.len()).min(body.len());
    let (at_once, slowly) = body.split_at(n_at_once);
    let mut send = || {
        stream.write_all(head.as_bytes())?;
        stream.write_all(at_once)?;
        slowly.chunks(1).try_for_each(|byte| {
            std::thread::sleep(DRIP);
            stream.write_all(byte)
        })
    };
    // A client that goes away early is part of the tests.
    let _sent: std::io::Result<()> = send();
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.take(1 << 24));
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut request = Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        from: None,
        to: None,
        authorization: None,
        host: String::new(),
        body: Vec::new(),
    };
    let mut n_bytes = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            request.body = vec![0; n_bytes];
            reader.read_exact(&mut request.body).ok()?;
            return Some(request);
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (from, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
                request.from = from.parse().ok();
                request.to = last.parse::<usize>().ok().map(|last| last + 1);
            }
            "host" => value.trim().clone_into(&mut request.host),
            "content-length" => n_bytes = value.trim().parse().ok()?,
            "authorization" => request.authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
}
