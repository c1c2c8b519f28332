//! Sessions on disk.

pub mod export;
