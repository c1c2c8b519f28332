//! Asking a venue over HTTP without ever asking too much.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use tokio::time::{Instant, sleep, sleep_until};

use super::endpoint::{Endpoint, FeedError};
use super::settings::Settings;
use super::window::Window;
use crate::units::Nanos;
use crate::wire::FetchFailure;

/// Silence after a 429 or 418 that does not say for how long.
const UNSAID_WAIT: Duration = Duration::from_secs(60);
/// More than any snapshot or rule book.
const BODY_BYTES_MAX: usize = 64 << 20;

/// One venue's REST side with the memory of what we spent there and when it wants silence.
pub struct Rest {
    client: reqwest::Client,
    base: String,
    budget: Mutex<Budget>,
}

struct Budget {
    weight: Window,
    silent_until: Option<Instant>,
}

impl Rest {
    /// A client for one venue.
    pub fn new(endpoint: &Endpoint, settings: &Settings) -> Result<Self, FeedError> {
        super::socket::install_tls();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("papermaker/", env!("CARGO_PKG_VERSION"), " (paper trading)"))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout);
        if endpoint.rest_is_local() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|e| FeedError::Unreachable {
            venue: endpoint.venue(),
            url: endpoint.rest_url().to_owned(),
            why: causes(&e),
        })?;
        let weight = Window::new(settings.weight_per_minute, Duration::from_secs(60));
        let budget = Mutex::new(Budget { weight, silent_until: None });
        Ok(Self { client, base: endpoint.rest_url().to_owned(), budget })
    }

    /// Where `path` is.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// GETs `path` after `delay`, as soon as the budget and any silence asked for by the venue allow.
    pub async fn get(&self, path: &str, weight: u32, delay: Duration) -> Result<Vec<u8>, FetchFailure> {
        sleep(delay).await;
        // Ask again after each wait: meanwhile another request may have been told to be silent.
        while let Err(until) = self.admit(weight) {
            sleep_until(until).await;
        }
        let unreachable = |e: reqwest::Error| FetchFailure::Unreachable(causes(&e));
        let mut reply = self.client.get(self.url(path)).send().await.map_err(unreachable)?;
        let status = reply.status().as_u16();
        if status == 429 || status == 418 {
            let said = reply.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
            let wait = said.map_or(UNSAID_WAIT, |s: u32| Duration::from_secs(u64::from(s.max(1))));
            self.hush(wait);
            return Err(FetchFailure::RateLimited { status, wait: Nanos(wait.as_nanos() as i64) });
        }
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_BYTES_MAX {
                return Err(FetchFailure::Unreachable(format!("reply longer than {BODY_BYTES_MAX} bytes")));
            }
        }
        if status == 200 {
            return Ok(body);
        }
        body.truncate(200);
        Err(FetchFailure::Status { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Spends `weight`, or says when to ask again.
    fn admit(&self, weight: u32) -> Result<(), Instant> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match budget.silent_until {
            Some(until) if until > now => Err(until),
            _ => budget.weight.spend(weight, now),
        }
    }

    /// Nothing is asked before `wait` is over; a longer silence asked for earlier holds.
    fn hush(&self, wait: Duration) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.silent_until = budget.silent_until.max(Some(Instant::now() + wait));
    }
}

/// An error with everything beneath it: reqwest's own text alone hides "connection refused".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
