//! Delays between us and the venue.
//!
//! Three of them, because they are three: news comes to us (`feed`), our requests go there (`entry`), the venue's
//! word comes back (`response`). Only the way in is jittered; feed delays are already in the recorded order of
//! things. Requests travel in file on one connection, so a later one never overtakes an earlier one.

use serde::{Deserialize, Serialize};

use crate::numeric;
use crate::rng::Stream;
use crate::units::{LocalTime, Nanos};

/// Constant delays plus an optional lognormal jitter on the way in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySpec {
    /// From the venue's matching engine to us, market data, microseconds.
    pub feed_us: u32,
    /// From us to the venue's matching engine, microseconds.
    pub entry_us: u32,
    /// From the matching engine back to us, order reports, microseconds.
    pub response_us: u32,
    /// σ of the lognormal factor on `entry_us` (median 1); 0 is constant.
    pub entry_jitter: f64,
}

impl LatencySpec {
    /// How old market news is when it reaches us.
    pub fn feed(&self) -> Nanos {
        Nanos::from_us(i64::from(self.feed_us))
    }

    /// How old a report is when it reaches us.
    pub fn response(&self) -> Nanos {
        Nanos::from_us(i64::from(self.response_us))
    }
}

/// The way from us to the matching engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WayIn {
    stream: Stream,
    last_arrival: LocalTime,
}

impl WayIn {
    /// With the stream its jitter is drawn from.
    pub fn new(stream: Stream) -> Self {
        Self { stream, last_arrival: LocalTime(i64::MIN) }
    }

    /// When a request sent at `sent` arrives: `sent + entry · e^{σZ}`, `Z` standard normal, but never before the
    /// request sent before it. Without jitter nothing is drawn.
    pub fn arrival(&mut self, spec: &LatencySpec, sent: LocalTime) -> LocalTime {
        let entry = Nanos::from_us(i64::from(spec.entry_us));
        let delay = if spec.entry_jitter > 0.0 {
            Nanos((entry.0 as f64 * numeric::exp(spec.entry_jitter * self.stream.normal())) as i64)
        } else {
            entry
        };
        self.last_arrival = self.last_arrival.max(sent + delay);
        self.last_arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(entry_jitter: f64) -> LatencySpec {
        LatencySpec { feed_us: 0, entry_us: 1_000, response_us: 0, entry_jitter }
    }

    #[test]
    fn a_constant_way_in_takes_always_the_same_time() {
        let mut way = WayIn::new(Stream::new(1, "paper.latency"));
        assert_eq!(way.arrival(&spec(0.0), LocalTime(5)), LocalTime(1_000_005));
        assert_eq!(way.arrival(&spec(0.0), LocalTime(6)), LocalTime(1_000_006));
    }

    #[test]
    fn a_later_request_never_overtakes_an_earlier_one() {
        // One request a microsecond, each delayed by about a millisecond with a wide spread.
        let mut way = WayIn::new(Stream::new(1, "paper.latency"));
        let arrivals: Vec<_> = (0..2_000).map(|i| way.arrival(&spec(1.0), LocalTime(i * 1_000))).collect();
        assert!(arrivals.is_sorted());
        assert!(arrivals.iter().zip(0..).all(|(a, i)| a.0 >= i * 1_000));
    }

    #[test]
    fn half_of_the_delays_are_below_the_entry_setting() {
        // Requests a second apart do not queue behind each other. n = 4000: the share has a standard error of
        // 0.8 %; five of them are allowed.
        let mut way = WayIn::new(Stream::new(7, "paper.latency"));
        let sent = |i: i64| LocalTime(i * 1_000_000_000);
        let quick = (0..4_000).filter(|&i| way.arrival(&spec(0.5), sent(i)).since(sent(i)) < Nanos::from_us(1_000));
        assert!((1_840..=2_160).contains(&quick.count()));
    }
}
