//! The fake venue and the readers of recordings, tested before anything is tested with them.

mod captures;
mod dialects;
mod faults;
mod houses;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use papermaker::market::VenueId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::captures::rebuilt::Rebuilt;
use crate::support::fake::Fake;

/// Longest that anything here may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How one venue is talked to: a path, what to say, and the topics that this comes to for its first instrument.
struct Manual {
    id: VenueId,
    path: &'static str,
    say: &'static [&'static str],
    symbol: &'static str,
    book: &'static str,
    trade: &'static str,
    /// Levels a side that the book topic keeps one informed of.
    window: usize,
}

const MANUALS: [Manual; 10] = [
    Manual {
        id: VenueId::BinanceSpot,
        path: "/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker",
        say: &[],
        symbol: "BTCUSDT",
        book: "btcusdt@depth@100ms",
        trade: "btcusdt@trade",
        window: usize::MAX,
    },
    Manual {
        id: VenueId::BinanceUsdm,
        path: "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker",
        say: &[],
        symbol: "BTCUSDT",
        book: "btcusdt@depth@100ms",
        trade: "",
        window: usize::MAX,
    },
    Manual {
        id: VenueId::BinanceCoinm,
        path: "/stream",
        say: &[r#"{"method":"SUBSCRIBE","params":["btcusd_perp@depth@100ms"],"id":1}"#],
        symbol: "BTCUSD_PERP",
        book: "btcusd_perp@depth@100ms",
        trade: "",
        window: usize::MAX,
    },
    Manual {
        id: VenueId::BybitSpot,
        path: "/v5/public/spot",
        say: &[r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT","orderbook.1.BTCUSDT","publicTrade.BTCUSDT"]}"#],
        symbol: "BTCUSDT",
        book: "orderbook.50.BTCUSDT",
        trade: "publicTrade.BTCUSDT",
        window: 50,
    },
    Manual {
        id: VenueId::BybitLinear,
        path: "/v5/public/linear",
        say: &[r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT","tickers.BTCUSDT","publicTrade.BTCUSDT"]}"#],
        symbol: "BTCUSDT",
        book: "orderbook.50.BTCUSDT",
        trade: "publicTrade.BTCUSDT",
        window: 50,
    },
    Manual {
        id: VenueId::Okx,
        path: "/ws/v5/public",
        say: &[
            r#"{"id":"1","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"},{"channel":"trades","instId":"BTC-USDT-SWAP"},{"channel":"mark-price","instId":"BTC-USDT-SWAP"},{"channel":"instruments","instType":"SWAP"}]}"#,
        ],
        symbol: "BTC-USDT-SWAP",
        book: "books BTC-USDT-SWAP",
        trade: "trades BTC-USDT-SWAP",
        window: 400,
    },
    Manual {
        id: VenueId::Coinbase,
        path: "/",
        say: &[
            r#"{"type":"subscribe","channel":"heartbeats"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}"#,
        ],
        symbol: "BTC-USD",
        book: "level2 BTC-USD",
        trade: "market_trades BTC-USD",
        window: usize::MAX,
    },
    Manual {
        id: VenueId::Kraken,
        path: "/v2",
        say: &[
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":1}"#,
            r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false},"req_id":2}"#,
            r#"{"method":"subscribe","params":{"channel":"instrument"},"req_id":3}"#,
        ],
        symbol: "BTC/USD",
        book: "book 10 BTC/USD",
        trade: "trade BTC/USD",
        window: 10,
    },
    Manual {
        id: VenueId::Hyperliquid,
        path: "/ws",
        say: &[
            r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}"#,
        ],
        symbol: "BTC",
        book: r#"{"coin":"BTC","type":"l2Book"}"#,
        trade: r#"{"coin":"BTC","type":"trades"}"#,
        window: 20,
    },
    Manual {
        id: VenueId::Deribit,
        path: "/ws/api/v2",
        say: &[
            r#"{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["book.BTC-PERPETUAL.100ms","trades.BTC-PERPETUAL.100ms","quote.BTC-PERPETUAL","ticker.BTC-PERPETUAL.100ms"]}}"#,
        ],
        symbol: "BTC-PERPETUAL",
        book: "book.BTC-PERPETUAL.100ms",
        trade: "trades.BTC-PERPETUAL.100ms",
        window: usize::MAX,
    },
];

fn manual(id: VenueId) -> &'static Manual {
    MANUALS.iter().find(|manual| manual.id == id).expect("a manual for every venue")
}

/// A plain client: a websocket, and what it has heard.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: Vec<Message>,
}

impl Client {
    async fn connect(fake: &Fake, path: &str) -> Result<Self, Error> {
        let (socket, _) = connect_async(format!("{}{path}", fake.ws_url())).await?;
        Ok(Self { socket, heard: Vec::new() })
    }

    /// Connected, and everything in the manual said and obeyed.
    async fn following(fake: &Fake) -> Self {
        let manual = manual(fake.id());
        let before = fake.stats();
        let mut client = Self::connect(fake, manual.path).await.expect("a venue that listens");
        for text in manual.say {
            client.say(text).await;
        }
        let obeyed = fake
            .wait(PATIENCE, |fake| fake.stats().subscriptions(manual.book) > before.subscriptions(manual.book))
            .await;
        assert!(obeyed, "{}: {:?}", fake.id(), fake.stats());
        let all = fake.wait(PATIENCE, |fake| fake.stats().heard.len() >= before.heard.len() + manual.say.len()).await;
        assert!(all, "{}: not everything was heard", fake.id());
        client
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("a socket that takes it");
    }

    /// The next message, whatever it is.
    async fn next(&mut self) -> Result<Message, String> {
        match timeout(PATIENCE, self.socket.next()).await {
            Ok(Some(Ok(message))) => Ok(message),
            Ok(Some(Err(error))) => Err(error.to_string()),
            Ok(None) => Err("end".to_owned()),
            Err(_) => panic!("nothing came; before that: {:?}", self.heard.last()),
        }
    }

    /// Every text up to a ping that the venue sends now, behind all that waits before it.
    async fn drain(&mut self, fake: &Fake) -> Vec<String> {
        // Others that drain do so by other words, for a ping goes to everybody.
        static DRAINS: AtomicUsize = AtomicUsize::new(0);
        let word = format!("drain {}", DRAINS.fetch_add(1, SeqCst));
        fake.ping(word.as_bytes());
        let mut texts = Vec::new();
        loop {
            match self.next().await.expect("a live socket") {
                Message::Text(text) => texts.push(text.to_string()),
                Message::Ping(payload) if payload.as_ref() == word.as_bytes() => return texts,
                other => self.heard.push(other),
            }
        }
    }

    /// The next text in which a word stands; what came before is forgotten.
    async fn until(&mut self, word: &str) -> String {
        loop {
            if let Message::Text(text) = self.next().await.expect("a live socket")
                && text.contains(word)
            {
                return text.to_string();
            }
        }
    }
}

/// Reads to the end of what was told so far and puts it together.
async fn follow(client: &mut Client, fake: &Fake, rebuilt: &mut Rebuilt) {
    for text in client.drain(fake).await {
        rebuilt.hear(&text);
    }
}

/// A book followed from the first message on, over REST where the venue begins it there.
async fn in_step(fake: &Fake) -> (Client, Rebuilt) {
    let manual = manual(fake.id());
    let mut client = Client::following(fake).await;
    let mut rebuilt = Rebuilt::new(fake.id(), manual.window);
    fake.play(20);
    follow(&mut client, fake, &mut rebuilt).await;
    let depth = match fake.id() {
        VenueId::BinanceSpot => Some("/api/v3/depth?limit=5000&symbol="),
        VenueId::BinanceUsdm => Some("/fapi/v1/depth?limit=1000&symbol="),
        VenueId::BinanceCoinm => Some("/dapi/v1/depth?limit=1000&symbol="),
        _ => None,
    };
    if let Some(path) = depth {
        let (status, body) = rest(fake, &format!("{path}{}", manual.symbol), None).await;
        assert_eq!(status, 200, "{body}");
        rebuilt.fetched(manual.symbol, &body);
    }
    (client, rebuilt)
}

/// `GET` or, with a body, `POST`; status and body.
async fn rest(fake: &Fake, path: &str, body: Option<&str>) -> (u16, String) {
    let client = papermaker_client();
    let url = format!("{}{path}", fake.rest_url());
    let request = match body {
        None => client.get(url),
        Some(body) => client.post(url).body(body.to_owned()),
    };
    let reply = request.send().await.expect("an answer");
    (reply.status().as_u16(), reply.text().await.expect("a body"))
}

fn papermaker_client() -> reqwest::Client {
    // Several tests do this; the first one wins.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}
