//! Sessions out to tables, other programs' recordings in.

mod broken;
pub mod imports;
mod kept;
mod lobster;
mod story;
mod tables;
mod tardis;
mod together;
mod venues;
mod vision;
