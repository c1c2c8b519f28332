//! What a fill costs.
