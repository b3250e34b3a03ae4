//! The fake's listener: HTTP on loopback, and what happens to an answer on its way.
//!
//! Security: it listens on 127.0.0.1 only, on a port that the system chooses, and ends with its owner.

use super::answers;
use super::faults::Way;
use super::request::{Reply, Request};
use super::state::State;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State as Shared};
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A running listener.
pub(super) struct Server {
    pub(super) origin: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts to answer from this state.
    pub(super) fn start(state: Arc<Mutex<State>>) -> Self {
        let app = axum::Router::new().fallback(handle).with_state(state);
        Self::run(app)
    }

    /// Another server, which keeps everything that reaches it.
    pub(super) fn elsewhere(heard: Arc<Mutex<Vec<String>>>) -> Self {
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| async move {
            let (parts, _) = request.into_parts();
            heard.lock().unwrap().push(format!("{} {} {:?}", parts.method, parts.uri, parts.headers));
            "[]"
        });
        Self::run(app)
    }

    fn run(app: axum::Router) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = Door(TcpListener::from_std(listener).unwrap());
                let service = app.into_make_service_with_connect_info::<Cut>();
                tokio::select! {
                    served = async { axum::serve(listener, service).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { origin, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn handle(
    Shared(state): Shared<Arc<Mutex<State>>>,
    ConnectInfo(line): ConnectInfo<Cut>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let request = read(request).await;
    let (reply, way) = {
        // A fault in the fake itself must not look like one of GitHub's.
        let mut state = state.lock().unwrap();
        answers::answer(&mut state, request)
    };
    if let Way::Stall(time) | Way::Slow(time) = way {
        tokio::time::sleep(time).await;
    }
    let Some(reply) = reply else {
        line.cut();
        return axum::response::Response::new(Body::from("cut"));
    };
    write(&reply, &way, &line)
}

async fn read(request: axum::extract::Request) -> Request {
    let (parts, body) = request.into_parts();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Request {
        at: jiff::Timestamp::now(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: axum::body::to_bytes(body, 16 << 20).await.map(Vec::from).unwrap_or_default(),
        kind: None,
        status: None,
    }
}

fn write(reply: &Reply, way: &Way, line: &Cut) -> axum::response::Response {
    let is_text = reply.body.is_string();
    let body = match reply.body.as_str() {
        Some(text) => text.to_owned(),
        None => reply.body.to_string(),
    };
    let kind = if is_text && reply.status >= 300 { "text/html" } else { "application/json; charset=utf-8" };
    let length = body.len();
    let mut response = axum::response::Response::builder().status(reply.status).header("content-type", kind);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = match way {
        Way::CutShort => {
            let line = line.clone();
            response = response.header("content-length", length);
            let half = Bytes::from(body.into_bytes()[..length / 2].to_vec());
            let halves = futures::stream::iter([Ok(half)]);
            Body::from_stream(futures::StreamExt::chain(
                halves,
                futures::stream::once(async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    line.cut();
                    Err(io::Error::from(io::ErrorKind::ConnectionReset))
                }),
            ))
        }
        Way::Trickle(pause) => {
            let pause = *pause;
            response = response.header("content-length", length);
            let octets = futures::stream::iter(body.into_bytes());
            Body::from_stream(futures::StreamExt::then(octets, move |octet| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, io::Error>(Bytes::from(vec![octet]))
            }))
        }
        _ => Body::from(body),
    };
    response.body(body).unwrap()
}

/// The scissors of one connection: what is written after the cut is a reset (RST).
#[derive(Clone, Default)]
struct Cut(Arc<AtomicBool>);

impl Cut {
    fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Door(TcpListener);

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Line { stream, cut: Cut::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().cut.clone()
    }
}

struct Line {
    stream: TcpStream,
    cut: Cut,
}

impl Line {
    fn check(&self) -> io::Result<()> {
        if !self.cut.0.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Closing without lingering is what sends a reset.
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
