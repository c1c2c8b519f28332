//! A store within bounds: what may go, and in which order.
//!
//! Only whole recordings go, the oldest first, and first of all what can be made anew: an index that nobody has needed for
//! days. Never touched are a recording that is being written, one that somebody keeps by name (`sessions keep`), and one whose
//! manifest cannot be read: it may be the only trace of something. Age is counted from when a recording was last written on this
//! disk, so that a market of 2023 imported today is of today. What goes because the disk is nearly full goes whoever filled it.

use std::time::Duration;

use tracing::{info, warn};

use super::room;
use crate::config::settings::StoreSettings;
use crate::feed::wall_clock;
use crate::journal::{JournalError, SessionSummary, Store};
use crate::units::{LocalTime, Nanos};

/// How often a running bot looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// It looks through the store every so many times, and whenever the disk is nearly full.
const LOOKS: u32 = 10;
/// A day.
const DAY: Nanos = Nanos::from_s(86_400);

/// What a store may hold. Zero is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Recordings older than this go.
    pub keep_days: u32,
    /// The oldest go until no more than this is held, bytes.
    pub keep_bytes: u64,
    /// Indexes of recordings older than this go.
    pub index_days: u32,
    /// The oldest go until so much is free on the disk, bytes.
    pub free_bytes: u64,
}

impl From<&StoreSettings> for Bounds {
    fn from(store: &StoreSettings) -> Self {
        Self {
            keep_days: store.keep_days,
            keep_bytes: store.keep_mib << 20,
            index_days: store.index_days,
            free_bytes: store.disk_free_keep_mib << 20,
        }
    }
}

/// Why something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is older than `store.keep_days`.
    Age,
    /// The store holds more than `store.keep_mib`.
    Space,
    /// An index older than `store.index_days`; the recording stays.
    Index,
    /// Less is free on the disk than `store.disk_free_keep_mib`.
    Disk,
}

impl Cause {
    /// As in reports.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Age => "age",
            Cause::Space => "space",
            Cause::Index => "index",
            Cause::Disk => "disk",
        }
    }
}

/// One thing that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Of which recording.
    pub session: String,
    /// Why.
    pub cause: Cause,
    /// What it frees, bytes.
    pub bytes: u64,
}

/// What is to go at `now`, in the order it goes.
///
/// * `found` — as [`Store::sessions`] lists them
/// * `free` — bytes free on their disk, if that is known
pub fn plan(found: &[SessionSummary], bounds: &Bounds, free: Option<u64>, now: LocalTime) -> Vec<Farewell> {
    let is_old = |s: &SessionSummary, days: u32| days > 0 && now.since(s.written).0 / DAY.0 >= i64::from(days);
    let mut loose: Vec<&SessionSummary> = found.iter().filter(|s| !s.live && !s.kept && s.manifest.is_ok()).collect();
    loose.sort_by(|a, b| (a.written, &a.id).cmp(&(b.written, &b.id)));
    let held: u64 = found.iter().map(|s| s.bytes + s.index_bytes).sum();
    let mut left = held;
    let mut going = Vec::new();
    let mut go = |s: &SessionSummary, cause, bytes: u64, left: &mut u64| {
        going.push(Farewell { session: s.id.clone(), cause, bytes });
        *left -= bytes;
    };
    let mut staying = Vec::new();
    for s in loose {
        if is_old(s, bounds.keep_days) {
            go(s, Cause::Age, s.bytes + s.index_bytes, &mut left);
        } else if is_old(s, bounds.index_days) && s.index_bytes > 0 {
            go(s, Cause::Index, s.index_bytes, &mut left);
            staying.push((s, s.bytes));
        } else {
            staying.push((s, s.bytes + s.index_bytes));
        }
    }
    for (s, bytes) in staying {
        let is_short = free.is_some_and(|free| free + (held - left) < bounds.free_bytes);
        if bounds.keep_bytes > 0 && left > bounds.keep_bytes {
            go(s, Cause::Space, bytes, &mut left);
        } else if is_short {
            go(s, Cause::Disk, bytes, &mut left);
        }
    }
    going
}

/// Lets go of it. Whoever has begun to use it meanwhile keeps it.
pub fn carry_out(store: &Store, farewell: &Farewell) -> Result<(), JournalError> {
    match farewell.cause {
        Cause::Age | Cause::Space | Cause::Disk => store.delete(&farewell.session),
        Cause::Index => store.drop_index(&farewell.session),
    }
}

/// Looks now and then for as long as the bot runs, off the session's thread.
pub async fn watch(store: Store, bounds: Bounds) {
    if bounds == Bounds::default() {
        return;
    }
    let mut clock = tokio::time::interval(LOOK_EVERY);
    for look in (0..LOOKS).cycle() {
        clock.tick().await;
        let is_short = room::free_bytes(store.path()).is_some_and(|free| free < bounds.free_bytes);
        if look != 0 && !is_short {
            continue;
        }
        let store = store.clone();
        // Folders of gigabytes take their time; the sockets' threads have other things to do.
        let _ = tokio::task::spawn_blocking(move || tidy(&store, &bounds)).await;
    }
}

/// Looks once, and says in the log what went.
pub fn tidy(store: &Store, bounds: &Bounds) {
    let found = match store.sessions() {
        Ok(found) => found,
        Err(why) => return warn!("the store cannot be looked through: {why}"),
    };
    for farewell in plan(&found, bounds, room::free_bytes(store.path()), wall_clock()) {
        let Farewell { session, cause, bytes } = &farewell;
        match carry_out(store, &farewell) {
            Ok(()) => info!("store: {session} pruned, {} ({:.1} MB)", cause.word(), *bytes as f64 / 1e6),
            Err(why) => warn!("store: {session} stays: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SessionSpec;
    use crate::journal::Manifest;

    /// Of `mb` megabytes and an index of one, last written so many days before day 100.
    fn session(id: &str, days_ago: i64, mb: u64) -> SessionSummary {
        let spec = SessionSpec { seed: 1, desks: Vec::new(), risk: Default::default(), equity_every: Nanos(1) };
        SessionSummary {
            id: id.to_owned(),
            folder: id.into(),
            manifest: Ok(Manifest::new(id, spec, LocalTime(0))),
            live: false,
            kept: false,
            written: LocalTime((100 - days_ago) * DAY.0),
            bytes: mb * 1_000_000,
            index_bytes: 1_000_000,
        }
    }

    fn goes(
        found: &[SessionSummary],
        keep_days: u32,
        keep_mb: u64,
        index_days: u32,
    ) -> Vec<(String, &'static str, u64)> {
        let bounds = Bounds { keep_days, keep_bytes: keep_mb * 1_000_000, index_days, free_bytes: 0 };
        listed(plan(found, &bounds, Some(0), LocalTime(100 * DAY.0)))
    }

    fn listed(plan: Vec<Farewell>) -> Vec<(String, &'static str, u64)> {
        plan.into_iter().map(|f| (f.session, f.cause.word(), f.bytes / 1_000_000)).collect()
    }

    fn said(list: &[(&str, &'static str, u64)]) -> Vec<(String, &'static str, u64)> {
        list.iter().map(|(id, cause, mb)| ((*id).to_owned(), *cause, *mb)).collect()
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_must() {
        let found = [session("c", 1, 10), session("a", 9, 10), session("b", 5, 10)];
        assert_eq!(goes(&found, 0, 0, 0), []);
        // Thirty and three indexes: 33. Nine days are not more than nine.
        assert_eq!(goes(&found, 10, 33, 0), []);
        assert_eq!(goes(&found, 9, 0, 0), said(&[("a", "age", 11)]));
        assert_eq!(goes(&found, 0, 32, 0), said(&[("a", "space", 11)]));
        assert_eq!(goes(&found, 0, 21, 0), said(&[("a", "space", 11), ("b", "space", 11)]));
        // What went by age has made room.
        assert_eq!(goes(&found, 9, 22, 0), said(&[("a", "age", 11)]));
    }

    #[test]
    fn a_disk_nearly_full_takes_the_oldest_until_enough_is_free() {
        let found = [session("a", 9, 10), session("b", 5, 10), session("c", 1, 10)];
        let goes = |keep_days, free_mb: Option<u64>| {
            let bounds = Bounds { keep_days, free_bytes: 100_000_000, ..Bounds::default() };
            let free = free_mb.map(|mb| mb * 1_000_000);
            listed(plan(&found, &bounds, free, LocalTime(100 * DAY.0)))
        };
        assert_eq!((goes(0, Some(100)), goes(0, None)), (vec![], vec![]));
        // 89 and 11 are 100.
        assert_eq!(goes(0, Some(89)), said(&[("a", "disk", 11)]));
        assert_eq!(goes(0, Some(88)), said(&[("a", "disk", 11), ("b", "disk", 11)]));
        // What goes by age makes room too.
        assert_eq!(goes(9, Some(89)), said(&[("a", "age", 11)]));
    }

    #[test]
    fn an_index_goes_before_a_recording_and_may_be_enough() {
        let found = [session("a", 9, 10), session("b", 5, 10), session("c", 1, 10)];
        assert_eq!(goes(&found, 0, 31, 5), said(&[("a", "index", 1), ("b", "index", 1)]));
        assert_eq!(goes(&found, 0, 30, 5), said(&[("a", "index", 1), ("b", "index", 1), ("a", "space", 10)]));
    }

    #[test]
    fn what_is_written_kept_or_not_understood_stays_and_counts() {
        let mut found = [session("live", 90, 10), session("kept", 80, 10), session("odd", 70, 10), session("d", 1, 10)];
        found[0].live = true;
        found[1].kept = true;
        found[2].manifest = Err(JournalError::BadName("odd".to_owned()));
        assert_eq!(goes(&found, 1, 5, 1), said(&[("d", "age", 11)]));
    }
}
