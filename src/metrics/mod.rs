//! What a session was worth, and how sure that is: pure arithmetic, no clock, no file.
//!
//! Two halves. [`returns`], [`drawdown`], [`selection`] and [`bootstrap`] judge a series of profits, wherever it comes
//! from. The other half, not here yet.

pub mod bootstrap;
pub mod drawdown;
pub mod returns;
pub mod selection;
