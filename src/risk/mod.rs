//! Who may refuse: limits, states, and the only door to a venue.

pub mod gate;
pub mod limits;
pub mod state;

pub use gate::{Approved, Exposure, Gate, Refusal, RefusalCode, Weighed};
pub use limits::RiskLimits;
pub use state::RiskState;
