//! Where our order stands in line.

use serde::{Deserialize, Serialize};

/// How a decrease at our level is shared between those ahead of us and those behind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum QueueModel {
    /// Only trades move us forward.
    RiskAverse,
    /// `f(x) = x^n`
    Power {
        /// The exponent.
        n: f64,
    },
    /// `f(x) = ln(1 + x)`
    Log,
}
