#![doc = include_str!("ARCHITECTURE.md")]

// Floor 0: numbers that cannot be mixed up, and the sources of everything random or rounded.
pub mod digest;
pub mod numeric;
pub mod rng;
pub mod units;

// Floor 1: what venues say and what we may ask of them.
pub mod market;
pub mod order;

// Floor 2: bytes to events, events to beliefs, fills to money.
pub mod portfolio;
pub mod signal;
pub mod wire;

// Floor 3: who decides, and who may refuse.
pub mod risk;
pub mod strategy;

// Floor 4: where orders meet the market.
pub mod exchange;

// Floor 5: the one door; a market that never closes.
pub mod engine;
pub mod sim;

// Floor 6: what is kept, and what it was worth.
pub mod env;
pub mod journal;
pub mod metrics;

// Floor 7: the outside world.
pub mod config;
pub mod dashboard;
pub mod feed;
#[cfg(feature = "learn")]
pub mod learn;

// Floors 8 and 9: the drivers and the verbs.
pub mod cli;
pub mod run;
