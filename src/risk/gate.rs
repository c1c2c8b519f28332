//! The only place that can make an [`Approved`] request.

use serde::{Deserialize, Serialize};

/// A request that has passed every limit. Only this module can make one, so a venue that takes
/// `Approved<Request>` cannot be reached around the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was approved, by value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// PLACEHOLDER until the gate lands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gate;
/// PLACEHOLDER
#[derive(Clone, Debug)]
pub struct Exposure;
/// PLACEHOLDER
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal;

#[cfg(test)]
pub(crate) mod testing {
    /// For tests of lower floors' guests (venues): approval without a gate.
    pub(crate) fn approve<T>(request: T) -> super::Approved<T> {
        super::Approved(request)
    }
}
