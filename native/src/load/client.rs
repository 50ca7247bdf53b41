//! The one HTTP client of the commands: one kept-alive connection to one server, requests one after the other.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use tokio::net::TcpStream;
use vitrine_engine::limits;

/// A connection to one server. It connects again by itself when the server closed it between two requests.
#[derive(Debug)]
pub struct Client {
    origin: Origin,
    sender: SendRequest<Full<Bytes>>,
    timeout: Duration,
}

/// Where a server is: `http://HOST:PORT`. The scheme may be left out, and the port with it (8000).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    host: String,
    port: u16,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// How long a connection may take to stand.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest body that is taken: a value as JSON escapes it, and room for what a problem or a listing says.
const MAX_BODY: usize = 6 * limits::MAX_VALUE + (1 << 20);
/// What stands in a path segment as it is; every other byte is percent-encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
/// The header by which a server names the node that served a request.
pub const NODE_HEADER: HeaderName = HeaderName::from_static("x-vitrine-node");

impl Client {
    /// Connects to the server of that URL, as [`Origin`] takes it.
    pub async fn connect(url: &str) -> Result<Client, ClientError> {
        Client::open(url.parse()?).await
    }

    /// Connects to that server.
    pub async fn open(origin: Origin) -> Result<Client, ClientError> {
        let sender = dial(&origin).await?;
        let timeout = limits::MAX_TIMEOUT + Duration::from_secs(5);
        Ok(Client { origin, sender, timeout })
    }

    /// Speaks over that connection to that server.
    pub async fn over(stream: TcpStream, origin: Origin) -> Result<Client, ClientError> {
        let sender = greeted(stream, &origin).await?;
        Ok(Client { origin, sender, timeout: limits::MAX_TIMEOUT + Duration::from_secs(5) })
    }

    /// The same client, waiting that long for each answer: by default a little longer than a server may take at most.
    pub fn with_timeout(self, timeout: Duration) -> Client {
        Client { timeout, ..self }
    }

    /// The server that this client is connected to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// `GET /v1/entries/{key}`, with the query as it stands (`read=one`, or empty).
    pub async fn get(&mut self, key: &[u8], query: &str) -> Result<Response, ClientError> {
        self.request(Method::GET, &entry_path(key, query), HeaderMap::new(), Bytes::new()).await
    }

    /// `PUT /v1/entries/{key}`, with the query (`ttl=60s&write=live`) and headers (`content-type`, `if-match`) as they
    /// stand.
    pub async fn put(
        &mut self,
        key: &[u8],
        query: &str,
        headers: HeaderMap,
        value: Bytes,
    ) -> Result<Response, ClientError> {
        self.request(Method::PUT, &entry_path(key, query), headers, value).await
    }

    /// `DELETE /v1/entries/{key}`, with the query and headers as given.
    pub async fn delete(&mut self, key: &[u8], query: &str, headers: HeaderMap) -> Result<Response, ClientError> {
        self.request(Method::DELETE, &entry_path(key, query), headers, Bytes::new()).await
    }

    /// `POST /v1/entries/{key}/{action}` (`incr` or `touch`), with the query as it stands.
    pub async fn change(&mut self, key: &[u8], action: &str, query: &str) -> Result<Response, ClientError> {
        let path = format!("{}/{action}?{query}", entry_path(key, ""));
        self.request(Method::POST, &path, HeaderMap::new(), Bytes::new()).await
    }

    /// Any request: a path with its query, headers and a body; the answer with its whole body.
    ///
    /// # Errors
    /// After [`ClientError::Lost`] and [`ClientError::Timeout`] the server may have carried the request out.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, ClientError> {
        if self.sender.ready().await.is_err() {
            self.sender = dial(&self.origin).await?;
        }
        let uri: hyper::Uri = path.parse().map_err(|_| ClientError::Path { path: path.into() })?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.origin.authority());
        let exchange = async {
            let answer = self.sender.send_request(request).await.map_err(|error| self.origin.lost(error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| self.origin.lost(error))?;
            Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Timeout { origin: self.origin.clone(), after: self.timeout }),
        }
    }
}

/// The path of an entry: the key percent-encoded, and the query unless it is empty.
pub fn entry_path(key: &[u8], query: &str) -> String {
    let key = percent_encoding::percent_encode(key, SEGMENT);
    // `.` and `..` alone are steps, not names, to whoever normalises a path on the way.
    let key = match key.to_string().as_str() {
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        other => String::from(other),
    };
    if query.is_empty() { format!("/v1/entries/{key}") } else { format!("/v1/entries/{key}?{query}") }
}

async fn dial(origin: &Origin) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let refused = |error: std::io::Error| ClientError::Connect { origin: origin.clone(), error: error.to_string() };
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((origin.host(), origin.port)))
        .await
        .map_err(|_| refused(std::io::ErrorKind::TimedOut.into()))?
        .map_err(refused)?;
    greeted(stream, origin).await
}

async fn greeted(stream: TcpStream, origin: &Origin) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    stream.set_nodelay(true).map_err(|error| origin.lost(error))?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| origin.lost(error))?;
    // It ends when the sender is dropped or the server closes; what went wrong reaches whoever waits for an answer.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

impl Origin {
    /// The host as the resolver takes it: without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn authority(&self) -> HeaderValue {
        HeaderValue::try_from(format!("{}:{}", self.host, self.port)).expect("a parsed host is a header value")
    }

    pub(super) fn lost(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
        let error = error.into();
        let reason = error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        ClientError::Lost { origin: self.clone(), error: reason }
    }
}

impl Response {
    /// The stable code of a problem that the server told, or the status where it told none.
    pub fn error_code(&self) -> String {
        let problem: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let code = problem.as_ref().and_then(|problem| problem.get("code")?.as_str());
        code.map_or_else(|| format!("http_{}", self.status.as_u16()), str::to_owned)
    }
}

impl FromStr for Origin {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Origin, ClientError> {
        let wrong = |why| ClientError::Url { got: text.into(), why };
        let uri: hyper::Uri = text.trim().parse().map_err(|_| wrong("it is no URL"))?;
        let default_port = match uri.scheme_str() {
            None => 8_000,
            Some("http") => 80,
            Some("https") => return Err(wrong("https is not spoken here")),
            Some(_) => return Err(wrong("the scheme is not http")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user name in it"));
        }
        if authority.host().is_empty() {
            return Err(wrong("it has no host"));
        }
        // `http::Uri` takes any text after the colon, and an empty one.
        let after_host = &authority.as_str()[authority.host().len()..];
        let port = match after_host.strip_prefix(':') {
            None => default_port,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("its port is no port"))?,
        };
        if !matches!(uri.path_and_query().map_or("", |path| path.as_str()), "" | "/") {
            return Err(wrong("it has a path"));
        }
        Ok(Origin { host: authority.host().into(), port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

/// Why a server's answer is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The URL is not one of a server.
    Url {
        /// The text.
        got: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The path of a request cannot be sent. Nothing was asked.
    Path {
        /// The path.
        path: String,
    },
    /// There is no connection. Nothing was asked.
    Connect {
        /// The server.
        origin: Origin,
        /// The system's reason.
        error: String,
    },
    /// Something else than Vitrine answers there.
    NotVitrine {
        /// The server.
        origin: Origin,
    },
    /// The connection broke, or what came back was not HTTP. The request may have been carried out.
    Lost {
        /// The server.
        origin: Origin,
        /// What happened to the connection.
        error: String,
    },
    /// No whole answer came in time. The request may have been carried out.
    Timeout {
        /// The server.
        origin: Origin,
        /// How long it was waited for.
        after: Duration,
    },
}

impl ClientError {
    /// A short name, for counting.
    pub fn code(&self) -> &'static str {
        match self {
            ClientError::Url { .. } | ClientError::Path { .. } => "bad_url",
            ClientError::Connect { .. } => "no_connection",
            ClientError::NotVitrine { .. } => "not_vitrine",
            ClientError::Lost { .. } => "connection_lost",
            ClientError::Timeout { .. } => "no_answer",
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Url { got, why } => {
                write!(f, "\"{got}\" is not the URL of a server: {why}; write http://HOST:PORT")
            }
            ClientError::Path { path } => write!(f, "the path cannot be sent: {path}"),
            ClientError::Connect { origin, error } => {
                write!(f, "cannot connect to {origin}: {error}; is the server running?")
            }
            ClientError::NotVitrine { origin } => {
                write!(f, "what answers at {origin} is not Vitrine: its answers name no node in {NODE_HEADER}")
            }
            ClientError::Lost { origin, error } => {
                write!(f, "the connection to {origin} was lost: {error}; the request may have been carried out")
            }
            ClientError::Timeout { origin, after } => {
                write!(f, "{origin} did not answer within {after:?}; the request may have been carried out")
            }
        }
    }
}

impl std::error::Error for ClientError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let origin = text.parse::<Origin>();
            let shown = origin.map(|origin| origin.to_string()).map_err(|error| match error {
                ClientError::Url { why, .. } => why.to_owned(),
                other => other.to_string(),
            });
            assert_eq!(shown, expected.map(str::to_owned).map_err(str::to_owned), "{text:?}");
        };
        check("http://127.0.0.1:8001", Ok("http://127.0.0.1:8001"));
        check(" http://host:8001/ ", Ok("http://host:8001"));
        check("http://host", Ok("http://host:80"));
        check("host:9", Ok("http://host:9"));
        check("host", Ok("http://host:8000"));
        check("http://[::1]:8001", Ok("http://[::1]:8001"));
        check("https://host", Err("https is not spoken here"));
        check("ftp://host", Err("the scheme is not http"));
        check("http://host/v1", Err("it has a path"));
        check("http://host?x", Err("it has a path"));
        check("http://host:", Err("its port is no port"));
        check("http://host:0", Err("its port is no port"));
        check("http://host:70000", Err("its port is no port"));
        check("http://me@host", Err("it has a user name in it"));
        check("http://", Err("it is no URL"));
        check("/path", Err("it has no host"));
        check("", Err("it is no URL"));
        assert_eq!("http://[::1]:8001".parse::<Origin>().map(|origin| origin.host().to_owned()), Ok("::1".into()));
    }

    #[test]
    fn keys_in_paths() {
        let check = |key: &[u8], query, expected: &str| assert_eq!(entry_path(key, query), expected);
        check(b"a-b_c~1.2:3", "", "/v1/entries/a-b_c~1.2:3");
        check(b"a/b?c#d %", "", "/v1/entries/a%2Fb%3Fc%23d%20%25");
        check(b"\xff\0", "read=one", "/v1/entries/%FF%00?read=one");
        check(b"..", "", "/v1/entries/%2E%2E");
        check(b".", "", "/v1/entries/%2E");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Client::connect(&format!("http://{address}")).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot connect to http://{address}: ")), "{error}");
        assert_eq!(error.code(), "no_connection");
    }

    #[tokio::test]
    async fn it_connects_again_after_a_close_between_requests() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 1_000];
                let length = stream.read(&mut request).await.unwrap();
                seen.push(String::from_utf8_lossy(&request[..length]).into_owned());
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
            }
            seen
        });
        let mut client = Client::connect(&address.to_string()).await.unwrap();
        for key in ["a", "b/c"] {
            let answer = client.get(key.as_bytes(), "").await.unwrap();
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (404, &b"no"[..]));
            // The server closes now; the client notices before it asks again.
            while !client.sender.is_closed() {
                tokio::task::yield_now().await;
            }
        }
        let seen = server.await.unwrap();
        assert!(seen[0].starts_with("GET /v1/entries/a HTTP/1.1\r\n"), "{seen:?}");
        assert!(seen[1].starts_with("GET /v1/entries/b%2Fc HTTP/1.1\r\n"), "{seen:?}");
        assert!(seen[1].contains(&format!("host: {address}")), "{seen:?}");
    }
}
