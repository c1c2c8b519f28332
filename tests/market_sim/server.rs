//! The simulated exchange over real sockets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use papermaker::market::{Book, Extent, Level};
use papermaker::sim::server::{ServerHandle, SimError, serve};
use papermaker::sim::{SimSpec, World, WorldEventKind};
use papermaker::units::{Lots, Nanos, Side, Step, Ticks};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

const SEED: u64 = 42;

/// A story told to a running exchange; no story takes longer than half a minute, however busy the machine.
pub fn with_exchange<F: Future<Output = ()>>(speed: f64, story: impl FnOnce(SocketAddr) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let handle = open(speed, stopped).await;
        tokio::time::timeout(Duration::from_secs(30), story(handle.addr)).await.expect("the story ends in time");
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), handle.finished()).await.expect("the exchange closes in time");
    });
}

async fn open(speed: f64, stop: watch::Receiver<bool>) -> ServerHandle {
    serve("127.0.0.1:0".parse().unwrap(), SimSpec::default(), SEED, speed, stop).await.unwrap()
}

/// GET over a plain socket: status and body.
async fn get(at: SocketAddr, path: &str) -> (u16, Value) {
    let mut socket = TcpStream::connect(at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn listen(at: SocketAddr, path: &str) -> Socket {
    connect_async(format!("ws://{at}{path}")).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.expect("the venue is still there").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn id(v: &Value, key: &str) -> u64 {
    v[key].as_u64().unwrap_or_else(|| panic!("no {key} in {v}"))
}

/// Levels in BTCUSDT's ticks and lots.
fn levels(v: &Value) -> Vec<Level> {
    let (tick, lot) = (Step::parse("0.10").unwrap(), Step::parse("0.00001").unwrap());
    let count = |step: Step, v: &Value| {
        let text = v.as_str().unwrap();
        assert_eq!(text.split_once('.').unwrap().1.len(), 8, "{text} is padded to eight places");
        step.count(text.parse().unwrap()).unwrap()
    };
    let level = |l: &Value| Level { price: Ticks(count(tick, &l[0])), qty: Lots(count(lot, &l[1])) };
    v.as_array().unwrap().iter().map(level).collect()
}

/// The book of the same world in this process, just after change `update`.
pub fn true_book(symbol: u16, update: u64) -> Book {
    let (mut world, mut events, mut book) = (World::new(SEED, &SimSpec::default()), Vec::new(), Book::new());
    let side = |s| world.engine(symbol).levels(s).collect::<Vec<_>>();
    book.apply_snapshot(world.update(symbol), &side(Side::Bid), &side(Side::Ask), Extent::All);
    for second in 1.. {
        world.advance(Nanos::from_s(second), &mut events);
        for e in events.drain(..).filter(|e| e.symbol == symbol && e.update <= update) {
            if let WorldEventKind::Level { side, price, qty } = e.kind {
                book.set(side, price, qty);
            }
        }
        if world.update(symbol) >= update {
            break;
        }
    }
    book
}

#[test]
fn snapshot_and_diffs_add_up_to_the_worlds_own_book() {
    with_exchange(20.0, |at| async move {
        let mut socket = listen(at, "/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker").await;
        // The recipe of venues/binance_spot.md §5: buffer first, then the snapshot, then bridge.
        let first = loop {
            let frame = next(&mut socket).await;
            if frame["stream"] == "btcusdt@depth@100ms" {
                break frame["data"].clone();
            }
        };
        let (status, snapshot) = get(at, "/api/v3/depth?symbol=BTCUSDT&limit=5000").await;
        assert_eq!(status, 200);
        let last_id = id(&snapshot, "lastUpdateId");
        assert!(last_id + 1 >= id(&first, "U"), "a snapshot is never older than the stream");
        let mut book = Book::new();
        book.apply_snapshot(last_id, &levels(&snapshot["bids"]), &levels(&snapshot["asks"]), Extent::All);
        let (mut previous, mut bridged, mut checked, mut tickers) = (id(&first, "u"), false, 0, Vec::new());
        while checked < 40 {
            let frame = next(&mut socket).await;
            let data = &frame["data"];
            if frame["stream"] == "btcusdt@bookTicker" {
                tickers.push(data.clone());
                continue;
            }
            assert_eq!((&data["e"], &data["s"]), (&json!("depthUpdate"), &json!("BTCUSDT")));
            assert_eq!(id(data, "U"), previous + 1, "ids have no holes");
            assert_eq!(id(data, "E") % 100, previous_phase(&first), "one frame every 100 ms of the venue's time");
            previous = id(data, "u");
            if previous <= last_id {
                continue;
            }
            assert!(bridged || id(data, "U") <= last_id + 1, "the snapshot bridges into the stream");
            bridged = true;
            book.apply_delta(previous, &levels(&data["b"]), &levels(&data["a"]));
            checked += 1;
            // The last ticker at or before this frame is its top of book.
            if let Some(t) = tickers.iter().rfind(|t| id(t, "u") <= previous) {
                let top = [json!([[t["b"], t["B"]]]), json!([[t["a"], t["A"]]])];
                assert_eq!(book.best(Side::Bid), levels(&top[0]).first().copied());
                assert_eq!(book.best(Side::Ask), levels(&top[1]).first().copied());
            }
        }
        assert!(tickers.len() > 20, "{} tickers", tickers.len());
        assert!(tickers.windows(2).all(|w| id(&w[0], "u") < id(&w[1], "u")));
        let truth = true_book(0, previous);
        for side in Side::BOTH {
            let (found, expected): (Vec<_>, Vec<_>) = (book.levels(side).collect(), truth.levels(side).collect());
            assert_eq!(found, expected, "{side:?}");
        }
    });
}

/// Event times of diffs all lie on one grid.
fn previous_phase(first: &Value) -> u64 {
    id(first, "E") % 100
}

#[test]
fn trades_are_consecutive_and_name_the_side_that_rested() {
    with_exchange(20.0, |at| async move {
        let mut socket = listen(at, "/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@depth20@100ms").await;
        let (mut trades, mut aggregates, mut partials) = (Vec::<Value>::new(), Vec::<Value>::new(), 0);
        while trades.len() < 60 || partials < 5 {
            let frame = next(&mut socket).await;
            let data = frame["data"].clone();
            match frame["stream"].as_str().unwrap() {
                "btcusdt@trade" => trades.push(data),
                "btcusdt@aggTrade" => aggregates.push(data),
                "btcusdt@depth20@100ms" => {
                    assert_eq!((levels(&data["bids"]).len(), levels(&data["asks"]).len()), (20, 20));
                    partials += 1;
                }
                other => panic!("{other} was not asked for"),
            }
        }
        assert!(trades.windows(2).all(|w| id(&w[0], "t") + 1 == id(&w[1], "t")));
        assert!(
            aggregates.windows(2).all(|w| id(&w[0], "a") + 1 == id(&w[1], "a") && id(&w[0], "l") + 1 == id(&w[1], "f"))
        );
        // The same trades in a world of the same seed.
        let (mut world, mut events) = (World::new(SEED, &SimSpec::default()), Vec::new());
        let last = id(trades.last().unwrap(), "t");
        let mut checked = 0;
        'world: for second in 1.. {
            world.advance(Nanos::from_s(second), &mut events);
            for e in events.drain(..).filter(|e| e.symbol == 0) {
                let WorldEventKind::Trade { id: t, taker, price, qty, .. } = e.kind else { continue };
                if let Some(told) = trades.iter().find(|v| id(v, "t") == t) {
                    let level = &levels(&json!([[told["p"], told["q"]]]))[0];
                    assert_eq!((level.price, level.qty), (price, qty));
                    assert_eq!(told["m"], json!(taker == Side::Ask), "m: the buyer is the maker");
                    checked += 1;
                }
                if t >= last {
                    break 'world;
                }
            }
        }
        assert_eq!(checked, trades.len());
        let (status, tape) = get(at, "/api/v3/trades?symbol=BTCUSDT&limit=10").await;
        assert_eq!((status, tape.as_array().unwrap().len()), (200, 10));
    });
}

#[test]
fn the_rest_api_answers_and_refuses_as_the_venue_does() {
    with_exchange(1.0, |at| async move {
        assert_eq!(get(at, "/api/v3/ping").await, (200, json!({})));
        assert!(id(&get(at, "/api/v3/time").await.1, "serverTime") > 1_700_000_000_000);
        let (status, info) = get(at, "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%5D").await;
        assert_eq!((status, info["symbols"].as_array().unwrap().len()), (200, 1));
        let symbol = &info["symbols"][0];
        assert_eq!((&symbol["symbol"], &symbol["status"]), (&json!("BTCUSDT"), &json!("TRADING")));
        let filters = symbol["filters"].as_array().unwrap();
        let filter = |name: &str| filters.iter().find(|f| f["filterType"] == name).unwrap();
        assert_eq!(filter("PRICE_FILTER")["tickSize"], "0.10000000");
        assert_eq!(filter("LOT_SIZE")["stepSize"], "0.00001000");
        assert_eq!(filter("NOTIONAL")["minNotional"], "5.00000000");
        assert_eq!(get(at, "/api/v3/exchangeInfo").await.1["symbols"].as_array().unwrap().len(), 2);
        let invalid = (400, json!({ "code": -1121, "msg": "Invalid symbol." }));
        for path in ["exchangeInfo?symbol=NOPEUSDT", "depth?symbol=NOPEUSDT", "trades?symbol=btcusdt"] {
            assert_eq!(get(at, &format!("/api/v3/{path}")).await, invalid, "{path}");
        }
        assert_eq!(get(at, "/api/v3/depth").await.1["code"], -1102);
        assert_eq!(get(at, "/api/v3/depth?symbol=BTCUSDT&limit=x").await.1["code"], -1100);
        assert_eq!(get(at, "/api/v9/depth").await.0, 404);
        // Twenty-four full snapshots are 6000 of weight; what was used before makes the last one too many.
        let mut last = (200, Value::Null);
        for _ in 0..24 {
            last = get(at, "/api/v3/depth?symbol=BTCUSDT&limit=5000").await;
        }
        assert_eq!((last.0, &last.1["code"]), (429, &json!(-1003)));
    });
}

#[test]
fn subscriptions_come_and_go_in_the_middle_of_a_connection() {
    with_exchange(5.0, |at| async move {
        let mut socket = listen(at, "/ws").await;
        let say = |v: Value| Message::Text(v.to_string().into());
        let subscribe = json!({ "method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms", "nosuch@trade"], "id": 1 });
        socket.send(say(subscribe)).await.unwrap();
        assert_eq!(
            next(&mut socket).await,
            json!({ "result": null, "id": 1 }),
            "even an unknown symbol is acknowledged"
        );
        assert_eq!(next(&mut socket).await["e"], "depthUpdate", "not wrapped on /ws");
        socket.send(say(json!({ "method": "LIST_SUBSCRIPTIONS", "id": "list" }))).await.unwrap();
        let list = answer(&mut socket).await;
        let names: BTreeSet<&str> = list["result"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(names, BTreeSet::from(["btcusdt@depth@100ms", "nosuch@trade"]));
        socket.send(say(json!({ "method": "UNSUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 3 }))).await.unwrap();
        assert_eq!(answer(&mut socket).await, json!({ "result": null, "id": 3 }));
        socket.send(Message::Text("{not json".into())).await.unwrap();
        assert_eq!(next(&mut socket).await["code"], 3, "and nothing else came in between");
        // The sixth message within a second is one too many; the venue may be slow, so a few more make sure.
        for i in 0..20 {
            let list = say(json!({ "method": "LIST_SUBSCRIPTIONS", "id": i }));
            if socket.send(list).await.is_err() {
                break;
            }
        }
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                assert_eq!(frame.unwrap().reason.as_str(), "Too many requests");
                return;
            }
        }
    });
}

/// The next frame that answers a request.
async fn answer(socket: &mut Socket) -> Value {
    loop {
        let frame = next(socket).await;
        if frame.get("id").is_some() {
            return frame;
        }
    }
}

#[test]
fn who_does_not_read_is_cut_off_and_nobody_else_notices() {
    with_exchange(2000.0, |at| async move {
        // A socket with a tiny ear that asks for everything and never reads it.
        let raw = TcpSocket::new_v4().unwrap();
        raw.set_recv_buffer_size(4096).unwrap();
        let raw = raw.connect(at).await.unwrap();
        let streams = "btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker/ethusdt@bookTicker/ethusdt@depth20@100ms";
        let request = format!("ws://{at}/stream?streams={streams}").into_client_request().unwrap();
        let (mut deaf, _) = client_async(request, raw).await.unwrap();
        let mut reader = listen(at, "/ws/btcusdt@depth@100ms").await;
        let mut previous = None;
        // Ten simulated minutes, thousands of frames more than the deaf one's queue and buffers hold.
        for _ in 0..6000 {
            let frame = next(&mut reader).await;
            assert!(previous.is_none_or(|p| id(&frame, "U") == p + 1), "the reader misses nothing");
            previous = Some(id(&frame, "u"));
        }
        // The deaf one finds the end of the stream behind what the buffers held, without a goodbye.
        let mut read = 0;
        while let Some(Ok(_)) = deaf.next().await {
            read += 1;
        }
        assert!(read < 20_000, "{read} frames were kept for somebody who did not read");
    });
}

#[test]
fn who_speaks_nonsense_is_hung_up_on_and_the_venue_lives() {
    with_exchange(1.0, |at| async move {
        let upgrade = "GET /nowhere HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
        let keyless = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        let frames =
            format!("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n{}", "\u{7f}".repeat(30));
        let endless = "x".repeat(100_000);
        for nonsense in ["\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n", upgrade, keyless, &frames, &endless] {
            let mut socket = TcpStream::connect(at).await.unwrap();
            // It may hang up before we have said everything.
            let _ = socket.write_all(nonsense.as_bytes()).await;
            let mut reply = Vec::new();
            let _ = socket.read_to_end(&mut reply).await;
            assert!(!reply.starts_with(b"HTTP/1.1 200"));
        }
        assert_eq!(get(at, "/api/v3/ping").await, (200, json!({})));
    });
}

#[test]
fn a_goodbye_is_answered() {
    with_exchange(5.0, |at| async move {
        let mut socket = listen(at, "/ws/btcusdt@bookTicker").await;
        next(&mut socket).await;
        socket.close(None).await.unwrap();
        let mut answered = false;
        while let Some(message) = socket.next().await {
            answered |= message.expect("a closing handshake, not a broken line").is_close();
        }
        assert!(answered);
    });
}

#[test]
fn microseconds_are_given_to_those_who_ask() {
    with_exchange(5.0, |at| async move {
        let mut socket = listen(at, "/ws/btcusdt@depth@100ms?timeUnit=MICROSECOND").await;
        assert!(id(&next(&mut socket).await, "E") > 1_700_000_000_000_000);
    });
}

#[test]
fn a_port_in_use_is_named_and_so_is_a_speed_that_is_none() {
    with_exchange(1.0, |at| async move {
        let stop = watch::channel(false).1;
        let error = serve(at, SimSpec::default(), 1, 1.0, stop.clone()).await.unwrap_err();
        assert!(matches!(error, SimError::PortInUse { listen } if listen == at));
        assert!(error.to_string().contains(&at.to_string()) && error.to_string().contains("choose another port"));
        let any = "127.0.0.1:0".parse().unwrap();
        assert!(matches!(serve(any, SimSpec::default(), 1, 0.0, stop.clone()).await, Err(SimError::Speed(_))));
        let empty = SimSpec { market: Vec::new(), ..SimSpec::default() };
        assert!(matches!(serve(any, empty, 1, 1.0, stop).await, Err(SimError::Spec(_))));
    });
}

#[test]
fn a_closing_venue_says_goodbye() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let handle = open(1.0, stopped).await;
        let mut socket = listen(handle.addr, "/stream?streams=btcusdt@depth@100ms").await;
        next(&mut socket).await;
        stop.send(true).unwrap();
        let mut words = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            words.push(message);
        }
        let announced = words.iter().any(|m| matches!(m, Message::Text(t) if t.contains("serverShutdown")));
        let closed = words.iter().any(|m| matches!(m, Message::Close(Some(_))));
        assert!(announced && closed, "{words:?}");
        tokio::time::timeout(Duration::from_secs(10), handle.finished()).await.unwrap();
    });
}
