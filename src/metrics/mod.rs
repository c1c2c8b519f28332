//! What a session was worth, and how sure that is: pure arithmetic, no clock, no file.
//!
//! Two halves. [`returns`], [`drawdown`], [`selection`], [`cross_validation`] and [`bootstrap`] judge a series of
//! profits, wherever it comes from. [`Account`] makes the series, and the rest of a [`Summary`], from a recording:
//! attribution, markouts, orders, quotes, inventory. [`score`] adds up the summaries of many recordings. Beside them stand what
//! is asked of a market instead of a strategy, [`facts`] and [`impact`], and of an execution, [`slippage`].
//!
//! Reading order: [`summary`] is what can be asked, [`account`] how a recording is taken in, `desk` what is measured of
//! one instrument.

pub mod account;
pub mod block_length;
pub mod bootstrap;
pub mod conduct;
pub mod cross_validation;
mod curve;
mod desk;
pub mod drawdown;
pub mod facts;
pub mod flow;
pub mod impact;
pub mod markout;
pub mod peak;
mod quotes;
pub mod returns;
pub mod score;
pub mod selection;
mod sight;
pub mod sketch;
pub mod slippage;
pub mod story;
pub mod summary;

pub use account::Account;
pub use bootstrap::Plan;
pub use conduct::{Conduct, Conducts};
pub use story::{Story, Told};
pub use summary::Summary;
