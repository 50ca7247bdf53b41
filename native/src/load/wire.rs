//! A connection for measuring: it sends bytes that are ready and looks at an answer no closer than it must, so that one
//! core of load can fill one core of server. Whatever is not about measuring uses [`Client`](super::Client).

use std::mem::MaybeUninit;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{CONNECT_TIMEOUT, ClientError, Origin};

/// One kept-alive connection, one request at a time.
pub struct Wire {
    origin: Origin,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that came; those of an answer that was dealt with are gone.
    filled: usize,
}

impl Wire {
    /// Connects.
    pub async fn open(origin: &Origin) -> Result<Wire, ClientError> {
        let refused = |error: std::io::Error| ClientError::Connect { origin: origin.clone(), error: error.to_string() };
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((origin.host(), origin.port())))
            .await
            .map_err(|_| refused(std::io::ErrorKind::TimedOut.into()))?
            .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Ok(Wire { origin: origin.clone(), stream, buffer: vec![0; 16 << 10], filled: 0 })
    }

    /// Sends a whole request and waits for the whole answer; its status.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16, ClientError> {
        self.stream.write_all(request).await.map_err(|error| self.origin.lost(error))?;
        let (status, length) = loop {
            self.fill().await?;
            if let Some(head) = self.head()? {
                break head;
            }
        };
        let mut left = length.saturating_sub(self.filled);
        self.filled = self.filled.saturating_sub(length);
        if self.filled > 0 {
            return Err(self.origin.lost("more came than was asked for"));
        }
        while left > 0 {
            self.filled = 0;
            self.fill().await?;
            left = left.checked_sub(self.filled).ok_or_else(|| self.origin.lost("more came than was asked for"))?;
            self.filled = 0;
        }
        Ok(status)
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        if self.filled == self.buffer.len() {
            return Err(self.origin.lost("the head of an answer has no end"));
        }
        let read = self.stream.read(&mut self.buffer[self.filled..]).await;
        match read.map_err(|error| self.origin.lost(error))? {
            0 => Err(self.origin.lost("the server closed it")),
            more => {
                self.filled += more;
                Ok(())
            }
        }
    }

    /// The status of an answer whose head is there, and the bytes of the whole of it.
    fn head(&self) -> Result<Option<(u16, usize)>, ClientError> {
        // Not filled beforehand: that would take longer than to read the answer does.
        let mut headers = [const { MaybeUninit::uninit() }; 64];
        let mut answer = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut answer,
            &self.buffer[..self.filled],
            &mut headers,
        );
        let parsed = parsed.map_err(|error| self.origin.lost(error.to_string()))?;
        let httparse::Status::Complete(head) = parsed else { return Ok(None) };
        let status = answer.code.unwrap_or(0);
        let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let body = match length {
            Some(header) => std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok()),
            None if status == 204 || status == 304 => Some(0),
            None => None,
        };
        let body: usize = body.ok_or_else(|| self.origin.lost("an answer does not say its length"))?;
        Ok(Some((status, head + body)))
    }
}
