//! Sessions on disk.

pub mod export;
pub mod import;
