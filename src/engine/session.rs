//! The one door.
/// PLACEHOLDER
#[derive(Debug)]
pub struct Session;
