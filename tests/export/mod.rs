//! Sessions out to tables, other programs' recordings in.

mod hftbacktest;
pub mod imports;
mod kept;
mod parquet;
mod tables;
mod together;
