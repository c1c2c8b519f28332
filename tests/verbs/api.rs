//! The local API on a real socket, asked by a client that is not ours.

use std::sync::Arc;

use papermaker::dashboard::status::Phase;
use papermaker::dashboard::{self, Behind, Client, Contact, Handle, ServeError, StatusSnapshot, Vitals};
use papermaker::engine::Command;
use papermaker::market::{Instrument, VenueId};
use papermaker::units::{LocalTime, Step};
use tokio::sync::{mpsc, watch};

const TOKEN: &str = "0123456789abcdef";

/// It is ten seconds after the epoch.
const VITALS: Vitals =
    Vitals { feed_stale_ms: 3_000, journal_lag_ms: 500, silent_ms: 2_000, clock: || LocalTime(10_000_000_000) };

/// A server over a picture we hold the pen of.
struct Desk {
    handle: Handle,
    pictures: watch::Sender<Arc<StatusSnapshot>>,
    heard: mpsc::Receiver<(String, Command)>,
    stop: watch::Sender<bool>,
    http: reqwest::Client,
}

impl Desk {
    async fn open() -> Self {
        // Another test of this process may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let step = |text| Step::parse(text).expect("a step");
        let rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001"));
        let first = StatusSnapshot::starting("monday", &[rules.expect("rules")]);
        let (pictures, seen) = watch::channel(Arc::new(first));
        let (commands, heard) = mpsc::channel(2);
        let (stop, stopped) = watch::channel(false);
        let bind = "127.0.0.1".parse().expect("an address");
        let behind = Behind {
            snapshots: seen,
            commands,
            limits: mpsc::channel(1).0,
            vitals: VITALS,
            archive: None,
            stop: stopped,
        };
        let handle = dashboard::serve(bind, 0, TOKEN.to_owned(), behind).expect("a free port");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { handle, pictures, heard, stop, http }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.handle.address())
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.expect("an answer")
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(self.url(path))
    }

    fn draw(&self, seq: u64) {
        self.pictures.send_modify(|picture| Arc::make_mut(picture).seq = seq);
    }
}

async fn status_of(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn everybody_on_this_machine_may_look() {
    let desk = Desk::open().await;
    desk.draw(48_213);
    let status: serde_json::Value = desk.get("/api/status").await.json().await.expect("json");
    assert_eq!(
        (&status["paper"], &status["session"], &status["seq"]),
        (&true.into(), &"monday".into(), &48_213.into())
    );
    let page = desk.get("/").await.text().await.expect("a page");
    assert!(
        page.contains(">PAPER</span>") && !page.contains("https://"),
        "the page must not load anything from elsewhere"
    );
    let metrics = desk.get("/metrics").await.text().await.expect("metrics");
    assert!(metrics.contains("\npapermaker_inputs_total 48213\n"), "{metrics}");
    assert_eq!(desk.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn healthz_says_no_with_every_reason_and_readyz_waits_for_work() {
    let desk = Desk::open().await;
    let well = |picture: &mut StatusSnapshot| {
        picture.at_ns = 9_000_000_000;
        picture.state = Phase::WarmingUp;
        picture.reason = "binance-spot:BTCUSDT: book empty".to_owned();
    };
    desk.pictures.send_modify(|picture| well(Arc::make_mut(picture)));
    assert_eq!(desk.get("/healthz").await.status(), 200);
    let ready = desk.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let why: serde_json::Value = ready.json().await.expect("json");
    assert_eq!(why["error"], "warming_up binance-spot:BTCUSDT: book empty");

    // The disk hangs, and the session with it: its last picture is 4 s old.
    let hangs = |picture: &mut StatusSnapshot| {
        (picture.at_ns, picture.journal.lag_ms, picture.state) = (6_000_000_000, 900, Phase::Quoting);
    };
    desk.pictures.send_modify(|picture| hangs(Arc::make_mut(picture)));
    assert_eq!(desk.get("/readyz").await.status(), 200);
    let answer = desk.get("/healthz").await;
    assert_eq!(answer.status(), 503);
    let said: serde_json::Value = answer.json().await.expect("json");
    let reason = |code: &str, value_ms: i64, limit_ms: i64| serde_json::json!({ "code": code, "whose": "", "value_ms": value_ms, "limit_ms": limit_ms });
    assert_eq!(
        said["reasons"],
        serde_json::json!([reason("SESSION_SILENT", 4_000, 2_000), reason("JOURNAL_LAG", 900, 500)])
    );
    assert!(desk.get("/metrics").await.text().await.expect("metrics").contains("\npapermaker_healthy 0\n"));
}

#[tokio::test]
async fn a_write_needs_the_token_and_becomes_a_command_with_its_author() {
    let mut desk = Desk::open().await;
    assert_eq!(status_of(desk.post("/api/pause")).await, 401);
    assert_eq!(status_of(desk.post("/api/pause").bearer_auth("guess")).await, 401);
    assert!(desk.heard.try_recv().is_err(), "a refused write reached the session");

    assert_eq!(status_of(desk.post("/api/pause").bearer_auth(TOKEN)).await, 202);
    assert_eq!(desk.heard.recv().await, Some(("operator".to_owned(), Command::Pause)));
    let words = r#"{"by":"risk desk","reason":"strange fills"}"#;
    assert_eq!(status_of(desk.post("/api/halt").bearer_auth(TOKEN).body(words)).await, 202);
    let halt = Command::Halt { reason: "strange fills".to_owned() };
    assert_eq!(desk.heard.recv().await, Some(("risk desk".to_owned(), halt)));

    assert_eq!(status_of(desk.post("/api/halt").bearer_auth(TOKEN).body("{\"why\":1}")).await, 400);
    assert_eq!(status_of(desk.http.get(desk.url("/api/halt")).bearer_auth(TOKEN)).await, 405);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_write_even_with_the_token_and_another_name_cannot_even_read() {
    let mut desk = Desk::open().await;
    let with_origin = |origin: &str| desk.post("/api/stop").bearer_auth(TOKEN).header("origin", origin);
    for theirs in ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"] {
        assert_eq!(status_of(with_origin(theirs)).await, 403, "{theirs}");
    }
    let ours = format!("http://{}", desk.handle.address());
    assert_eq!(status_of(with_origin(&ours)).await, 202);
    assert_eq!(desk.heard.recv().await.map(|(_, command)| command), Some(Command::Stop));
    // DNS rebinding: evil.example resolves to 127.0.0.1, the browser sends the name it believes in.
    let rebound = desk.http.get(desk.url("/api/status")).header("host", "evil.example:8080");
    assert_eq!(status_of(rebound).await, 403);
}

#[tokio::test]
async fn a_session_that_does_not_listen_is_not_said_to_have_obeyed() {
    let mut desk = Desk::open().await;
    for expected in [202, 202, 503] {
        assert_eq!(status_of(desk.post("/api/pause").bearer_auth(TOKEN)).await, expected);
    }
    desk.heard.close();
    assert_eq!(status_of(desk.post("/api/pause").bearer_auth(TOKEN)).await, 503);
}

#[tokio::test]
async fn the_stream_shows_the_picture_at_once_then_every_new_one_and_ends_with_the_bot() {
    let desk = Desk::open().await;
    let mut stream = desk.get("/api/stream").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    for seq in [0, 1, 2] {
        desk.draw(seq);
        while !text.contains(&format!("\"seq\":{seq},")) {
            let piece = stream.chunk().await.expect("a living stream").expect("one more picture");
            text.push_str(std::str::from_utf8(&piece).expect("text"));
        }
    }
    // With the stream still open the server must end: an open page may not keep a bot from stopping.
    desk.stop.send(true).expect("listening");
    while let Some(piece) = stream.chunk().await.expect("a clean end") {
        text.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    drop(stream);
    drop(desk.http);
    desk.handle.finished().await.expect("a clean end");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_the_key_and_the_remedy() {
    let desk = Desk::open().await;
    let address = desk.handle.address();
    let (commands, _heard) = mpsc::channel(1);
    let stopped = desk.stop.subscribe();
    let snapshots = desk.pictures.subscribe();
    let behind =
        Behind { snapshots, commands, limits: mpsc::channel(1).0, vitals: VITALS, archive: None, stop: stopped };
    let error = dashboard::serve(address.ip(), address.port(), String::new(), behind).expect_err("taken");
    assert!(matches!(error, ServeError::InUse { .. }) && error.to_string().contains("dashboard.port"), "{error}");
    assert!(error.hint().contains("--set dashboard.port="), "{}", error.hint());
}

#[tokio::test]
async fn the_verbs_client_finds_the_bot_through_its_store() {
    let mut desk = Desk::open().await;
    let store = tempfile::tempdir().expect("a folder");
    let contact = Contact {
        paper: true,
        address: desk.handle.address(),
        token: TOKEN.to_owned(),
        pid: std::process::id(),
        session: "monday".to_owned(),
    };
    contact.write(store.path()).expect("written");
    let client = Client::of_store(store.path()).expect("found");
    assert_eq!(client.status().await.expect("a picture").session, "monday");
    client.command("flatten", "operator", None).await.expect("accepted");
    assert_eq!(desk.heard.recv().await, Some(("operator".to_owned(), Command::Flatten)));
    let lost = desk.get("/api/nothing").await;
    let (status, said) = (lost.status(), lost.text().await.expect("text"));
    assert!(status == 404 && said.contains("/api/openapi.json") && said.starts_with('{'), "{status} {said}");
    // And the real binary, from a thread: it blocks.
    let folder = store.path().to_owned();
    let status = move || super::papermaker(&folder, &["status", "--set", "store.path=."]);
    let ran = tokio::task::spawn_blocking(status).await.expect("ran").exits(0);
    assert!(ran.stdout().starts_with("PAPER monday · STARTING"), "{}", ran.stdout());
}

#[tokio::test]
async fn a_write_says_why_and_a_wild_program_is_told_to_wait_but_a_halt_goes_through() {
    let mut desk = Desk::open().await;
    let words = r#"{"by":"anna","reason":"lunch"}"#;
    assert_eq!(status_of(desk.post("/api/flatten").bearer_auth(TOKEN).body(words)).await, 202);
    assert_eq!(desk.heard.recv().await, Some(("anna (lunch)".to_owned(), Command::Flatten)));
    let too_long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(201));
    assert_eq!(status_of(desk.post("/api/flatten").bearer_auth(TOKEN).body(too_long)).await, 400);

    let mut refused = None;
    for _ in 0..100 {
        let answer = desk.post("/api/resume").bearer_auth(TOKEN).send().await.expect("an answer");
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
        let _ = desk.heard.try_recv();
    }
    let refused = refused.expect("a hundred writes without a pause were all taken");
    let wait: u64 = refused.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=10).contains(&wait), "{wait} s");
    // Whoever has no token uses up nobody's budget, and is told so before anything else.
    assert_eq!(status_of(desk.post("/api/resume").bearer_auth("guess")).await, 401);
    while desk.heard.try_recv().is_ok() {}
    assert_eq!(status_of(desk.post("/api/halt").bearer_auth(TOKEN)).await, 202);
    // What a browser says of a page elsewhere, where it sends no Origin.
    let elsewhere = desk.post("/api/halt").bearer_auth(TOKEN).header("sec-fetch-site", "cross-site");
    assert_eq!(status_of(elsewhere).await, 403);
}

/// Reads a stream until `seq` has gone by; the ids in their order.
async fn ids_up_to(stream: &mut reqwest::Response, seq: u64) -> Vec<u64> {
    let mut text = String::new();
    loop {
        let ids: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
        // The whole event has come once the empty line after it has.
        if ids.contains(&seq) && text.ends_with("\n\n") {
            return ids;
        }
        let piece = stream.chunk().await.expect("a living stream").expect("more to come");
        text.push_str(std::str::from_utf8(&piece).expect("text"));
    }
}

#[tokio::test]
async fn a_page_that_was_away_resumes_where_it_left_and_a_new_one_begins_with_now() {
    let desk = Desk::open().await;
    let mut first = desk.get("/api/stream").await;
    for seq in 1..=5 {
        desk.draw(seq);
        ids_up_to(&mut first, seq).await;
    }
    let again = desk.http.get(desk.url("/api/stream")).header("last-event-id", "2");
    assert_eq!(ids_up_to(&mut again.send().await.expect("a stream"), 5).await, [3, 4, 5]);
    assert_eq!(ids_up_to(&mut desk.get("/api/stream?since=4").await, 5).await, [5]);
    assert_eq!(ids_up_to(&mut desk.get("/api/stream").await, 5).await, [5]);
    assert_eq!(desk.get("/api/stream?from=4").await.status(), 400);
}

#[tokio::test]
async fn a_page_that_does_not_read_holds_up_nobody_and_gets_the_newest_when_it_reads_again() {
    let desk = Desk::open().await;
    let mut stalled = desk.get("/api/stream").await;
    let mut reading = desk.get("/api/stream").await;
    // Pictures too large for what the system keeps for a socket that nobody reads.
    desk.pictures.send_modify(|picture| Arc::make_mut(picture).reason = "x".repeat(1 << 20));
    for seq in 1..=20 {
        desk.draw(seq);
        ids_up_to(&mut reading, seq).await;
    }
    let ids = ids_up_to(&mut stalled, 20).await;
    assert!(ids.len() < 21, "twenty megabytes were kept for a page that does not read: {ids:?}");
}

#[tokio::test]
async fn recordings_are_nobodys_business_without_an_archive_and_the_page_asks_for_what_there_is() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/api/sessions").await.status(), 404);
    let page = desk.get("/").await;
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    let mut wanted = vec![page.text().await.expect("a page")];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(text) = wanted.pop() {
        let names = text.split(['"', '\'']).filter_map(|s| s.strip_prefix("/assets/").or_else(|| s.strip_prefix("./")));
        for name in names.filter(|name| name.ends_with(".js") || name.ends_with(".css")) {
            if seen.insert(name.to_owned()) {
                let asset = desk.get(&format!("/assets/{name}")).await;
                assert_eq!(asset.status(), 200, "{name}");
                wanted.push(asset.text().await.expect("text"));
            }
        }
    }
    assert!(seen.len() > 12 && seen.contains("view.js") && seen.contains("uPlot.js"), "{seen:?}");
    assert_eq!(desk.get("/assets/../server.rs").await.status(), 404);
}
