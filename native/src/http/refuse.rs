//! What a client is told that is one too many: `busy`, at once, without a look at its request.

use std::sync::LazyLock;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::problem::Problem;

/// Clients that are told so at the same time; more wait to be accepted.
pub const MAX_REFUSALS: usize = 64;
/// What is read of a client's request, to be able to close without cutting off the answer.
const MOST_READ: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(1);

static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let detail = "the node has as many connections as it takes; nothing was stored, try again later";
    let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
    problem.close = true;
    let (parts, body) = problem.printed().into_parts();
    let mut answer = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", parts.status, body.len()).into_bytes();
    for (name, value) in &parts.headers {
        answer.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend_from_slice(&[b"\r\n", &body[..]].concat());
    answer
});

/// Answers and closes.
pub async fn refuse(mut stream: TcpStream) {
    let told = async {
        stream.write_all(&ANSWER).await?;
        stream.shutdown().await?;
        // A socket that is closed with unread bytes in it resets the connection, and the answer may be lost with it.
        tokio::io::copy(&mut (&mut stream).take(MOST_READ), &mut tokio::io::sink()).await
    };
    // A client that does not listen has been told all the same.
    let _ = tokio::time::timeout(PATIENCE, told).await;
}
