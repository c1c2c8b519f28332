//! Every fault does what it says, at every venue where it means something.
