//! How alerts are getting through.

use serde::{Deserialize, Serialize};

/// How it goes with one receiver of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Messages it has taken.
    pub sent: u64,
    /// Messages given up, after every try.
    pub failed: u64,
    /// Messages that found no room in the queue.
    pub dropped: u64,
    /// Messages on their way.
    pub waiting: u64,
}
