//! Delays between us and the venue.
//!
//! Three of them, because they are three: news comes to us (`feed`), our requests go there (`place`, `cancel`,
//! `replace`), the venue's word comes back (`response`). Feed delays are already in the recorded order of things, so
//! that one is a constant shift of clocks; each of the others is a [`Way`]. Requests travel in file on one connection,
//! so a later one never overtakes an earlier one, and neither do the venue's words.
//!
//! Reading order: [`Way`] is how long one way takes, [`Ways`] is who travels it, [`measured`] is what was measured.

pub mod measured;

use serde::{Deserialize, Serialize};

use crate::numeric;
use crate::order::Request;
use crate::rng::Stream;
use crate::units::{LocalTime, Nanos, VenueTime};
pub use measured::{Leg, Measured};

/// How long one way takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Way {
    /// Always the same.
    Constant {
        /// Microseconds.
        us: u32,
    },
    /// `us · e^{σZ}`, `Z` standard normal.
    Lognormal {
        /// The median, microseconds.
        us: u32,
        /// σ; at 0 nothing is drawn.
        sigma: f64,
    },
    /// `factor · feed + us`: a slow line is slow both ways. `feed` is how old the newest stamped news was when it
    /// came.
    Feed {
        /// Of the feed's delay.
        factor: f64,
        /// On top of it, microseconds.
        us: u32,
    },
    /// What was [`Measured`] at that time.
    Measured,
}

/// The delays of one instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySpec {
    /// From the venue's matching engine to us, market data, microseconds.
    pub feed_us: u32,
    /// From us to the venue's matching engine, a new order.
    pub place: Way,
    /// The same, a cancellation.
    pub cancel: Way,
    /// The same, a replacement.
    pub replace: Way,
    /// From the matching engine back to us, order reports.
    pub response: Way,
    /// For [`Way::Measured`]; without rows that way takes no time.
    pub measured: Measured,
}

impl LatencySpec {
    /// The same delay for every request, all constant, microseconds.
    pub fn constant(feed_us: u32, entry_us: u32, response_us: u32) -> Self {
        let (entry, response) = (Way::Constant { us: entry_us }, Way::Constant { us: response_us });
        Self { feed_us, place: entry, cancel: entry, replace: entry, response, measured: Measured::default() }
    }

    /// How old market news is when it reaches us.
    pub fn feed(&self) -> Nanos {
        Nanos::from_us(i64::from(self.feed_us))
    }

    /// How long a new order takes that is sent at `at`, as a rule: the median where it is drawn, the usual feed where it is as slow as that.
    pub fn entry(&self, at: LocalTime) -> Nanos {
        let us = |us: u32| Nanos::from_us(i64::from(us));
        match self.place {
            Way::Constant { us: entry } | Way::Lognormal { us: entry, .. } => us(entry),
            Way::Feed { factor, us: more } => Nanos((self.feed().0 as f64 * factor) as i64 + us(more).0),
            Way::Measured => self.measured.at(Leg::Entry, at),
        }
    }
}

/// The ways to the matching engine and back, with everything that travels them in mind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ways {
    spec: LatencySpec,
    /// A stream for each way: how one is set never shifts the draws of another.
    place: Stream,
    cancel: Stream,
    replace: Stream,
    response: Stream,
    /// How old the newest stamped news was when it came.
    feed: Nanos,
    last_arrival: LocalTime,
    last_hearing: LocalTime,
}

impl Ways {
    /// Nobody travels yet. What is drawn is drawn from branches of `stream`.
    pub fn new(spec: LatencySpec, stream: &Stream) -> Self {
        Self {
            place: stream.branch("place"),
            cancel: stream.branch("cancel"),
            replace: stream.branch("replace"),
            response: stream.branch("response"),
            feed: spec.feed(),
            last_arrival: LocalTime(i64::MIN),
            last_hearing: LocalTime(i64::MIN),
            spec,
        }
    }

    /// The settings.
    pub fn spec(&self) -> &LatencySpec {
        &self.spec
    }

    /// News the venue stamped `venue_time` reached us at `at`. Clocks disagree: news from the future took no time, and
    /// a stamp older than [`OLDEST_NEWS`] says when something happened, not how long the line is.
    pub fn saw(&mut self, venue_time: Option<VenueTime>, at: LocalTime) {
        let Some(stamped) = venue_time else { return };
        let delay = Nanos(at.0.saturating_sub(stamped.0).max(0));
        if delay <= OLDEST_NEWS {
            self.feed = delay;
        }
    }

    /// When a request sent at `sent` arrives, never before the request sent before it.
    pub fn arrival(&mut self, request: &Request, sent: LocalTime) -> LocalTime {
        let (way, stream) = match request {
            Request::Place { .. } => (self.spec.place, &mut self.place),
            Request::Cancel { .. } => (self.spec.cancel, &mut self.cancel),
            Request::Replace { .. } => (self.spec.replace, &mut self.replace),
        };
        let delay = way.delay(Leg::Entry, sent, self.feed, &self.spec.measured, stream);
        self.last_arrival = self.last_arrival.max(sent + delay);
        self.last_arrival
    }

    /// When we hear of what happened at `happened`, never before what was said before it.
    pub fn hearing(&mut self, happened: LocalTime) -> LocalTime {
        let Self { spec, response, feed, .. } = self;
        let delay = spec.response.delay(Leg::Response, happened, *feed, &spec.measured, response);
        self.last_hearing = self.last_hearing.max(happened + delay);
        self.last_hearing
    }
}

/// A stamp older than this is no measure of the line: a venue sends old prints anew after a reconnection.
pub const OLDEST_NEWS: Nanos = Nanos::from_s(10);

impl Way {
    /// How long it takes from `start`.
    fn delay(self, leg: Leg, start: LocalTime, feed: Nanos, measured: &Measured, stream: &mut Stream) -> Nanos {
        let ns = |us: u32| Nanos::from_us(i64::from(us));
        match self {
            Way::Constant { us } => ns(us),
            Way::Lognormal { us, sigma } if sigma > 0.0 => {
                Nanos((ns(us).0 as f64 * numeric::exp(sigma * stream.normal())) as i64)
            }
            Way::Lognormal { us, .. } => ns(us),
            Way::Feed { factor, us } => Nanos((feed.0 as f64 * factor) as i64 + ns(us).0),
            Way::Measured => measured.at(leg, start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::InstrumentId;
    use crate::order::OrderId;

    const CANCEL: Request = Request::Cancel { id: OrderId(1), instrument: InstrumentId(0) };

    fn ways(seed: u64, entry: Way) -> Ways {
        let spec = LatencySpec { place: entry, cancel: entry, replace: entry, ..LatencySpec::constant(0, 0, 0) };
        Ways::new(spec, &Stream::new(seed, "paper.latency"))
    }

    fn jittered(sigma: f64) -> Way {
        Way::Lognormal { us: 1_000, sigma }
    }

    #[test]
    fn a_constant_way_in_takes_always_the_same_time() {
        for way in [Way::Constant { us: 1_000 }, jittered(0.0)] {
            let mut ways = ways(1, way);
            assert_eq!(ways.arrival(&CANCEL, LocalTime(5)), LocalTime(1_000_005));
            assert_eq!(ways.arrival(&CANCEL, LocalTime(6)), LocalTime(1_000_006));
        }
    }

    #[test]
    fn a_later_request_never_overtakes_an_earlier_one() {
        // One request a microsecond, each delayed by about a millisecond with a wide spread.
        let mut ways = ways(1, jittered(1.0));
        let arrivals: Vec<_> = (0..2_000).map(|i| ways.arrival(&CANCEL, LocalTime(i * 1_000))).collect();
        assert!(arrivals.is_sorted());
        assert!(arrivals.iter().zip(0..).all(|(a, i)| a.0 >= i * 1_000));
    }

    #[test]
    fn half_of_the_delays_are_below_the_entry_setting() {
        // Requests a second apart do not queue behind each other. n = 4000: the share has a standard error of
        // 0.8 %; five of them are allowed.
        let mut ways = ways(7, jittered(0.5));
        let sent = |i: i64| LocalTime(i * 1_000_000_000);
        let quick = (0..4_000).filter(|&i| ways.arrival(&CANCEL, sent(i)).since(sent(i)) < Nanos::from_us(1_000));
        assert!((1_840..=2_160).contains(&quick.count()));
    }

    #[test]
    fn each_errand_has_a_way_of_its_own_and_draws_of_its_own() {
        let replacement = |new| {
            let (instrument, old, new) = (InstrumentId(0), OrderId(1), OrderId(new));
            Request::Replace { old, new, instrument, price: crate::units::Ticks(1), qty: crate::units::Lots(1) }
        };
        let with = |cancel| {
            let spec = LatencySpec { cancel, replace: jittered(0.5), ..LatencySpec::constant(0, 3, 0) };
            Ways::new(spec, &Stream::new(1, "paper.latency"))
        };
        // Seconds apart, so that nobody waits for the one before.
        let (mut plain, mut drawn) = (with(Way::Constant { us: 7 }), with(jittered(2.0)));
        assert_eq!(plain.arrival(&CANCEL, LocalTime(0)), LocalTime(7_000));
        let jumped = drawn.arrival(&CANCEL, LocalTime(0));
        assert!(jumped != LocalTime(1_000_000) && jumped < LocalTime(60_000_000_000));
        // Whether cancellations are drawn makes no difference to replacements.
        let at = LocalTime(100_000_000_000);
        assert_eq!(plain.arrival(&replacement(2), at), drawn.arrival(&replacement(2), at));
    }

    #[test]
    fn a_slow_feed_is_a_slow_way_in_and_out() {
        // 2 · feed + 100 µs. Before any news the feed takes what is configured, 50 µs: 200 µs.
        let way = Way::Feed { factor: 2.0, us: 100 };
        let spec = LatencySpec { response: way, cancel: way, ..LatencySpec::constant(50, 0, 0) };
        let mut ways = Ways::new(spec, &Stream::new(1, "paper.latency"));
        let us = |us: i64| LocalTime(us * 1_000);
        assert_eq!(ways.arrival(&CANCEL, us(0)), us(200));
        // News of 1000 heard at 1400: 400 old, so 900.
        ways.saw(Some(VenueTime(1_000_000)), us(1_400));
        assert_eq!((ways.arrival(&CANCEL, us(1_400)), ways.hearing(us(1_400))), (us(2_300), us(2_300)));
        // No stamp, no news of the line; a stamp from the future took no time: 100.
        ways.saw(None, us(5_000));
        assert_eq!(ways.arrival(&CANCEL, us(5_000)), us(5_900));
        ways.saw(Some(VenueTime(9_000_000)), us(8_000));
        assert_eq!(ways.arrival(&CANCEL, us(8_000)), us(8_100));
        // Ten seconds and a microsecond old: told again, not slow.
        ways.saw(Some(VenueTime(0)), us(10_000_001));
        assert_eq!(ways.arrival(&CANCEL, us(10_000_001)), us(10_000_101));
        ways.saw(Some(VenueTime(0)), us(10_000_000));
        assert_eq!(ways.arrival(&CANCEL, us(10_000_001)), us(30_000_101));
    }

    #[test]
    fn words_are_heard_in_the_order_they_were_said() {
        let spec = LatencySpec { response: Way::Lognormal { us: 1_000, sigma: 1.0 }, ..LatencySpec::constant(0, 0, 0) };
        let mut ways = Ways::new(spec, &Stream::new(1, "paper.latency"));
        let heard: Vec<_> = (0..2_000).map(|i| ways.hearing(LocalTime(i * 1_000))).collect();
        assert!(heard.is_sorted() && heard[0] != heard[1_999]);
    }
}
