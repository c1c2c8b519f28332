//! Where a shock would hurt most, and how large one is: read off the unshocked session.

use serde::Serialize;

use crate::engine::{BookState, Session};
use crate::market::InstrumentId;
use crate::units::{LocalTime, Lots, Money, Nanos};

/// The state of one instrument after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The input.
    pub seq: u64,
    /// When it was heard.
    pub at: LocalTime,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// What was held.
    pub position: Lots,
    /// Twice the mid, ticks; 0 without one.
    pub twice_mid: i64,
    /// What the position was worth, account currency.
    pub worth: Money,
}

/// Which moment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After the first input at which a position was worth most.
    Worst,
    /// After this input.
    Seq(u64),
    /// After the last input heard by then.
    Time(LocalTime),
}

/// How an instrument's market moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Moves {
    /// Which.
    pub instrument: String,
    /// Standard deviation of the mid's change over one minute, ticks: of the changes from second to second, times √60.
    pub sigma_minute_ticks: f64,
    /// The same in basis points of the mid at the moment.
    pub sigma_minute_bps: f64,
    /// Changes it was measured by.
    pub changes: u64,
    /// Best ask less best bid, ticks, mean over time.
    pub spread_ticks: f64,
}

/// A fold over the unshocked session.
#[derive(Clone, Debug)]
pub struct Survey {
    when: When,
    found: Option<Moment>,
    started: Option<LocalTime>,
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The mid at the last second, while the book was live ever since.
    mid: Option<i64>,
    next: LocalTime,
    changes: u64,
    /// Squares of changes of twice the mid.
    squares: i128,
    since: Option<(LocalTime, i64)>,
    spread_time: i128,
    time: i128,
}

const SECOND: Nanos = Nanos::from_s(1);

impl Survey {
    /// Of a session of so many instruments.
    pub fn new(when: When, count: usize) -> Self {
        Self { when, found: None, started: None, seen: vec![Seen::default(); count] }
    }

    /// After an input.
    pub fn step(&mut self, session: &Session) {
        let now = session.now();
        let started = *self.started.get_or_insert(now);
        for i in 0..session.len() {
            let id = InstrumentId(i as u16);
            let top = session.top(id).filter(|_| session.book_state(id) == BookState::Live);
            let seen = &mut self.seen[i];
            if let Some((since, spread)) = seen.since {
                let time = i128::from(now.since(since).0);
                seen.spread_time += time * i128::from(spread);
                seen.time += time;
            }
            seen.since = top.map(|top| (now, top.ask.price.0 - top.bid.price.0));
            seen.next = seen.next.max(started);
            if now >= seen.next {
                let mid = top.map(|top| top.twice_mid());
                // One second, not several of which nothing was heard.
                if let (Some(before), Some(mid), true) = (seen.mid, mid, now.since(seen.next) < SECOND) {
                    seen.changes += 1;
                    seen.squares += i128::from(mid - before).pow(2);
                }
                seen.mid = mid;
                let passed = now.since(seen.next).0 / SECOND.0 + 1;
                seen.next = seen.next + Nanos(passed * SECOND.0);
            } else if top.is_none() {
                seen.mid = None;
            }
        }
        let is_asked = match self.when {
            When::Worst => true,
            When::Seq(seq) => session.seq() <= seq,
            When::Time(at) => now <= at,
        };
        if is_asked {
            self.look(session);
        }
    }

    fn look(&mut self, session: &Session) {
        let limits = session.limits();
        let here = (0..session.len()).map(|i| {
            let id = InstrumentId(i as u16);
            let worth = limits.instruments[i].in_account(session.notional_in_quote(id).unwrap_or_default());
            Moment {
                seq: session.seq(),
                at: session.now(),
                instrument: id,
                position: session.equity(id).position,
                twice_mid: session.top(id).map_or(0, |top| top.twice_mid()),
                worth,
            }
        });
        // Of equals the first.
        let here = here.rev().max_by_key(|moment| moment.worth);
        let is_worse = |new: &Moment| match (self.when, &self.found) {
            (When::Worst, Some(old)) => new.worth > old.worth,
            (When::Worst, None) | (When::Seq(_) | When::Time(_), _) => true,
        };
        if let Some(new) = here.filter(is_worse) {
            self.found = Some(new);
        }
    }

    /// The moment asked for; `None` of a session without inputs by then.
    pub fn moment(&self) -> Option<Moment> {
        self.found
    }

    /// How an instrument moved.
    pub fn moves(&self, session: &Session, id: InstrumentId) -> Moves {
        let seen = &self.seen[id.index()];
        let mean = if seen.changes == 0 { 0.0 } else { seen.squares as f64 / seen.changes as f64 };
        // Squares are of twice the mid.
        let ticks = (mean * 60.0).sqrt() / 2.0;
        let twice_mid = match &self.found {
            Some(moment) if moment.instrument == id => moment.twice_mid,
            Some(_) | None => session.top(id).map_or(0, |top| top.twice_mid()),
        };
        Moves {
            instrument: session.rules(id).label(),
            sigma_minute_ticks: ticks,
            sigma_minute_bps: if twice_mid == 0 { 0.0 } else { ticks * 20_000.0 / twice_mid as f64 },
            changes: seen.changes,
            spread_ticks: if seen.time == 0 { 0.0 } else { seen.spread_time as f64 / seen.time as f64 },
        }
    }
}
