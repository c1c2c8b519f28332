//! As much of HTTP/1.1 as a public market-data API needs: GET, query strings, keep-alive, and the websocket upgrade.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request's head may be this long: Binance takes a thousand streams in one URL.
const HEAD_MAX: usize = 64 * 1024;

/// The head of a request.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    version_1_0: bool,
}

impl Head {
    /// A header's value; names in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A query parameter's value, if it is not empty.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// The key of a websocket upgrade, if this is one.
    pub fn websocket_key(&self) -> Option<&str> {
        let upgrade = self.header("upgrade")?;
        if upgrade.eq_ignore_ascii_case("websocket") { self.header("sec-websocket-key") } else { None }
    }

    /// Whether the connection ends with the reply.
    pub fn wants_close(&self) -> bool {
        let says = |word| self.header("connection").is_some_and(|v| v.eq_ignore_ascii_case(word));
        // Bodies are not read, so whatever follows one cannot be understood.
        let has_body =
            self.header("content-length").is_some_and(|n| n != "0") || self.header("transfer-encoding").is_some();
        says("close") || has_body || (self.version_1_0 && !says("keep-alive"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pair = |p: &str| {
            let (name, value) = p.split_once('=').unwrap_or((p, ""));
            (unescape(name), unescape(value))
        };
        let header = |l: &str| l.split_once(':').map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned()));
        Some(Self {
            method: method.to_owned(),
            path: unescape(path),
            query: query.split('&').filter(|p| !p.is_empty()).map(pair).collect(),
            headers: lines.filter(|l| !l.is_empty()).map(header).collect::<Option<_>>()?,
            version_1_0: version == "HTTP/1.0",
        })
    }
}

/// `%41` and `+` to what they stand for; anything broken stays as it is.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[i], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads the next head; `None` if the peer is gone or does not speak HTTP. What followed it stays in `buffer`.
pub(super) async fn read_head(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Head> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).ok().and_then(Head::parse);
            buffer.drain(..end + 4);
            return head;
        }
        if buffer.len() > HEAD_MAX || socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A reply with a JSON body.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub body: String,
    /// Request weight used in this minute.
    pub weight: u32,
    /// Seconds of silence asked for.
    pub retry_after_s: Option<u64>,
}

impl Reply {
    pub fn ok(body: String) -> Self {
        Self { status: 200, body, weight: 0, retry_after_s: None }
    }

    /// An error in the venue's shape.
    pub fn error(status: u16, code: i32, message: &str) -> Self {
        let body = serde_json::json!({ "code": code, "msg": message }).to_string();
        Self { status, body, weight: 0, retry_after_s: None }
    }

    pub async fn write(&self, socket: &mut TcpStream, close: bool) -> std::io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            429 => "Too Many Requests",
            _ => "Service Unavailable",
        };
        let retry = self.retry_after_s.map(|s| format!("Retry-After: {s}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: {}\r\n\
             X-MBX-USED-WEIGHT: {w}\r\nX-MBX-USED-WEIGHT-1M: {w}\r\n{retry}Connection: {}\r\n\r\n",
            self.status,
            self.body.len(),
            if close { "close" } else { "keep-alive" },
            w = self.weight,
        );
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(self.body.as_bytes()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_up_its_path_parameters_and_upgrade() {
        let head = Head::parse(
            "GET /stream?streams=btcusdt%40trade/ethusdt@depth&timeUnit=MICROSECOND HTTP/1.1\r\nHost: x\r\n\
             Upgrade: WebSocket\r\nSec-WebSocket-Key: abc=\r\nConnection: Upgrade\r\n",
        )
        .unwrap();
        assert_eq!(head.path, "/stream");
        assert_eq!(head.param("streams"), Some("btcusdt@trade/ethusdt@depth"));
        assert_eq!(head.websocket_key(), Some("abc="));
        assert!(!head.wants_close());
        assert_eq!(unescape("%5B%22A%22%5D+%zz%"), "[\"A\"] %zz%");
        assert!(Head::parse("GARBAGE").is_none());
    }
}
