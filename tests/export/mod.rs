//! Sessions out to tables, other programs' recordings in.

pub mod imports;
mod kept;
mod orders;
mod tables;
mod together;
