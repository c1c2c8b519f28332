//! From fills to money.
