//! Policies that learn, on burn.
//!
//! Training is seeded but not bit-stable across devices; what it leaves behind is a file of weights, and from there on
//! [`strategy::mlp`](crate::strategy::mlp) decides, the same everywhere. This module holds the network that is trained
//! ([`net`]) and the way out ([`export`]).

pub mod export;
pub mod net;
