//! One receiver: its address, a queue that drops rather than waits, and a task that tries until it is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, info_span, warn};

use super::{Alert, message};
use crate::config::keys::is_safe_url;
use crate::config::settings::{AlertSettings, AlertShape, ReceiverSettings};
use crate::dashboard::deliveries::ReceiverStatus;
use crate::feed::Backoff;

/// Messages that wait for a receiver; more are dropped, and counted.
const QUEUE: usize = 64;
/// Between two tries: drawn from nothing up to this, doubled each time …
const PAUSE: Duration = Duration::from_secs(1);
/// … and never more than this.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest that a receiver's own `Retry-After` is obeyed.
const WISH_MAX: Duration = Duration::from_secs(300);
/// Of an answer that refuses, as much is read.
const ANSWER_MAX: usize = 4 << 10;

/// Why a receiver cannot be told anything. Says where the address should be, never what it is.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The variable is not set.
    #[error("alerts.to.{name}.url_env: the environment has no {variable}")]
    NotSet {
        /// Whose.
        name: String,
        /// Which.
        variable: String,
    },
    /// The file cannot be read.
    #[error("alerts.to.{name}.url_file: {path}: {why}")]
    Unreadable {
        /// Whose.
        name: String,
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is no address, or one over which anybody could read along.
    #[error("alerts.to.{name}: what stands there is not https://…, nor http://… to a loopback address")]
    NoAddress {
        /// Whose.
        name: String,
    },
    /// No client could be made.
    #[error("alerts.to.{name}: {why}")]
    Client {
        /// Whose.
        name: String,
        /// Why.
        why: String,
    },
}

/// Somebody who is told.
#[derive(Debug)]
pub struct Receiver {
    name: String,
    queue: mpsc::Sender<Alert>,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
}

/// The way to a receiver.
pub struct Address {
    name: String,
    url: String,
    shape: AlertShape,
    chat: Option<String>,
    client: reqwest::Client,
    tries: u32,
}

/// What came of one try.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    /// Not now; after so long, if it said.
    Later(String, Option<Duration>),
    /// Not ever.
    No(String),
}

impl Address {
    /// Looks the address up.
    pub fn find(name: &str, to: &ReceiverSettings, alerts: &AlertSettings) -> Result<Self, ReceiverError> {
        let name = name.to_owned();
        let url = match (&to.url_env, &to.url_file) {
            (Some(variable), _) => std::env::var(variable)
                .map_err(|_| ReceiverError::NotSet { name: name.clone(), variable: variable.clone() })?,
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|why| ReceiverError::Unreadable {
                name: name.clone(),
                path: path.clone(),
                why,
            })?,
            (None, None) => String::new(),
        };
        let url = url.trim().to_owned();
        if !is_safe_url(&url, "https", "http") || reqwest::Url::parse(&url).is_err() {
            return Err(ReceiverError::NoAddress { name });
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("papermaker/", env!("CARGO_PKG_VERSION"), " (paper trading)"))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_millis(u64::from(alerts.timeout_ms)));
        if url.starts_with("http://") {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|e| ReceiverError::Client { name: name.clone(), why: e.to_string() })?;
        Ok(Self { name, url, shape: to.shape, chat: to.chat.clone(), client, tries: alerts.tries })
    }

    /// Tries once; the reason if it was not taken.
    pub async fn try_once(&self, alert: &Alert) -> Result<(), String> {
        match self.post(alert).await {
            Answer::Taken => Ok(()),
            Answer::Later(why, _) | Answer::No(why) => Err(why),
        }
    }

    async fn post(&self, alert: &Alert) -> Answer {
        let body = message::body(self.shape, self.chat.as_deref(), alert);
        let mut reply = match self.client.post(&self.url).json(&body).send().await {
            Ok(reply) => reply,
            // The address is a secret, and the library likes to tell it.
            Err(e) => return Answer::Later(causes(&e.without_url()), None),
        };
        let status = reply.status();
        if status.is_success() {
            return Answer::Taken;
        }
        let header = reply.headers().get(reqwest::header::RETRY_AFTER);
        let wish = header.and_then(|v| v.to_str().ok()?.trim().parse::<u64>().ok());
        let mut said = Vec::new();
        while let Ok(Some(chunk)) = reply.chunk().await {
            said.extend_from_slice(&chunk);
            if said.len() > ANSWER_MAX {
                break;
            }
        }
        // Telegram says it in the body.
        let inside = || serde_json::from_slice::<serde_json::Value>(&said).ok()?["parameters"]["retry_after"].as_u64();
        let wish = wish.or_else(inside).map(|s| Duration::from_secs(s).min(WISH_MAX));
        said.truncate(200);
        let why = format!("it answered {}: {}", status.as_u16(), String::from_utf8_lossy(&said).trim());
        match status.as_u16() {
            408 | 425 | 429 | 500..=599 => Answer::Later(why, wish),
            _ => Answer::No(why),
        }
    }

    async fn deliver(&self, alert: &Alert, backoff: &mut Backoff) -> Result<(), String> {
        backoff.reset();
        let mut last = String::new();
        for attempt in 1..=self.tries {
            let wish = match self.post(alert).await {
                Answer::Taken => return Ok(()),
                Answer::No(why) => return Err(why),
                Answer::Later(why, wish) => {
                    last = why;
                    wish
                }
            };
            if attempt < self.tries {
                let pause = backoff.pause();
                tokio::time::sleep(wish.map_or(pause, |wish| wish.max(pause))).await;
            }
        }
        Err(format!("after {} tries: {last}", self.tries))
    }
}

impl Receiver {
    /// Finds its address and opens its queue.
    pub fn open(name: &str, to: &ReceiverSettings, alerts: &AlertSettings) -> Result<Self, ReceiverError> {
        let address = Address::find(name, to, alerts)?;
        let (queue, mut waiting) = mpsc::channel::<Alert>(QUEUE);
        let counters = Arc::new(Counters::default());
        let counted = Arc::clone(&counters);
        let task = tokio::spawn(async move {
            let mut backoff = Backoff::new(PAUSE, PAUSE_MAX, u64::from(std::process::id()));
            while let Some(alert) = waiting.recv().await {
                let span = info_span!("alert", receiver = address.name);
                match address.deliver(&alert, &mut backoff).instrument(span).await {
                    Ok(()) => counted.sent.fetch_add(1, Relaxed),
                    Err(why) => {
                        warn!(receiver = address.name, "an alert is given up: {why}");
                        counted.failed.fetch_add(1, Relaxed)
                    }
                };
                counted.waiting.fetch_sub(1, Relaxed);
            }
        });
        Ok(Self { name: name.to_owned(), queue, counters, task })
    }

    /// Hands an alert over. Never waits: without room it is dropped and counted.
    pub fn tell(&self, alert: Alert) {
        self.counters.waiting.fetch_add(1, Relaxed);
        if self.queue.try_send(alert).is_err() {
            self.counters.waiting.fetch_sub(1, Relaxed);
            self.counters.dropped.fetch_add(1, Relaxed);
            warn!(receiver = self.name, "an alert is dropped: {QUEUE} wait already");
        }
    }

    /// How it goes.
    pub fn status(&self) -> ReceiverStatus {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let Counters { sent, failed, dropped, waiting } = &*self.counters;
        let (sent, failed, dropped, waiting) = (read(sent), read(failed), read(dropped), read(waiting));
        ReceiverStatus { name: self.name.clone(), sent, failed, dropped, waiting }
    }

    /// Nothing more will come: what waits is tried until then, and given up.
    pub async fn close(self, until: Instant) {
        let Self { name, queue, counters, task } = self;
        drop(queue);
        let stop = task.abort_handle();
        if timeout_at(until, task).await.is_err() {
            stop.abort();
            warn!(receiver = name, "{} alerts are given up: the bot has ended", counters.waiting.load(Relaxed));
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text += &format!(": {said}");
        }
        cause = error.source();
    }
    text
}
