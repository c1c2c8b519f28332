//! Active, Reducing, Halted.

use serde::{Deserialize, Serialize};

/// What the risk book lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RiskState {
    /// Everything within limits.
    #[default]
    Active,
    /// Only orders that cannot make a position larger.
    Reducing,
    /// Only cancellations, and flattening asked for by an operator.
    Halted,
}

impl RiskState {
    /// The word in exports and status.
    pub fn word(self) -> &'static str {
        match self {
            RiskState::Active => "active",
            RiskState::Reducing => "reducing",
            RiskState::Halted => "halted",
        }
    }
}
