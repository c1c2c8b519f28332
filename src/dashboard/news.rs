//! What has happened: the last events and fills, in words, numbered so that a reader knows what it has missed.
//!
//! The session's outputs are the log; this keeps the end of it. Everything is numbered from 1 on, without holes, in the order of
//! the recording, and `seq` is the input it came of: `papermaker replay SESSION --around SEQ` shows both sides of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::engine::{Command, Output};
use crate::market::Instrument;
use crate::order::{Fill, OrderId, ReportKind, Request};
use crate::units::{LocalTime, VenueTime};

/// Events and fills a picture carries; the page's server, which sees every picture, keeps more.
const KEPT: usize = 32;

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStatus {
    /// From 1 on.
    pub n: u64,
    /// The input it came of.
    pub seq: u64,
    /// Nanoseconds since the epoch.
    pub at_ns: i64,
    /// `command`, `risk`, `refusal`, `reject`, `book`, `funding`.
    pub kind: String,
    /// `VENUE:SYMBOL`, a venue, or empty for the whole book.
    pub of: String,
    /// What, why, and who.
    pub text: String,
}

/// One fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillStatus {
    /// From 1 on: the last one's is the number of fills.
    pub n: u64,
    /// The input we heard of it with.
    pub seq: u64,
    /// When we heard, nanoseconds since the epoch.
    pub at_ns: i64,
    /// Of which order.
    pub order: u64,
    /// `VENUE:SYMBOL`.
    pub of: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Decimal.
    pub price: String,
    /// Decimal.
    pub qty: String,
    /// Paid, in settlement currency; negative is a rebate.
    pub fee: String,
    /// `maker` or `taker`.
    pub liquidity: String,
    /// What in the market made the model believe in it, as in the `fills` export.
    pub why: String,
    /// What the model still believed ahead of us just before.
    pub queue_ahead: String,
}

/// A limit that was passed and has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripStatus {
    /// `VENUE:SYMBOL`, a venue, or empty for the whole book.
    pub of: String,
    /// What it has put that into: `reducing` or `halted`; of warnings `active`.
    pub state: String,
    /// By how much.
    pub reason: String,
    /// Since when, nanoseconds since the epoch.
    pub since_ns: i64,
    /// Whether it is only the warning before the limit.
    pub is_soft: bool,
}

/// One level of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungStatus {
    /// Decimal.
    pub price: String,
    /// Displayed there; of a venue that is not the paper one this does not count ours.
    pub qty: String,
    /// Ours that rests there or is on its way; empty without.
    pub ours: String,
    /// Believed ahead of the first of ours; empty without, and before the venue has accepted it.
    pub ahead: String,
}

/// How late news is: our clock when we heard less the venue's stamp, of the last `Delays::KEPT` stamped pieces of news.
/// Negative where the venue's clock is ahead of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half were no later, milliseconds.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// Ninety-nine of a hundred.
    pub p99_ms: f64,
    /// The latest.
    pub max_ms: f64,
    /// Of how many.
    pub n: u32,
}

/// The last delays of one venue.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    ns: Vec<i64>,
    next: usize,
}

impl Delays {
    /// So many are looked at.
    pub const KEPT: usize = 1_024;

    /// Takes one in. Two clocks are compared here, knowingly: it is what an operator has to know of them.
    pub fn heard(&mut self, at: LocalTime, stamp: VenueTime) {
        let late = at.0.saturating_sub(stamp.0);
        if self.ns.len() < Self::KEPT {
            self.ns.push(late);
        } else {
            self.ns[self.next] = late;
            self.next = (self.next + 1) % Self::KEPT;
        }
    }

    /// Nearest-rank percentiles; `None` before the first.
    pub fn latency(&self) -> Option<Latency> {
        let mut sorted = self.ns.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| (sorted.len() * percent).div_ceil(100).max(1) - 1;
        let ms = |index: usize| sorted.get(index).map(|ns| *ns as f64 / 1e6);
        Some(Latency {
            p50_ms: ms(rank(50))?,
            p90_ms: ms(rank(90))?,
            p99_ms: ms(rank(99))?,
            max_ms: ms(sorted.len().checked_sub(1)?)?,
            n: sorted.len() as u32,
        })
    }
}

/// The end of the log.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    events: VecDeque<EventStatus>,
    fills: VecDeque<FillStatus>,
    events_told: u64,
    fills_told: u64,
}

impl News {
    /// Takes in what the session said to input `seq`.
    pub fn hear(&mut self, rules: &[Instrument], said: &Output, seq: u64, at: LocalTime) {
        let label = |index: usize| rules[index].label();
        let (kind, of, text) = match said {
            Output::Heard(report) => match &report.kind {
                ReportKind::Filled(fill) => {
                    return self.filled(&rules[report.instrument.index()], report.id, fill, seq, at);
                }
                ReportKind::Rejected(why) | ReportKind::CancelRejected(why) => (
                    "reject",
                    label(report.instrument.index()),
                    format!("the venue rejected order {}: {why}", report.id.0),
                ),
                ReportKind::Accepted { .. }
                | ReportKind::Cancelled { .. }
                | ReportKind::Replaced { .. }
                | ReportKind::Amended { .. } => return,
            },
            Output::Refused { request, refusal } => {
                let rules = &rules[request.instrument().index()];
                ("refusal", rules.label(), format!("{} refused: {refusal}", asked(rules, request)))
            }
            Output::Risk { whose, state, reason, by } => {
                ("risk", whose.label(rules), format!("{}: {reason}, by {by}", state.word().to_uppercase()))
            }
            Output::Commanded { by, command } => ("command", String::new(), format!("{}, by {by}", order(command))),
            Output::Book { instrument, state } => ("book", label(instrument.index()), format!("book {}", state.word())),
            Output::FundingUnknown { instrument, payments, .. } => {
                let text = format!("{payments} funding payments were due, and nobody told their rates");
                ("funding", label(instrument.index()), text)
            }
            Output::Funding(paid) => {
                let rules = &rules[paid.instrument.index()];
                ("funding", rules.label(), format!("paid {} {}", paid.amount, rules.settle()))
            }
            Output::Drift { instrument, look } if look.score.turned => {
                ("risk", label(instrument.index()), look.to_string())
            }
            Output::Decided { .. } | Output::Sent(_) | Output::Equity(_) | Output::Drift { .. } => return,
        };
        self.events_told += 1;
        keep(&mut self.events, EventStatus { n: self.events_told, seq, at_ns: at.0, kind: kind.to_owned(), of, text });
    }

    fn filled(&mut self, rules: &Instrument, order: OrderId, fill: &Fill, seq: u64, at: LocalTime) {
        self.fills_told += 1;
        let told = FillStatus {
            n: self.fills_told,
            seq,
            at_ns: at.0,
            order: order.0,
            of: rules.label(),
            side: fill.side.word().to_owned(),
            price: rules.price_text(fill.price),
            qty: rules.qty_text(fill.qty),
            fee: fill.fee.to_string(),
            liquidity: fill.liquidity.word().to_owned(),
            why: fill.why.word().to_owned(),
            queue_ahead: rules.qty_text(fill.queue_ahead),
        };
        keep(&mut self.fills, told);
    }

    /// Oldest first.
    pub fn events(&self) -> Vec<EventStatus> {
        self.events.iter().cloned().collect()
    }

    /// Oldest first.
    pub fn fills(&self) -> Vec<FillStatus> {
        self.fills.iter().cloned().collect()
    }
}

fn keep<T>(kept: &mut VecDeque<T>, new: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(new);
}

fn asked(rules: &Instrument, request: &Request) -> String {
    match request {
        Request::Place { side, price, qty, .. } => {
            format!("{} {} @ {}", side.word(), rules.qty_text(*qty), rules.price_text(*price))
        }
        Request::Replace { old, price, qty, .. } => {
            format!("order {} to {} @ {}", old.0, rules.qty_text(*qty), rules.price_text(*price))
        }
        Request::Cancel { id, .. } => format!("the cancellation of order {}", id.0),
    }
}

/// A command in words.
pub fn order(command: &Command) -> String {
    match command {
        Command::Restore(carried) => format!("the account goes on from {}", carried.from),
        Command::Pause => "pause".to_owned(),
        Command::Resume => "resume".to_owned(),
        Command::Halt { reason } => format!("halt: {reason}"),
        Command::Reduce { reason } => format!("only reduce: {reason}"),
        Command::Flatten => "flatten".to_owned(),
        Command::SetLimits(_) => "other limits".to_owned(),
        Command::Stop => "stop".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_delays_the_percentiles_are_those_of_a_sorted_list() {
        let mut delays = Delays::default();
        assert_eq!(delays.latency(), None);
        // 2, 4, … 200 ms, told in a shuffled order: the 50th of 100 is 100 ms, the 90th 180, the 99th 198.
        for i in 0..100 {
            delays.heard(LocalTime(2_000_000 * (1 + i * 37 % 100)), VenueTime(0));
        }
        let seen = delays.latency().expect("a hundred");
        assert_eq!([seen.p50_ms, seen.p90_ms, seen.p99_ms, seen.max_ms], [100.0, 180.0, 198.0, 200.0]);
        // Then the venue's clock runs ahead for as many as are kept: nothing older counts.
        for _ in 0..Delays::KEPT {
            delays.heard(LocalTime(0), VenueTime(3_000_000));
        }
        let seen = delays.latency().expect("many");
        assert_eq!((seen.p50_ms, seen.max_ms, seen.n), (-3.0, -3.0, 1_024));
    }
}
