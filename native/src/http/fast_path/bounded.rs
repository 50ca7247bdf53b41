//! A TCP stream that is read up to the end of a request, and not into the next one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The socket itself, read by hyper up to the end of its request.
pub struct Bounded {
    /// The socket.
    pub stream: TcpStream,
    /// How many bytes hyper may have; `u64::MAX` is all that come.
    pub left: u64,
}

impl Bounded {
    /// Hyper has had that many more.
    pub fn take(&mut self, bytes: usize) {
        if self.left != u64::MAX {
            self.left -= bytes as u64;
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match usize::try_from(this.left) {
            Ok(left) if left < buffer.remaining() => {
                let mut part = ReadBuf::new(buffer.initialize_unfilled_to(left));
                ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
                let read = part.filled().len();
                buffer.advance(read);
            }
            _ => ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?,
        }
        this.take(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }
}
