//! One websocket: frames out, control messages in, and the venue's patience.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::frames::TimeUnit;
use super::http::Head;
use super::venue::{Client, Letter};

/// A client this many frames behind is cut off.
const QUEUE: usize = 4096;
/// The venue asks for a sign of life this often,
const PING_EVERY: Duration = Duration::from_secs(20);
/// and hangs up on one who has not given it for this long.
const PONG_WITHIN: Duration = Duration::from_secs(60);
/// No connection lives longer.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// Messages a client may send in a second.
const MESSAGES_PER_S: u32 = 5;

/// The streams named by a websocket's address, and whether they are wrapped; `None` if there is no such endpoint.
fn streams(head: &Head) -> Option<(bool, BTreeSet<String>)> {
    let split = |list: &str| list.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    match head.path.strip_prefix("/ws") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Some((false, split(rest))),
        Some(_) => None,
        None if head.path == "/stream" => Some((true, split(head.param("streams").unwrap_or_default()))),
        None => None,
    }
}

/// Accepts the upgrade and serves the socket until either side has enough. `rest` is what followed the head.
pub(super) async fn serve(id: u64, mut socket: TcpStream, rest: Vec<u8>, head: &Head, venue: mpsc::Sender<Letter>) {
    let Some((key, (combined, streams))) = head.websocket_key().zip(streams(head)) else {
        let _ = socket.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        return;
    };
    let accepted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    if socket.write_all(accepted.as_bytes()).await.is_err() {
        return;
    }
    let websocket = WebSocketStream::from_partially_read(socket, rest, Role::Server, None).await;
    let (frames, queue) = mpsc::channel(QUEUE);
    let (_alive, cut) = oneshot::channel();
    let unit = match head.param("timeUnit") {
        Some(u) if u.eq_ignore_ascii_case("microsecond") => TimeUnit::Micros,
        Some(_) | None => TimeUnit::Millis,
    };
    let client = Client { id, frames, _alive, combined, unit, streams, wants: BTreeSet::new() };
    if venue.send(Letter::Join(client)).await.is_ok() {
        converse(id, websocket, queue, cut, &venue).await;
        // If the venue is gone too, there is nobody to tell.
        let _ = venue.send(Letter::Left { client: id }).await;
    }
}

/// Sends unless the venue hangs up first; `false` ends the conversation.
async fn send(websocket: &mut WebSocketStream<TcpStream>, frame: Message, cut: &mut oneshot::Receiver<()>) -> bool {
    tokio::select! {
        biased;
        sent = websocket.send(frame) => sent.is_ok(),
        _ = cut => false,
    }
}

async fn converse(
    id: u64,
    mut websocket: WebSocketStream<TcpStream>,
    mut queue: mpsc::Receiver<Utf8Bytes>,
    mut cut: oneshot::Receiver<()>,
    venue: &mpsc::Sender<Letter>,
) {
    let born = Instant::now();
    let mut ping = tokio::time::interval_at(born + PING_EVERY, PING_EVERY);
    let (mut unanswered, mut beat) = (None, 0u64);
    let (mut second, mut messages) = (born, 0);
    let (code, reason) = loop {
        tokio::select! {
            frame = queue.recv() => match frame {
                Some(text) => {
                    if !send(&mut websocket, Message::Text(text), &mut cut).await {
                        return;
                    }
                }
                None => break (CloseCode::Away, "the venue has hung up"),
            },
            message = websocket.next() => {
                let Some(Ok(message)) = message else { return };
                if second.elapsed() >= Duration::from_secs(1) {
                    (second, messages) = (Instant::now(), 0);
                }
                messages += 1;
                if messages > MESSAGES_PER_S {
                    break (CloseCode::Policy, "Too many requests");
                }
                match message {
                    Message::Text(text) => {
                        if venue.send(Letter::Said { client: id, text }).await.is_err() {
                            return;
                        }
                    }
                    Message::Pong(payload) if payload.as_ref() == beat.to_be_bytes() => unanswered = None,
                    Message::Binary(_) => break (CloseCode::Unsupported, "text only"),
                    // The library answers pings and goodbyes, and ends the stream after those; unasked pongs keep
                    // nobody alive.
                    Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
                }
            }
            now = ping.tick() => {
                if now - *unanswered.get_or_insert(now) >= PONG_WITHIN {
                    break (CloseCode::Policy, "no pong within 60 s");
                }
                if now - born > LIFE {
                    break (CloseCode::Away, "24 hours are over");
                }
                beat += 1;
                let payload = Bytes::copy_from_slice(&beat.to_be_bytes());
                if !send(&mut websocket, Message::Ping(payload), &mut cut).await {
                    return;
                }
            }
        }
    };
    let farewell = websocket.close(Some(CloseFrame { code, reason: reason.into() }));
    // Who does not even read a goodbye is left standing.
    let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
}
