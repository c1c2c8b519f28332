//! Who decides: a [`View`] in, a [`Decision`] out.
//!
//! A strategy is a guest of the session, not an organ: it sees everything it may know through the view, says what
//! should rest and why, and owns nothing else. Prices are ticks, quantities lots, time seconds; γ is 1/(tick·lot).

mod beliefs;
mod ladder;
mod settings;
mod weights;

pub mod avellaneda_stoikov;
pub mod fixed_spread;
pub mod glft;
pub mod mlp;
pub mod policy;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::market::{Book, Instrument, InstrumentId};
use crate::order::Order;
use crate::signal::drift::{Discrepancy, DriftScore};
use crate::signal::{Signals, Top};
use crate::units::{LocalTime, Lots, Nanos, Rate, Side, Ticks};

pub use avellaneda_stoikov::AvellanedaStoikov;
pub use beliefs::Beliefs;
pub use fixed_spread::FixedSpread;
pub use glft::Glft;
pub use policy::Policy;
pub use settings::StrategyError;

/// The strategies that come with the program: name and complete, commented settings.
pub const BUILT_IN: [(&str, &str); 3] = [
    (AvellanedaStoikov::NAME, include_str!("../../strategies/avellaneda_stoikov.toml")),
    (Glft::NAME, include_str!("../../strategies/glft.toml")),
    (FixedSpread::NAME, include_str!("../../strategies/fixed_spread.toml")),
];

/// The strategy a TOML text describes, for an instrument.
pub fn build(toml_text: &str, rules: &Instrument) -> Result<Box<dyn Strategy>, StrategyError> {
    read(toml_text, Some(rules))
}

/// Whether a TOML text describes a strategy; amounts are not yet held against an instrument's lot.
pub fn check(toml_text: &str) -> Result<(), StrategyError> {
    read(toml_text, None).map(drop)
}

fn read(toml_text: &str, rules: Option<&Instrument>) -> Result<Box<dyn Strategy>, StrategyError> {
    let mut settings = settings::Settings::parse(toml_text)?;
    let names = BUILT_IN.map(|(name, _)| name);
    let kinds: Vec<&str> = names.into_iter().chain([Policy::NAME]).collect();
    let kind = settings.word("kind", "", &kinds)?;
    match kind.as_str() {
        AvellanedaStoikov::NAME => Ok(Box::new(AvellanedaStoikov::take(settings, rules)?)),
        Glft::NAME => Ok(Box::new(Glft::take(settings, rules)?)),
        FixedSpread::NAME => Ok(Box::new(FixedSpread::take(settings, rules)?)),
        Policy::NAME => Ok(Box::new(Policy::take(settings, rules)?)),
        _ => Err(StrategyError::Missing { key: "kind", meaning: "avellaneda-stoikov, glft, fixed-spread or policy" }),
    }
}

/// Most quotes one decision can hold (ten levels a side).
pub const QUOTES_MAX: usize = 20;

/// Everything a strategy may know about one instrument.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Now.
    pub now: LocalTime,
    /// Since the session's first input.
    pub elapsed: Nanos,
    /// Which.
    pub instrument: InstrumentId,
    /// Its rules.
    pub rules: &'a Instrument,
    /// Its book, trusted.
    pub book: &'a Book,
    /// Best bid and ask, from whichever channel is ahead.
    pub top: Top,
    /// Running estimates.
    pub signals: &'a Signals,
    /// Signed inventory.
    pub position: Lots,
    /// Our orders that may still trade.
    pub orders: &'a [Order],
    /// Whether they stand in `book` themselves: a market that answers us counts them, the paper exchange's does not know of them.
    pub book_has_ours: bool,
    /// How many more lots may be bought before the position limit, counting nothing of what rests.
    pub room_to_buy: Lots,
    /// As `room_to_buy`, to sell.
    pub room_to_sell: Lots,
    /// What a resting order pays.
    pub maker_fee: Rate,
    /// What a crossing order pays.
    pub taker_fee: Rate,
    /// How long a new order takes to the venue, as a rule.
    pub latency: Nanos,
    /// Until the next funding payment, as of the venue's last word on it; `None` where there is none.
    pub funding_in: Option<Nanos>,
}

/// One order that should rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Buy or sell.
    pub side: Side,
    /// At.
    pub price: Ticks,
    /// How much.
    pub qty: Lots,
}

/// What should rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "quotes without an allocation on the hot path; decisions are not stored")]
pub enum Wanted {
    /// Exactly these, best first per side. Nothing else.
    Quotes(ArrayVec<Quote, QUOTES_MAX>),
    /// Whatever rests now.
    Keep,
    /// Nothing, and why.
    Nothing(Idle),
    /// Nothing, and the inventory brought to zero by crossing the spread.
    Flatten,
}

/// Why a strategy does not quote.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Idle {
    /// An estimate is not ready.
    WarmingUp {
        /// Which.
        what: Estimator,
        /// Samples so far.
        have: u32,
        /// Samples needed.
        need: u32,
    },
    /// The formula has no finite answer for these estimates.
    NoFiniteQuote,
    /// Waiting after a fill (`filled_order_delay_ms`).
    AfterFill,
}

/// The estimates a strategy can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Estimator {
    /// σ
    Volatility,
    /// A and k
    Intensity,
}

/// The terms behind a decision, for people, reports and off-policy evaluation. Prices in ticks; `NaN` never
/// appears, terms a strategy does not use are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Reservation price.
    pub reservation: f64,
    /// Distance from the reservation price to the bid (positive down).
    pub bid_distance: f64,
    /// Distance from the reservation price to the ask.
    pub ask_distance: f64,
    /// Volatility used, ticks/√s.
    pub sigma: f64,
    /// Fill intensity used, 1/s.
    pub a: f64,
    /// Its decay, 1/tick.
    pub k: f64,
    /// Risk aversion used, 1/(tick·lot).
    pub gamma: f64,
    /// A learned policy's action, if one decided.
    pub action: Option<[f64; 2]>,
    /// The log-probability of that action.
    pub logp: Option<f64>,
}

/// What a strategy wants, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// For which instrument.
    pub instrument: InstrumentId,
    /// What should rest.
    pub wanted: Wanted,
    /// The terms behind it.
    pub why: Why,
}

/// What a learned policy's drift gate found when it looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftLook {
    /// The column that is furthest from the training, in words.
    pub column: String,
    /// The numbers.
    pub score: DriftScore,
}

impl std::fmt::Display for DriftLook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DriftScore { psi, psi_limit, mmd, is_tripped, turned, .. } = self.score;
        let word = match (is_tripped, turned) {
            (true, true) => "policy off, GLFT quotes",
            (true, false) => "policy still off",
            (false, true) => "policy on again",
            (false, false) => "policy on",
        };
        write!(f, "{word}: {} has PSI {psi:.3} of {psi_limit:.3} allowed", self.column)?;
        let told = |it: Discrepancy| write!(f, ", MMD² {:.3} of {:.3} with p {:.3}", it.squared, it.limit, it.p);
        mmd.map_or(Ok(()), told)
    }
}

/// A strategy for one instrument.
pub trait Strategy: Send {
    /// What should rest now. Called only while the book is trusted; must depend on nothing but the view and the
    /// strategy's own state.
    fn decide(&mut self, view: &View<'_>) -> Decision;

    /// The strategy's name in exports, for example `avellaneda-stoikov`.
    fn name(&self) -> &'static str;

    /// What it found out about itself with the last decision; said before it. Only learned policies do, and rarely.
    fn drift(&mut self) -> Option<DriftLook> {
        None
    }

    /// Its state, for checkpoints. Stateless strategies keep the default.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Back to a saved state. Errors if the bytes are not its own.
    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        if saved.is_empty() { Ok(()) } else { Err(format!("{} keeps no state", self.name())) }
    }
}

/// The strategies of a session, one per instrument in order. `None` where nothing is quoted (record only).
pub type Strategies = Vec<Option<Box<dyn Strategy>>>;
