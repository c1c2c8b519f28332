//! What several kinds of test share: where recordings are, and a venue to talk to.

pub mod bot;
pub mod captures;
#[allow(dead_code, reason = "the unit tests of `wire` use the rest of it")]
pub mod cryptofeed;
pub mod fake;
pub mod independent;
pub mod playback;
pub mod recording;
pub mod talk;

use std::path::PathBuf;

/// The folder of public recordings, or `None` with a loud line where it is absent.
pub fn data_dir() -> Option<PathBuf> {
    let dir = match std::env::var_os("PAPERMAKER_DATA") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
    None
}

/// Whether `PAPERMAKER_TEST_SIZE=full` asks for whole recordings instead of their beginnings.
pub fn full_size() -> bool {
    std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full")
}
