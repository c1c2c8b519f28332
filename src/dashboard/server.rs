//! The server side of the local API.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::limits::LimitsAsk;
use super::metrics;
use super::status::StatusSnapshot;
use super::vitals::Vitals;
use crate::engine::Command;

/// Shortest time between two pictures on the stream: five a second, what eyes follow.
const PICTURE_EVERY: Duration = Duration::from_millis(200);
/// Longest reason or name an operator may give, bytes; it is recorded with the session.
pub(super) const WORDS_MAX: usize = 200;
/// Largest request body, bytes.
const BODY_MAX: usize = 4096;

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
}

impl ServeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ServeError::InUse { .. } => {
                "choose another with `--set dashboard.port=8081`, let the system choose with `dashboard.port=0`, or \
                 run with `--no-dashboard`"
            }
            ServeError::Bind { .. } => "`--set dashboard.bind=127.0.0.1` listens on this machine only, without rights",
        }
    }
}

/// A running API. Ends when the stop signal becomes true or its sender is dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

impl Handle {
    /// Where it listens (the port the system chose, if it was asked for 0).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the last answer is sent.
    pub async fn finished(self) -> io::Result<()> {
        self.task.await.map_err(io::Error::other)?
    }
}

/// Opens the local API.
///
/// * `snapshots` — the latest picture; readers see it at most every 200 ms
/// * `commands` — accepted writes, with who asked; the session records them as inputs
/// * `limits` — wishes for other limits, each with the way back
/// * `vitals` — from when on `/healthz` says no
/// * `stop` — true ends the server and every open stream
#[expect(clippy::too_many_arguments, reason = "each is another end of the bot, named where it is tied up")]
pub async fn serve(
    bind: IpAddr,
    port: u16,
    token: String,
    snapshots: watch::Receiver<Arc<StatusSnapshot>>,
    commands: mpsc::Sender<(String, Command)>,
    limits: mpsc::Sender<LimitsAsk>,
    vitals: Vitals,
    stop: watch::Receiver<bool>,
) -> Result<Handle, ServeError> {
    let address = SocketAddr::new(bind, port);
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { address },
        _ => ServeError::Bind { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let door = Door { token: token.into(), snapshots, commands, vitals, stop: stop.clone() };
    let app = routes(door, limits);
    let task = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped(stop)).await });
    Ok(Handle { address, task })
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[derive(Clone)]
struct Door {
    token: Arc<str>,
    snapshots: watch::Receiver<Arc<StatusSnapshot>>,
    commands: mpsc::Sender<(String, Command)>,
    vitals: Vitals,
    stop: watch::Receiver<bool>,
}

fn routes(door: Door, limits: mpsc::Sender<LimitsAsk>) -> Router {
    let ask_limits = post(super::limits::ask).with_state(limits.clone());
    let writes = Router::new()
        .route("/api/limits", ask_limits)
        .route("/api/pause", post(|d, b| command(d, b, |why| without(why, Command::Pause))))
        .route("/api/resume", post(|d, b| command(d, b, |why| without(why, Command::Resume))))
        .route("/api/halt", post(|d, b| command(d, b, |why| Ok(halt(why)))))
        .route("/api/flatten", post(|d, b| command(d, b, |why| without(why, Command::Flatten))))
        .route("/api/stop", post(|d, b| command(d, b, |why| without(why, Command::Stop))))
        .route_layer(middleware::from_fn_with_state(door.clone(), only_the_operator));
    Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route(
            "/api/status",
            get(|State(door): State<Door>| async move { Json(StatusSnapshot::clone(&latest(&door))) }),
        )
        .route("/api/limits", get(super::limits::show).with_state(limits))
        .route("/api/stream", get(pictures))
        .route("/metrics", get(prometheus))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .merge(writes)
        .layer(middleware::from_fn(only_to_us))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .with_state(door)
}

/// What every answer that is not a picture looks like.
#[derive(Serialize)]
struct Answer {
    paper: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn refusal(status: StatusCode, why: &str) -> Response {
    (status, Json(Answer { paper: true, accepted: None, error: Some(why.to_owned()) })).into_response()
}

/// A web page may point its own name at our address and read us with the visitor's browser; it cannot choose the
/// `Host` its browser sends. So only an address or `localhost` is answered. Nothing may frame or cache us either.
async fn only_to_us(request: Request, next: Next) -> Response {
    let host = text_of(request.headers(), header::HOST);
    if !host.is_some_and(is_address_or_localhost) {
        return refusal(StatusCode::FORBIDDEN, "Host must be an IP address or localhost");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// Writes need the token, and may not come from a page of another origin even with it.
async fn only_the_operator(State(door): State<Door>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = text_of(headers, header::HOST).unwrap_or_default();
        let ours = origin.to_str().ok().and_then(|o| o.strip_prefix("http://")) == Some(host);
        if !ours {
            return refusal(StatusCode::FORBIDDEN, "writes from a page of another origin are refused");
        }
    }
    let given = text_of(headers, header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
    if !given.is_some_and(|given| same_secret(given, &door.token)) {
        let why = "this needs the token in <store>/api.json, as `Authorization: Bearer TOKEN`";
        let mut response = refusal(StatusCode::UNAUTHORIZED, why);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return response;
    }
    next.run(request).await
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_address_or_localhost(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// Compares digests, so that the time taken says nothing about how much of the token was right.
fn same_secret(given: &str, token: &str) -> bool {
    blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes())
}

fn latest(door: &Door) -> Arc<StatusSnapshot> {
    door.snapshots.borrow().clone()
}

async fn prometheus(State(door): State<Door>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::page(&latest(&door), &door.vitals))
}

/// 200 while the bot is well, 503 with every reason while it is not, or has ended.
async fn health(State(door): State<Door>) -> Response {
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
async fn ready(State(door): State<Door>) -> Response {
    let all = latest(&door);
    match Vitals::unready(&all) {
        Some(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, &why),
        None => Json(serde_json::json!({ "paper": true, "ok": true, "state": all.state })).into_response(),
    }
}

/// The picture now, then each new one, at most every [`PICTURE_EVERY`].
async fn pictures(State(mut door): State<Door>) -> impl IntoResponse {
    door.snapshots.mark_changed();
    let mut clock = tokio::time::interval(PICTURE_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = stream::unfold((door, clock), |(mut door, mut clock)| async move {
        clock.tick().await;
        let picture = tokio::select! {
            changed = door.snapshots.changed() => { changed.ok()?; latest(&door) }
            () = stopped(door.stop.clone()) => return None,
        };
        // The picture was taken above; what changed since then is the next event.
        let event = Event::default().json_data(&*picture).expect("a picture is plain data");
        Some((Ok::<_, Infallible>(event), (door, clock)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(5)))
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

fn halt(reason: Option<String>) -> Command {
    Command::Halt { reason: reason.unwrap_or_else(|| "asked by an operator".to_owned()) }
}

/// Only a halt has a place for its reason in the record; what would be lost is not taken.
fn without(reason: Option<String>, command: Command) -> Result<Command, &'static str> {
    if reason.is_none() { Ok(command) } else { Err("only a halt records a reason") }
}

async fn command(
    State(door): State<Door>,
    body: axum::body::Bytes,
    make: impl FnOnce(Option<String>) -> Result<Command, &'static str>,
) -> Response {
    let words = if body.is_empty() { Ok(Words::default()) } else { serde_json::from_slice::<Words>(&body) };
    let words = match words {
        Ok(words) => words,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, &format!("expected {{\"by\", \"reason\"}} or nothing: {e}")),
    };
    let by = words.by.unwrap_or_else(|| "operator".to_owned());
    if by.len() > WORDS_MAX || words.reason.as_ref().is_some_and(|reason| reason.len() > WORDS_MAX) {
        return refusal(StatusCode::BAD_REQUEST, "`by` and `reason` may be 200 bytes long");
    }
    let command = match make(words.reason) {
        Ok(command) => command,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, why),
    };
    let accepted = format!("{command:?}");
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

#[cfg(test)]
mod tests {
    use super::is_address_or_localhost;

    #[test]
    fn a_host_is_an_address_or_localhost_and_no_name_that_looks_like_one() {
        for ours in ["127.0.0.1:8080", "127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:8080", "192.168.1.7:80"] {
            assert!(is_address_or_localhost(ours), "{ours}");
        }
        for theirs in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:80x"] {
            assert!(!is_address_or_localhost(theirs), "{theirs}");
        }
    }
}
