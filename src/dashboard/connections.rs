//! How many may be connected at once.
//!
//! Every page holds an open file of this process, and the journal needs some too: were pages to take the last one, a recording
//! could not begin its next segment. So there are only so many places, fewer than the system grants us files; who comes
//! later waits at the door. Streams get fewer still ([`Places::streams`]), so that a command finds a place however many look.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
}

impl Door {
    /// In front of `listener`.
    pub fn new(listener: TcpListener, places: Places) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(places.all)) }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed");
        let (socket, from) = Listener::accept(&mut self.listener).await;
        (Guest { socket, _place: place }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection in its place.
pub(super) struct Guest {
    socket: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
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
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
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
}
