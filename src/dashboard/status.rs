//! What a session looks like from outside, at one moment.
//!
//! One structure for every reader: the page, `GET /api/status`, the `status` verb, the terminal block, Prometheus.
//! Prices, quantities and money are plain decimal text in the venue's precision, so nobody downstream rounds them.
//! It is a picture, not a part of the session: nothing here ever flows back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::deliveries::ReceiverStatus;
use super::drift::DriftStatus;
use super::news::{EventStatus, FillStatus, Latency, RungStatus, TripStatus};
use super::policy::PolicyStatus;
use crate::engine::{self, BookState, EquityMark, Session};
use crate::market::{Instrument, InstrumentId, Level};
use crate::order::{Order, OrderState};
use crate::risk::Whose;
use crate::signal::Top;
use crate::strategy::{Estimator, Idle, Wanted, Why};
use crate::units::Lots;

#[cfg(test)]
pub(super) mod testing;

/// The whole picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusSnapshot {
    /// Always true: no order of this program ever leaves it.
    pub paper: bool,
    /// Of the program.
    pub version: String,
    /// The session's name.
    pub session: String,
    /// What it is doing.
    pub state: Phase,
    /// Why it is not simply quoting, in words; empty if it is.
    pub reason: String,
    /// When this picture was taken, nanoseconds since the epoch.
    pub at_ns: i64,
    /// Seconds since the first input.
    pub uptime_s: f64,
    /// Sequence number of the last input.
    pub seq: u64,
    /// Fills so far.
    pub fills: u64,
    /// Requests the risk gate refused so far.
    pub refusals: u64,
    /// The same by reason code; one that stands counts once.
    #[serde(default)]
    pub refusals_by_code: BTreeMap<String, u64>,
    /// The chain over all outputs so far.
    pub output_digest: String,
    /// Digest of the session's state, from its last checkpoint; empty before the first.
    pub state_digest: String,
    /// In session order.
    pub instruments: Vec<InstrumentStatus>,
    /// How much of each limit on the whole book is used.
    pub limits: Vec<LimitUse>,
    /// Why `risk.toml` as it is now is not in force; nothing if it is.
    #[serde(default)]
    pub limits_refused: Option<String>,
    /// What all positions are worth without their signs, in quote currency; all quote currencies count alike.
    pub gross_notional_quote: String,
    /// One per connection.
    pub feeds: Vec<FeedStatus>,
    /// How far the disk is behind.
    pub journal: JournalStatus,
    /// What the session would be worth if every cancellation had been behind our orders, and if every one had been ahead;
    /// empty without a bracket (`paper.bracket`). The session itself is the neutral one.
    #[serde(default)]
    pub bracket: Vec<BoundStatus>,
    /// One per receiver of alerts.
    #[serde(default)]
    pub alerts: Vec<ReceiverStatus>,
    /// Limits that were passed and have not ended.
    #[serde(default)]
    pub trips: Vec<TripStatus>,
    /// The last events, oldest first. On the stream: those since the picture before.
    #[serde(default)]
    pub events: Vec<EventStatus>,
    /// The last fills, oldest first. On the stream: those since the picture before.
    #[serde(default)]
    pub last_fills: Vec<FillStatus>,
}

/// Where the session would stand under one bound of the queue model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundStatus {
    /// `pessimistic` or `optimistic`.
    pub bound: String,
    /// Whether the session's own queue model is this bound.
    pub is_session: bool,
    /// What its risk book lets through ([`crate::risk::RiskState::word`]).
    pub risk: String,
    /// Its fills so far.
    pub fills: u64,
    /// In session order.
    pub instruments: Vec<BoundEquity>,
}

/// One instrument of a bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundEquity {
    /// `VENUE:SYMBOL`.
    pub label: String,
    /// What its equity is in.
    pub settle: String,
    /// Decimal.
    pub equity: String,
    /// Signed inventory.
    pub position: String,
}

impl BoundStatus {
    /// Of a session that stands for `bound`.
    pub fn of(bound: &str, session: &Session, fills: u64, is_session: bool) -> Self {
        let one = |(index, rules): (usize, &Instrument)| {
            let mark = session.equity(InstrumentId(index as u16));
            BoundEquity {
                label: rules.label(),
                settle: rules.settle().to_owned(),
                equity: PnlStatus::from(&mark).equity,
                position: rules.qty_text(mark.position),
            }
        };
        Self {
            bound: bound.to_owned(),
            is_session,
            risk: session.risk_state().word().to_owned(),
            fills,
            instruments: session.instruments().enumerate().map(one).collect(),
        }
    }
}

/// What a session is doing, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not connected yet.
    #[default]
    Starting,
    /// Listening until its estimates and books are ready.
    WarmingUp,
    /// Quotes rest, or would if the strategy wanted any.
    Quoting,
    /// Records and never quotes.
    Recording,
    /// An operator said pause.
    Paused,
    /// Only positions may shrink.
    Reducing,
    /// Nothing is sent.
    Halted,
    /// Cancelling and closing files.
    Stopping,
}

impl Phase {
    /// All of them, for metrics.
    pub const ALL: [Phase; 8] = [
        Phase::Starting,
        Phase::WarmingUp,
        Phase::Quoting,
        Phase::Recording,
        Phase::Paused,
        Phase::Reducing,
        Phase::Halted,
        Phase::Stopping,
    ];

    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::WarmingUp => "warming_up",
            Phase::Quoting => "quoting",
            Phase::Recording => "recording",
            Phase::Paused => "paused",
            Phase::Reducing => "reducing",
            Phase::Halted => "halted",
            Phase::Stopping => "stopping",
        }
    }
}

/// One instrument of the session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstrumentStatus {
    /// `VENUE:SYMBOL`.
    pub label: String,
    /// What is bought.
    pub base: String,
    /// What it is priced in.
    pub quote: String,
    /// What quantities are in: the base asset, of inverse contracts the quote asset.
    pub unit: String,
    /// What profits are paid in, and what all of `pnl` is in; of inverse contracts the base asset.
    pub settle: String,
    /// Whether the book can be traded on ([`BookState::word`]).
    pub book: String,
    /// Best bid.
    pub bid: Option<LevelStatus>,
    /// Best ask.
    pub ask: Option<LevelStatus>,
    /// Half-way between them.
    pub mid: Option<String>,
    /// Best bids first, as far as the ladder shows them; prices we rest at are marked.
    #[serde(default)]
    pub bids: Vec<RungStatus>,
    /// Best asks first.
    #[serde(default)]
    pub asks: Vec<RungStatus>,
    /// What a price moves by, decimal; terms that are in ticks become prices with it.
    #[serde(default)]
    pub tick: String,
    /// Our orders that may still trade.
    pub quotes: Vec<QuoteStatus>,
    /// Signed inventory.
    pub position: String,
    /// What it is worth without its sign, in quote currency; `None` before the first price.
    pub notional_quote: Option<String>,
    /// What the risk book lets through: `active`, `reducing`, `halted`.
    pub risk: String,
    /// Which limit of its own or of its venue put it there; empty if none did.
    #[serde(default)]
    pub risk_reason: String,
    /// How much of each limit is used.
    pub limits: Vec<LimitUse>,
    /// Where the money came from.
    pub pnl: Option<PnlStatus>,
    /// The strategy's name; empty when only recording.
    pub strategy: String,
    /// The terms behind the last decision.
    pub terms: Option<Terms>,
    /// Progress of the estimate the strategy waits for.
    pub warm_up: Option<WarmUp>,
    /// Why nothing is quoted, in words.
    pub idle: Option<String>,
    /// Milliseconds since the last decision.
    pub decision_age_ms: Option<i64>,
    /// The largest part of a level that was ever ours, of what was displayed and we together: the larger, the less a
    /// paper fill says.
    #[serde(default)]
    pub level_share_max: f64,
    /// What a learned policy's drift gate found when it last looked; nothing before, and without one.
    #[serde(default)]
    pub drift: Option<DriftStatus>,
    /// What a learned policy said last; nothing before, while it has stepped aside, and of other strategies.
    #[serde(default)]
    pub policy: Option<PolicyStatus>,
}

/// A price and what rests there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelStatus {
    /// Decimal.
    pub price: String,
    /// Decimal.
    pub qty: String,
}

/// One of our orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuoteStatus {
    /// `buy` or `sell`.
    pub side: String,
    /// Decimal.
    pub price: String,
    /// What is left of it.
    pub qty: String,
    /// What the queue model believes is ahead of us; `None` before the venue has accepted it.
    pub queue_ahead: Option<String>,
    /// Sent and not heard of, resting, or on its way out.
    pub state: String,
}

/// Use of one limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitUse {
    /// Its name in `config/risk.toml`.
    pub limit: String,
    /// Now.
    pub value: String,
    /// At most.
    pub max: String,
    /// `value / max`, for bars.
    pub share: f64,
}

/// Where the money came from, in settlement currency.
/// `equity = realised + unrealised - fees - funding = spread + inventory - fees - funding`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PnlStatus {
    /// Distance of our fills from the mid at the time.
    pub spread: String,
    /// What the inventory gained from moves of the mid.
    pub inventory: String,
    /// Paid.
    pub fees: String,
    /// Paid.
    pub funding: String,
    /// Of closed quantity, before fees.
    pub realised: String,
    /// Of open quantity, before fees.
    pub unrealised: String,
    /// All of it.
    pub equity: String,
    /// Highest equity so far minus equity.
    pub drawdown: String,
}

/// The terms behind a decision; prices in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Reservation price.
    pub reservation: f64,
    /// Volatility, ticks/√s.
    pub sigma: f64,
    /// Fill intensity, 1/s.
    pub a: f64,
    /// Its decay, 1/tick.
    pub k: f64,
    /// Risk aversion, 1/(tick·lot).
    pub gamma: f64,
}

/// Progress of an estimate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// `volatility` or `intensity`.
    pub what: String,
    /// Samples so far.
    pub have: u32,
    /// Samples needed.
    pub need: u32,
}

/// Health of one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// Venue name.
    pub venue: String,
    /// Which of the session's connections; several may go to one venue.
    pub connection: u16,
    /// Whether its socket is open.
    pub connected: bool,
    /// Milliseconds since its last frame; `None` before the first.
    pub age_ms: Option<i64>,
    /// Frames so far.
    pub frames: u64,
    /// Holes in the sequence so far.
    pub gaps: u64,
    /// Sockets opened after the first.
    pub reconnects: u64,
    /// How late its venue's news is; `None` before the first with a stamp.
    #[serde(default)]
    pub latency: Option<Latency>,
}

/// How far the disk is behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Milliseconds from the last input to the last one known to be on disk.
    pub lag_ms: i64,
    /// Records waiting for the writer.
    pub waiting: u64,
    /// Bytes of the session on disk.
    pub bytes: u64,
    /// Bytes free on the store's disk; `None` before it was looked at.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
}

impl StatusSnapshot {
    /// The picture before anything has happened.
    pub fn starting(session: &str, rules: &[Instrument]) -> Self {
        Self {
            paper: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            session: session.to_owned(),
            state: Phase::Starting,
            reason: String::new(),
            at_ns: 0,
            uptime_s: 0.0,
            seq: 0,
            fills: 0,
            refusals: 0,
            limits_refused: None,
            refusals_by_code: BTreeMap::new(),
            output_digest: String::new(),
            state_digest: String::new(),
            instruments: rules.iter().map(InstrumentStatus::new).collect(),
            limits: Vec::new(),
            gross_notional_quote: "0".to_owned(),
            feeds: Vec::new(),
            journal: JournalStatus::default(),
            bracket: Vec::new(),
            alerts: Vec::new(),
            trips: Vec::new(),
            events: Vec::new(),
            last_fills: Vec::new(),
        }
    }

    /// The block of text a terminal, a log and the `status` verb show: at most 20 lines.
    pub fn block(&self) -> String {
        super::terminal::block(self)
    }
}

impl InstrumentStatus {
    /// An instrument of which only the rules are known.
    pub fn new(rules: &Instrument) -> Self {
        Self {
            label: rules.label(),
            base: rules.base.clone(),
            quote: rules.quote.clone(),
            unit: rules.quantity_asset().to_owned(),
            settle: rules.settle().to_owned(),
            tick: rules.tick.value(1).normalize().to_string(),
            book: BookState::default().word().to_owned(),
            position: rules.qty_text(Lots::ZERO),
            ..Self::default()
        }
    }

    /// Takes in the best prices; `None` where they cannot be trusted.
    pub fn set_top(&mut self, rules: &Instrument, top: Option<Top>) {
        let level = |l: Level| LevelStatus { price: rules.price_text(l.price), qty: rules.qty_text(l.qty) };
        self.bid = top.map(|t| level(t.bid));
        self.ask = top.map(|t| level(t.ask));
        self.mid = top.map(|t| {
            let twice = rules.tick.value(t.twice_mid());
            (twice / rust_decimal::Decimal::TWO).normalize().to_string()
        });
    }

    /// Takes in the last decision: the terms, and what the strategy waits for if it does.
    pub fn set_decision(&mut self, wanted: Option<&Wanted>, why: &Why) {
        self.terms = wanted.map(|_| Terms {
            reservation: why.reservation,
            sigma: why.sigma,
            a: why.a,
            k: why.k,
            gamma: why.gamma,
        });
        self.policy = PolicyStatus::of(wanted, why);
        (self.warm_up, self.idle) = match wanted {
            None | Some(Wanted::Quotes(_) | Wanted::Keep) => (None, None),
            Some(Wanted::Flatten) => (None, Some("flattening".to_owned())),
            Some(Wanted::Nothing(Idle::WarmingUp { what, have, need })) => {
                let what = match what {
                    Estimator::Volatility => "volatility",
                    Estimator::Intensity => "intensity",
                };
                let warm_up = WarmUp { what: what.to_owned(), have: *have, need: *need };
                (Some(warm_up), Some(format!("warming up: {what} {have} of {need} samples")))
            }
            Some(Wanted::Nothing(Idle::NoFiniteQuote)) => {
                (None, Some("the formula has no finite quote for these estimates".to_owned()))
            }
            Some(Wanted::Nothing(Idle::AfterFill)) => (None, Some("waiting after a fill".to_owned())),
        };
    }
}

impl QuoteStatus {
    /// One of our orders, with what the queue model believes is ahead of it.
    pub fn new(rules: &Instrument, order: &Order, queue_ahead: Option<Lots>) -> Self {
        let state = match order.state {
            OrderState::Pending => "pending",
            OrderState::Working => "working",
            OrderState::Leaving => "leaving",
            OrderState::Filled => "filled",
            OrderState::Gone => "gone",
        };
        Self {
            side: order.side.word().to_owned(),
            price: rules.price_text(order.price),
            qty: rules.qty_text(order.remaining),
            queue_ahead: queue_ahead.map(|lots| rules.qty_text(lots)),
            state: state.to_owned(),
        }
    }
}

impl LimitUse {
    /// A limit by its name in the file, in the units of the file; of instruments, with their rules.
    pub fn of(used: &engine::LimitUse, rules: Option<&Instrument>) -> Self {
        let name = match used.whose {
            Whose::Venue(venue) => format!("{} {venue}", used.key(rules)),
            Whose::Instrument(_) | Whose::Book => used.key(rules),
        };
        let text = |value: i128| used.in_file_units(value, rules);
        let value = used.value.map_or_else(|| "unknown".to_owned(), text);
        Self { limit: name, value, max: text(used.max), share: used.share() }
    }
}

impl From<&EquityMark> for PnlStatus {
    fn from(mark: &EquityMark) -> Self {
        Self {
            spread: mark.spread.to_string(),
            inventory: mark.inventory.to_string(),
            fees: mark.fees.to_string(),
            funding: mark.funding.to_string(),
            realised: mark.realised.to_string(),
            unrealised: mark.unrealised.to_string(),
            equity: (mark.realised + mark.unrealised - mark.fees - mark.funding).to_string(),
            drawdown: mark.drawdown.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::a_snapshot;
    use super::*;

    #[test]
    fn the_mid_of_an_odd_spread_keeps_its_half_tick() {
        // (64012.00 + 64013.01) / 2 = 64012.505, half a tick finer than the venue's 0.01.
        assert_eq!(a_snapshot().instruments[0].mid.as_deref(), Some("64012.505"));
    }

    #[test]
    fn equity_is_both_splits_after_fees() {
        // 0.5 + 0.25 - 0.125 = 0.6 + 0.15 - 0.125 = 0.625.
        assert_eq!(a_snapshot().instruments[0].pnl.as_ref().expect("marked").equity, "0.625");
    }

    #[test]
    fn a_picture_survives_its_own_json() {
        let shown = a_snapshot();
        let text = serde_json::to_string(&shown).expect("plain data");
        assert!(text.contains(r#""paper":true"#) && text.contains(r#""state":"quoting""#));
        assert_eq!(serde_json::from_str::<StatusSnapshot>(&text).expect("its own"), shown);
    }

    #[test]
    fn a_warm_up_is_shown_as_progress_with_its_reason_and_ends_with_the_first_quote() {
        let mut it = a_snapshot().instruments.remove(0);
        let wanted = Wanted::Nothing(Idle::WarmingUp { what: Estimator::Volatility, have: 12, need: 60 });
        it.set_decision(Some(&wanted), &Why::default());
        assert_eq!(it.idle.as_deref(), Some("warming up: volatility 12 of 60 samples"));
        assert_eq!(it.warm_up.as_ref().map(|w| (w.have, w.need)), Some((12, 60)));
        it.set_decision(Some(&Wanted::Keep), &Why::default());
        assert_eq!((it.idle, it.warm_up), (None, None));
    }

    #[test]
    fn every_phase_has_one_word_in_json_and_in_text() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_string(&phase).expect("a word"), format!("\"{}\"", phase.word()));
        }
    }
}
