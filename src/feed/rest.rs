//! One venue as a place: where it is, and the memory of what all our connections together have spent there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::endpoint::{Endpoint, FeedError};
use super::settings::Settings;
use super::socket::{DialError, Frame, dial};
use super::window::Window;
use crate::units::Nanos;
use crate::wire::FetchFailure;
use crate::wire::dialect::Request;

/// Silence after a 429 or 418 that does not say for how long.
const UNSAID_WAIT: Duration = Duration::from_secs(60);
/// A goodbye takes at most this long.
const GOODBYE: Duration = Duration::from_millis(500);
/// More than any snapshot or rule book.
const BODY_BYTES_MAX: usize = 64 << 20;

/// One venue with the memory of what we spent there and when it wants silence. All connections to it share one.
pub struct Place {
    endpoint: Endpoint,
    client: reqwest::Client,
    settings: Settings,
    budget: Mutex<Budget>,
    connects: Mutex<Window>,
}

struct Budget {
    weight: Window,
    silent_until: Option<Instant>,
}

impl Place {
    /// A client for one venue, within what `settings` allow.
    pub fn new(endpoint: Endpoint, settings: &Settings) -> Result<Self, FeedError> {
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
        let connects = Mutex::new(Window::new(settings.connects_per_minute, Duration::from_secs(60)));
        Ok(Self { endpoint, client, settings: settings.clone(), budget, connects })
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Where a question goes.
    pub fn url(&self, request: &Request) -> String {
        match request {
            Request::Get { path, .. } | Request::Post { path, .. } => format!("{}{path}", self.endpoint.rest_url()),
            Request::Ask { path, .. } => format!("{}{path}", self.endpoint.ws_url()),
        }
    }

    /// How long to wait until one more socket may be opened here; takes the permission if it is free.
    pub fn may_connect(&self) -> Result<(), Instant> {
        self.connects.lock().unwrap_or_else(PoisonError::into_inner).spend(1, Instant::now())
    }

    /// Puts a question after `delay`, as soon as the budget and any silence asked for by the venue allow.
    pub async fn ask(&self, request: &Request, delay: Duration) -> Result<Vec<u8>, FetchFailure> {
        sleep(delay).await;
        let url = self.url(request);
        let (asked, weight) = match request {
            Request::Get { weight, .. } => (self.client.get(url), *weight),
            Request::Post { body, weight, .. } => {
                (self.client.post(url).header(CONTENT_TYPE, "application/json").body(body.clone()), *weight)
            }
            Request::Ask { text, reply, .. } => return self.listen(url, text, reply).await,
        };
        // Ask again after each wait: meanwhile another request may have been told to be silent.
        while let Err(until) = self.admit(weight) {
            sleep_until(until).await;
        }
        let unreachable = |e: reqwest::Error| FetchFailure::Unreachable(causes(&e));
        let mut reply = asked.send().await.map_err(unreachable)?;
        let status = reply.status().as_u16();
        let forbidden = status == 403 && !self.settings.forbidden_wait.is_zero();
        if status == 429 || status == 418 || forbidden {
            let said = reply.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
            let unsaid = if forbidden { self.settings.forbidden_wait } else { UNSAID_WAIT };
            let wait = said.map_or(unsaid, |s: u32| Duration::from_secs(u64::from(s.max(1))));
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

    /// Asks over a socket of its own and takes the first frame that is the answer.
    async fn listen(&self, url: String, text: &str, reply: &str) -> Result<Vec<u8>, FetchFailure> {
        let failed = |why: String| FetchFailure::Unreachable(why);
        while let Err(until) = self.may_connect() {
            sleep_until(until).await;
        }
        let within = self.settings.request_timeout;
        let answer = async {
            let mut socket = match dial(url, Duration::ZERO, Duration::ZERO, self.settings.clone()).await {
                Ok(socket) => socket,
                Err(DialError::RateLimited { status, wait }) => {
                    return Err(FetchFailure::RateLimited { status, wait: Nanos(wait.as_nanos() as i64) });
                }
                Err(DialError::Refused(why) | DialError::Failed(why)) => return Err(failed(why)),
            };
            socket.send(text.to_owned(), within).await.map_err(failed)?;
            loop {
                match socket.next().await {
                    Frame::Data(data) => {
                        let bytes = data.as_bytes();
                        if bytes.windows(reply.len()).any(|window| window == reply.as_bytes()) {
                            let answer = bytes.to_vec();
                            socket.close(GOODBYE).await;
                            return Ok(answer);
                        }
                    }
                    Frame::Ping => socket.answer(within).await.map_err(failed)?,
                    Frame::Other => {}
                    Frame::End(why) => return Err(failed(why)),
                }
            }
        };
        timeout(within, answer).await.unwrap_or_else(|_| Err(failed(format!("no answer in {} s", within.as_secs()))))
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
