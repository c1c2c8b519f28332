//! Use of every limit over time: a fold over a session that runs again.
//!
//! The recording holds inputs, not measures, so they are run again under the recording's own settings. Every measure is
//! looked at after every input; a row per limit is made for each interval in which there was one, with the value at its end
//! and the highest of it, so nothing is missed between two rows. When other limits come into force the interval ends with
//! the input before, and all limits are said anew.
//!
//! Reading order: [`Usage::step`] is the fold, [`limits`] its run over a recording.

use super::rerun::{Changes, RerunError, rerun, spec_for};
use crate::engine::{LimitUse, Output, Session};
use crate::journal::export::{LimitRow, Peak};
use crate::journal::{Manifest, Reader};
use crate::market::Instrument;
use crate::risk::{Limit, Whose};
use crate::units::{LocalTime, Nanos};

/// What of each limit is used, and the most since its last row.
#[derive(Clone, Debug)]
pub struct Usage {
    every: Nanos,
    /// When the interval is over; `None` before the first input.
    next: Option<LocalTime>,
    /// Of the last input.
    seq: u64,
    at: LocalTime,
    /// After the last input, in a fixed order while the same limits are in force.
    uses: Vec<LimitUse>,
    /// Since the last row, one for each of `uses`.
    peaks: Vec<Option<Peak>>,
    /// Memory that is used again.
    now: Vec<LimitUse>,
}

impl Usage {
    /// A row per limit for every interval of this length, counted from the first input.
    pub fn new(every: Nanos) -> Self {
        let at = LocalTime::default();
        Self { every, next: None, seq: 0, at, uses: Vec::new(), peaks: Vec::new(), now: Vec::new() }
    }

    /// After an input that made the session say `said`. Appends the rows that are due.
    pub fn step(&mut self, session: &Session, said: &[Output], rows: &mut Vec<LimitRow>) {
        self.now.clear();
        session.limit_uses_into(&mut self.now);
        session.request_uses_into(said, &mut self.now);
        let (seq, at) = (session.seq(), session.now());
        match self.next {
            None => {
                self.next = Some(at + self.every);
                self.begin("start", seq, at, rows);
            }
            Some(next) => {
                let is_over = at >= next;
                let is_changed = !self.uses.iter().map(in_force).eq(self.now.iter().map(in_force));
                if is_over || is_changed {
                    self.finish(rows);
                }
                if is_over {
                    let passed = at.since(next).0 / self.every.0.max(1) + 1;
                    self.next = Some(next + Nanos(self.every.0.saturating_mul(passed)));
                }
                if is_changed {
                    let gone = |old: &&LimitUse| !self.now.iter().any(|new| whose(new) == whose(old));
                    let lifted = |used: &LimitUse| LimitRow {
                        seq,
                        at,
                        event: "lifted",
                        used: LimitUse { value: None, ..*used },
                        peak: None,
                    };
                    rows.extend(self.uses.iter().filter(gone).map(lifted));
                    self.begin("changed", seq, at, rows);
                }
            }
        }
        std::mem::swap(&mut self.uses, &mut self.now);
        (self.seq, self.at) = (seq, at);
        for (used, peak) in self.uses.iter().zip(&mut self.peaks) {
            let Some(value) = used.value else { continue };
            if peak.is_none_or(|peak| value > peak.value) {
                *peak = Some(Peak { seq, at, value });
            }
        }
    }

    /// The limits that `now` has are in force from this input on.
    fn begin(&mut self, event: &'static str, seq: u64, at: LocalTime, rows: &mut Vec<LimitRow>) {
        rows.extend(self.now.iter().map(|used| LimitRow { seq, at, event, used: *used, peak: None }));
        self.peaks = vec![None; self.now.len()];
    }

    /// The interval is over: appends a row per limit, if there was any input.
    pub fn finish(&mut self, rows: &mut Vec<LimitRow>) {
        if self.peaks.iter().all(Option::is_none) {
            return;
        }
        let (seq, at) = (self.seq, self.at);
        let ended = self.uses.iter().zip(&mut self.peaks);
        rows.extend(ended.map(|(used, peak)| LimitRow { seq, at, event: SAMPLE, used: *used, peak: peak.take() }));
    }
}

/// The event of a row that ends an interval.
const SAMPLE: &str = "sample";

fn whose(used: &LimitUse) -> (Whose, Limit) {
    (used.whose, used.limit)
}

fn in_force(used: &LimitUse) -> (Whose, Limit, i128) {
    (used.whose, used.limit, used.max)
}

/// Runs a recording again, and hands over every row with the rules of its instrument. Stops at the first that is refused.
pub fn limits<E: From<RerunError>>(
    mut recording: Reader,
    manifest: &Manifest,
    every: Nanos,
    mut each: impl FnMut(&LimitRow, Option<&Instrument>) -> Result<(), E>,
) -> Result<(), E> {
    let spec = spec_for(manifest, &Changes::default()).map_err(RerunError::from)?;
    let (mut usage, mut rows, mut refused) = (Usage::new(every), Vec::new(), None);
    // An interval that is over was measured in the lots of before.
    let mut before: Vec<Instrument> = spec.desks.iter().map(|desk| desk.rules.clone()).collect();
    let mut tell = |session: &Session, rows: &mut Vec<LimitRow>| {
        let told = rows.drain(..).try_for_each(|row| {
            let rules = match row.used.whose {
                Whose::Instrument(id) if row.event == SAMPLE => Some(&before[id.index()]),
                Whose::Instrument(id) => Some(session.rules(id)),
                Whose::Venue(_) | Whose::Book => None,
            };
            each(&row, rules)
        });
        for (before, now) in before.iter_mut().zip(session.instruments()) {
            if before.lot != now.lot {
                before.clone_from(now);
            }
        }
        told
    };
    let ended = rerun(&mut recording, &spec, |session, _, said| {
        usage.step(session, said, &mut rows);
        refused = tell(session, &mut rows).err();
        refused.is_none()
    })?;
    match refused {
        Some(error) => Err(error),
        None => {
            usage.finish(&mut rows);
            tell(&ended.session, &mut rows)
        }
    }
}
