//! Recorded sessions over the local API.
//!
//! The page's server knows no recordings; whoever opens it hands over an [`Archive`]. Its answers take time and memory, so they
//! are worked out one after the other on a thread of their own, and who comes when some already wait is asked to come again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::guard::refusal;
use super::status::StatusSnapshot;

/// Questions that may wait.
const WAITING_MAX: usize = 4;

/// A recording, for whoever can read recordings.
pub trait Archive: Send + Sync + 'static {
    /// Every recording, oldest first: what `sessions list --json` says of each.
    fn list(&self) -> Result<Vec<Value>, ArchiveError>;
    /// What `sessions show --json --metrics` says of one under `metrics`.
    fn metrics(&self, session: &str) -> Result<Value, ArchiveError>;
    /// The report of one, as an HTML document that loads nothing.
    fn report(&self, session: &str) -> Result<String, ArchiveError>;
    /// The session as it was.
    fn moment(&self, session: &str, when: When) -> Result<Moment, ArchiveError>;
    /// What `replay --around` says of one input.
    fn explain(&self, session: &str, seq: u64) -> Result<Value, ArchiveError>;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is not in the store, or has no such input.
    #[error("{0}")]
    Unknown(String),
    /// It is there and cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Which moment of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Just after this input.
    Seq(u64),
    /// After the last input that was heard by then, nanoseconds since the epoch.
    At(i64),
}

/// A session as it was at a moment of its recording.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// Always true.
    pub paper: bool,
    /// When the recording begins, nanoseconds since the epoch.
    pub started_ns: i64,
    /// When its last input was heard.
    pub ended_ns: i64,
    /// How many inputs it has.
    pub inputs: u64,
    /// What `GET /api/status` would have said then, less what no recording knows: the state of sockets and of the disk.
    pub status: StatusSnapshot,
}

/// The archive behind its door.
#[derive(Clone)]
pub(super) struct Shelf {
    archive: Option<Arc<dyn Archive>>,
    desk: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

/// Which moment, as asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    seq: Option<u64>,
    at_ns: Option<i64>,
}

impl Shelf {
    /// Without an archive every question is answered with a no.
    pub fn new(archive: Option<Arc<dyn Archive>>) -> Self {
        Self { archive, desk: Arc::new(Semaphore::new(1)), queue: Arc::new(Semaphore::new(1 + WAITING_MAX)) }
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Archive) -> Result<T, ArchiveError> + Send + 'static,
        shown: impl FnOnce(T) -> Response,
    ) -> Response {
        let Some(archive) = self.archive.clone() else {
            return refusal(StatusCode::NOT_FOUND, "this bot was started without an archive");
        };
        let Ok(_place) = self.queue.try_acquire() else {
            let why = "other questions about recordings are being answered; ask again";
            return ([(header::RETRY_AFTER, "1")], refusal(StatusCode::SERVICE_UNAVAILABLE, why)).into_response();
        };
        let Ok(turn) = Arc::clone(&self.desk).acquire_owned().await else {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "the archive is closed");
        };
        // The turn ends with the work, also if whoever asked has gone meanwhile.
        let done = tokio::task::spawn_blocking(move || {
            let answer = work(&*archive);
            drop(turn);
            answer
        });
        match done.await {
            Ok(Ok(answer)) => shown(answer),
            Ok(Err(why @ ArchiveError::Unknown(_))) => refusal(StatusCode::NOT_FOUND, &why.to_string()),
            Ok(Err(why @ ArchiveError::Unreadable(_))) => refusal(StatusCode::CONFLICT, &why.to_string()),
            Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "this recording could not be read to its end"),
        }
    }
}

pub(super) async fn list(State(shelf): State<Shelf>) -> Response {
    let shown = |sessions: Vec<Value>| Json(json!({ "paper": true, "sessions": sessions })).into_response();
    shelf.ask(|archive| archive.list(), shown).await
}

pub(super) async fn metrics(State(shelf): State<Shelf>, Path(session): Path<String>) -> Response {
    let name = session.clone();
    let shown = |metrics: Value| Json(json!({ "paper": true, "session": name, "metrics": metrics })).into_response();
    shelf.ask(move |archive| archive.metrics(&session), shown).await
}

pub(super) async fn report(State(shelf): State<Shelf>, Path(session): Path<String>) -> Response {
    shelf.ask(move |archive| archive.report(&session), |html| Html(html).into_response()).await
}

pub(super) async fn moment(
    State(shelf): State<Shelf>,
    Path(session): Path<String>,
    Query(place): Query<Place>,
) -> Response {
    let when = match (place.seq, place.at_ns) {
        (Some(seq), None) => When::Seq(seq),
        (None, Some(at_ns)) => When::At(at_ns),
        (Some(_), Some(_)) | (None, None) => {
            return refusal(StatusCode::BAD_REQUEST, "which moment? one of ?seq=INPUT and ?at_ns=NANOSECONDS");
        }
    };
    shelf.ask(move |archive| archive.moment(&session, when), |moment| Json(moment).into_response()).await
}

pub(super) async fn explain(
    State(shelf): State<Shelf>,
    Path(session): Path<String>,
    Query(place): Query<Place>,
) -> Response {
    let Place { seq: Some(seq), at_ns: None } = place else {
        return refusal(StatusCode::BAD_REQUEST, "which input? ?seq=INPUT");
    };
    shelf.ask(move |archive| archive.explain(&session, seq), |told| Json(told).into_response()).await
}
