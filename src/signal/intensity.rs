//! How often the market reaches us, and how fast that falls with distance.
//!
//! `λ(δ) = A·e^{-kδ}` is the rate at which aggressive orders reach a quote δ ticks from the mid. Every aggressive
//! order tells how far it reached: half the spread to touch the best price, then `d` whole ticks beyond. Prices come
//! in ticks, so an exponential reach is a geometric `d`, whose maximum-likelihood decay is `k = ln(1 + N/Σd)`; with
//! N - 1 for N the bias of a small sample is gone, and where `d` is many ticks this is the textbook `(N - 1)/Σd`.
//! `N/T` is the rate at the touch, half a spread `h` from the mid, so `A = N/T·e^{k·h̄}`. Each order counts once,
//! so nothing is binned; counting the deepest trade per interval instead reads A = 1.02 where 1.5 is true.
//!
//! What it rests on: a venue prints one aggressive order as several trades. Prints of one taker side that arrive
//! within a millisecond are taken as one order. A best price that moved on a faster channel before its print is
//! heard makes that order look as if it only touched.
//!
//! Memory is bounded: a window is 60 buckets of integer sums, whatever the rate. Fallbacks, in order: a side with
//! too few orders uses both sides pooled; a window with too few keeps the last fit; never fitted is `WarmingUp`.
//!
//! Errors of the estimates: `k/√N` for k and `√(A/T)` for A.

use serde::{Deserialize, Serialize};

use super::{Estimate, Intensity, SignalSpec, Top};
use crate::numeric;
use crate::units::{LocalTime, Nanos, Side, Ticks};

/// Prints of one taker side closer than this are one aggressive order.
const ONE_ORDER: Nanos = Nanos::from_ms(1);

/// Buckets in the window: what is forgotten is forgotten a sixtieth at a time.
const BUCKETS: usize = 60;

/// Largest exponent of `A = N/T·e^{k·h̄}`: beyond it a spread of many `1/k` says nothing about A at the mid.
const EXPONENT_MAX: f64 = 20.0;

/// Sums over aggressive orders that hit quotes of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sums {
    orders: u32,
    /// Ticks beyond the best price.
    excess: i64,
    /// Spread just before each order.
    spread: i64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            orders: self.orders + other.orders,
            excess: self.excess + other.excess,
            spread: self.spread + other.spread,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            orders: self.orders - other.orders,
            excess: self.excess - other.excess,
            spread: self.spread - other.spread,
        }
    }

    /// The fit described above; `None` for fewer than two orders or no time.
    fn fit(&self, seconds: f64, k_min: f64, k_max: f64) -> Option<Intensity> {
        if self.orders < 2 || seconds <= 0.0 {
            return None;
        }
        let n = f64::from(self.orders);
        let k = if self.excess == 0 { k_max } else { numeric::ln_1p((n - 1.0) / self.excess as f64) };
        let k = k.clamp(k_min, k_max);
        let half_spread = 0.5 * self.spread as f64 / n;
        Some(Intensity { a: n / seconds * numeric::exp((k * half_spread).min(EXPONENT_MAX)), k })
    }
}

/// A sixtieth of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    /// Time in which an order would have been seen.
    observed: Nanos,
    bid: Sums,
    ask: Sums,
}

/// An aggressive order whose prints may still be coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    taker: Side,
    since: LocalTime,
    excess: i64,
    spread: i64,
}

/// What the window said at the last refit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Fits {
    bid: Option<Intensity>,
    ask: Option<Intensity>,
    both: Option<Intensity>,
}

/// Running estimate of A and k.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReachDepth {
    orders_min: u32,
    k_min: f64,
    k_max: f64,
    bucket_length: Nanos,
    refit_every: Nanos,
    buckets: Vec<Bucket>,
    current: usize,
    window: Bucket,
    bucket_ends: LocalTime,
    refit_at: LocalTime,
    /// Observed up to here; `None` while the market is not seen.
    seen_to: Option<LocalTime>,
    pending: Option<Pending>,
    fits: Fits,
}

impl ReachDepth {
    /// Nothing seen yet.
    pub fn new(spec: &SignalSpec) -> Self {
        let nanos = |seconds: f64| Nanos(((seconds * 1e9) as i64).max(1));
        Self {
            orders_min: spec.intensity_orders_min.max(2),
            k_min: spec.intensity_k_min,
            k_max: spec.intensity_k_max.max(spec.intensity_k_min),
            bucket_length: nanos(spec.intensity_window_s / BUCKETS as f64),
            refit_every: nanos(spec.intensity_refit_s),
            buckets: vec![Bucket::default(); BUCKETS],
            current: 0,
            window: Bucket::default(),
            bucket_ends: LocalTime(i64::MAX),
            refit_at: LocalTime(i64::MAX),
            seen_to: None,
            pending: None,
            fits: Fits::default(),
        }
    }

    /// The market is seen from now on.
    pub(super) fn start(&mut self, at: LocalTime) {
        self.seen_to = Some(at);
        self.bucket_ends = at + self.bucket_length;
        self.refit_at = at + self.refit_every;
    }

    /// The market is not seen; an order half heard is dropped.
    pub(super) fn on_gap(&mut self, last_seen: LocalTime) {
        self.observe_to(last_seen);
        self.seen_to = None;
        self.pending = None;
    }

    /// When something is due next.
    pub(super) fn due(&self) -> LocalTime {
        self.bucket_ends.min(self.refit_at)
    }

    /// Time passed: forgets the oldest buckets and refits, whatever is due.
    pub(super) fn on_time(&mut self, at: LocalTime) {
        if at >= self.refit_at || at >= self.bucket_ends {
            self.observe_to(at);
            if self.pending.is_some_and(|p| at.since(p.since) > ONE_ORDER) {
                self.close_order();
            }
        }
        if at >= self.refit_at {
            self.refit();
            self.refit_at = at + self.refit_every;
        }
        let mut turns = 0;
        while at >= self.bucket_ends && turns < BUCKETS {
            self.current = (self.current + 1) % BUCKETS;
            let old = std::mem::take(&mut self.buckets[self.current]);
            self.window = Bucket {
                observed: self.window.observed - old.observed,
                bid: self.window.bid.minus(old.bid),
                ask: self.window.ask.minus(old.ask),
            };
            self.bucket_ends = self.bucket_ends + self.bucket_length;
            turns += 1;
        }
        if at >= self.bucket_ends {
            self.bucket_ends = at + self.bucket_length;
        }
    }

    /// A print, with the top just before it.
    pub(super) fn on_trade(&mut self, taker: Side, price: Ticks, before: &Top, at: LocalTime) {
        let beyond = |top: Ticks| ((price.0 - top.0) * taker.sign()).max(0);
        if let Some(p) = &mut self.pending
            && p.taker == taker
            && at.since(p.since) <= ONE_ORDER
        {
            // The order's first print fixed the touch; `excess` grows with the worst price.
            p.excess = p.excess.max(beyond(before.price(taker.opposite())));
            return;
        }
        self.close_order();
        let excess = beyond(before.price(taker.opposite()));
        self.pending = Some(Pending { taker, since: at, excess, spread: before.spread().0 });
    }

    /// Counts the pending order, on the side of the quotes it hit.
    fn close_order(&mut self) {
        if let Some(p) = self.pending.take() {
            let order = Sums { orders: 1, excess: p.excess, spread: p.spread };
            for bucket in [&mut self.buckets[self.current], &mut self.window] {
                let sums = match p.taker {
                    Side::Bid => &mut bucket.ask,
                    Side::Ask => &mut bucket.bid,
                };
                *sums = sums.plus(order);
            }
            if self.fits.both.is_none() && self.have() >= self.orders_min {
                self.observe_to(p.since);
                self.refit();
            }
        }
    }

    fn observe_to(&mut self, at: LocalTime) {
        if let Some(seen_to) = self.seen_to {
            let more = Nanos(at.since(seen_to).0.max(0));
            self.buckets[self.current].observed += more;
            self.window.observed += more;
            self.seen_to = Some(seen_to.max(at));
        }
    }

    /// Aggressive orders of both sides in the window.
    pub(super) fn have(&self) -> u32 {
        self.window.bid.orders + self.window.ask.orders
    }

    fn refit(&mut self) {
        let seconds = self.window.observed.seconds();
        let fit = |sums: Sums, seconds: f64| {
            if sums.orders < self.orders_min { None } else { sums.fit(seconds, self.k_min, self.k_max) }
        };
        // Pooled is still the rate at one side's quotes: twice the orders in twice the (side) time.
        let both = fit(self.window.bid.plus(self.window.ask), 2.0 * seconds);
        if both.is_some() {
            self.fits = Fits { bid: fit(self.window.bid, seconds), ask: fit(self.window.ask, seconds), both };
        }
    }

    /// One side's rate, from both sides' orders.
    pub fn pooled(&self) -> Result<Intensity, Estimate> {
        self.fits.both.ok_or(Estimate::WarmingUp { have: self.have().min(self.orders_min), need: self.orders_min })
    }

    /// The rate at which quotes of `side` are reached; pooled if that side alone has seen too little.
    pub fn of(&self, side: Side) -> Result<Intensity, Estimate> {
        let own = match side {
            Side::Bid => self.fits.bid,
            Side::Ask => self.fits.ask,
        };
        own.map_or_else(|| self.pooled(), Ok)
    }
}
