//! The readers of recordings.
