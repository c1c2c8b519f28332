//! The venue's outside: the first request on a connection decides whether it becomes a websocket or gets one answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::house::{Asked, Reply};
use super::locked;
use super::venue::{Out, Venue};

/// Serves one connection to its end.
pub async fn serve(mut stream: TcpStream, venue: Arc<Mutex<Venue>>, rest_delay: Duration) {
    let Some(head) = peek_head(&stream).await else { return };
    let mut words = head.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or("/").to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = decoded(query);
    if head.to_ascii_lowercase().contains("upgrade: websocket") {
        let refused = locked(&venue).upgrade(path);
        match refused {
            None => return talk(stream, path, &query, venue).await,
            Some(status) => return reply(stream, &head, Reply::new(status, "refused")).await,
        }
    }
    let Some(body) = read_body(&mut stream, &head).await else { return };
    sleep(rest_delay).await;
    let asked = Asked { method, path: decoded(path), query, body };
    let answer = locked(&venue).answer(&asked);
    write_reply(stream, answer).await;
}

/// The head of the request, left in the stream for whoever reads it next.
pub async fn peek_head(stream: &TcpStream) -> Option<String> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = stream.peek(&mut buffer).await.ok().filter(|&n| n > 0)?;
        if !buffer[0].is_ascii_uppercase() {
            return None; // No HTTP method; a TLS greeting, most likely.
        }
        if let Some(end) = buffer[..n].windows(4).position(|w| w == b"\r\n\r\n") {
            return String::from_utf8(buffer[..end + 4].to_vec()).ok();
        }
        // A peek does not wait for more than there is.
        sleep(Duration::from_millis(1)).await;
    }
}

async fn read_body(stream: &mut TcpStream, head: &str) -> Option<String> {
    // The request has to be read before the end, or closing would reset the connection under the answer.
    let mut request = vec![0; head.len()];
    stream.read_exact(&mut request).await.ok()?;
    let lower = head.to_ascii_lowercase();
    let length = lower.split_once("content-length:").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    String::from_utf8(body).ok()
}

async fn reply(mut stream: TcpStream, head: &str, reply: Reply) {
    let mut request = vec![0; head.len()];
    if stream.read_exact(&mut request).await.is_ok() {
        write_reply(stream, reply).await;
    }
}

/// One answer, and the end.
pub async fn write_reply(mut stream: TcpStream, reply: Reply) {
    let retry = reply.retry_after.map(|s| format!("Retry-After: {s}\r\n")).unwrap_or_default();
    let text = format!(
        "HTTP/1.1 {} Scripted\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{retry}Connection: close\r\n\r\n{}",
        reply.status,
        reply.body.len(),
        reply.body
    );
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Percent-encoding undone.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Strikes the socket off when it ends, however it ends.
struct Struck(Arc<Mutex<Venue>>, usize);

impl Drop for Struck {
    fn drop(&mut self) {
        locked(&self.0).closed(self.1);
    }
}

async fn talk(stream: TcpStream, path: &str, query: &str, venue: Arc<Mutex<Venue>>) {
    stream.set_nodelay(true).expect("nodelay on loopback");
    let Ok(mut socket) = accept_async(stream).await else { return };
    let (queue, mut inbox) = unbounded_channel();
    let id = locked(&venue).open(path, query, queue);
    let _open = Struck(venue.clone(), id);
    loop {
        tokio::select! {
            out = inbox.recv() => {
                let Some(out) = out else { return };
                if !write(&mut socket, out, &mut inbox).await {
                    return;
                }
            }
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => locked(&venue).hear(id, &text),
                Some(Ok(Message::Pong(payload))) => locked(&venue).stats.pongs.push(payload.to_vec()),
                Some(Ok(Message::Ping(_))) => locked(&venue).stats.pings += 1,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// Writes one thing and everything that waits behind it; `false` when the conversation is over.
async fn write(socket: &mut WebSocketStream<TcpStream>, first: Out, inbox: &mut UnboundedReceiver<Out>) -> bool {
    let mut next = Some(first);
    while let Some(out) = next {
        let fed = match out {
            Out::Text(text) => socket.feed(Message::text(text)).await,
            Out::NotText(bytes) => {
                socket.feed(Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true))).await
            }
            Out::Binary(bytes) => socket.feed(Message::binary(bytes)).await,
            Out::Pieces(text, pieces) => feed_pieces(socket, text.as_bytes(), pieces).await,
            Out::Ping(payload) => socket.feed(Message::Ping(payload.into())).await,
            Out::Wait(time) => {
                let flushed = socket.flush().await;
                sleep(time).await;
                flushed
            }
            Out::Close(code) => {
                let goodbye = CloseFrame { code: code.into(), reason: "scripted".into() };
                let _ = socket.close(Some(goodbye)).await;
                return false;
            }
            Out::Reset => {
                let _ = socket.flush().await;
                socket.get_ref().set_zero_linger().expect("a live socket");
                return false;
            }
            Out::HalfOpen => {
                let _ = socket.flush().await;
                // Reads and answers nothing until the other side lets go.
                let mut ignored = [0; 4096];
                while matches!(socket.get_mut().read(&mut ignored).await, Ok(n) if n > 0) {}
                return false;
            }
        };
        if fed.is_err() {
            return false;
        }
        next = inbox.try_recv().ok();
    }
    socket.flush().await.is_ok()
}

async fn feed_pieces(
    socket: &mut WebSocketStream<TcpStream>,
    bytes: &[u8],
    pieces: usize,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let size = bytes.len().div_ceil(pieces.max(1)).max(1);
    let count = bytes.chunks(size).count();
    for (k, piece) in bytes.chunks(size).enumerate() {
        let code = if k == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(piece.to_vec(), OpCode::Data(code), k + 1 == count);
        socket.feed(Message::Frame(frame)).await?;
    }
    Ok(())
}
