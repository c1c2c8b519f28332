//! Limits that change while the bot runs: a file that was edited, a signal, an operator.
//!
//! Two halves. The [`Governor`] is a task of its own: it watches `risk.toml` (its content, once a second; at once on
//! SIGHUP), hears the API, and loads and checks the whole configuration, so that nothing of this takes the session's time.
//! What it arrives at is a [`Proposal`], which the session's thread takes up between two inputs: only there are the rules
//! known in whose lots limits are counted, and only there can a change be recorded at its place.
//!
//! A change is whole or not at all. A file with a mistake changes nothing; a change that lets more through needs somebody
//! to say so (`--confirm`, or `approved_by` and a new `approved_at` in the file). What an operator sets stands above the
//! file until the file changes.

use std::path::PathBuf;
use std::sync::mpsc as thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::core::Core;
use crate::config::{Loaded, Sources, load};
use crate::dashboard::limits::{LimitValue, LimitsAnswer, LimitsAsk, LimitsWish};
use crate::dashboard::status::LimitUse;
use crate::digest::{Digest, of_state};
use crate::engine::{Command, Input, Session};
use crate::feed::wall_clock;
use crate::journal::JournalError;
use crate::market::{Instrument, InstrumentId};
use crate::risk::values::Value;
use crate::risk::{Trip, Whose};
use crate::units::LocalTime;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A whole, checked configuration whose limits should be in force.
#[derive(Debug)]
pub struct Proposal {
    loaded: Box<Loaded>,
    by: String,
    /// Somebody has said that limits may become looser.
    approved: bool,
    dry_run: bool,
    /// Of the configured limits, without what operators have set above them.
    limits_of: Digest,
    answer: oneshot::Sender<LimitsAnswer>,
}

/// The session's side: takes up one proposal, between two inputs.
pub fn take_up(core: &mut Core, proposal: Proposal) -> Result<(), JournalError> {
    let session = core.session();
    let rules: Vec<Instrument> = session.instruments().cloned().collect();
    let mut answer = LimitsAnswer { paper: true, ..LimitsAnswer::default() };
    match proposal.loaded.risk_limits(&rules) {
        Err(problems) => answer.error = Some(problems.to_string()),
        Ok(limits) => {
            let changes = session.limits().differences(&limits, &rules);
            let loosens = changes.iter().any(|change| change.loosens);
            answer.changes = changes.into_iter().map(Into::into).collect();
            if loosens && !proposal.approved && !proposal.dry_run {
                answer.needs_confirmation = true;
                answer.error = Some("limits would let more through, and nobody has confirmed that".to_owned());
            } else if !answer.changes.is_empty() && !proposal.dry_run {
                let command = Command::SetLimits(Box::new(limits));
                core.configured(proposal.limits_of);
                core.take(wall_clock(), Input::Command { by: proposal.by, command })?;
                (answer.applied, answer.seq) = (true, Some(core.session().seq()));
            }
        }
    }
    describe(core.session(), &rules, &mut answer);
    // Whoever asked may have gone.
    let _ = proposal.answer.send(answer);
    Ok(())
}

/// What is in force, and how much of it is used.
fn describe(session: &Session, rules: &[Instrument], answer: &mut LimitsAnswer) {
    let label = |id: InstrumentId| rules[id.index()].label();
    answer.digest = Some(of_state(session.limits()).to_string());
    answer.state = session.risk_state().word().to_owned();
    let told = |trip: &Trip| {
        let whose = match trip.whose {
            Whose::Book => "the book".to_owned(),
            Whose::Venue(_) | Whose::Instrument(_) => trip.whose.label(rules),
        };
        format!("{whose} is {} since {}: {}", trip.state.word(), moment(trip.since), trip.reason)
    };
    answer.trips = session.breakers().trips().iter().map(told).collect();
    let mut uses = Vec::new();
    for used in session.limit_uses() {
        let (of, own) = match used.whose {
            Whose::Instrument(id) => (label(id), Some(session.rules(id))),
            Whose::Venue(venue) => (venue.name().to_owned(), None),
            Whose::Book => (String::new(), None),
        };
        let unit = own.map_or("base", Instrument::quantity_unit);
        uses.push((
            used.limit.rule().key.replace("_base", &format!("_{unit}")),
            of,
            used.value,
            LimitUse::of(&used, own),
        ));
    }
    let one = |value: Value| {
        let used = uses.iter().find(|(key, of, ..)| (key, of) == (&value.key, &value.of));
        let known = used.filter(|(.., now, _)| now.is_some()).map(|(.., shown)| shown);
        LimitValue {
            unit: value.unit().to_owned(),
            is_set: value.is_set(),
            now: known.map(|shown| shown.value.clone()),
            share: known.map(|shown| shown.share),
            key: value.key,
            of: value.of,
            value: value.text,
        }
    };
    answer.limits = session.limits().values(rules).into_iter().map(one).collect();
}

/// UTC to the second.
fn moment(at: LocalTime) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0)).map_or_else(|_| at.0.to_string(), |t| format!("{t:.0}"))
}

/// Watches and loads.
#[derive(Debug)]
pub struct Governor {
    sources: Sources,
    /// What operators have set since the file last changed, as after `--set`.
    overrides: Vec<String>,
    /// The file's content as it was last taken up, or refused.
    seen: Option<Digest>,
    /// Its content a moment ago: one that is being written is not read.
    glimpsed: Option<Digest>,
    /// The last approval that has been used.
    approval: Option<String>,
    /// Of the configured limits that are in force.
    limits_of: Digest,
    /// The last configuration without a mistake: who only asks is answered whatever the file says by now.
    sound: Loaded,
    session: thread::Sender<Proposal>,
}

impl Governor {
    /// Over the sources that the session was started with.
    pub fn new(sources: Sources, started_with: &Loaded, session: thread::Sender<Proposal>) -> Self {
        let mut governor = Self {
            sources,
            overrides: Vec::new(),
            seen: None,
            glimpsed: None,
            approval: started_with.settings.risk.approved_at.clone(),
            limits_of: started_with.risk_digest(),
            sound: started_with.clone(),
            session,
        };
        governor.seen = governor.content();
        governor
    }

    /// Until the session ends.
    pub async fn watch(mut self, mut asks: mpsc::Receiver<LimitsAsk>, mut reload: tokio::signal::unix::Signal) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let goes_on = tokio::select! {
                _ = look.tick() => self.look(false).await,
                Some(()) = reload.recv() => self.look(true).await,
                ask = asks.recv() => match ask {
                    Some(ask) => self.hear(ask).await,
                    None => false,
                },
            };
            if !goes_on {
                return;
            }
        }
    }

    fn file(&self) -> PathBuf {
        self.sources.dir.clone().unwrap_or_else(|| PathBuf::from("config")).join("risk.toml")
    }

    fn content(&self) -> Option<Digest> {
        std::fs::read(self.file()).ok().map(|bytes| Digest::of(&bytes))
    }

    /// Looks whether the file has changed, and has been left alone since; `at_once` does not wait.
    async fn look(&mut self, at_once: bool) -> bool {
        let content = self.content();
        let is_settled = at_once || content == self.glimpsed;
        self.glimpsed = content;
        // A file that is gone says nothing: limits stay.
        if content.is_none() || !is_settled || (content == self.seen && !at_once) {
            return true;
        }
        self.seen = content;
        let place = self.file().display().to_string();
        let loaded = match load(&self.sources) {
            Ok(loaded) => loaded,
            Err(problems) => {
                warn!("limits stay as they are: {problems}");
                return true;
            }
        };
        let risk = &loaded.settings.risk;
        let (who, when) = (risk.approved_by.clone(), risk.approved_at.clone());
        let approved = who.is_some() && when.is_some() && when != self.approval;
        let by = match &who {
            Some(who) if approved => format!("{place}, approved by {who}"),
            Some(_) | None => place.clone(),
        };
        let limits_of = loaded.risk_digest();
        self.sound = loaded.clone();
        let Some(answer) = self.propose(loaded, by, approved, false, limits_of).await else { return false };
        for change in &answer.changes {
            info!("{place}: {change}");
        }
        match &answer.error {
            Some(_) if answer.needs_confirmation => {
                warn!(
                    "{place}: limits stay as they are: the changes marked looser need approved_by and a new approved_at in \
                     [risk]"
                );
            }
            Some(error) => warn!("{place}: limits stay as they are: {error}"),
            None => {
                self.overrides.clear();
                self.limits_of = limits_of;
                if answer.applied && approved {
                    self.approval = when;
                }
            }
        }
        true
    }

    async fn hear(&mut self, ask: LimitsAsk) -> bool {
        let LimitsWish { set, confirm, dry_run, by } = ask.wish;
        let stray = set.iter().find(|argument| !argument.trim_start().starts_with("risk."));
        let failed = |error: String| LimitsAnswer { paper: true, error: Some(error), ..LimitsAnswer::default() };
        if let Some(stray) = stray {
            let _ = ask.answer.send(failed(format!("{stray:?} is no limit: write risk.key=value")));
            return true;
        }
        if set.is_empty() {
            let Some(answer) = self.propose(self.sound.clone(), String::new(), false, true, self.limits_of).await
            else {
                return false;
            };
            // What the file would change is not what was asked.
            let _ = ask.answer.send(LimitsAnswer { changes: Vec::new(), ..answer });
            return true;
        }
        let mut overrides = self.overrides.clone();
        overrides.extend(set.iter().cloned());
        let mut sources = self.sources.clone();
        sources.sets.extend(overrides.iter().cloned());
        let loaded = match load(&sources) {
            Ok(loaded) => loaded,
            Err(problems) => {
                let _ = ask.answer.send(failed(problems.to_string()));
                return true;
            }
        };
        let by = by.unwrap_or_else(|| "operator".to_owned());
        let Some(answer) = self.propose(loaded, by, confirm, dry_run, self.limits_of).await else { return false };
        if answer.applied {
            self.overrides = overrides;
            answer.changes.iter().for_each(|change| info!("{change}"));
        }
        let _ = ask.answer.send(answer);
        true
    }

    /// Hands over to the session; `None` once it has ended.
    async fn propose(
        &self,
        loaded: Loaded,
        by: String,
        approved: bool,
        dry_run: bool,
        limits_of: Digest,
    ) -> Option<LimitsAnswer> {
        let (answer, answered) = oneshot::channel();
        let loaded = Box::new(loaded);
        self.session.send(Proposal { loaded, by, approved, dry_run, limits_of, answer }).ok()?;
        answered.await.ok()
    }
}
