//! What a learned policy's drift gate found, for people.

use serde::{Deserialize, Serialize};

use crate::strategy::DriftLook;
use crate::units::LocalTime;

/// Whether what a policy meets is what it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftStatus {
    /// Whether GLFT quotes in its place.
    pub tripped: bool,
    /// Population stability index of the column that is furthest beyond its limit.
    pub psi: f64,
    /// That limit.
    pub psi_limit: f64,
    /// The column, in words.
    pub column: String,
    /// How likely chance makes the maximum mean discrepancy; asked only where the index is beyond its limit.
    pub mmd_p: Option<f64>,
    /// Looks so far.
    pub looks: u64,
    /// How often the policy went off.
    pub trips: u64,
    /// The last look, nanoseconds since the epoch.
    pub looked_ns: i64,
    /// All of it in words.
    pub words: String,
}

impl DriftStatus {
    /// After another look at `at`.
    pub fn after(before: Option<Self>, look: &DriftLook, at: LocalTime) -> Self {
        let (looks, trips) = before.map_or((0, 0), |before| (before.looks, before.trips));
        let score = &look.score;
        Self {
            tripped: score.is_tripped,
            psi: score.psi,
            psi_limit: score.psi_limit,
            column: look.column.clone(),
            mmd_p: score.mmd.map(|mmd| mmd.p),
            looks: looks + 1,
            trips: trips + u64::from(score.turned && score.is_tripped),
            looked_ns: at.0,
            words: look.to_string(),
        }
    }
}
