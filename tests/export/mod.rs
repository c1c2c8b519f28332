//! Sessions out to tables, other programs' recordings in.

mod imports;
mod kept;
mod tables;
