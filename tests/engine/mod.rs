//! The session, told as stories and shaken by storms.

pub mod story;

mod contracts;
mod invariants;
mod memory;
mod stories;
