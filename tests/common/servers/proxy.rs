//! A proxy before a server that speaks in clear: it writes down what is said, and breaks the connection where a test wants it
//! broken, also at the places of SMTP and IMAP where nobody can tell afterwards what happened.
//!
//! Security: it listens on 127.0.0.1 only, keeps what it hears in memory, and ends with its threads when it is dropped.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Something that goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next connection is cut after so many octets from the server.
    CutAfter(usize),
    /// On the next connection nothing comes any more after so many octets from the server, and nobody hangs up.
    StallAfter(usize),
    /// SMTP: the next mail is accepted by the server, and its word about that gets lost with the connection.
    LostReplyToDot,
    /// SMTP: the connection breaks when the whole of the next mail but its final dot has left.
    CutBeforeDot,
    /// IMAP: the server obeys the next command of this name, and its tagged answer gets lost with the connection.
    LostAnswer(&'static str),
}

impl Fault {
    fn is_of_connection(self) -> bool {
        matches!(self, Self::CutAfter(_) | Self::StallAfter(_))
    }
}

/// What was said on one connection.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    pub client: Vec<u8>,
    pub server: Vec<u8>,
}

/// A running proxy.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: u16,
    planned: Mutex<Vec<Fault>>,
    happened: AtomicUsize,
    /// Octets at a time, and the pause after them; nothing for as fast as can be.
    slowness: Mutex<Option<(usize, Duration)>>,
    talks: Mutex<Vec<Talk>>,
    streams: Mutex<Vec<TcpStream>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    ended: AtomicBool,
    end: (Mutex<()>, Condvar),
}

impl Proxy {
    /// Before the server on this port.
    pub fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            planned: Mutex::default(),
            happened: AtomicUsize::new(0),
            slowness: Mutex::default(),
            talks: Mutex::default(),
            streams: Mutex::default(),
            workers: Mutex::default(),
            ended: AtomicBool::new(false),
            end: Default::default(),
        });
        let with = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if with.ended.load(Ordering::SeqCst) {
                    return;
                }
                with.join(client);
            }
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    /// This will go wrong, once, after whatever shall go wrong before it.
    pub fn plans(&self, fault: Fault) {
        self.shared.planned.lock().unwrap().push(fault);
    }

    /// How many of the planned faults have happened.
    pub fn happened(&self) -> usize {
        self.shared.happened.load(Ordering::SeqCst)
    }

    /// From now on so many octets at a time pass, with a pause after them.
    pub fn trickles(&self, octets: usize, pause: Duration) {
        *self.shared.slowness.lock().unwrap() = Some((octets, pause));
    }

    /// What has been said so far, by connection.
    pub fn talks(&self) -> Vec<Talk> {
        self.shared.talks.lock().unwrap().clone()
    }

    /// Everything that came from the client, the connections one after the other.
    pub fn client_said(&self) -> Vec<u8> {
        self.talks().into_iter().flat_map(|talk| talk.client).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        {
            let _held = self.shared.end.0.lock().unwrap();
            self.shared.end.1.notify_all();
        }
        // Wakes whoever accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for stream in self.shared.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for worker in std::mem::take(&mut *self.shared.workers.lock().unwrap()) {
            let _ = worker.join();
        }
    }
}

/// Where a connection stands.
#[derive(Default)]
struct State {
    /// The last octets of the client, to find a line or the dot that came in pieces.
    tail: Vec<u8>,
    in_content: bool,
    /// Of the command whose answer gets lost; empty for the answer to the dot.
    awaited: Option<Vec<u8>>,
    kept_back: Vec<u8>,
}

/// One connection, as both of its threads see it.
struct Line {
    shared: Arc<Shared>,
    number: usize,
    fault: Option<Fault>,
    state: Mutex<State>,
    client: TcpStream,
    server: TcpStream,
}

impl Shared {
    fn join(self: &Arc<Self>, client: TcpStream) {
        // The client sees a server that hangs up.
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.upstream)) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            self.streams.lock().unwrap().push(stream.try_clone().unwrap());
        }
        let number = {
            let mut talks = self.talks.lock().unwrap();
            talks.push(Talk::default());
            talks.len() - 1
        };
        let fault = self.takes(Fault::is_of_connection);
        let line = Line { shared: Arc::clone(self), number, fault, state: Mutex::default(), client, server };
        let there = Arc::new(line);
        let back = Arc::clone(&there);
        let workers = [std::thread::spawn(move || there.carry_there()), std::thread::spawn(move || back.carry_back())];
        self.workers.lock().unwrap().extend(workers);
    }

    fn takes(&self, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut planned = self.planned.lock().unwrap();
        let at = planned.iter().position(|fault| wanted(*fault))?;
        Some(planned.remove(at))
    }

    fn count(&self) {
        self.happened.fetch_add(1, Ordering::SeqCst);
    }

    /// Until the proxy is dropped.
    fn sleep(&self) {
        let mut held = self.end.0.lock().unwrap();
        while !self.ended.load(Ordering::SeqCst) {
            held = self.end.1.wait(held).unwrap();
        }
    }
}

impl Line {
    fn cut(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn carry_there(&self) {
        let mut block = [0; 65536];
        while let Ok(count @ 1..) = (&self.client).read(&mut block) {
            let data = &block[..count];
            self.shared.talks.lock().unwrap()[self.number].client.extend_from_slice(data);
            let (passed, goes_on) = self.look(data);
            if self.pass(passed, &self.server).is_err() || !goes_on {
                break;
            }
        }
        self.cut();
    }

    /// Follows what the client says: how much of it passes, and whether the connection lives on.
    fn look<'d>(&self, data: &'d [u8]) -> (&'d [u8], bool) {
        let state = &mut *self.state.lock().unwrap();
        state.tail.extend_from_slice(data);
        if state.in_content && state.tail.ends_with(b"\r\n.\r\n") {
            state.in_content = false;
            if self.shared.takes(|fault| fault == Fault::CutBeforeDot).is_some() {
                self.shared.count();
                return (&data[..data.len().saturating_sub(3)], false);
            }
            if self.shared.takes(|fault| fault == Fault::LostReplyToDot).is_some() {
                state.awaited = Some(Vec::new());
            }
        } else if !state.in_content {
            state.in_content = state.tail.ends_with(b"DATA\r\n");
            for command in state.tail.split_inclusive(|octet| *octet == b'\n').filter(|line| line.ends_with(b"\n")) {
                let command = String::from_utf8_lossy(command).into_owned();
                let mut words = command.split_whitespace();
                let (tag, first, second) = (words.next(), words.next(), words.next());
                let word = if first == Some("UID") { second } else { first };
                let found = self.shared.takes(|fault| matches!(fault, Fault::LostAnswer(name) if Some(name) == word));
                if found.is_some() {
                    state.awaited = Some(format!("{} ", tag.unwrap()).into_bytes());
                }
            }
        }
        // Whole lines have been looked at; of content the end is enough.
        let keep = match state.in_content {
            true => state.tail.len().min(5),
            false => state.tail.iter().rev().take_while(|octet| **octet != b'\n').count(),
        };
        state.tail.drain(..state.tail.len() - keep);
        (data, true)
    }

    fn carry_back(&self) {
        let mut block = [0; 65536];
        let mut passed = 0;
        while let Ok(count @ 1..) = (&self.server).read(&mut block) {
            let data = &block[..count];
            self.shared.talks.lock().unwrap()[self.number].server.extend_from_slice(data);
            let awaited = {
                let state = &mut *self.state.lock().unwrap();
                let awaited = state.awaited.clone();
                if awaited.is_some() {
                    state.kept_back.extend_from_slice(data);
                }
                awaited.map(|start| {
                    let mut lines = state.kept_back.split_inclusive(|octet| *octet == b'\n');
                    lines.any(|line| line.starts_with(&start) && line.ends_with(b"\n"))
                })
            };
            match awaited {
                Some(true) => {
                    self.shared.count();
                    break;
                }
                Some(false) => continue,
                None => {}
            }
            let limit = match self.fault {
                Some(Fault::CutAfter(limit) | Fault::StallAfter(limit)) => limit,
                _ => usize::MAX,
            };
            let room = limit - passed;
            if self.pass(&data[..count.min(room)], &self.client).is_err() {
                break;
            }
            passed += count.min(room);
            if count >= room {
                self.shared.count();
                if matches!(self.fault, Some(Fault::StallAfter(_))) {
                    self.shared.sleep();
                }
                break;
            }
        }
        self.cut();
    }

    fn pass(&self, data: &[u8], mut to: &TcpStream) -> std::io::Result<()> {
        let slowness = *self.shared.slowness.lock().unwrap();
        let Some((octets, pause)) = slowness else { return to.write_all(data) };
        for piece in data.chunks(octets) {
            to.write_all(piece)?;
            std::thread::sleep(pause);
            if self.shared.ended.load(Ordering::SeqCst) {
                break;
            }
        }
        Ok(())
    }
}
