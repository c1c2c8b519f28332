//! A market that never closes.
//!
//! [`world`] is the market itself: a real [matching engine](crate::exchange::matching), a crowd without
//! intelligence and one market maker who knows the value, in simulated time, from a seed. [`server`] puts it on a
//! loopback socket in the words of a real venue, so that the bot meets it exactly as it meets the real one.

pub mod chiarella;
mod market;
pub mod server;
pub mod spec;
pub mod world;

pub use market::Arrivals;
pub use spec::{FlowSpec, MakerSpec, MarketSpec, Placement, SimSpec, SizeSpec};
pub use world::{World, WorldEvent, WorldEventKind};
