//! Asks ComfyUI over HTTP whether it is well.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::arguments::{has, port, split, value};
use crate::error::Error;
use crate::settings::Settings;

/// An answer is not longer.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Asks the ComfyUI of this container for `/system_stats`.
///
/// # Errors
///
/// It does not answer, or not with its statistics.
pub fn check(settings: &Settings, given: Option<u16>, timeout: Duration) -> Result<String, Error> {
    // Arguments of the entrypoint come after CLI_ARGS; PID 1 still has them.
    let mut arguments = split(&settings.cli_args);
    let started = fs::read("/proc/1/cmdline").unwrap_or_default();
    let words = started.split(|byte| *byte == 0);
    arguments.extend(words.map(|word| String::from_utf8_lossy(word).into_owned()));
    let address = address(&arguments, given);
    let url = format!("http://{address}/system_stats");
    let unhealthy = |reason: String| Error::Unhealthy {
        url: url.clone(),
        reason,
    };
    if has(&arguments, "--tls-keyfile") {
        // A certificate of the user's: that somebody listens is what can be said.
        return TcpStream::connect_timeout(&address, timeout)
            .map(|_| format!("{address} accepts connections"))
            .map_err(|error| unhealthy(error.to_string()));
    }
    let answer = ask(&address, timeout).map_err(|error| unhealthy(error.to_string()))?;
    parse(&answer).map_err(unhealthy)
}

/// Where ComfyUI with these arguments listens, as a process of this container sees it.
pub fn address(arguments: &[String], given: Option<u16>) -> SocketAddr {
    let listen: Option<IpAddr> = value(arguments, "--listen")
        .and_then(|list| list.split(',').next())
        .and_then(|address| address.parse().ok());
    let host = listen
        .filter(|address| !address.is_unspecified())
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    SocketAddr::new(host, given.unwrap_or_else(|| port(arguments)))
}

fn ask(address: &SocketAddr, timeout: Duration) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // HTTP/1.0: the answer ends with the connection.
    let request = format!("GET /system_stats HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> Result<String, String> {
    let at = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("no HTTP answer")?;
    let head = String::from_utf8_lossy(&answer[..at]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(status.to_owned());
    }
    let body: serde_json::Value =
        serde_json::from_slice(&answer[at + 4..]).map_err(|error| format!("no JSON: {error}"))?;
    let system = body.get("system").ok_or("no statistics of ComfyUI's")?;
    let version = system
        .get("comfyui_version")
        .and_then(|version| version.as_str());
    Ok(format!(
        "ComfyUI {} is well",
        version.unwrap_or("of unknown version")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_address() {
        for (arguments, given, expected) in [
            ("", None, "127.0.0.1:8188"),
            ("--listen --port 9000", None, "127.0.0.1:9000"),
            ("--listen 0.0.0.0,:: --port=1", None, "127.0.0.1:1"),
            ("--listen 10.0.0.1", Some(7), "10.0.0.1:7"),
            ("--listen ::1", None, "[::1]:8188"),
        ] {
            let found = address(&split(arguments), given);
            assert_eq!(found.to_string(), expected, "{arguments}");
        }
    }

    #[test]
    fn err_answers() {
        let good = b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"system\": {\"comfyui_version\": \"0.1\"}}";
        assert_eq!(parse(good).unwrap(), "ComfyUI 0.1 is well");
        let all: Vec<String> = [
            &b""[..],
            b"HTTP/1.0 500 Oh no\r\n\r\n{}",
            b"HTTP/1.0 200 OK\r\n\r\n<html>",
            b"HTTP/1.0 200 OK\r\n\r\n{}",
        ]
        .map(|answer| parse(answer).unwrap_err())
        .to_vec();
        insta::assert_snapshot!(all.join("\n"), @r"
        no HTTP answer
        HTTP/1.0 500 Oh no
        no JSON: expected value at line 1 column 1
        no statistics of ComfyUI's
        ");
    }
}
