//! The verbs' side of the local API: ask the running bot, say clearly when there is none.

use std::path::Path;
use std::time::Duration;

use super::contact::{Contact, ContactError};
use super::limits::{LimitsAnswer, LimitsWish};
use super::news::EventStatus;
use super::status::StatusSnapshot;

/// A bot on this machine answers within this or is stuck.
const PATIENCE: Duration = Duration::from_secs(5);
/// A command is obeyed with the next inputs, and shown with the next picture: within this many looks.
const LOOKS: u32 = 60;
/// From one to the next.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A bot that wrote its contact into a store.
#[derive(Debug)]
pub struct Client {
    contact: Contact,
    http: reqwest::Client,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No bot, or no readable trace of one.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// A contact file is there, nobody answers at its address.
    #[error("the bot of session {session} (pid {pid}) does not answer at {address}")]
    Silent {
        /// What it ran.
        session: String,
        /// Its process, if it still lives.
        pid: u32,
        /// Where it listened.
        address: std::net::SocketAddr,
        /// What happened instead.
        source: reqwest::Error,
    },
    /// Somebody answered, not with what was asked for.
    #[error("{address} answered {status}: {body}")]
    Refused {
        /// Who.
        address: std::net::SocketAddr,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ClientError::Contact(ContactError::NotRunning { .. }) => {
                "start one with `papermaker run`; a bot on another store is found with `--set store.path=DIR`"
            }
            ClientError::Contact(ContactError::NoApi { .. }) => {
                "`kill -TERM PID` stops it in good order; `papermaker sessions list` shows what it records"
            }
            ClientError::Contact(ContactError::Io { .. }) => "the contact file belongs to whoever started the bot",
            ClientError::Contact(ContactError::NotAContact { .. }) => "remove the file and start the bot again",
            ClientError::Silent { .. } => {
                "if that process is gone it was killed: `papermaker sessions verify SESSION` shows what it left"
            }
            ClientError::Refused { status: 429, .. } => "that was quicker than an operator writes; wait a moment",
            ClientError::Refused { .. } => "another program may listen there now; `papermaker doctor` looks closer",
        }
    }
}

impl Client {
    /// The bot running on `store`. It is not asked anything yet.
    pub fn of_store(store: &Path) -> Result<Self, ClientError> {
        let contact = Contact::read(store)?;
        let silent = |source| silent(&contact, source);
        // A proxy from the environment has no business between two processes of one machine.
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().map_err(silent)?;
        Ok(Self { contact, http })
    }

    /// Who is at the other end.
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// The picture now.
    pub async fn status(&self) -> Result<StatusSnapshot, ClientError> {
        let answer = self.http.get(self.url("status")).send().await;
        let body = self.body(answer).await?;
        serde_json::from_str(&body).map_err(|e| ClientError::Refused {
            address: self.contact.address,
            status: 200,
            body: format!("not a status of this version: {e}"),
        })
    }

    /// Sends a command: `pause`, `resume`, `halt`, `flatten` or `stop`.
    pub async fn command(&self, verb: &str, by: &str, reason: Option<&str>) -> Result<(), ClientError> {
        let words = serde_json::json!({ "by": by, "reason": reason });
        let request = self.http.post(self.url(verb)).bearer_auth(&self.contact.token).json(&words);
        self.body(request.send().await).await.map(drop)
    }

    /// The input with which a command that was sent was obeyed; `None` if no picture shows it in time.
    ///
    /// * `known` — number of the last event before it was sent
    pub async fn obeyed(&self, verb: &str, known: u64) -> Option<u64> {
        let is_it = |e: &&EventStatus| e.n > known && e.kind == "command" && e.text.starts_with(verb);
        for _ in 0..LOOKS {
            if let Some(event) = self.status().await.ok()?.events.iter().find(is_it) {
                return Some(event.seq);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        None
    }

    /// Asks for other limits, or with an empty wish for those in force. A refusal is an answer too.
    pub async fn limits(&self, wish: &LimitsWish) -> Result<LimitsAnswer, ClientError> {
        let request = match wish == &LimitsWish::default() {
            true => self.http.get(self.url("limits")),
            false => self.http.post(self.url("limits")).bearer_auth(&self.contact.token).json(wish),
        };
        let answer = request.send().await.map_err(|source| silent(&self.contact, source))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|source| silent(&self.contact, source))?;
        serde_json::from_str(&body).map_err(|_| ClientError::Refused { address: self.contact.address, status, body })
    }

    /// What `/healthz` says: `ok`, and if it is not, `reasons` or an `error`.
    pub async fn health(&self) -> Result<serde_json::Value, ClientError> {
        let address = self.contact.address;
        let silent = |source| silent(&self.contact, source);
        let answer = self.http.get(format!("http://{address}/healthz")).send().await.map_err(silent)?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(silent)?;
        serde_json::from_str(&body).map_err(|_| ClientError::Refused { address, status, body })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/{path}", self.contact.address)
    }

    async fn body(&self, answer: reqwest::Result<reqwest::Response>) -> Result<String, ClientError> {
        let silent = |source| silent(&self.contact, source);
        let answer = answer.map_err(silent)?;
        let status = answer.status();
        let body = answer.text().await.map_err(silent)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(ClientError::Refused { address: self.contact.address, status: status.as_u16(), body })
    }
}

fn silent(contact: &Contact, source: reqwest::Error) -> ClientError {
    ClientError::Silent { session: contact.session.clone(), pid: contact.pid, address: contact.address, source }
}
