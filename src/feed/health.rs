//! What a connection has been through, for the status page.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::units::{LocalTime, Nanos};

/// Counters of one connection, written by [`run`](super::run()) and read by anybody.
#[derive(Debug, Default)]
pub struct Health {
    pub(super) connected: AtomicBool,
    pub(super) frames: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) losses: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) pings: AtomicU64,
    pub(super) last_frame_ns: AtomicI64,
    pub(super) longest_wait_us: AtomicU64,
}

impl Health {
    /// Whether a socket is open now.
    pub fn connected(&self) -> bool {
        self.connected.load(Relaxed)
    }

    /// Data frames received.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Bytes in them.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Sockets opened, the first one and rotations included.
    pub fn connects(&self) -> u64 {
        self.connects.load(Relaxed)
    }

    /// Sockets lost, and attempts that failed.
    pub fn losses(&self) -> u64 {
        self.losses.load(Relaxed)
    }

    /// Gaps in the venue's numbering.
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Relaxed)
    }

    /// Pings of the venue answered.
    pub fn pings(&self) -> u64 {
        self.pings.load(Relaxed)
    }

    /// Time since the last data frame; `None` before the first.
    pub fn data_age(&self, now: LocalTime) -> Option<Nanos> {
        match self.last_frame_ns.load(Relaxed) {
            0 => None,
            at => Some(now.since(LocalTime(at))),
        }
    }

    /// Longest the socket had to wait because the session had not taken earlier news yet.
    pub fn longest_wait(&self) -> Duration {
        Duration::from_micros(self.longest_wait_us.load(Relaxed))
    }

    pub(super) fn frame(&self, bytes: usize, at: LocalTime) {
        self.frames.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.last_frame_ns.store(at.0, Relaxed);
    }

    pub(super) fn waited(&self, time: Duration) {
        self.longest_wait_us.fetch_max(time.as_micros() as u64, Relaxed);
    }
}
