//! The head of a request, as much of it as a registry needs. Pure.

/// The longest head that is read, in bytes: a login and a digest are a few hundred.
pub(super) const HEAD_BYTES: usize = 16 << 10;
/// The most headers of one request.
const N_HEADERS: usize = 64;

/// A request's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// The client wants to ask again over this connection.
    pub(super) keeps_alive: bool,
    /// A body follows.
    pub(super) has_body: bool,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) authorization: Option<String>,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A head, and how many bytes it is.
    Complete(Head, usize),
    /// The beginning of one.
    Partial,
    /// Something else.
    Wrong,
}

/// Reads the head at the start of some bytes, by RFC 9112.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; N_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Wrong,
    };
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Parsed::Wrong;
    };
    let all = |name: &'static str| {
        let headers = request.headers.iter();
        headers
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .filter_map(|header| std::str::from_utf8(header.value).ok())
    };
    let value = |name| all(name).next().map(|value| value.trim().to_owned());
    let says = |word: &str| {
        all("connection")
            .flat_map(|value| value.split(','))
            .any(|option| option.trim().eq_ignore_ascii_case(word))
    };
    let head = Head {
        method: method.to_owned(),
        target: origin_form(target).to_owned(),
        keeps_alive: !says("close") && (version == 1 || says("keep-alive")),
        has_body: all("transfer-encoding").next().is_some()
            || all("content-length").any(|value| value.trim() != "0"),
        range: value("range"),
        if_range: value("if-range"),
        authorization: value("authorization"),
    };
    Parsed::Complete(head, length)
}

/// A target as it is sent to a proxy names a host first, which is us.
fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else {
        return target;
    };
    match (target.starts_with('/'), rest.find('/')) {
        (true, _) => target,
        (false, Some(at)) => &rest[at..],
        (false, None) => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_head() {
        let text = b"GET http://a.test/v2/?n=1 HTTP/1.1\r\nHost: a.test\r\nRANGE: bytes=1-\r\nConnection: x, Close\r\n\r\nGET";
        let Parsed::Complete(head, length) = parse(text) else {
            panic!("not read");
        };
        assert_eq!(length, text.len() - 3);
        let expected = Head {
            method: "GET".to_owned(),
            target: "/v2/?n=1".to_owned(),
            range: Some("bytes=1-".to_owned()),
            ..Head::default()
        };
        assert_eq!(head, expected);
    }

    #[test]
    fn ok_keep_alive_and_bodies() {
        let head = |text: &str| match parse(format!("GET / {text}\r\n\r\n").as_bytes()) {
            Parsed::Complete(head, _) => head,
            other => panic!("{text}: {other:?}"),
        };
        assert!(head("HTTP/1.1").keeps_alive);
        assert!(!head("HTTP/1.0").keeps_alive);
        assert!(head("HTTP/1.0\r\nConnection: Keep-Alive").keeps_alive);
        assert!(!head("HTTP/1.1\r\nContent-Length: 0").has_body);
        assert!(head("HTTP/1.1\r\nContent-Length: 1").has_body);
        assert!(head("HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5").has_body);
        assert!(head("HTTP/1.1\r\nTransfer-Encoding: chunked").has_body);
    }

    #[test]
    fn err_heads() {
        for text in [
            "\u{0}",
            "GET\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Wrong, "{text}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(N_HEADERS + 1));
        assert_eq!(parse(many.as_bytes()), Parsed::Wrong);
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Parsed::Partial);
    }

    proptest! {
        #[test]
        fn ok_any_bytes(bytes: Vec<u8>) {
            let _read = parse(&bytes);
        }

        #[test]
        fn ok_nearly_heads(text in "(GET|PUT|\\PC) (/|http://)?\\PC{0,20} HTTP/1\\.[01]\r\n([A-Za-z-]{1,9}: ?\\PC{0,9}\r\n){0,4}\r\n") {
            let _read = parse(text.as_bytes());
        }
    }
}
