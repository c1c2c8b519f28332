//! Recordings of others, and what follows from them.
//!
//! [`tape`] reads them, [`words`] says what a frame means, [`rebuilt`] puts books together. [`kraken`] puts the words of
//! Kraken's first protocol into those of the second, because a recording of the second is not to be had.

pub mod kraken;
pub mod rebuilt;
#[allow(dead_code, reason = "the unit tests of `wire` use the rest of it")]
pub mod tape;
pub mod words;

pub use tape::{Capture, What};
