//! From fills to money: an integer ledger that balances to zero.

pub mod ledger;

pub use ledger::{Balance, Ledger};
