//! One test binary, from story to storm; `tests/README.md` is the ladder.

mod backtest;
mod book;
mod config;
mod data;
mod engine;
mod exchange;
mod export;
mod fake;
mod feed;
mod formulas;
mod journal;
#[cfg(feature = "learn")]
mod learn;
mod market_sim;
mod metrics;
mod protocol;
mod report;
mod risk;
mod storms;
mod support;
mod tidy;
mod venues;
mod verbs;
mod whatif;
mod wire;
mod worlds;
