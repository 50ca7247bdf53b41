//! One client's connections: a request, and what came of it, within a bound.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to one node, opened when it is first used and again after it broke.
pub struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer with its whole body.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    head: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nobody listens, or nobody can be reached: nothing was done.
    Refused,
    /// The connection broke, or it took too long: anything may have been done.
    Lost,
}

/// How long an answer is waited for: longer than a node may take for it.
const PATIENCE: Duration = crate::afterwards::ANSWERED.saturating_add(Duration::from_secs(2));
const DIAL: Duration = Duration::from_secs(1);

impl Connection {
    pub fn new(address: SocketAddr) -> Connection {
        Connection { address, stream: None }
    }

    /// `METHOD path` with that body and those extra head lines, each ending in CRLF.
    pub fn request(&mut self, method: &str, path: &str, head: &str, body: &[u8]) -> Result<Response, NoAnswer> {
        // One that was closed since is no loss of this request.
        let mut stream = match self.stream.take().filter(is_open) {
            Some(stream) => stream,
            None => self.dial().map_err(|_| NoAnswer::Refused)?,
        };
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{head}\r\n");
        let sent = stream.get_mut().write_all(&[head.as_bytes(), body].concat());
        let answer = sent.and_then(|()| read(&mut stream)).map_err(|_| NoAnswer::Lost)?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    fn dial(&self) -> std::io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, DIAL)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Has the server not closed it, as far as can be told here?
fn is_open(stream: &BufReader<TcpStream>) -> bool {
    let stream = stream.get_ref();
    let nothing =
        |peeked: std::io::Result<usize>| peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    stream.set_nonblocking(true).is_ok() && nothing(stream.peek(&mut [0])) && stream.set_nonblocking(false).is_ok()
}

fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Response> {
    let ended = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        line.strip_suffix("\r\n").map(String::from).ok_or_else(ended)
    };
    let status = line()?.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(ended)?;
    let mut head = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        head.push((name.to_owned(), value.to_owned()));
    }
    let mut response = Response { status, head, body: Vec::new() };
    let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    response.body = vec![0; length];
    stream.read_exact(&mut response.body)?;
    Ok(response)
}
