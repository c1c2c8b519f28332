//! Telling somebody: webhooks that say when a running bot is in trouble, and when it is over.
//!
//! It believes that whoever is told too often stops reading, and that whoever is told late would rather not have been told.
//! So a trouble is told once, its end is told once, and one that comes and goes is quiet for `alerts.cooldown_s`. Nothing of
//! this is part of a session: alerts are drawn from the pictures that everybody sees, on tasks of their own, through queues
//! that drop rather than wait. A receiver that is down, slow or full costs the core nothing.
//!
//! The address of a receiver is a secret (whoever has it can write there). The configuration says where it is found, never
//! what it is; it appears in no log, no error and no recording.
//!
//! Reading order: [`lookout`] notices, [`message`] puts it in a receiver's words, [`receiver`] delivers.

pub mod lookout;
pub mod message;
pub mod receiver;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

pub use lookout::{Alert, Lookout, Moment, Trouble};
pub use receiver::{Receiver, ReceiverError};

use crate::config::Settings;
use crate::dashboard::StatusSnapshot;
use crate::dashboard::deliveries::ReceiverStatus;
use crate::feed::wall_clock;

/// How often somebody looks, news or not.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the end of a bot may wait for its last messages.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Everybody who is told, and the one who looks.
#[derive(Debug)]
pub struct Alerts {
    receivers: Arc<Vec<Receiver>>,
    watching: Option<JoinHandle<()>>,
    /// What the last alerts are about.
    session: watch::Sender<String>,
}

impl Alerts {
    /// Finds every receiver's address and opens its queue. Errors if one cannot be found.
    pub fn open(settings: &Settings) -> Result<Self, ReceiverError> {
        let all = settings.alerts.to.iter();
        let receivers =
            all.map(|(name, to)| Receiver::open(name, to, &settings.alerts)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { receivers: Arc::new(receivers), watching: None, session: watch::channel(String::new()).0 })
    }

    /// Looks at every picture from now on.
    pub fn watch(&mut self, settings: &Settings, mut pictures: watch::Receiver<Arc<StatusSnapshot>>) {
        if self.receivers.is_empty() {
            return;
        }
        let (mut lookout, receivers, session) =
            (Lookout::new(settings), Arc::clone(&self.receivers), self.session.clone());
        self.watching = Some(tokio::spawn(async move {
            let mut clock = tokio::time::interval(LOOK_EVERY);
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                let picture = Arc::clone(&pictures.borrow_and_update());
                session.send_if_modified(|known| {
                    let is_new = *known != picture.session;
                    is_new.then(|| known.clone_from(&picture.session));
                    is_new
                });
                for alert in lookout.look(&picture, wall_clock()) {
                    tell(&receivers, &alert);
                }
                if pictures.has_changed().is_err() {
                    return;
                }
            }
        }));
    }

    /// How it goes with each receiver; may be asked from any thread.
    pub fn counters(&self) -> impl Fn() -> Vec<ReceiverStatus> + Send + use<> {
        let receivers = Arc::clone(&self.receivers);
        move || receivers.iter().map(Receiver::status).collect()
    }

    /// Says how it ended (`Err`: why it could not go on), and waits a moment for what is still on its way.
    pub async fn close(mut self, ended: Result<(), String>) {
        if let Some(watching) = self.watching.take() {
            watching.abort();
            let _ = watching.await;
        }
        let session = self.session.borrow().clone();
        let alert = match ended {
            Ok(()) => Alert::lone(Trouble::Ended, &session, "the session has ended".to_owned(), wall_clock()),
            Err(why) => Alert::lone(Trouble::Died, &session, why, wall_clock()),
        };
        tell(&self.receivers, &alert);
        let Ok(receivers) = Arc::try_unwrap(self.receivers) else { return };
        let until = tokio::time::Instant::now() + LAST_WORDS;
        for receiver in receivers {
            receiver.close(until).await;
        }
    }
}

fn tell(receivers: &[Receiver], alert: &Alert) {
    if !receivers.is_empty() {
        warn!(kind = alert.trouble.word(), "alert: {}", alert.text());
    }
    for receiver in receivers {
        receiver.tell(alert.clone());
    }
}
