//! Room on the store's disk, and what comes of too little.
//!
//! A full disk ends a recording in the middle of a word. So a bot stops before that, in steps, each with room left for the next:
//! below `store.disk_free_keep_mib` the oldest recordings go ([`super::retention`]); below `store.disk_free_min_mib` it does not
//! start, or is halted; below a quarter of that it ends in good order. Halt and end are commands like an operator's, recorded
//! before they are obeyed, so a replay meets them where the bot did.

use std::path::{Path, PathBuf};

use crate::config::settings::StoreSettings;
use crate::engine::Command;
use crate::units::{LocalTime, Nanos};

/// How often free space is looked at.
const LOOK_EVERY: Nanos = Nanos::from_s(5);
/// This part of the least there should be is for the end.
const FOR_THE_END: u64 = 4;

/// Says how many bytes are free, if it can be said.
pub type Gauge = Box<dyn FnMut() -> Option<u64> + Send>;

/// The room a bot has.
pub struct Room {
    gauge: Gauge,
    store: PathBuf,
    /// Bytes; zero asks for none.
    least: u64,
    looked: Option<LocalTime>,
    free: Option<u64>,
    too_little: Option<TooLittle>,
}

/// Why a bot does not run, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLittle {
    /// It was not begun.
    #[error("{}: {free_mib} MiB are free on its disk, and a run wants {least_mib} (store.disk_free_min_mib)", store.display())]
    ToStart {
        /// Where recordings go.
        store: PathBuf,
        /// Free there.
        free_mib: u64,
        /// Wanted.
        least_mib: u64,
    },
    /// It was ended.
    #[error(
        "{}: {free_mib} MiB are left on its disk, so the run was ended below {end_mib} (a quarter of store.disk_free_min_mib), \
         while there was room to end properly: the recording is whole", store.display()
    )]
    ToGoOn {
        /// Where recordings go.
        store: PathBuf,
        /// Free there.
        free_mib: u64,
        /// Ended below it.
        end_mib: u64,
    },
}

impl Room {
    /// As the file system of the store says.
    pub fn of(settings: &StoreSettings) -> Self {
        let store = settings.path.clone();
        Self::told_by(settings, Box::new(move || free_bytes(&store)))
    }

    /// As somebody says.
    pub fn told_by(settings: &StoreSettings, gauge: Gauge) -> Self {
        let (store, least) = (settings.path.clone(), settings.disk_free_min_mib << 20);
        Self { gauge, store, least, looked: None, free: None, too_little: None }
    }

    /// Bytes free when it was last looked at.
    pub fn free(&self) -> Option<u64> {
        self.free
    }

    /// Whether a run may begin.
    pub fn may_start(&mut self) -> Result<(), TooLittle> {
        self.free = (self.gauge)();
        match self.free {
            Some(free) if free < self.least => {
                let (free_mib, least_mib) = (free >> 20, self.least >> 20);
                Err(TooLittle::ToStart { store: self.store.clone(), free_mib, least_mib })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What has to be done at `now`, by whom and why. Looks every five seconds.
    pub fn look(&mut self, now: LocalTime, is_halted: bool) -> Option<(String, Command)> {
        if self.looked.is_some_and(|at| now.since(at) < LOOK_EVERY) || self.too_little.is_some() {
            return None;
        }
        self.looked = Some(now);
        self.free = (self.gauge)();
        let free = self.free?;
        let because = |code: &str, limit: u64| {
            let (free_mib, limit_mib) = (free >> 20, limit >> 20);
            format!("{code} value={free_mib} limit={limit_mib} unit=MiB path={}", self.store.display())
        };
        let end = self.least / FOR_THE_END;
        if free < end {
            let (store, free_mib, end_mib) = (self.store.clone(), free >> 20, end >> 20);
            self.too_little = Some(TooLittle::ToGoOn { store, free_mib, end_mib });
            return Some((format!("disk ({})", because("DISK_FULL", end)), Command::Stop));
        }
        let halts = free < self.least && !is_halted;
        halts.then(|| ("disk".to_owned(), Command::Halt { reason: because("DISK_LOW", self.least) }))
    }

    /// Why the run was ended, if it was for want of room.
    pub fn ended(self) -> Option<TooLittle> {
        self.too_little
    }
}

/// Bytes free on the disk of a folder that exists.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const LEAST_MIB: u64 = 256;

    /// A disk whose free space is set by hand, MiB; `u64::MAX` cannot be read.
    fn disk() -> (Arc<AtomicU64>, Room) {
        let free = Arc::new(AtomicU64::new(1_000));
        let told = Arc::clone(&free);
        let gauge: Gauge = Box::new(move || match told.load(Ordering::Relaxed) {
            u64::MAX => None,
            mib => Some(mib << 20),
        });
        let settings = StoreSettings {
            path: "store".into(),
            block_ms: 100,
            segment_mib: 256,
            raw_frames: false,
            disk_free_min_mib: LEAST_MIB,
            disk_free_warn_mib: 1_024,
            disk_free_keep_mib: 0,
            keep_days: 0,
            keep_mib: 0,
            index_days: 0,
        };
        (free, Room::told_by(&settings, gauge))
    }

    fn at(s: i64) -> LocalTime {
        LocalTime(0) + Nanos::from_s(s)
    }

    #[test]
    fn a_disk_that_fills_halts_first_and_ends_with_a_quarter_of_that_left() {
        let (free, mut room) = disk();
        // Seconds, MiB free, whether it is halted by then, and what follows. 256 / 4 is 64.
        let halt = |mib: u64| {
            let reason = format!("DISK_LOW value={mib} limit=256 unit=MiB path=store");
            Some(("disk".to_owned(), Command::Halt { reason }))
        };
        let stop = Some(("disk (DISK_FULL value=63 limit=64 unit=MiB path=store)".to_owned(), Command::Stop));
        let story = [
            (0, 1_000, false, None),
            // Not looked at again so soon.
            (4, 0, false, None),
            (5, 256, false, None),
            (10, 255, false, halt(255)),
            (15, 255, true, None),
            // Somebody resumed, and nothing is better.
            (20, 200, false, halt(200)),
            (25, u64::MAX, false, None),
            (30, 64, true, None),
            (35, 63, true, stop),
            // Said once.
            (40, 10, true, None),
        ];
        for (s, mib, is_halted, follows) in story {
            free.store(mib, Ordering::Relaxed);
            assert_eq!(room.look(at(s), is_halted), follows, "after {s} s with {mib} MiB");
        }
        let ended = room.ended().expect("it was ended").to_string();
        assert!(ended.starts_with("store: 63 MiB are left on its disk, so the run was ended below 64"), "{ended}");
    }

    #[test]
    fn below_the_least_nothing_begins_and_without_a_least_anything_does() {
        let (free, mut room) = disk();
        assert_eq!(room.may_start(), Ok(()));
        free.store(255, Ordering::Relaxed);
        let refused = room.may_start().unwrap_err().to_string();
        assert_eq!(refused, "store: 255 MiB are free on its disk, and a run wants 256 (store.disk_free_min_mib)");
        room.least = 0;
        free.store(0, Ordering::Relaxed);
        assert_eq!((room.may_start(), room.look(at(0), false)), (Ok(()), None));
    }
}
