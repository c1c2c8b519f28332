//! The simulated exchange on a loopback socket, in the words of Binance spot.
//!
//! Websocket: `/ws`, `/ws/<stream>`, `/stream?streams=a/b` with `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`;
//! streams `trade`, `aggTrade`, `bookTicker`, `depth`, `depth@100ms`, `depth{5,10,20}[@100ms]`. REST: `ping`,
//! `time`, `exchangeInfo`, `depth`, `trades` under `/api/v3`. One port for both. The venue has a clock of its own:
//! simulated time from the moment it opened, `speed` times as fast as ours.

mod client;
mod desk;
mod frames;
mod http;
mod venue;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::spec::{Fault, SimSpec};
use http::Reply;
use venue::{Letter, Venue};

/// What the kernel may hold for a client that does not read; our own queue comes on top.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// A connection that asks for nothing for this long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// How long connections get to say goodbye when the venue closes.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why the exchange could not open.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {listen}: the port is in use; stop the program that holds it (another `papermaker \
         exchange`?) or choose another port, 0 for any free one"
    )]
    PortInUse {
        /// Where we wanted to listen.
        listen: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// Where we wanted to listen.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Time must pass.
    #[error("simulation speed {0} is not a positive number; 1 is real time")]
    Speed(f64),
    /// No market can be made of that.
    #[error("the simulated exchange has no such market: {0}")]
    Spec(Fault),
}

/// A running exchange.
#[derive(Debug)]
pub struct ServerHandle {
    /// Where it listens; the port is the real one if 0 was asked for.
    pub addr: SocketAddr,
    task: JoinHandle<()>,
}

impl ServerHandle {
    /// Returns when the exchange has closed, after `stop` was set or its sender dropped.
    pub async fn finished(self) {
        self.task.await.expect("the exchange does not panic");
    }
}

/// Opens the exchange: the world of `spec` and `seed`, at `speed` times real time, until `stop` is true.
pub async fn serve(
    listen: SocketAddr,
    spec: SimSpec,
    seed: u64,
    speed: f64,
    stop: watch::Receiver<bool>,
) -> Result<ServerHandle, SimError> {
    if !(speed.is_finite() && speed > 0.0) {
        return Err(SimError::Speed(speed));
    }
    if let Some(fault) = spec.faults().into_iter().next() {
        return Err(SimError::Spec(fault));
    }
    let listener = bind(listen).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => SimError::PortInUse { listen },
        _ => SimError::Listen { listen, source },
    })?;
    let addr = listener.local_addr().map_err(|source| SimError::Listen { listen, source })?;
    let venue = Venue::new(&spec, seed, speed, wall_clock_ns());
    let task = tokio::spawn(open(listener, venue, stop));
    Ok(ServerHandle { addr, task })
}

/// Returns when told to stop, or when nobody is left who could tell us.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|s| *s).await;
}

fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(listen)?;
    socket.listen(128)
}

#[expect(clippy::disallowed_methods, reason = "a venue has a clock of its own, and this is where it is set")]
fn wall_clock_ns() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX / 2))
}

async fn open(listener: TcpListener, venue: Venue, mut stop: watch::Receiver<bool>) {
    let (letters, inbox) = mpsc::channel(1024);
    let venue = tokio::spawn(venue.live(inbox, stop.clone()));
    let mut connections = JoinSet::new();
    let mut id = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else {
                    // Broken before we took it, or no file descriptors left: then others must go first.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                id += 1;
                connections.spawn(receive(id, socket, letters.clone(), stop.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = told(&mut stop) => break,
        }
    }
    drop((listener, letters));
    venue.await.expect("the venue does not panic");
    let farewell = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    connections.shutdown().await;
}

/// Reads requests off one connection until it becomes a websocket or ends.
async fn receive(id: u64, mut socket: TcpStream, venue: mpsc::Sender<Letter>, mut stop: watch::Receiver<bool>) {
    // Frames are small and late ones are worth nothing; a socket that cannot do it still works.
    let _ = socket.set_nodelay(true);
    let mut buffer = Vec::new();
    loop {
        let head = tokio::select! {
            head = tokio::time::timeout(IDLE, http::read_head(&mut socket, &mut buffer)) => head,
            () = told(&mut stop) => return,
        };
        let Ok(Some(head)) = head else { return };
        if head.header("upgrade").is_some() {
            return client::serve(id, socket, buffer, &head, venue).await;
        }
        let close = head.wants_close();
        let (reply, answer) = oneshot::channel();
        let reply = match venue.send(Letter::Rest { head, reply }).await {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        let reply = reply.unwrap_or_else(|| Reply::error(503, -1000, "The venue is closing."));
        if reply.write(&mut socket, close).await.is_err() || close {
            return;
        }
    }
}
