//! Who may ask, and how often.
//!
//! A page on this machine is no friend by default. Nothing is answered to a `Host` that is a name other than `localhost`; a
//! write needs the bearer token and may not come from a page of another origin; and a program that has gone wild cannot bury
//! the session in writes. The two that stop things, pause and halt, have a budget of their own: however many
//! others were sent, a halt goes through.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Writes at once, and then so many a second.
const BURST: f64 = 20.0;
const PER_SECOND: f64 = 2.0;

/// What every answer that is not a picture looks like.
#[derive(Serialize)]
pub(super) struct Answer {
    pub paper: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A no, and why.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    (status, Json(Answer { paper: true, accepted: None, error: Some(why.to_owned()) })).into_response()
}

/// A token bucket.
#[derive(Debug)]
struct Budget {
    left: f64,
    filled: Option<Instant>,
}

impl Budget {
    /// Whether one more is allowed now; if not, in how many seconds it is.
    fn take(&mut self, now: Instant) -> Result<(), u64> {
        let since = self.filled.map_or(0.0, |filled| now.saturating_duration_since(filled).as_secs_f64());
        self.left = (self.left + since * PER_SECOND).min(BURST);
        self.filled = Some(now);
        if self.left < 1.0 {
            return Err(((1.0 - self.left) / PER_SECOND).ceil().max(1.0) as u64);
        }
        self.left -= 1.0;
        Ok(())
    }
}

/// The lock on the door.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: Arc<str>,
    /// Of pause and halt, of everything else.
    budgets: Arc<Mutex<[Budget; 2]>>,
}

impl Guard {
    /// With this token.
    pub fn new(token: String) -> Self {
        let full = || Budget { left: BURST, filled: None };
        Self { token: token.into(), budgets: Arc::new(Mutex::new([full(), full()])) }
    }

    fn allow(&self, path: &str) -> Result<(), u64> {
        let kind = usize::from(!matches!(path, "/api/pause" | "/api/halt"));
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)[kind].take(now())
    }
}

#[expect(clippy::disallowed_methods, reason = "how often somebody writes is a matter of this process's time")]
fn now() -> Instant {
    Instant::now()
}

/// A web page may point its own name at our address and read us with the visitor's browser; it cannot choose the
/// `Host` its browser sends. So only an address or `localhost` is answered. Nothing may frame or cache us either, and a page
/// of ours loads from us alone.
pub(super) async fn only_to_us(request: Request, next: Next) -> Response {
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
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Writes need the token, may not come from a page of another origin even with it, and are counted.
pub(super) async fn only_the_operator(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = text_of(headers, header::HOST).unwrap_or_default();
        let ours = origin.to_str().ok().and_then(|o| o.strip_prefix("http://")) == Some(host);
        if !ours {
            return refusal(StatusCode::FORBIDDEN, "writes from a page of another origin are refused");
        }
    }
    // What a browser says of itself, where it does: `cross-site` also where it sends no Origin.
    let site = headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("unreadable"));
    if !matches!(site, None | Some("same-origin" | "none")) {
        return refusal(StatusCode::FORBIDDEN, "writes from a page of another site are refused");
    }
    let given = text_of(headers, header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
    if !given.is_some_and(|given| same_secret(given, &guard.token)) {
        let why = "this needs the token in <store>/api.json, as `Authorization: Bearer TOKEN`";
        let mut response = refusal(StatusCode::UNAUTHORIZED, why);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    // After the token: who has none cannot use up the operator's writes.
    if let Err(wait_s) = guard.allow(request.uri().path()) {
        let why = format!("too many writes: {BURST} at once and {PER_SECOND} a second are taken; again in {wait_s} s");
        let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, &why);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_host_is_an_address_or_localhost_and_no_name_that_looks_like_one() {
        for ours in ["127.0.0.1:8080", "127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:8080", "192.168.1.7:80"] {
            assert!(is_address_or_localhost(ours), "{ours}");
        }
        for theirs in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:80x"] {
            assert!(!is_address_or_localhost(theirs), "{theirs}");
        }
    }

    #[test]
    fn twenty_writes_at_once_then_two_a_second_and_a_halt_has_a_budget_of_its_own() {
        let mut budget = Budget { left: BURST, filled: None };
        let start = now();
        assert_eq!((0..25).filter(|_| budget.take(start).is_ok()).count(), 20);
        assert_eq!(budget.take(start), Err(1));
        // Three seconds later there are six more.
        let later = start + Duration::from_secs(3);
        assert_eq!((0..25).filter(|_| budget.take(later).is_ok()).count(), 6);
        let guard = Guard::new(String::new());
        while guard.allow("/api/resume").is_ok() {}
        assert!(guard.allow("/api/limits").is_err() && guard.allow("/api/halt").is_ok());
    }
}
