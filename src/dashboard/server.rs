//! The server side of the local API: which routes there are, and what each does.
//!
//! It has a thread and a runtime of its own, behind those that trade when the processor is short: however many pages look, no
//! news of a venue waits for them.
//!
//! [`ROUTES`] is the list; the router is made from it, and `openapi.json` says what each takes and answers.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRef, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::archive::{self, Archive, Shelf};
use super::connections::{Door, PATIENCE, Places, Work, at_work};
use super::guard::{Answer, Guard, only_the_operator, only_to_us, refusal};
use super::limits::{self, LimitsAsk};
use super::news::order;
use super::status::StatusSnapshot;
use super::stream::Frames;
use super::vitals::Vitals;
use super::{metrics, page};
use crate::engine::Command;

/// Longest reason or name an operator may give, bytes; it is recorded with the session.
pub(super) const WORDS_MAX: usize = 200;
/// Largest request body, bytes.
const BODY_MAX: usize = 4096;
/// How far the server's thread stands back for those that trade, in steps of `nice`.
const STANDS_BACK: i32 = 5;
/// How long a question about a recording may keep a stopped bot alive.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Every route: method and path, as `openapi.json` writes them.
pub const ROUTES: [(&str, &str); 21] = [
    ("get", "/"),
    ("get", "/assets/{name}"),
    ("get", "/api/status"),
    ("get", "/api/stream"),
    ("get", "/api/history"),
    ("get", "/api/limits"),
    ("get", "/api/sessions"),
    ("get", "/api/sessions/{session}/metrics"),
    ("get", "/api/sessions/{session}/report"),
    ("get", "/api/sessions/{session}/moment"),
    ("get", "/api/sessions/{session}/explain"),
    ("get", "/api/openapi.json"),
    ("get", "/metrics"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("post", "/api/pause"),
    ("post", "/api/resume"),
    ("post", "/api/halt"),
    ("post", "/api/flatten"),
    ("post", "/api/stop"),
    ("post", "/api/limits"),
];

/// Why the API could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else listens there.
    #[error("dashboard.port: {address} is in use by another program")]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("dashboard.bind: cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread for it.
    #[error("the dashboard's thread could not be started: {0}")]
    Thread(io::Error),
}

impl ServeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ServeError::InUse { .. } => {
                "choose another with `--set dashboard.port=8081`, let the system choose with `dashboard.port=0`, or \
                 run with `--no-dashboard`"
            }
            ServeError::Thread(_) => "`papermaker run --no-dashboard` runs without it",
            ServeError::Bind { .. } => "`--set dashboard.bind=127.0.0.1` listens on this machine only, without rights",
        }
    }
}

/// A running API. Ends when the stop signal becomes true or its sender is dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    done: oneshot::Receiver<io::Result<()>>,
}

impl Handle {
    /// Where it listens (the port the system chose, if it was asked for 0).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the last answer is sent.
    pub async fn finished(self) -> io::Result<()> {
        self.done.await.map_err(io::Error::other)?
    }
}

/// Whom the API speaks for.
pub struct Behind {
    /// The latest picture; readers see it at most every 100 ms.
    pub snapshots: watch::Receiver<Arc<StatusSnapshot>>,
    /// Accepted writes, with who asked; the session records them as inputs.
    pub commands: mpsc::Sender<(String, Command)>,
    /// Wishes for other limits, each with the way back.
    pub limits: mpsc::Sender<LimitsAsk>,
    /// From when on `/healthz` says no.
    pub vitals: Vitals,
    /// Recorded sessions, if they may be asked for.
    pub archive: Option<Arc<dyn Archive>>,
    /// True ends the server and every open stream.
    pub stop: watch::Receiver<bool>,
}

/// Opens the local API, on a thread of its own.
pub fn serve(bind: IpAddr, port: u16, token: String, behind: Behind) -> Result<Handle, ServeError> {
    let address = SocketAddr::new(bind, port);
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { address },
        _ => ServeError::Bind { address, source },
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Thread)?;
    let (end, done) = oneshot::channel();
    let work = move || {
        // Where that is not allowed the pages are as quick as everything else.
        let _ = rustix::process::nice(STANDS_BACK);
        let served = runtime.block_on(async move {
            let stop = behind.stop.clone();
            let places = Places::granted();
            let listener = Door::new(tokio::net::TcpListener::from_std(listener)?, places, PATIENCE);
            let router = router(token, behind, places).into_make_service_with_connect_info::<Work>();
            axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).await
        });
        runtime.shutdown_timeout(LAST_ANSWERS);
        // Nobody may be waiting.
        let _ = end.send(served);
    };
    std::thread::Builder::new().name("dashboard".to_owned()).spawn(work).map_err(ServeError::Thread)?;
    Ok(Handle { address, done })
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What every route can reach.
#[derive(Clone)]
struct Reach {
    snapshots: watch::Receiver<Arc<StatusSnapshot>>,
    frames: Frames,
    commands: mpsc::Sender<(String, Command)>,
    limits: mpsc::Sender<LimitsAsk>,
    vitals: Vitals,
    shelf: Shelf,
}

impl FromRef<Reach> for Shelf {
    fn from_ref(door: &Reach) -> Self {
        door.shelf.clone()
    }
}

fn router(token: String, behind: Behind, places: Places) -> Router {
    let Behind { snapshots, commands, limits, vitals, archive, stop } = behind;
    let frames = Frames::follow(snapshots.clone(), stop, places.streams());
    let reach = Reach { snapshots, frames, commands, limits, vitals, shelf: Shelf::new(archive) };
    let guard = Guard::new(token);
    let mut router = Router::new();
    for (method, path) in ROUTES {
        let mut handler = handler(method, path);
        if method == "post" {
            handler = handler.layer(middleware::from_fn_with_state(guard.clone(), only_the_operator));
        }
        router = router.route(path, handler);
    }
    let nothing = || async { refusal(StatusCode::NOT_FOUND, "nothing is here; /api/openapi.json lists what there is") };
    let router = router.fallback(nothing).layer(middleware::from_fn(only_to_us)).layer(DefaultBodyLimit::max(BODY_MAX));
    router.layer(middleware::from_fn(at_work)).with_state(reach)
}

fn handler(method: &str, path: &str) -> MethodRouter<Reach> {
    match (method, path) {
        ("get", "/") => get(page::page),
        ("get", "/assets/{name}") => get(page::asset),
        ("get", "/api/status") => {
            get(|State(door): State<Reach>| async move { Json(StatusSnapshot::clone(&latest(&door))) })
        }
        ("get", "/api/stream") => get(pictures),
        ("get", "/api/history") => get(past),
        ("get", "/api/limits") => get(|State(door): State<Reach>| async move { limits::show(&door.limits).await }),
        ("get", "/api/sessions") => get(archive::list),
        ("get", "/api/sessions/{session}/metrics") => get(archive::metrics),
        ("get", "/api/sessions/{session}/report") => get(archive::report),
        ("get", "/api/sessions/{session}/moment") => get(archive::moment),
        ("get", "/api/sessions/{session}/explain") => get(archive::explain),
        ("get", "/api/openapi.json") => {
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")) })
        }
        ("get", "/metrics") => get(prometheus),
        ("get", "/healthz") => get(health),
        ("get", "/readyz") => get(ready),
        ("post", "/api/pause") => post(|d, b| command(d, b, |_| Command::Pause)),
        ("post", "/api/resume") => post(|d, b| command(d, b, |_| Command::Resume)),
        ("post", "/api/halt") => post(|d, b| command(d, b, halt)),
        ("post", "/api/flatten") => post(|d, b| command(d, b, |_| Command::Flatten)),
        ("post", "/api/stop") => post(|d, b| command(d, b, |_| Command::Stop)),
        ("post", "/api/limits") => {
            post(|State(door): State<Reach>, body| async move { limits::ask(&door.limits, body).await })
        }
        _ => unreachable!("a route without a handler: {method} {path}"),
    }
}

fn latest(door: &Reach) -> Arc<StatusSnapshot> {
    door.snapshots.borrow().clone()
}

async fn prometheus(State(door): State<Reach>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::page(&latest(&door), &door.vitals))
}

/// 200 while the bot is well, 503 with every reason while it is not, or has ended.
async fn health(State(door): State<Reach>) -> Response {
    if door.snapshots.has_changed().is_err() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the session has ended");
    }
    let all = latest(&door);
    let reasons = door.vitals.complaints(&all);
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = serde_json::json!({ "paper": true, "ok": reasons.is_empty(), "state": all.state, "reasons": reasons });
    (status, Json(answer)).into_response()
}

/// 200 once it does its work, 503 with the reason while it does not yet.
async fn ready(State(door): State<Reach>) -> Response {
    let all = latest(&door);
    match Vitals::unready(&all) {
        Some(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, &why),
        None => Json(serde_json::json!({ "paper": true, "ok": true, "state": all.state })).into_response(),
    }
}

/// The last input a reader has seen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    since: Option<u64>,
}

/// The picture now, or those after the last one seen, then each new one.
async fn pictures(State(door): State<Reach>, Query(since): Query<Since>, headers: HeaderMap) -> Response {
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    door.frames.open(header.or(since.since))
}

async fn past(State(door): State<Reach>, Query(since): Query<Since>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], door.frames.past(since.since.unwrap_or(0)))
}

/// What an operator may add to a command; an empty body is fine.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    /// Who asks.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
}

fn halt(reason: Option<&str>) -> Command {
    Command::Halt { reason: reason.unwrap_or("asked by an operator").to_owned() }
}

/// Who, and why, as it is recorded with the input.
pub(super) fn signed(by: Option<String>, reason: Option<&str>) -> Result<String, &'static str> {
    let by = by.filter(|by| !by.trim().is_empty()).unwrap_or_else(|| "operator".to_owned());
    if by.len() > WORDS_MAX || reason.is_some_and(|reason| reason.len() > WORDS_MAX) {
        return Err("`by` and `reason` may be 200 bytes long");
    }
    Ok(match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{by} ({reason})"),
        None => by,
    })
}

async fn command(
    State(door): State<Reach>,
    body: axum::body::Bytes,
    make: impl FnOnce(Option<&str>) -> Command,
) -> Response {
    let words = if body.is_empty() { Ok(Words::default()) } else { serde_json::from_slice::<Words>(&body) };
    let words = match words {
        Ok(words) => words,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, &format!("expected {{\"by\", \"reason\"}} or nothing: {e}")),
    };
    let reason = words.reason.as_deref().filter(|reason| !reason.trim().is_empty());
    let command = make(reason);
    // A halt has a place of its own for its reason.
    let beside = if matches!(command, Command::Halt { .. }) { None } else { reason };
    let by = match signed(words.by.clone(), reason).and(signed(words.by, beside)) {
        Ok(by) => by,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, why),
    };
    let accepted = order(&command);
    match door.commands.try_send((by, command)) {
        Ok(()) => {
            let answer = Answer { paper: true, accepted: Some(accepted), error: None };
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(mpsc::error::TrySendError::Full(_)) => {
            refusal(StatusCode::SERVICE_UNAVAILABLE, "the session has not obeyed the last commands yet; ask again")
        }
        Err(mpsc::error::TrySendError::Closed(_)) => refusal(StatusCode::SERVICE_UNAVAILABLE, "the session has ended"),
    }
}
