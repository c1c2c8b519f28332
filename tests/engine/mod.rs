//! The session, told as stories and shaken by storms.

pub mod contracts;
pub mod story;

mod invariants;
mod memory;
mod stories;
