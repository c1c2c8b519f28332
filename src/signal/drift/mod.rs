//! Whether what a policy meets is still what it was trained on.
//!
//! Two measures of the same numbers: the population stability index asks each number alone ([`psi`]), the maximum mean
//! discrepancy asks all of them together ([`mmd2`]), and a permutation of blocks says what chance makes of the second
//! ([`BlockTest`]). [`DriftGate`] holds a window of what was met against a sample of the training and trips when both agree.

mod gate;
mod kernel;
mod stability;

pub use gate::{DriftGate, DriftRules, DriftScore, Reference, ReferenceError};
pub use kernel::{BlockTest, median_distance, mmd2, mmd2_unbiased};
pub use stability::{psi, psi_by_chance};
