//! The octets of an IMAP connection: TLS or not, with bounds that the parser behind it does not have.
//!
//! Security: async-imap reserves as much memory as the server announces, so an announcement is read here first, and one beyond
//! what the command allows ends the connection before anything is reserved. Silence ends it too, where silence is not what was
//! asked for. Nothing of what passes can be shown.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::client::TlsStream;

/// Octets of one response outside its literals; a search among 10,000 mails is answered by 110,000 at most.
const LONGEST_LINE: u64 = 1024 * 1024;

/// What carries the octets.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection as the IMAP library sees it.
pub(super) struct Wire {
    inner: BufWriter<Transport>,
    meter: Meter,
    patience: Option<Duration>,
    alarm: Pin<Box<Sleep>>,
}

/// How much a command may be answered with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Octets of one literal.
    pub(super) literal: u64,
    /// Octets in all.
    pub(super) total: u64,
}

impl Wire {
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            inner: BufWriter::new(transport),
            meter: Meter::default(),
            patience: None,
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// What holds from now on: how much may come, and how long nothing may come; `None` for as long as it likes.
    pub(super) fn allow(&mut self, allowance: Allowance, patience: Option<Duration>) {
        self.meter.allow(allowance);
        self.patience = patience;
        if let Some(patience) = patience {
            self.alarm.as_mut().reset(Instant::now() + patience);
        }
    }

    /// How many lines have come, and whether the last one is unfinished.
    pub(super) fn lines(&self) -> (u64, bool) {
        (self.meter.lines, self.meter.line > 0)
    }

    /// The transport itself. What the caller has not read yet is lost.
    pub(super) fn into_transport(self) -> Transport {
        self.inner.into_inner()
    }
}

/// IMAP's sessions want to be shown; this one shows nothing.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire(…)")
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                if let Err(error) = this.meter.look(buf.filled().get(before..).unwrap_or_default()) {
                    // Whoever gets an error got no octets.
                    buf.set_filled(before);
                    return Poll::Ready(Err(error));
                }
                if let Some(patience) = this.patience {
                    this.alarm.as_mut().reset(Instant::now() + patience);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.patience.is_some() => {
                ready!(this.alarm.as_mut().poll(cx));
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
            result => result,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Says that more came than was allowed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("more than was allowed")]
pub(super) struct TooMuch;

/// Follows the responses closely enough to know where a literal begins and ends (RFC 3501 section 4.3), so that a line of a mail
/// that looks like an announcement is none.
struct Meter {
    allowance: Allowance,
    /// Whole lines so far, those of literals not counted.
    lines: u64,
    /// Octets of the current response outside its literals.
    line: u64,
    /// How it begins, in capitals.
    start: Vec<u8>,
    announced: Announced,
    /// Octets of a literal that are still to come.
    literal: u64,
}

#[derive(Clone, Copy)]
enum Announced {
    No,
    Digits(Option<u64>),
    Closed(u64),
    Return(u64),
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            allowance: Allowance { literal: 0, total: 64 * 1024 },
            lines: 0,
            line: 0,
            start: Vec::new(),
            announced: Announced::No,
            literal: 0,
        }
    }
}

impl Meter {
    fn allow(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    fn look(&mut self, mut octets: &[u8]) -> io::Result<()> {
        let spent = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.allowance.total = self.allowance.total.checked_sub(spent).ok_or_else(|| io::Error::other(TooMuch))?;
        while let Some((&octet, rest)) = octets.split_first() {
            if self.literal > 0 {
                let skipped = self.literal.min(u64::try_from(octets.len()).unwrap_or(u64::MAX));
                self.literal -= skipped;
                octets = usize::try_from(skipped).ok().and_then(|skipped| octets.get(skipped..)).unwrap_or_default();
                continue;
            }
            self.outside(octet)?;
            octets = rest;
        }
        Ok(())
    }

    fn outside(&mut self, octet: u8) -> io::Result<()> {
        self.line += 1;
        if self.line > LONGEST_LINE {
            return Err(io::Error::other(TooMuch));
        }
        if self.start.len() < 9 {
            self.start.push(octet.to_ascii_uppercase());
        }
        let announced = std::mem::replace(&mut self.announced, Announced::No);
        self.announced = match (announced, octet) {
            (_, b'{') => Announced::Digits(None),
            (Announced::Digits(number), b'0'..=b'9') => {
                let number = number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(octet - b'0'));
                Announced::Digits(Some(number))
            }
            (Announced::Digits(Some(number)), b'}') => Announced::Closed(number),
            (Announced::Closed(number), b'\r') => Announced::Return(number),
            (Announced::Return(number), b'\n') if number > self.allowance.literal => {
                return Err(io::Error::other(TooMuch));
            }
            (Announced::Return(number), b'\n') if !self.is_text() => {
                self.literal = number;
                return Ok(());
            }
            _ => Announced::No,
        };
        if octet == b'\n' {
            self.lines += 1;
            self.line = 0;
            self.start.clear();
        }
        Ok(())
    }

    /// Whether the response ends in words for people. They may look like the announcement of a literal, and none follows.
    fn is_text(&self) -> bool {
        const CONDITIONS: [&[u8]; 5] = [b"* OK", b"* NO", b"* BAD", b"* BYE", b"* PREAUTH"];
        !self.start.starts_with(b"* ") || CONDITIONS.iter().any(|condition| self.start.starts_with(condition))
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
