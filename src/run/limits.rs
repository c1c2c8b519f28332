//! Limits that change while the bot runs: a file that was edited, a signal, an operator.
//!
//! Two halves. The [`Governor`] is a task of its own: it watches `risk.toml` (its content, once a second; at once on
//! SIGHUP), hears the API, and loads and checks the whole configuration, so that nothing of this takes the session's time.
//! It has no way to the session's channel, so however busy it is, no news waits for it. What it arrives at is a
//! [`Proposal`], which the session's thread takes up between two inputs: only there are the rules known in whose lots
//! limits are counted, and only there can a change be recorded at its place.
//!
//! A change is whole or not at all. What is judged is the very text that was read, never what the file says a moment later.
//! A file with a mistake changes nothing, and status says so until it is right; a change that lets more through needs
//! somebody to say so (`--confirm`, or `approved_by` and a later `approved_at` in the file). What an operator sets stands
//! above the file until the file changes, over restarts too, and can be set whatever state the file is in.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc as thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::core::Core;
use super::purse::Made;
use crate::config::{BUILT_IN_RISK, Loaded, Sources, load_with};
use crate::dashboard::limits::{LimitValue, LimitsAnswer, LimitsAsk, LimitsWish};
use crate::dashboard::status::LimitUse;
use crate::digest::of_state;
use crate::engine::{Command, Input, Session};
use crate::feed::wall_clock;
use crate::journal::JournalError;
use crate::market::{Instrument, InstrumentId};
use crate::risk::values::Value;
use crate::risk::{Trip, Whose};
use crate::units::LocalTime;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest file there can be a reason for, bytes.
const FILE_MAX: u64 = 1 << 20;

/// A whole, checked configuration whose limits should be in force.
#[derive(Debug)]
pub struct Proposal {
    loaded: Box<Loaded>,
    by: String,
    /// Somebody has said that limits may become looser.
    approved: bool,
    dry_run: bool,
    /// What they are made from.
    made: Made,
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
                core.configured(proposal.made);
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

/// What is where the file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Missing,
    Text(String),
    /// With the reason.
    Unreadable(String),
}

impl Content {
    /// Never waits: what is no plain file (a pipe would keep us for ever) is not opened.
    fn read(path: &Path) -> Self {
        let unreadable = |what: String| Content::Unreadable(format!("{}{what}", path.display()));
        let found = match std::fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Content::Missing,
            Err(error) => return unreadable(format!(": cannot be read: {error}")),
        };
        if !found.is_file() {
            return unreadable(": is not a file".to_owned());
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => return Content::Missing,
            Err(error) => return unreadable(format!(": cannot be read: {error}")),
            Ok(_) if bytes.len() as u64 > FILE_MAX => {
                return unreadable(format!(": is longer than {FILE_MAX} bytes: no file of limits is"));
            }
            Ok(_) => {}
        }
        String::from_utf8(bytes).map(Content::Text).unwrap_or_else(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            unreadable(format!(":{line}: is not UTF-8 from byte {} on", valid.len()))
        })
    }
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
    /// What the limits in force are made from.
    made: Made,
    /// The file's text that they are made from.
    base: String,
    /// Whether that was a file, and not what is built in.
    had_file: bool,
    /// The file as it was last taken up, or refused.
    seen: Option<Content>,
    /// As it was a moment ago: one that is being written is not read.
    glimpsed: Option<Content>,
    /// The last configuration without a mistake: who only asks is answered whatever the file says by now.
    sound: Loaded,
    session: thread::Sender<Proposal>,
    refused: watch::Sender<Option<String>>,
}

impl Governor {
    /// Over the sources that the session was started with, and what its limits are made from. The receiver says why the
    /// file as it is now is not in force, if it is not.
    pub fn new(
        sources: Sources,
        started_with: &Loaded,
        made: Made,
        session: thread::Sender<Proposal>,
    ) -> (Self, watch::Receiver<Option<String>>) {
        let (refused, say) = watch::channel(None);
        let content = Content::read(&sources.risk_file());
        let base = match &content {
            Content::Text(text) => text.clone(),
            Content::Missing | Content::Unreadable(_) => BUILT_IN_RISK.to_owned(),
        };
        // A file that was changed while the session started is looked at again.
        let again = load_with(&sources, Some(&base));
        let is_same = again.is_ok_and(|again| again.risk_digest() == started_with.risk_digest());
        let own = started_with.settings.risk.approved_at.clone();
        let made = Made { approved_at: later(made.approved_at, own), ..made };
        let governor = Self {
            sources,
            made,
            base,
            had_file: matches!(content, Content::Text(_)),
            seen: is_same.then_some(content),
            glimpsed: None,
            sound: started_with.clone(),
            session,
            refused,
        };
        (governor, say)
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

    /// Looks whether the file has changed, and has been left alone since; `at_once` does not wait.
    async fn look(&mut self, at_once: bool) -> bool {
        let file = self.sources.risk_file();
        let Some(content) = aside(move || Content::read(&file)).await else { return false };
        let content = Some(content);
        let is_settled = at_once || content == self.glimpsed;
        self.glimpsed.clone_from(&content);
        if !is_settled || (content == self.seen && !at_once) {
            return true;
        }
        self.seen.clone_from(&content);
        let place = self.sources.risk_file().display().to_string();
        match content {
            Some(Content::Text(text)) => self.take_up_file(place, text).await,
            Some(Content::Unreadable(why)) => self.refuse(&why),
            Some(Content::Missing) if self.had_file => self.refuse(&format!("{place}: is gone")),
            // There was none to begin with.
            Some(Content::Missing) | None => self.accept(),
        }
    }

    async fn take_up_file(&mut self, place: String, text: String) -> bool {
        let (sources, given) = (self.sources.clone(), text.clone());
        let Some(loaded) = aside(move || load_with(&sources, Some(&given))).await else { return false };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => return self.refuse(&problems.to_string()),
        };
        // An empty file is one that somebody is about to write, not one that asks for every default.
        if !loaded.entries().iter().any(|entry| entry.origin.starts_with(&place)) {
            return self.refuse(&format!("{place}: says nothing: no key of [risk] is in it"));
        }
        let risk = &loaded.settings.risk;
        let (who, when) = (risk.approved_by.clone(), risk.approved_at.clone());
        let is_new = when.is_some() && later(self.made.approved_at.clone(), when.clone()) != self.made.approved_at;
        let by = match &who {
            Some(who) if is_new => format!("{place}, approved by {who}"),
            Some(_) | None => place.clone(),
        };
        let approved = who.is_some() && is_new;
        let used = if approved { when } else { self.made.approved_at.clone() };
        let made = Made { limits_of: loaded.risk_digest(), set: Vec::new(), approved_at: used };
        self.sound = loaded.clone();
        let Some(answer) = self.propose(loaded, by, approved, false, made.clone()).await else { return false };
        for change in &answer.changes {
            info!("{place}: {change}");
        }
        if let Some(error) = answer.error {
            let looser: Vec<String> = answer.changes.iter().filter(|c| c.loosens).map(ToString::to_string).collect();
            return self.refuse(&match answer.needs_confirmation {
                true => format!(
                    "{place}: {}: this needs approved_by and an approved_at later than {} in [risk]",
                    looser.join("; "),
                    self.made.approved_at.as_deref().unwrap_or("any used before")
                ),
                false => error,
            });
        }
        let approved_at = if answer.applied { made.approved_at.clone() } else { self.made.approved_at.clone() };
        self.made = Made { approved_at, ..made };
        (self.base, self.had_file) = (text, true);
        self.accept()
    }

    fn accept(&mut self) -> bool {
        self.refused.send_replace(None);
        true
    }

    fn refuse(&mut self, why: &str) -> bool {
        warn!("limits stay as they are: {why}");
        self.refused.send_replace(Some(why.to_owned()));
        true
    }

    async fn hear(&mut self, ask: LimitsAsk) -> bool {
        let LimitsWish { set, confirm, dry_run, by, reason: _ } = ask.wish;
        let file_refused = self.refused.borrow().clone();
        let stray = set.iter().find(|argument| !argument.trim_start().starts_with("risk."));
        let failed = |error: String| LimitsAnswer {
            paper: true,
            error: Some(error),
            file_refused: file_refused.clone(),
            ..LimitsAnswer::default()
        };
        if let Some(stray) = stray {
            let _ = ask.answer.send(failed(format!("{stray:?} is no limit: write risk.key=value")));
            return true;
        }
        if set.is_empty() {
            let shown = self.propose(self.sound.clone(), String::new(), false, true, self.made.clone()).await;
            let Some(answer) = shown else { return false };
            // What the file would change is not what was asked.
            let _ = ask.answer.send(LimitsAnswer { changes: Vec::new(), file_refused, ..answer });
            return true;
        }
        let mut made = self.made.clone();
        made.set.extend(set.iter().cloned());
        // Over what is in force, whatever the file says by now.
        let (mut sources, base) = (self.sources.clone(), self.base.clone());
        sources.sets.extend(made.set.iter().cloned());
        let Some(loaded) = aside(move || load_with(&sources, Some(&base))).await else { return false };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => {
                let _ = ask.answer.send(failed(problems.to_string()));
                return true;
            }
        };
        let by = by.unwrap_or_else(|| "operator".to_owned());
        let Some(answer) = self.propose(loaded, by, confirm, dry_run, made.clone()).await else { return false };
        if answer.applied {
            self.made = made;
            answer.changes.iter().for_each(|change| info!("{change}"));
        }
        let _ = ask.answer.send(LimitsAnswer { file_refused, ..answer });
        true
    }

    /// Hands over to the session; `None` once it has ended.
    async fn propose(
        &self,
        loaded: Loaded,
        by: String,
        approved: bool,
        dry_run: bool,
        made: Made,
    ) -> Option<LimitsAnswer> {
        let (answer, answered) = oneshot::channel();
        let loaded = Box::new(loaded);
        self.session.send(Proposal { loaded, by, approved, dry_run, made, answer }).ok()?;
        answered.await.ok()
    }
}

/// Reads and parses where no socket waits for it; `None` if the program is ending.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// The later of two approvals; one that is no time is none.
fn later(used: Option<String>, new: Option<String>) -> Option<String> {
    let time = |text: &Option<String>| text.as_deref().and_then(time_of_approval);
    match (time(&used), time(&new)) {
        (before, Some(now)) if before.is_none_or(|before| now > before) => new,
        (_, Some(_) | None) => used,
    }
}

/// `2026-11-21T08:00Z`; without an offset it is UTC, without a time midnight.
fn time_of_approval(text: &str) -> Option<jiff::Timestamp> {
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse().ok().or_else(|| civil().map(|zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_used_once_and_an_older_one_never() {
        let at = |text: &str| Some(text.to_owned());
        let first = later(None, at("2026-11-21T08:00Z"));
        assert_eq!(first, at("2026-11-21T08:00Z"));
        let rows = [
            ("2026-11-21T08:00Z", false),
            ("2026-11-21T09:00+01:00", false),
            ("2026-11-21T07:59:59Z", false),
            ("2026-11-21", false),
            ("tomorrow", false),
            ("", false),
            ("2026-11-21T08:00:01Z", true),
            ("2026-11-21T08:30", true),
            ("2026-11-22", true),
        ];
        for (text, is_new) in rows {
            assert_eq!(later(first.clone(), at(text)) != first, is_new, "{text}");
        }
        assert_eq!(later(None, at("soon")), None);
    }
}
