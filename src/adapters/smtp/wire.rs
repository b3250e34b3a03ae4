//! The stream below the SMTP library: TCP or TLS, with what the server says made safe to read.
//!
//! Security: replies are hostile. What is read between two commands is bounded, whatever the server sends, so that no line can
//! fill the memory. Octets outside ASCII become `?`, so that a reply to a whole mail is understood even if its text is broken.

use lettre::transport::smtp::client::AsyncTokioStream;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Octets that a server may say between two commands; the longest reply of an honest one is some kilobytes.
const TALK: usize = 64 * 1024;

/// What carries the octets: TCP, or TLS over it.
pub(super) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl Carrier for TcpStream {}
impl Carrier for TlsStream<TcpStream> {}

/// A connection as the SMTP library reads and writes it.
pub(super) struct Wire {
    carrier: Box<dyn Carrier>,
    peer: SocketAddr,
    /// Made safe, and not yet read.
    inbound: Vec<u8>,
    /// Place in the current line of what was read last.
    column: usize,
    /// Octets since the last command.
    talk: usize,
}

impl Wire {
    /// `said` is read before anything of the stream: the greeting, where it was read already.
    pub(super) fn new(carrier: Box<dyn Carrier>, peer: SocketAddr, said: &'static [u8]) -> Self {
        Self { carrier, peer, inbound: said.to_vec(), column: 0, talk: 0 }
    }

    fn take_in(&mut self, octets: &[u8]) {
        for &octet in octets {
            match octet {
                b'\n' => self.column = 0,
                // A reply may be a code alone (RFC 5321 section 4.2); the library wants a text behind it.
                b'\r' if self.column == 3 => self.inbound.push(b' '),
                _ => self.column += 1,
            }
            self.inbound.push(if octet.is_ascii() { octet } else { b'?' });
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.inbound.is_empty() {
            let mut octets = [0; 2048];
            let mut read = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut wire.carrier).poll_read(cx, &mut read))?;
            wire.talk += read.filled().len();
            if wire.talk > TALK {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the server says too much")));
            }
            wire.take_in(read.filled());
        }
        let most = wire.inbound.len().min(out.remaining());
        out.put_slice(wire.inbound.get(..most).unwrap_or_default());
        wire.inbound.drain(..most);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.talk = 0;
        Pin::new(&mut wire.carrier).poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().carrier).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().carrier).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}
