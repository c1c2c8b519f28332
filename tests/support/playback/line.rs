//! One listener's websocket.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::{Order, Shared, locked};

/// Counts a socket as open for as long as it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

/// Serves `/stream?streams=a/b` (combined) or `/ws/a/b` (raw) until either side has had enough.
pub async fn serve(stream: TcpStream, target: &str, shared: Arc<Shared>) {
    stream.set_nodelay(true).expect("nodelay on loopback");
    let Ok(mut socket) = accept_async(stream).await else { return };
    let open_now = shared.open.fetch_add(1, SeqCst) + 1;
    let _open = Open(shared.clone());
    let raw = target.starts_with("/ws");
    let names = match target.split_once("streams=") {
        Some((_, names)) => names,
        None => target.trim_start_matches("/ws").trim_start_matches("/stream").trim_start_matches('/'),
    };
    let names = names.replace("%40", "@").replace("%2F", "/");
    let mut streams: Vec<String> = names.split(['/', '&']).filter(|s| s.contains('@')).map(str::to_owned).collect();
    let (orders, mut inbox) = mpsc::channel(256);
    {
        let mut stats = locked(&shared.stats);
        stats.connections += 1;
        stats.open_max = stats.open_max.max(open_now);
    }
    let enlist = |shared: &Shared| {
        locked(&shared.listeners).push(orders.clone());
        shared.arrivals.send_modify(|n| *n += 1);
    };
    let mut enlisted = !streams.is_empty();
    if enlisted {
        enlist(&shared);
    }
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            _ = inbox.recv_many(&mut batch, 64) => {
                for order in batch.drain(..) {
                    let fed = match order {
                        Order::Text { stream, combined, raw: bare } => {
                            if stream.is_some_and(|s| !streams.contains(&s)) {
                                continue;
                            }
                            socket.feed(Message::text(if raw { bare } else { combined })).await
                        }
                        Order::Ping(payload) => socket.feed(Message::Ping(payload.into())).await,
                        Order::Close(code) => {
                            let goodbye = CloseFrame { code: code.into(), reason: "scripted".into() };
                            let _ = socket.close(Some(goodbye)).await;
                            return;
                        }
                        Order::Reset => {
                            let _ = socket.flush().await;
                            socket.get_ref().set_zero_linger().expect("a live socket");
                            return;
                        }
                        Order::HalfOpen => return play_dead(socket).await,
                    };
                    if fed.is_err() {
                        return;
                    }
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    locked(&shared.stats).heard.push((Instant::now(), text.to_string()));
                    let reply = obey(&text, &mut streams);
                    if !enlisted && !streams.is_empty() {
                        enlisted = true;
                        enlist(&shared);
                    }
                    if socket.send(Message::text(reply)).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Pong(payload))) => locked(&shared.stats).pongs.push(payload.to_vec()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// `SUBSCRIBE` and `UNSUBSCRIBE`, acknowledged as the venue does.
fn obey(text: &str, streams: &mut Vec<String>) -> String {
    let Ok(request) = serde_json::from_str::<Value>(text) else {
        return r#"{"error":{"code":3,"msg":"Invalid JSON"}}"#.to_owned();
    };
    let params = request["params"].as_array().cloned().unwrap_or_default();
    let names: Vec<String> = params.iter().filter_map(|p| p.as_str().map(str::to_owned)).collect();
    match request["method"].as_str() {
        Some("SUBSCRIBE") => streams.extend(names),
        Some("UNSUBSCRIBE") => streams.retain(|s| !names.contains(s)),
        _ => {
            return serde_json::json!({"error": {"code": 2, "msg": "Invalid request"}, "id": request["id"]})
                .to_string();
        }
    }
    serde_json::json!({"result": null, "id": request["id"]}).to_string()
}

/// Reads and answers nothing until the other side lets go.
async fn play_dead(mut socket: WebSocketStream<TcpStream>) {
    let mut ignored = [0; 4096];
    while matches!(socket.get_mut().read(&mut ignored).await, Ok(n) if n > 0) {}
}
