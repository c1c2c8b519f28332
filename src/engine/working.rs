//! Wanted versus working.
