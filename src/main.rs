//! papermaker
fn main() {}
