//! A market that never closes.
