//! The simulated market: its engine against a naive one, its statistics, the same world without us, its bad days, and
//! its server over real sockets.

mod btc;
mod chiarella;
mod counterfactual;
mod crowd;
mod engine;
mod feed;
pub mod inside;
mod race;
mod scenarios;
mod server;
mod world;
mod zero_intelligence;
