//! The simulated market: its engine against a naive one, its statistics, and its server over real sockets.

mod crowd;
mod engine;
mod feed;
mod race;
mod server;
mod world;
mod zero_intelligence;
