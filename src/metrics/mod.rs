//! What outputs add up to.
