//! Where orders come from, estimated from a recording: how often, where, how much, how long.
//!
//! Each estimator takes the likelihood of the very law the simulated market draws from, so that what it finds can be written
//! into `config/sim`: [`rates`] of arrivals, [`sizes`], [`lives`]; distances from the best price are those of
//! [`tails::lomax`](crate::metrics::facts::tails::lomax). [`volatility`] is of the value. [`listen`] collects what they want.
//! [`likeness`] is the other half of a calibration: the facts in which a simulated market should be like the recorded one.
//!
//! Where a recording tells levels and not orders, what one message sums up is seen as one order: sizes are those of
//! levels that grew, cancellations are lots that left without a trade.

pub mod likeness;
pub mod listen;
pub mod lives;
pub mod rates;
pub mod sizes;
pub mod volatility;
