//! Everything a session says. Outputs are the log: the core has no other.

use serde::{Deserialize, Serialize};

use super::input::Command;
use crate::market::InstrumentId;
use crate::order::{Report, Request};
use crate::risk::{Refusal, RiskState, Whose};
use crate::signal::Top;
use crate::strategy::{Decision, DriftLook};
use crate::units::{FundingRate, Lots, Money, VenueTime};

/// Closed on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// Whether an instrument's book can be traded on.
    Book {
        /// Whose.
        instrument: InstrumentId,
        /// From now on.
        state: BookState,
    },
    /// A strategy decided something new.
    Decided {
        /// What and why.
        decision: Box<Decision>,
        /// What it saw.
        top: Top,
        /// What it held.
        position: Lots,
    },
    /// A request passed the gate and went to the venue.
    Sent(Request),
    /// The gate said no.
    Refused {
        /// To what.
        request: Request,
        /// Why, and by how much.
        refusal: Refusal,
    },
    /// The venue's word reached us.
    Heard(Report),
    /// A limit was passed or is respected again, or an operator asked for a state.
    Risk {
        /// Whose.
        whose: Whose,
        /// In force for it from now on, everything counted in.
        state: RiskState,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A command was obeyed.
    Commanded {
        /// Who.
        by: String,
        /// What.
        command: Command,
    },
    /// Where we stand.
    Equity(EquityMark),
    /// Funding was paid on a contract we hold. All of them add up to the `funding` of the next equity mark.
    Funding(FundingPayment),
    /// Payments were due while nobody told us their rates: the funding of this position is not all known.
    FundingUnknown {
        /// Of what.
        instrument: InstrumentId,
        /// What was held when we noticed.
        position: Lots,
        /// How many.
        payments: u32,
    },
    /// A learned policy has held what it met against its training. It stands last: recordings without it read as they did.
    Drift {
        /// Whose policy.
        instrument: InstrumentId,
        /// What it found, and whether GLFT decides from now on.
        look: Box<DriftLook>,
    },
}

/// Funding of one contract: a payment that was due, or what accrued since the last equity mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundingPayment {
    /// Of what.
    pub instrument: InstrumentId,
    /// What was held.
    pub position: Lots,
    /// Paid (positive) or received, in settlement currency.
    pub amount: Money,
    /// Its rate; of what accrued, the last one.
    pub rate: FundingRate,
    /// Price the position was valued at, in quote currency; of what accrued, the last one.
    pub price: Money,
    /// When it was due; `None`: it accrued.
    pub due: Option<VenueTime>,
}

/// Whether, and why not, an instrument's book can be traded on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BookState {
    /// Nothing known yet: no snapshot.
    #[default]
    Empty,
    /// In step.
    Live,
    /// Messages were lost.
    Gap,
    /// The connection is gone.
    Disconnected,
    /// Silent for too long.
    Stale,
    /// Best bid at or above best ask.
    Crossed,
    /// One side is empty, or reaches beyond what the snapshot covered.
    OutOfRange,
    /// The venue does not trade it now.
    NotTrading,
}

impl BookState {
    /// The word in exports and status.
    pub fn word(self) -> &'static str {
        match self {
            BookState::Empty => "empty",
            BookState::Live => "live",
            BookState::Gap => "gap",
            BookState::Disconnected => "disconnected",
            BookState::Stale => "stale",
            BookState::Crossed => "crossed",
            BookState::OutOfRange => "out_of_range",
            BookState::NotTrading => "not_trading",
        }
    }
}

/// Where one instrument stands. All amounts in its settlement currency; `equity = realised + unrealised - fees - funding`
/// `= spread + inventory - fees - funding`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityMark {
    /// Which.
    pub instrument: InstrumentId,
    /// Signed inventory.
    pub position: Lots,
    /// Twice the mid it is marked at, ticks; 0 before the first.
    pub twice_mid: i64,
    /// Money in (positive) and out for fills, fees and funding included; contracts count as paid for.
    pub cash: Money,
    /// Of closed quantity, before fees.
    pub realised: Money,
    /// Of the open quantity at the mark, before fees.
    pub unrealised: Money,
    /// Paid.
    pub fees: Money,
    /// Paid (positive) or received.
    pub funding: Money,
    /// Distance of our fills from the mid at the time: what quoting earned.
    pub spread: Money,
    /// What the inventory gained from mid moves.
    pub inventory: Money,
    /// Highest equity so far minus equity.
    pub drawdown: Money,
}
