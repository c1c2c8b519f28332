//! What a session is made of: enough to make it again.

use serde::{Deserialize, Serialize};

use crate::exchange::PaperSpec;
use crate::exchange::place::Answers;
use crate::market::Instrument;
use crate::risk::RiskLimits;
use crate::signal::SignalSpec;
use crate::units::Nanos;

/// Everything that shapes a session's behaviour besides its inputs and its strategies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Seeds every random stream.
    pub seed: u64,
    /// One per instrument.
    pub desks: Vec<DeskSpec>,
    /// Limits in force at the start.
    pub risk: RiskLimits,
    /// How often the equity is said.
    pub equity_every: Nanos,
}

/// One instrument's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeskSpec {
    /// The venue's rules at the start.
    pub rules: Instrument,
    /// The paper exchange.
    pub paper: PaperSpec,
    /// Whether it answers our orders, or the market itself does; fees are the paper exchange's either way.
    #[serde(default)]
    pub answers: Answers,
    /// The estimators.
    pub signals: SignalSpec,
    /// How decisions become orders.
    pub quoting: QuotingSpec,
    /// Canonical TOML of the strategy ([`crate::strategy`] builds it); `None` records only.
    pub strategy: Option<String>,
}

/// How decisions become orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotingSpec {
    /// Shortest time between two decisions; zero decides on every news.
    pub decide_every: Nanos,
    /// A working order within this many hundredths of a basis point of its wanted price is left in its queue.
    pub refresh_tolerance_centibps: u32,
    /// An order older than this is renewed even if within tolerance; zero never.
    pub order_age_max: Nanos,
}
