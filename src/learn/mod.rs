//! Policies that learn.
