//! Whether what a policy meets is still what it was trained on.
//!
//! Two measures of the same numbers: the population stability index asks each number alone ([`psi`]), the maximum mean
//! discrepancy asks all of them together ([`mmd2`]), and a permutation of blocks says what chance makes of the second
//! ([`BlockTest`]); what chance makes of either in a market as slow as this one is learnt from the training's own windows
//! ([`Reference`]). [`DriftGate`] holds window after window of what was met against the training, is off when all of them agree that
//! it is another population, and comes back when the market is the old one again.

mod gate;
mod kernel;
mod reference;
mod rules;
mod stability;

pub use gate::{Discrepancy, DriftGate, DriftScore};
pub use kernel::{BlockTest, Sample, median_distance, mmd2, mmd2_unbiased};
pub use reference::{BINS, Reference, ReferenceError, Tables};
pub use rules::DriftRules;
pub use stability::{psi, psi_by_chance};
