//! A market that never closes.
//!
//! [`world`] is the market itself: a real [matching engine](crate::exchange::matching) and everybody around it, in
//! simulated time, from a seed. Orders without intelligence, fundamentalists, trend followers, noise, market makers and
//! those who work large orders in pieces meet in it; each sees the book late and is heard late, to the nanosecond.
//! [`server`] puts it on a loopback socket in the words of a real venue, so that the bot meets it exactly as it meets
//! the real one.
//!
//! Reading order: [`spec`] is what a world is made of; `agents` who is in it, a kind a file; `pit` where they
//! meet, `agenda` in which order; `value` and [`activity`] what they cannot influence; [`scenario`] bad days.

pub mod activity;
mod agenda;
mod agents;
pub mod arrivals;
pub mod chiarella;
pub mod laws;
mod market;
mod message;
mod pit;
pub mod reflex;
pub mod scenario;
pub mod server;
pub mod spec;
mod value;
pub mod world;

pub use agenda::Agenda;
pub use agents::{
    DeepSpec, FundamentalSpec, MakerSpec, MetaorderSpec, MomentumSpec, NoiseSpec, PovMakerSpec, RandomSpec, Trend,
    ValueTraderSpec, When, ZeroIntelligenceSpec,
};
pub use message::{Key, News, Notice, Traffic};
pub use spec::{MarketSpec, SimSpec};
pub use value::ValueSpec;
pub use world::{World, WorldEvent, WorldEventKind};
