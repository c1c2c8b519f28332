//! How patient a connection is.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::LocalTime;

/// Limits and timers of one connection. The defaults keep well inside what Binance spot allows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our clock; [`wall_clock`] except in tests.
    pub clock: fn() -> LocalTime,
    /// First ceiling of the pause before a reconnect; doubles with each failure.
    pub backoff_base: Duration,
    /// Highest ceiling of that pause.
    pub backoff_cap: Duration,
    /// A connection that lived this long was a good one: the next pause starts from the base again.
    pub healthy_after: Duration,
    /// Seeds the jitter of the pauses, so that many bots do not come back at the same moment.
    pub jitter_seed: u64,
    /// A socket must be open (TCP, TLS, upgrade) within this time.
    pub connect_timeout: Duration,
    /// A REST reply must be complete within this time.
    pub request_timeout: Duration,
    /// A frame of ours must leave within this time.
    pub send_timeout: Duration,
    /// How often the protocol hears that time passes; it wants at most 250 ms.
    pub tick_every: Duration,
    /// Open a fresh socket after this long, before the venue cuts the old one (Binance: at 24 h); zero: never.
    pub rotate_after: Duration,
    /// Frames we may send in any second, pongs included.
    pub messages_per_second: u32,
    /// REST weight we may spend in any minute.
    pub weight_per_minute: u32,
    /// Sockets we may open in any minute, over all connections to the venue.
    pub connects_per_minute: u32,
    /// Silence after an HTTP 403 where that means "too often"; zero: it means "not you".
    pub forbidden_wait: Duration,
    /// Longest frame and message we accept.
    pub frame_bytes_max: usize,
    /// Which of the session's connections this is.
    pub connection: u16,
    /// Whether it carries all of the session's instruments of its venue, and nothing else does.
    pub alone: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: wall_clock,
            backoff_base: Duration::from_millis(250),
            backoff_cap: Duration::from_secs(30),
            healthy_after: Duration::from_secs(60),
            jitter_seed: wall_clock().0.unsigned_abs(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(5),
            tick_every: Duration::from_millis(100),
            rotate_after: Duration::from_secs(23 * 3600),
            messages_per_second: 5,
            // Half of Binance's 6000: the address may be shared.
            weight_per_minute: 3000,
            // Binance allows 300 in five minutes.
            connects_per_minute: 50,
            forbidden_wait: Duration::ZERO,
            frame_bytes_max: 64 << 20,
            connection: 0,
            alone: true,
        }
    }
}

/// Our clock: the machine's time of day when it was first asked, and steady from there. A step of the machine's clock
/// (forward, then back) must not stop the time of a session, which never goes back.
#[expect(clippy::disallowed_methods, reason = "news is stamped where it arrives; the stamp is recorded")]
pub fn wall_clock() -> LocalTime {
    static START: OnceLock<(i64, Instant)> = OnceLock::new();
    let (at, then) = START.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock set after 1970");
        (i64::try_from(since.as_nanos()).expect("a clock set before 2262"), Instant::now())
    });
    LocalTime(at + i64::try_from(then.elapsed().as_nanos()).expect("a process younger than 292 years"))
}
