//! The innermost loop of everything that records: append the input, let the session obey it, append what it said.

use std::sync::Arc;

use super::bracket::Bracket;
use super::purse::{Made, Purse};
use crate::dashboard::status::{FeedStatus, JournalStatus};
use crate::dashboard::{Observer, StatusSnapshot};
use crate::digest::canonical_bytes;
use crate::engine::{Command, ITSELF, Input, Mode, Output, Session, SessionSpec, Stamped};
use crate::journal::{Checkpoint, Ending, JournalError, Manifest, Standstill, Writer};
use crate::market::InstrumentId;
use crate::order::ReportKind;
use crate::risk::Score;
use crate::strategy::Strategies;
use crate::units::{LocalTime, Nanos};

/// A session with its recording.
pub struct Core {
    session: Session,
    strategies: Strategies,
    writer: Writer,
    purse: Option<Purse>,
    bracket: Option<Bracket>,
    last: Stamped,
    out: Vec<Output>,
    observer: Observer,
    checkpoint_every: u64,
    risk_reason: String,
    standstill: Option<Standstill>,
    /// The score in the account, and when it was put there.
    saved: Option<(Score, LocalTime)>,
    /// The oldest input not known to be on disk: its number and time.
    unsaved: (u64, LocalTime),
}

impl Core {
    /// A session about to begin. With a purse, its position and state follow every change.
    pub fn new(
        spec: &SessionSpec,
        strategies: Strategies,
        writer: Writer,
        purse: Option<Purse>,
        checkpoint_every: u64,
    ) -> Self {
        let rules: Vec<_> = spec.desks.iter().map(|d| d.rules.clone()).collect();
        Self {
            observer: Observer::new(&writer.manifest().id, &rules, &strategies),
            session: Session::new(spec),
            strategies,
            writer,
            purse,
            bracket: None,
            last: Stamped { seq: 0, at: LocalTime::default(), input: Input::Tick },
            out: Vec::new(),
            checkpoint_every: checkpoint_every.max(1),
            risk_reason: String::new(),
            standstill: None,
            saved: None,
            unsaved: (0, LocalTime::default()),
        }
    }

    /// With shadows of the session; before its first input.
    pub fn with_bracket(self, bracket: Option<Bracket>) -> Self {
        Self { bracket, ..self }
    }

    /// Takes one input: appended before it is obeyed, so a power cut never leaves an action without its cause.
    pub fn take(&mut self, at: LocalTime, input: Input) -> Result<(), JournalError> {
        // Two connections and a timer have three clocks' worth of jitter; the recording has one order.
        self.last = Stamped { seq: self.last.seq + 1, at: at.max(self.last.at), input };
        self.writer.input(&self.last)?;
        self.observer.told(&self.last);
        self.session.step(&self.last, &mut self.strategies, &mut self.out);
        if let Some(bracket) = &mut self.bracket {
            bracket.step(&self.last);
        }
        self.writer.outputs(self.last.seq, &self.out)?;
        self.observer.hear(&self.out, self.last.seq, self.last.at);
        let mut account_changed = false;
        let mut told = None;
        for output in self.out.drain(..) {
            match &output {
                Output::Heard(report) => account_changed |= matches!(report.kind, ReportKind::Filled(_)),
                Output::Risk { reason, .. } => {
                    self.risk_reason.clone_from(reason);
                    account_changed = true;
                }
                Output::Commanded { by, command } => {
                    account_changed = true;
                    let is_quiet = matches!(command, Command::Pause | Command::Flatten);
                    // What was carried over is not said anew, and a flatten that ends in a pause is still whose it was.
                    let is_known = by == ITSELF || self.standstill.as_ref().is_some_and(|s| *by == carried_by(s));
                    if is_quiet && !is_known {
                        told = Some(by.clone());
                    }
                }
                Output::Funding(_) => account_changed = true,
                Output::Book { .. }
                | Output::Decided { .. }
                | Output::Sent(_)
                | Output::Refused { .. }
                | Output::Equity(_)
                | Output::FundingUnknown { .. }
                | Output::Drift { .. } => {}
            }
        }
        if account_changed || self.has_a_new_top() {
            self.note_standstill(told);
            self.save_account()?;
        }
        if self.last.input == Input::Tick {
            self.writer.tick(self.last.at)?;
        }
        if self.last.seq.is_multiple_of(self.checkpoint_every) {
            let checkpoint = checkpoint(&self.session, &self.strategies);
            self.observer.checkpointed(checkpoint.state_digest);
            self.writer.checkpoint(checkpoint)?;
        }
        if self.writer.durable_seq() >= self.unsaved.0 {
            self.unsaved = (self.last.seq, self.last.at);
        }
        Ok(())
    }

    /// Keeps who had the quotes taken out. The end of a session is not about the next one.
    fn note_standstill(&mut self, told: Option<String>) {
        let flattens = match self.session.mode() {
            Mode::Stopped => return,
            Mode::Quoting => return self.standstill = None,
            Mode::Paused => false,
            Mode::Flattening => true,
        };
        let before = self.standstill.take().filter(|_| told.is_none());
        self.standstill = Some(before.map_or_else(
            || Standstill {
                flattens,
                // Without a word from anybody it is what follows from a halt.
                by: told.unwrap_or_else(|| "risk".to_owned()),
                session: self.writer.manifest().id.clone(),
            },
            |before| Standstill { flattens, ..before },
        ));
    }

    /// Nothing is quoted here either: somebody said so in a session before.
    pub fn stand_still(&mut self, at: LocalTime, standstill: Standstill) -> Result<(), JournalError> {
        let command = if standstill.flattens { Command::Flatten } else { Command::Pause };
        let by = carried_by(&standstill);
        self.standstill = Some(standstill);
        self.take(at, Input::Command { by, command })
    }

    /// Whether the account would forget a day's beginning or a highest equity, were we killed now: prices move both
    /// without a fill. Looked at with time, and for tops once a second, for each saving is a sync.
    fn has_a_new_top(&self) -> bool {
        let Some((saved, at)) = self.saved else { return self.purse.is_some() };
        if self.purse.is_none() || self.last.input != Input::Tick {
            return false;
        }
        let score = self.session.carried("").score.unwrap_or_default();
        score.day != saved.day || (score.peak != saved.peak && self.last.at.since(at) >= Nanos::from_s(1))
    }

    fn save_account(&mut self) -> Result<(), JournalError> {
        let Some(purse) = &mut self.purse else { return Ok(()) };
        purse.save(&self.session, &self.writer.manifest().id, &self.risk_reason, self.standstill.as_ref())?;
        self.saved = Some((self.session.carried("").score.unwrap_or_default(), self.last.at));
        Ok(())
    }

    /// Limits are about to change; those in force from then on are made from this.
    pub fn configured(&mut self, made: Made) {
        if let Some(purse) = &mut self.purse {
            purse.configured(made);
        }
    }

    /// The session as it is.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The picture of it all, at `now`.
    pub fn picture(&mut self, now: LocalTime, feeds: Vec<FeedStatus>) -> Arc<StatusSnapshot> {
        let unsaved = self.session.seq().saturating_sub(self.writer.durable_seq());
        let journal = JournalStatus {
            lag_ms: self.journal_lag().ms(),
            waiting: unsaved,
            bytes: self.writer.bytes(),
            disk_free_bytes: None,
        };
        if let Some(bracket) = &self.bracket {
            self.observer.bracketed(bracket.status(&self.session, self.observer.fills()));
        }
        self.observer.picture(&self.session, now, feeds, journal)
    }

    /// The recording.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// A remark for people, in the manifest of the ended recording.
    pub fn note(&mut self, note: impl Into<String>) {
        self.writer.note(note);
    }

    /// Age of the oldest input that a power cut would take, within one block.
    fn journal_lag(&self) -> Nanos {
        if self.writer.durable_seq() >= self.unsaved.0 { Nanos::ZERO } else { self.last.at.since(self.unsaved.1) }
    }

    /// Ends the recording and goes on in another: a session of `spec`, which is this one's as it stands now, begun with
    /// `strategies` and `writer`. Returns the manifest of what has ended.
    pub fn roll(
        &mut self,
        spec: &SessionSpec,
        strategies: Strategies,
        writer: Writer,
        bracket: Option<Bracket>,
    ) -> Result<Manifest, JournalError> {
        self.save_account()?;
        let carried = self.session.carried(&self.writer.manifest().id);
        let handed = self.session.handover();
        let (purse, standstill) = (self.purse.take(), self.standstill.take());
        let mut next = Self::new(spec, strategies, writer, purse, self.checkpoint_every).with_bracket(bracket);
        // Time goes on where it was, also if a clock was set back meanwhile.
        next.last.at = self.last.at;
        let (_, manifest) = std::mem::replace(self, next).finish()?;
        let at = self.last.at;
        let command = Command::Restore(Box::new(carried));
        self.take(at, Input::Command { by: "account".to_owned(), command })?;
        standstill.map_or(Ok(()), |standstill| self.stand_still(at, standstill))?;
        handed.into_iter().try_for_each(|input| self.take(at, input))?;
        Ok(manifest)
    }

    /// Ends the recording: everything on disk, digests in the manifest.
    pub fn finish(mut self) -> Result<(Session, Manifest), JournalError> {
        self.save_account()?;
        for (rules, index) in self.session.instruments().zip(0..) {
            let bps = self.session.venue(InstrumentId(index)).level_share_max_bps();
            if bps >= LARGE_BPS {
                let percent = f64::from(bps) / 100.0;
                self.writer.note(format!(
                    "{}: up to {percent:.1} % of a level was ours, ours counted in; the market would have answered, so believe \
                     its fills the less",
                    rules.label()
                ));
            }
        }
        if let Some(bracket) = &self.bracket {
            self.writer.bracket(bracket.prints());
        }
        let ending = Ending {
            at: self.last.at,
            output_digest: self.session.digest().digest(),
            state_digest: self.session.state_digest(),
        };
        Ok((self.session, self.writer.finish(ending)?))
    }
}

/// Who commands a standstill in a session after the one that was told.
fn carried_by(standstill: &Standstill) -> String {
    format!("account, for {} in {}", standstill.by, standstill.session)
}

/// From this part of a level on, our size is worth a remark.
const LARGE_BPS: u32 = 1_000;

/// The state to resume from, and the fingerprints a replay must arrive at.
pub(super) fn checkpoint(session: &Session, strategies: &Strategies) -> Checkpoint {
    let saved: Vec<Vec<u8>> = strategies.iter().map(|s| s.as_ref().map_or_else(Vec::new, |s| s.save())).collect();
    Checkpoint {
        seq: session.seq(),
        at: session.now(),
        outputs: session.digest().length(),
        output_digest: session.digest().digest(),
        state_digest: session.state_digest(),
        state: canonical_bytes(&(session, saved)),
    }
}

/// A session and its strategies back from a checkpoint's state. Errors if the bytes are of another kind of session.
pub fn resume(state: &[u8], strategies: &mut Strategies) -> Result<Session, String> {
    let (session, saved): (Session, Vec<Vec<u8>>) = postcard::from_bytes(state).map_err(|e| e.to_string())?;
    if saved.len() != strategies.len() {
        return Err(format!("the checkpoint has {} strategies, the session {}", saved.len(), strategies.len()));
    }
    for (strategy, saved) in strategies.iter_mut().zip(&saved) {
        if let Some(strategy) = strategy {
            strategy.restore(saved)?;
        }
    }
    Ok(session)
}
