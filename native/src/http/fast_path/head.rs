//! Where the next request ends, and whether it is one of those that the fast path answers.
//!
//! What is not certain is hyper's: a head that hyper would refuse, or read in another way, never gets past this file.

use std::mem::MaybeUninit;

use vitrine_engine::limits;

/// What stands at the beginning of the bytes that came.
#[derive(Debug)]
pub enum Head<'a> {
    /// Not yet a whole head.
    Partial,
    /// A request whose bytes end there, the body included, and not before.
    Framed {
        /// How many bytes its head has.
        head: usize,
        /// How many bytes its body has.
        body: u64,
        /// What it asks, when that is simple.
        simple: Option<Simple<'a>>,
    },
    /// Its end is not told by its length, or it changes what the connection is for: from here on hyper reads it.
    Other,
}

/// A `GET` or `PUT` of an entry without conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simple<'a> {
    /// True for `PUT`.
    pub writes: bool,
    /// The key, percent-encoded: not empty, and of bytes that may stand in a path.
    pub segment: &'a str,
    /// What stands after the `?`.
    pub query: &'a str,
    /// The first `Content-Type`.
    pub media: Option<&'a [u8]>,
    /// The first `X-Request-Id`, whatever it is.
    pub id: Option<&'a [u8]>,
}

/// More than any cache's client sends; a request with more of them is hyper's.
const MAX_HEADERS: usize = 32;
const ENTRIES: &str = "/v1/entries/";

/// Looks at the first request of those bytes.
pub fn parse(bytes: &[u8]) -> Head<'_> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let head = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Head::Partial,
        Err(_) => return Head::Other,
    };
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return Head::Other;
    };
    let (mut length, mut media, mut id, mut conditional) = (None, None, None, false);
    for header in &*request.headers {
        // By length first: most names are told apart by it alone.
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            6 if is("expect") => return Head::Other,
            7 if is("upgrade") => return Head::Other,
            8 if is("if-match") => conditional = true,
            10 if is("connection") && !header.value.eq_ignore_ascii_case(b"keep-alive") => return Head::Other,
            12 if is("content-type") => media = media.or(Some(header.value)),
            12 if is("x-request-id") => id = id.or(Some(header.value)),
            13 if is("if-none-match") => conditional = true,
            14 if is("content-length") => match decimal(header.value) {
                Some(bytes) if length.is_none() => length = Some(bytes),
                _ => return Head::Other,
            },
            17 if is("transfer-encoding") => return Head::Other,
            _ => {}
        }
    }
    let writes = match method {
        "GET" => Some(false),
        "PUT" => Some(true),
        "CONNECT" => return Head::Other,
        _ => None,
    };
    let body = length.unwrap_or(0);
    let simple = writes.filter(|writes| !conditional && (*writes || body == 0)).and_then(|writes| {
        let (segment, query) = split(target.strip_prefix(ENTRIES)?)?;
        let media = media.filter(|_| writes);
        Some(Simple { writes, segment, query, media, id })
    });
    Head::Framed { head, body, simple: simple.filter(|s| s.media.is_none_or(|m| m.len() <= limits::MAX_MEDIA)) }
}

/// The segment and the query, when both are of bytes that mean themselves.
fn split(path: &str) -> Option<(&str, &str)> {
    let end = path.bytes().position(|byte| !SEGMENT[usize::from(byte)]).unwrap_or(path.len());
    let (segment, rest) = path.split_at_checked(end)?;
    let query = match rest.strip_prefix('?') {
        Some(query) => query,
        None if rest.is_empty() => "",
        None => return None,
    };
    let fine = !segment.is_empty() && query.bytes().all(|byte| SEGMENT[usize::from(byte)]);
    fine.then_some((segment, query))
}

/// The bytes of a path's segment (RFC 3986, `pchar`), and braces, which stand in hash tags.
const SEGMENT: [bool; 256] = {
    let mut fine = [false; 256];
    let marks = b"-._~!$&'()*+,;=:@%{}";
    let mut byte = 0;
    while byte < 128 {
        fine[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < marks.len() {
        fine[marks[index] as usize] = true;
        index += 1;
    }
    fine
};

/// A length as hyper takes it, and no longer than any that makes sense.
fn decimal(digits: &[u8]) -> Option<u64> {
    let fine = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    fine.then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_simple_is_taken_and_everything_else_is_left_to_hyper() {
        let check = |request: &str, expected: &str| {
            let seen = match parse(request.as_bytes()) {
                Head::Partial => "partial".to_owned(),
                Head::Other => "other".to_owned(),
                Head::Framed { head, body, simple } => {
                    assert_eq!(Some(head), request.find("\r\n\r\n").map(|end| end + 4), "{request:?}");
                    let Some(simple) = simple else { return assert_eq!(format!("{body} bytes"), expected) };
                    let shown = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
                    let Simple { writes, segment, query, media, id } = simple;
                    let (media, id) = (shown(media).unwrap_or_default(), shown(id).unwrap_or_default());
                    format!("{body} bytes, {writes} {segment}?{query} {media}|{id}")
                }
            };
            assert_eq!(seen, expected, "{request:?}");
        };
        check("", "partial");
        check("GET /v1/entries/k HTTP/1.1\r\nhost: h\r\n", "partial");
        check("GET /v1/entries/k HTTP/1.1\r\n\r\n", "0 bytes, false k? |");
        // The next one is not looked at, and empty lines before the first one are passed over, as hyper does.
        check("GET /v1/entries/k HTTP/1.1\r\n\r\nnonsense", "0 bytes, false k? |");
        check("\r\nGET /v1/entries/k HTTP/1.1\r\n\r\n", "0 bytes, false k? |");
        check(
            "GET /v1/entries/{a}%2Fb:c?read=one HTTP/1.1\r\nX-Request-ID: r\r\n\r\n",
            "0 bytes, false {a}%2Fb:c?read=one |r",
        );
        check("PUT /v1/entries/k HTTP/1.1\r\nContent-Length: 5\r\nContent-Type: a/b\r\n\r\n", "5 bytes, true k? a/b|");
        check("PUT /v1/entries/k HTTP/1.1\r\n\r\n", "0 bytes, true k? |");
        check("PUT /v1/entries/k HTTP/1.1\r\ncontent-type: a\r\ncontent-type: b\r\n\r\n", "0 bytes, true k? a|");
        check("GET /v1/entries/k HTTP/1.1\r\ncontent-type: a\r\n\r\n", "0 bytes, false k? |");
        check("GET /v1/entries/k HTTP/1.1\r\nconnection: Keep-Alive\r\n\r\n", "0 bytes, false k? |");
        // Not simple, but their end is known.
        check("GET /v1/entries/k HTTP/1.1\r\ncontent-length: 5\r\n\r\n", "5 bytes");
        check("GET /v1/entries/k HTTP/1.1\r\nif-none-match: *\r\n\r\n", "0 bytes");
        check("PUT /v1/entries/k HTTP/1.1\r\nIf-Match: \"1\"\r\n\r\n", "0 bytes");
        check("HEAD /v1/entries/k HTTP/1.1\r\n\r\n", "0 bytes");
        check("DELETE /v1/entries/k HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET / HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET /v1/entries/ HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET /v1/entries/a/b HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET /v1/entries/a#b HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET /v1/entries/a?b?c HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET /v1/entries/a\"b HTTP/1.1\r\n\r\n", "0 bytes");
        check("GET http://h/v1/entries/a HTTP/1.1\r\n\r\n", "0 bytes");
        check(&format!("PUT /v1/entries/k HTTP/1.1\r\ncontent-type: {}\r\n\r\n", "x".repeat(256)), "0 bytes");
        // Their end is told in another way, or they are about the connection.
        check("GET /v1/entries/k HTTP/1.0\r\n\r\n", "other");
        check("GET /v1/entries/k HTTP/1.1\r\nconnection: close\r\n\r\n", "other");
        check("GET /v1/entries/k HTTP/1.1\r\nconnection: keep-alive, upgrade\r\n\r\n", "other");
        check("GET /v1/entries/k HTTP/1.1\r\nupgrade: h2c\r\n\r\n", "other");
        check("PUT /v1/entries/k HTTP/1.1\r\nexpect: 100-continue\r\n\r\n", "other");
        check("PUT /v1/entries/k HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", "other");
        check("PUT /v1/entries/k HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", "other");
        for length in ["", "-1", "+5", "5, 5", "0x5", "5 5", "9999999999999999999"] {
            check(&format!("PUT /v1/entries/k HTTP/1.1\r\ncontent-length: {length}\r\n\r\n"), "other");
        }
        check("CONNECT h:80 HTTP/1.1\r\n\r\n", "other");
        check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "other");
        check("GET /v1/entries/k HTTP/1.1\nx y: z\r\n\r\n", "other");
        check(&format!("GET /v1/entries/k HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(33)), "other");
    }
}
