//! Everything goes wrong, at every venue in turn.
