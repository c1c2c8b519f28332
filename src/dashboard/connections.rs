//! How many may be connected at once, and for how long.
//!
//! Every page holds an open file of this process, and the journal needs some too: were pages to take the last one, a recording
//! could not begin its next segment. So there are only so many places, fewer than the system grants us files; who comes
//! later waits at the door. Streams get fewer still ([`Places::streams`]), so that a command finds a place however many look.
//!
//! Nor does a place belong to whoever only stands in it. Who has been handed nothing for [`PATIENCE`], and for whom nothing is
//! being made, leaves: it is all the same whether he asks nothing, asks a letter at a time, or does not take his answer. A
//! stream hands something out every few seconds; an answer that takes minutes to make is waited for.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// How long a place is kept for who is handed nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Most places there ever are.
const MOST: usize = 2_048;
/// Files that are not for pages.
const OURS: u64 = 256;
/// Places that no stream takes.
const FOR_COMMANDS: usize = 64;

/// How many places there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    all: usize,
}

impl Places {
    /// As many as the system's files allow. A soft limit on them that is lower than need be is raised first.
    pub fn granted() -> Self {
        let mut files = getrlimit(Resource::Nofile);
        let enough = MOST as u64 + OURS;
        if files.current.is_some_and(|now| now < enough) {
            files.current = Some(files.maximum.map_or(enough, |most| most.min(enough)));
            // If not, fewer may come.
            let _ = setrlimit(Resource::Nofile, files);
        }
        Self::of(getrlimit(Resource::Nofile).current)
    }

    /// * `files` — as many as may be open; `None` is no limit
    fn of(files: Option<u64>) -> Self {
        let spare = files.map_or(MOST as u64, |files| files.saturating_sub(OURS).max(files / 2));
        Self { all: usize::try_from(spare).unwrap_or(MOST).clamp(2, MOST) }
    }

    /// Most streams at once.
    pub fn streams(self) -> usize {
        self.all - FOR_COMMANDS.min(self.all / 2)
    }
}

/// A listener with so many places.
pub(super) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Door {
    /// In front of `listener`.
    pub fn new(listener: TcpListener, places: Places, patience: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(places.all)), patience }
    }
}

/// Answers being made for one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Work(Arc<AtomicUsize>);

impl Connected<IncomingStream<'_, Door>> for Work {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().work.clone()
    }
}

/// One of them, until it is dropped.
struct Making(Work);

impl Making {
    fn begin(work: Work) -> Self {
        work.0.fetch_add(1, Ordering::Relaxed);
        Self(work)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps the place of whoever is being served, however long his answer takes to make.
pub(super) async fn at_work(ConnectInfo(work): ConnectInfo<Work>, request: Request, next: Next) -> Response {
    let _making = Making::begin(work);
    next.run(request).await
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed");
        let (socket, from) = Listener::accept(&mut self.listener).await;
        let (patience, leaves) = (self.patience, Box::pin(sleep(self.patience)));
        (Guest { socket, work: Work::default(), patience, leaves, _place: place }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection in its place.
pub(super) struct Guest {
    socket: TcpStream,
    work: Work,
    patience: Duration,
    leaves: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    fn stays(&mut self) {
        self.leaves.as_mut().reset(Instant::now() + self.patience);
    }

    /// What waiting for him comes to: more of it, or an error once he has been here for too long.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        while self.leaves.as_mut().poll(cx).is_ready() {
            if self.work.0.load(Ordering::Relaxed) == 0 {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.stays();
        }
        Poll::Pending
    }

    /// Something was handed to him, or he has to wait.
    fn handed(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match done {
            Poll::Ready(Ok(bytes)) => {
                self.stays();
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            Poll::Pending => self.wait(cx),
        }
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.socket).poll_read(cx, into) {
            Poll::Pending => self.wait(cx),
            ready => ready,
        }
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.handed(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.handed(cx, done)
    }

    // Then pictures that wait for a slow page are the shared ones, and not copies.
    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_never_take_the_last_files_and_streams_never_the_last_places() {
        // 256 of the files are not for pages, of few files half are not.
        for (files, all, streams) in [
            (None, 2_048, 1_984),
            (Some(1 << 20), 2_048, 1_984),
            (Some(1_024), 768, 704),
            (Some(256), 128, 64),
            (Some(4), 2, 1),
        ] {
            let places = Places::of(files);
            assert_eq!((places.all, places.streams()), (all, streams), "{files:?} files");
        }
    }

    /// A server with one place, whose answers take five times the patience, and its address.
    async fn open() -> SocketAddr {
        use axum::middleware::from_fn;
        use axum::routing::get;
        let patience = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let answer = move || async move {
            sleep(patience * 5).await;
            "here it is"
        };
        let router = axum::Router::new().route("/", get(answer)).layer(from_fn(at_work));
        let door = Door::new(listener, Places { all: 1 }, patience);
        tokio::spawn(async move { axum::serve(door, router.into_make_service_with_connect_info::<Work>()).await });
        at
    }

    /// What comes back to `asked` until the connection is closed; the rest of it is asked a letter at a time.
    async fn comes_back(at: SocketAddr, asked: &str, rest: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut from, mut to) = TcpStream::connect(at).await.expect("a connection").into_split();
        to.write_all(asked.as_bytes()).await.expect("asked");
        let rest = rest.to_owned();
        let asking = tokio::spawn(async move {
            for letter in rest.bytes() {
                sleep(Duration::from_millis(50)).await;
                if to.write_all(&[letter]).await.is_err() {
                    break;
                }
            }
            // Held open: who leaves is not us.
            std::future::pending::<()>().await;
        });
        let mut heard = Vec::new();
        // Cut off or closed, it is the end.
        let _ = tokio::time::timeout(Duration::from_secs(20), from.read_to_end(&mut heard)).await.expect("he leaves");
        asking.abort();
        String::from_utf8_lossy(&heard).into_owned()
    }

    #[tokio::test]
    async fn who_asks_nothing_leaves_and_who_asks_is_waited_for() {
        let at = open().await;
        // There is one place: each gets it once the one before has left.
        assert_eq!(comes_back(at, "", "").await, "");
        let slowly = "a".repeat(1_000);
        assert_eq!(comes_back(at, "GET / HTTP/1.1\r\nHost: ", &slowly).await, "");
        let heard = comes_back(at, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "").await;
        assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("here it is"), "{heard}");
    }
}
