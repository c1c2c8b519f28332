//! Delays between us and the venue.

use serde::{Deserialize, Serialize};

/// Constant delays plus an optional lognormal jitter on the way in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySpec {
    /// From the venue's matching engine to us, market data, microseconds.
    pub feed_us: u32,
    /// From us to the venue's matching engine, microseconds.
    pub entry_us: u32,
    /// From the matching engine back to us, order reports, microseconds.
    pub response_us: u32,
    /// σ of the lognormal factor on `entry_us` (median 1); 0 is constant.
    pub entry_jitter: f64,
}
