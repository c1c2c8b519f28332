//! Where the mid went after we traded.
//!
//! A fill at a good price is no gain if the market was about to pass through it. The markout of a fill is what it would
//! have made, closed at the mid so much later: `side · (mid_{t+h} - price) · qty`, fees left out. It splits into
//! the half-spread earned, `side · (mid_t - price)`, and the adverse selection suffered, `-side · (mid_{t+h} - mid_t)`:
//! `markout = half-spread - adverse selection`, exactly (shared/quant/TARGETS.md §4.3).
//!
//! * `t + h` counts from when the fill happened at the venue; the mid is that at the first input at or after it. If the
//!   book cannot be trusted then, or the recording ends before, the markout is missing: counted, never guessed.
//! * `mid_t` is the mid we knew when we heard of the fill, as in the attribution of profit: sums over all fills agree.
//! * the same again of the fills that had something in common ([`Band`]): how heavy our side of the book was, or how long
//!   our order had waited
//! * amounts — settlement currency; of a spot or linear instrument that is the quote currency

use std::collections::VecDeque;

use serde::Serialize;

use super::summary::{plain, seconds};
use crate::market::Instrument;
use crate::numeric::sqrt;
use crate::order::Fill;
use crate::units::{LocalTime, Lots, Money, Nanos};

/// How long after a fill its mid is asked for.
pub const HORIZONS: [Nanos; 6] =
    [Nanos::from_ms(100), Nanos::from_s(1), Nanos::from_s(5), Nanos::from_s(30), Nanos::from_s(60), Nanos::from_s(300)];

/// All fills' markouts at one horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Markout {
    /// Seconds after the fill.
    pub after_s: f64,
    /// Fills it is known of.
    pub fills: u64,
    /// Fills it is not known of.
    pub missing: u64,
    /// Sum over the known.
    #[serde(serialize_with = "plain")]
    pub markout: Money,
    /// Their half-spread when filled.
    #[serde(serialize_with = "plain")]
    pub half_spread: Money,
    /// What of it the market took back: half-spread less markout.
    #[serde(serialize_with = "plain")]
    pub adverse_selection: Money,
    /// Currency traded by them.
    #[serde(serialize_with = "plain")]
    pub notional: Money,
    /// Markout by currency traded, basis points; `None` without fills.
    pub markout_bps: Option<f64>,
    /// Mean over fills of each one's own, basis points, large and small alike.
    pub mean_bps: Option<f64>,
    /// Standard error of that mean, as if fills were independent.
    pub error_bps: Option<f64>,
}

impl Markout {
    /// Of all these fills together, at one horizon and in one currency.
    pub fn of_all(parts: &[&Markout]) -> Self {
        let mut all = Sums::default();
        for part in parts {
            let (n, mean) = (part.fills as f64, part.mean_bps.unwrap_or_default());
            let squares = part.error_bps.map_or(0.0, |error| error * error * n * (n - 1.0));
            all.join(part, mean, squares);
        }
        all.told(parts.first().map_or(0.0, |part| part.after_s))
    }
}

/// Imbalance at the best prices as seen from our order, `(own side - other side)/(both)`, that bands end at.
const IMBALANCES: [f64; 4] = [-0.6, -0.2, 0.2, 0.6];

/// Seconds from the venue's taking an order in to its fill, that bands end at.
const WAITS: [f64; 4] = [0.1, 1.0, 10.0, 60.0];

/// Markouts of the fills with a number from `above` (excluded) to `up_to`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Band {
    /// `None`: no lower end.
    pub above: Option<f64>,
    /// `None`: no upper end.
    pub up_to: Option<f64>,
    /// Per horizon, shortest first.
    pub markouts: Vec<Markout>,
}

/// What was known of a fill when we heard of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Circumstances {
    /// Of the best prices, as seen from our order: positive when more rests on its side.
    pub imbalance: Option<f64>,
    /// How long the order had rested; `None` of one that did not.
    pub waited: Option<Nanos>,
}

/// Which band a number is in.
fn band(ends: &[f64; 4], number: f64) -> usize {
    ends.iter().filter(|end| number > **end).count()
}

/// A fill waiting for a horizon.
#[derive(Clone, Copy, Debug)]
struct Pending {
    due: LocalTime,
    /// Its bands of imbalance and waiting time.
    bands: [Option<usize>; 2],
    signed: Lots,
    /// Worth of one lot at our price.
    paid: Money,
    half_spread: Money,
    notional: Money,
}

/// One horizon: sums of what is known, and what waits, which is as many fills as that time holds.
#[derive(Clone, Debug, Default)]
struct Horizon {
    waiting: VecDeque<Pending>,
    all: Sums,
    /// By imbalance, and by how long the order had waited.
    bands: [[Sums; 5]; 2],
}

/// Sums over fills.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    fills: u64,
    missing: u64,
    markout: Money,
    half_spread: Money,
    notional: Money,
    /// Mean and summed squared deviations, basis points (B. Welford, Technometrics 4 (1962)).
    mean_bps: f64,
    squares: f64,
}

/// The markouts of one instrument.
#[derive(Clone, Debug, Default)]
pub(super) struct Markouts([Horizon; HORIZONS.len()]);

impl Markouts {
    /// A fill that happened then, while the mid was `mark` half-ticks.
    pub fn fill(
        &mut self,
        rules: &Instrument,
        fill: &Fill,
        happened: LocalTime,
        twice_mid: i64,
        circumstances: Circumstances,
    ) {
        let signed = Lots(fill.side.sign() * fill.qty.0);
        let paid = rules.unit_value(2 * fill.price.0);
        let half_spread = (rules.unit_value(twice_mid) - paid) * signed.0;
        let notional = rules.notional(fill.price, fill.qty);
        let waited = circumstances.waited.map(|waited| band(&WAITS, seconds(waited)));
        let bands = [circumstances.imbalance.map(|imbalance| band(&IMBALANCES, imbalance)), waited];
        for (horizon, after) in self.0.iter_mut().zip(HORIZONS) {
            let due = happened + after;
            let place = horizon.waiting.partition_point(|p| p.due <= due);
            horizon.waiting.insert(place, Pending { due, bands, signed, paid, half_spread, notional });
        }
    }

    /// The mid now, twice and in ticks, or that none can be trusted.
    pub fn mid(&mut self, rules: &Instrument, now: LocalTime, twice_mid: Option<i64>) {
        for horizon in &mut self.0 {
            while horizon.waiting.front().is_some_and(|p| p.due <= now) {
                let fill = horizon.waiting.pop_front().expect("it was just looked at");
                let markout = twice_mid.map(|mid| (rules.unit_value(mid) - fill.paid) * fill.signed.0);
                horizon.settle(&fill, markout);
            }
        }
    }

    /// Whatever waits will not be known: the end, or prices are counted in other steps from here on.
    pub fn lose(&mut self) {
        for horizon in &mut self.0 {
            while let Some(fill) = horizon.waiting.pop_front() {
                horizon.settle(&fill, None);
            }
        }
    }

    /// Per horizon, shortest first.
    pub fn summary(&self) -> Vec<Markout> {
        self.of(|horizon| &horizon.all)
    }

    /// The same by how heavy our side of the book was.
    pub fn by_imbalance(&self) -> Vec<Band> {
        self.by(0, IMBALANCES)
    }

    /// The same by how long the order had waited; orders that did not rest are in none.
    pub fn by_waiting_time(&self) -> Vec<Band> {
        self.by(1, WAITS)
    }

    fn by(&self, which: usize, ends: [f64; 4]) -> Vec<Band> {
        let one = |n: usize| Band {
            above: n.checked_sub(1).map(|below| ends[below]),
            up_to: ends.get(n).copied(),
            markouts: self.of(|horizon| &horizon.bands[which][n]),
        };
        (0..=ends.len()).map(one).collect()
    }

    fn of(&self, sums: impl Fn(&Horizon) -> &Sums) -> Vec<Markout> {
        self.0.iter().zip(HORIZONS).map(|(horizon, after)| sums(horizon).told(seconds(after))).collect()
    }
}

impl Horizon {
    /// The fill's markout is known, or never will be.
    fn settle(&mut self, fill: &Pending, markout: Option<Money>) {
        let own = self.bands.iter_mut().zip(fill.bands).filter_map(|(bands, n)| Some(&mut bands[n?]));
        for sums in own.chain([&mut self.all]) {
            match markout {
                Some(markout) => sums.know(fill, markout),
                None => sums.missing += 1,
            }
        }
    }
}

impl Sums {
    fn know(&mut self, fill: &Pending, markout: Money) {
        self.fills += 1;
        self.markout += markout;
        self.half_spread += fill.half_spread;
        self.notional += fill.notional;
        let bps = in_bps(markout, fill.notional).unwrap_or_default();
        let off = bps - self.mean_bps;
        self.mean_bps += off / self.fills as f64;
        self.squares += off * (bps - self.mean_bps);
    }

    /// Takes in the fills of another (T. Chan, G. Golub & R. LeVeque, American Statistician 37 (1983), eq. 2.1).
    fn join(&mut self, other: &Markout, mean: f64, squares: f64) {
        let (ours, theirs) = (self.fills as f64, other.fills as f64);
        self.missing += other.missing;
        if other.fills == 0 {
            return;
        }
        let off = mean - self.mean_bps;
        self.mean_bps += off * theirs / (ours + theirs);
        self.squares += squares + off * off * ours * theirs / (ours + theirs);
        self.fills += other.fills;
        self.markout += other.markout;
        self.half_spread += other.half_spread;
        self.notional += other.notional;
    }

    fn told(&self, after_s: f64) -> Markout {
        let n = self.fills as f64;
        Markout {
            after_s,
            fills: self.fills,
            missing: self.missing,
            markout: self.markout,
            half_spread: self.half_spread,
            adverse_selection: self.half_spread - self.markout,
            notional: self.notional,
            markout_bps: in_bps(self.markout, self.notional),
            mean_bps: (self.fills > 0).then_some(self.mean_bps),
            error_bps: (self.fills > 1).then(|| sqrt(self.squares / (n - 1.0) / n)),
        }
    }
}

/// `amount / of`, basis points.
fn in_bps(amount: Money, of: Money) -> Option<f64> {
    (of > Money::ZERO).then(|| amount.to_f64() / of.to_f64() * 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_ends_where_it_says() {
        for (number, expected) in [(-1.0, 0), (-0.6, 0), (-0.59, 1), (0.0, 2), (0.2, 2), (0.5, 3), (1.0, 4)] {
            assert_eq!(band(&IMBALANCES, number), expected, "{number}");
        }
        let bands = Markouts::default().by_waiting_time();
        let ends: Vec<_> = bands.iter().map(|band| (band.above, band.up_to)).collect();
        assert_eq!(ends[0], (None, Some(0.1)));
        assert_eq!((ends[2], ends[4]), ((Some(1.0), Some(10.0)), (Some(60.0), None)));
    }

    #[test]
    fn parts_together_are_the_whole() {
        // Basis points 1 2 6 and 4 as one: mean 13/4, squares (81 + 25 + 121 + 9)/16 = 14.75, error √(14.75/3/4).
        let sums = |bps: &[i64]| {
            let mut sums = Sums::default();
            for bp in bps {
                let (signed, money) = (Lots(1), |units: i64| Money(i128::from(units) * Money::PER_QUOTE));
                let fill = Pending {
                    due: LocalTime(0),
                    bands: [None; 2],
                    signed,
                    paid: Money::ZERO,
                    half_spread: money(1),
                    notional: money(10_000),
                };
                sums.know(&fill, money(*bp));
            }
            sums.told(1.0)
        };
        let all = Markout::of_all(&[&sums(&[1, 2, 6]), &sums(&[4]), &sums(&[])]);
        assert_eq!((all.fills, all.mean_bps, all.markout_bps), (4, Some(3.25), Some(3.25)));
        assert!((all.error_bps.expect("four") - (14.75f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(all.half_spread, all.adverse_selection + all.markout);
    }
}
