//! One websocket: opening it, and what its end means.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::settings::Settings;

/// Silence after a refused upgrade that does not say for how long.
const UNSAID_WAIT: Duration = Duration::from_secs(60);

/// An open socket.
pub struct Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>);

/// Why a socket could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialError {
    /// The venue will not serve us, now or later.
    Refused(String),
    /// It wants silence first.
    RateLimited {
        /// HTTP status.
        status: u16,
        /// For this long.
        wait: Duration,
    },
    /// Anything else; trying again may help.
    Failed(String),
}

/// What came over the socket.
#[derive(Debug)]
pub enum Frame {
    /// News, text or binary.
    Data(Data),
    /// The venue asks whether we are there; the answer is already sent.
    Ping,
    /// An answer or a fragment that means nothing to us.
    Other,
    /// The end, and why.
    End(String),
}

/// The payload of a data frame.
#[derive(Debug)]
pub enum Data {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Data {
    /// As bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Data::Text(text) => text.as_str().as_bytes(),
            Data::Binary(bytes) => bytes,
        }
    }
}

/// TLS by ring, once per process; whoever installed a provider before us is as good.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Opens a socket after `delay` and hands it over `overlap` later; what it brings meanwhile waits in it.
pub async fn dial(url: String, delay: Duration, overlap: Duration, settings: Settings) -> Result<Socket, DialError> {
    sleep(delay).await;
    let socket = open(url, &settings).await?;
    sleep(overlap).await;
    Ok(socket)
}

async fn open(url: String, settings: &Settings) -> Result<Socket, DialError> {
    install_tls();
    let limits = WebSocketConfig::default()
        .max_message_size(Some(settings.frame_bytes_max))
        .max_frame_size(Some(settings.frame_bytes_max));
    match timeout(settings.connect_timeout, connect_async_with_config(url.as_str(), Some(limits), true)).await {
        Ok(Ok((stream, _))) => Ok(Socket(Box::new(stream))),
        Ok(Err(Error::Http(reply))) => {
            let header = |name: &str| reply.headers().get(name).and_then(|v| v.to_str().ok());
            Err(refusal(reply.status().as_u16(), settings.forbidden_wait, header))
        }
        Ok(Err(e)) => Err(DialError::Failed(format!("{url}: {e}"))),
        Err(_) => {
            Err(DialError::Failed(format!("{url}: no connection in {} s", settings.connect_timeout.as_secs_f64())))
        }
    }
}

/// `forbidden_wait`: silence after a 403, where that means "too often".
fn refusal<'a>(status: u16, forbidden_wait: Duration, header: impl Fn(&str) -> Option<&'a str>) -> DialError {
    match status {
        403 if !forbidden_wait.is_zero() => DialError::RateLimited { status, wait: forbidden_wait },
        403 | 451 => DialError::Refused(format!("HTTP {status} to the websocket upgrade")),
        418 | 429 => {
            let said = header("retry-after").and_then(|v| v.trim().parse().ok());
            let wait = said.map_or(UNSAID_WAIT, |s: u32| Duration::from_secs(u64::from(s.max(1))));
            DialError::RateLimited { status, wait }
        }
        _ => DialError::Failed(format!("HTTP {status} to the websocket upgrade")),
    }
}

impl Socket {
    /// The next frame. Safe to cancel.
    pub async fn next(&mut self) -> Frame {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Frame::Data(Data::Text(text)),
            Some(Ok(Message::Binary(bytes))) => Frame::Data(Data::Binary(bytes.to_vec())),
            Some(Ok(Message::Ping(_))) => Frame::Ping,
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => Frame::Other,
            Some(Ok(Message::Close(Some(close)))) => Frame::End(
                format!("closed by the venue: {} {}", u16::from(close.code), close.reason).trim_end().to_owned(),
            ),
            Some(Ok(Message::Close(None))) => Frame::End("closed by the venue without a code".to_owned()),
            Some(Err(e)) => Frame::End(e.to_string()),
            None => Frame::End("the socket ended".to_owned()),
        }
    }

    /// The next frame if it is already here.
    pub fn next_now(&mut self) -> Option<Frame> {
        // Unconstrained, or the runtime's fairness would look like an empty socket.
        unconstrained(self.next()).now_or_never()
    }

    /// Sends what is due: tungstenite has queued the pong (same payload) but would only write it with the next read.
    pub async fn answer(&mut self, within: Duration) -> Result<(), String> {
        sent(timeout(within, self.0.flush()).await)
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: String, within: Duration) -> Result<(), String> {
        sent(timeout(within, self.0.send(Message::text(text))).await)
    }

    /// Says goodbye if the other side still listens, then lets go.
    pub async fn close(mut self, within: Duration) {
        let _ = timeout(within, WebSocketStream::close(&mut self.0, None)).await;
    }
}

fn sent(outcome: Result<Result<(), Error>, tokio::time::error::Elapsed>) -> Result<(), String> {
    match outcome {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err("our frame would not leave".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_403_means_not_you_or_too_often_as_the_venue_has_it() {
        let none = |_: &str| None;
        assert!(matches!(refusal(403, Duration::ZERO, none), DialError::Refused(_)));
        let wait = Duration::from_secs(600);
        assert_eq!(refusal(403, wait, none), DialError::RateLimited { status: 403, wait });
        assert!(matches!(refusal(451, wait, none), DialError::Refused(_)));
        let after = |name: &str| (name == "retry-after").then_some("7");
        let wait = Duration::from_secs(7);
        assert_eq!(refusal(429, Duration::ZERO, after), DialError::RateLimited { status: 429, wait });
    }
}
