//! Sessions out to tables, other programs' recordings in.

mod bitstamp;
mod broken;
mod hftbacktest;
pub mod imports;
mod kept;
mod lobster;
mod orders;
pub mod parquet;
mod story;
mod tables;
mod tardis;
mod together;
mod venues;
mod vision;
