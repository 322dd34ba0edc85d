//! A client that says exactly what a test wants said.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of an error document, which must be one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json");
        let document = self.json();
        let error = &document["errors"][0];
        assert!(error["message"].is_string(), "{document}");
        error["code"].as_str().unwrap().to_owned()
    }
}

/// A connection on which several requests may go.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn ask(&mut self, method: &str, target: &str, headers: &[&str]) -> Response {
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: here\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        self.send(&format!("{text}\r\n"));
        read(&mut self.stream, method == "HEAD").expect("no whole answer")
    }

    /// `None` where the connection ends before a whole answer.
    pub(crate) fn receive(&mut self) -> Option<Response> {
        read(&mut self.stream, false)
    }
}

/// Reads one answer.
pub(crate) fn read(stream: &mut impl BufRead, is_head: bool) -> Option<Response> {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        let n_bytes = stream.read_line(&mut line).ok()?;
        (n_bytes > 0).then(|| line.trim_end().to_owned())
    };
    let status = next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let line = next()?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length: u64 = headers["content-length"].parse().ok()?;
    let mut body = Vec::new();
    if !is_head {
        stream.take(length).read_to_end(&mut body).ok()?;
        if body.len() as u64 != length {
            return None;
        }
    }
    Some(Response {
        status,
        headers,
        body,
    })
}

/// One request on a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, target: &str) -> Response {
    Client::new(address).ask(method, target, &[])
}

pub(crate) fn get(address: SocketAddr, target: &str) -> Response {
    ask(address, "GET", target)
}
