//! Policies that learn, on burn.
//!
//! Training is seeded but not bit-stable across devices; what it leaves behind is a file of weights, and from there on
//! [`strategy::mlp`](crate::strategy::mlp) decides, the same everywhere. This module holds the network that is trained
//! ([`net`]) and the way out ([`export`]).

pub mod apprentice;
pub mod buffer;
pub mod export;
pub mod flat;
pub mod fused;
pub mod kernel;
pub mod net;
pub mod ppo;
pub mod sac;

#[cfg(test)]
mod trials;
