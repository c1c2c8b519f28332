//! What several kinds of test share: where recordings are, and a venue to talk to.

pub mod bot;
pub mod captures;
pub mod ears;
pub mod fake;
pub mod independent;
pub mod peer;
pub mod playback;
pub mod receiver;
pub mod recording;
pub mod talk;

pub use captures::tape::data_dir;

/// Whether `PAPERMAKER_TEST_SIZE=full` asks for whole recordings instead of their beginnings.
pub fn full_size() -> bool {
    std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full")
}
