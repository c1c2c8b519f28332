//! Who may refuse: limits, states, and the only door to a venue.
//!
//! Reading order: [`rule`] is the table of all limits, [`limits`] their values; [`gate`] judges requests, [`breakers`] what
//! moves by itself; [`reason`] is how either says why.

pub mod breakers;
mod bucket;
pub mod gate;
pub mod limits;
pub mod reason;
pub mod rule;
pub mod sensor;
pub mod stake;
pub mod standing;
pub mod state;
pub mod tally;
pub mod values;
pub mod whose;

pub use breakers::{BookReading, Breakers, Change, InstrumentReading, Trip};
pub use gate::{Approved, Exposure, Gate, Refusal, RefusalCode, Weighed};
pub use limits::{BookLimits, Conduct, ExposureLimits, InstrumentLimits, MarkoutLimit, RiskLimits};
pub use reason::Reason;
pub use rule::{Limit, RULES};
pub use stake::{Basis, Elsewhere, Kept, Others, Own, Stake, Unit};
pub use state::RiskState;
pub use tally::Score;
pub use whose::Whose;
