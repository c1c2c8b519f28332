//! Limits over the local API: `GET /api/limits` shows them, `POST /api/limits` asks for others.
//!
//! The page's server knows neither configuration nor session; it passes the wish on ([`LimitsAsk`]) and the answer back.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::risk::values::Difference;

/// A wish, with the way back.
#[derive(Debug)]
pub struct LimitsAsk {
    /// What is wanted.
    pub wish: LimitsWish,
    /// Where the answer goes.
    pub answer: oneshot::Sender<LimitsAnswer>,
}

/// Other limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsWish {
    /// `risk.key=value`, as after `--set`. None: the limits in force are only shown.
    #[serde(default)]
    pub set: Vec<String>,
    /// Limits may become looser.
    #[serde(default)]
    pub confirm: bool,
    /// Nothing is changed; the answer says what would be.
    #[serde(default)]
    pub dry_run: bool,
    /// Who asks.
    #[serde(default)]
    pub by: Option<String>,
    /// Why; recorded beside who.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a wish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitsAnswer {
    /// Always true.
    pub paper: bool,
    /// Whether limits in force are now others.
    pub applied: bool,
    /// The input of the session that changed them.
    pub seq: Option<u64>,
    /// What changed, or would.
    pub changes: Vec<LimitChange>,
    /// Of all limits in force together, as the `digest` of `sessions export --kind risk`.
    #[serde(default)]
    pub digest: Option<String>,
    /// What limits and operators let the whole book do: `active`, `reducing`, `halted`.
    #[serde(default)]
    pub state: String,
    /// What is beyond its limit now, a line each: whose, what it led to, why.
    #[serde(default)]
    pub trips: Vec<String>,
    /// Every limit in force.
    pub limits: Vec<LimitValue>,
    /// Why the file as it is now is not what is in force: where, what, and what to do. Nothing if it is.
    #[serde(default)]
    pub file_refused: Option<String>,
    /// Why nothing was changed, if something should have been.
    pub error: Option<String>,
    /// Whether the only thing missing is a confirmation.
    pub needs_confirmation: bool,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitValue {
    /// Key in `[risk]`.
    pub key: String,
    /// `VENUE:SYMBOL`, a venue, or empty for the book.
    pub of: String,
    /// As in the file.
    pub value: String,
    /// What it is in: base, quote, bps, ms, …
    #[serde(default)]
    pub unit: String,
    /// Whether it limits anything; `0` often does not.
    #[serde(default)]
    pub is_set: bool,
    /// Where it stands; `None` of limits that judge one order at a time, and of what is not known yet.
    #[serde(default)]
    pub now: Option<String>,
    /// `now / value`.
    #[serde(default)]
    pub share: Option<f64>,
}

/// One limit before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitChange {
    /// Key in `[risk]`.
    pub key: String,
    /// `VENUE:SYMBOL`, a venue, or empty for the book.
    pub of: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
    /// Whether it lets more through.
    pub loosens: bool,
}

impl From<Difference> for LimitChange {
    fn from(d: Difference) -> Self {
        Self { key: d.key, of: d.of, old: d.old, new: d.new, loosens: d.loosens }
    }
}

impl std::fmt::Display for LimitChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = if self.of.is_empty() { String::new() } else { format!(" of {}", self.of) };
        let looser = if self.loosens { "  (looser)" } else { "" };
        write!(f, "{}{of}: {} → {}{looser}", self.key, self.old, self.new)
    }
}

/// Asks, and answers with 200 (shown, previewed or applied), 400 (not a wish), 409 (refused) or 503 (nobody there).
pub(super) async fn ask(door: &mpsc::Sender<LimitsAsk>, body: axum::body::Bytes) -> Response {
    let failed = |status, error: String| {
        (status, Json(LimitsAnswer { paper: true, error: Some(error), ..LimitsAnswer::default() })).into_response()
    };
    let mut wish = match serde_json::from_slice::<LimitsWish>(&body) {
        Ok(wish) => wish,
        Err(e) => {
            let expected = r#"expected {"set": ["risk.key=value"], "confirm", "dry_run", "by", "reason"}"#;
            return failed(StatusCode::BAD_REQUEST, format!("{expected}: {e}"));
        }
    };
    match super::server::signed(wish.by.take(), wish.reason.take().as_deref()) {
        Ok(by) => wish.by = Some(by),
        Err(why) => return failed(StatusCode::BAD_REQUEST, why.to_owned()),
    }
    pass_on(door, wish).await
}

/// The limits in force.
pub(super) async fn show(door: &mpsc::Sender<LimitsAsk>) -> Response {
    pass_on(door, LimitsWish { dry_run: true, ..LimitsWish::default() }).await
}

async fn pass_on(door: &mpsc::Sender<LimitsAsk>, wish: LimitsWish) -> Response {
    let (answer, answered) = oneshot::channel();
    let asked = door.try_send(LimitsAsk { wish, answer }).is_ok();
    match (asked, answered.await) {
        (true, Ok(answer)) => {
            let status = if answer.error.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
            (status, Json(answer)).into_response()
        }
        (false, _) | (true, Err(_)) => {
            let error = Some("the session does not answer: it has ended, or is busy; ask again".to_owned());
            let answer = LimitsAnswer { paper: true, error, ..LimitsAnswer::default() };
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
        }
    }
}
