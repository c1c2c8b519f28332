//! The session, told as stories and shaken by storms.

pub mod contracts;
pub mod invariants;
pub mod story;

mod handover;
mod linked;
mod memory;
mod stories;
