//! What differs from episode to episode, so that a policy does not learn one market by heart.
//!
//! Ranges are factors on what the terms say, drawn evenly by logarithm, or numbers in their place, drawn evenly (Tobin et al., *Domain
//! randomization for transferring deep neural networks from simulation to the real world*, IROS 2017; which ranges:
//! `quant/TARGETS.md` §8). A curriculum: they start as points and widen with the steps taken.

use serde::{Deserialize, Serialize};

use crate::engine::SessionSpec;
use crate::env::inside::Line;
use crate::exchange::fee::Schedule;
use crate::exchange::latency::Way;
use crate::exchange::queue::QueueModel;
use crate::numeric::{exp, ln};
use crate::rng::Stream;
use crate::sim::SimSpec;
use crate::sim::laws::{Placement, SizeLaw};
use crate::units::Rate;

/// A lower and an upper bound.
pub type Range = [f64; 2];

/// A standard normal is below this in 99 of 100 draws.
const NINETY_NINTH: f64 = 2.326_347_874_040_841;

/// How often a drifting value turns round.
const TURNS_PER_S: f64 = 1.0 / 60.0;

/// How long the line stalls on average when it does, seconds.
const STALL_S: f64 = 1.0;

/// Ranges of an episode's market and costs; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Varied {
    /// Maker's fee, basis points; a number, not a factor.
    pub maker_fee_bps: Option<Range>,
    /// Taker's fee, basis points; likewise.
    pub taker_fee_bps: Option<Range>,
    /// Times all our latencies.
    pub latency: Option<Range>,
    /// Our requests and their reports come lognormally late, the slowest hundredth so many medians: a number, 1 always the median.
    pub latency_tail: Option<Range>,
    /// What is seen is off by so much of itself, normally: a number, 0 not at all.
    pub observation_noise: Option<Range>,
    /// Models of our place in line, as `[paper]` names them with their power behind (`"power 2"`): one an episode. Recordings only; in
    /// a simulated market we stand in line.
    pub queue: Vec<String>,
    /// σ: times the volatility of the value. Simulated markets only, as all that follow.
    pub volatility: Option<Range>,
    /// How fast the value drifts, up or down for a minute on average, σ per √second: a number.
    pub drift: Option<Range>,
    /// A: times the rate of all arrivals of the crowd without intelligence.
    pub arrivals: Option<Range>,
    /// Children of one such arrival, a Hawkes process; a number. As many come as without.
    pub branching: Option<Range>,
    /// Times how often those come who know the value.
    pub informed: Option<Range>,
    /// 1/k: times how far from the other side the crowd places its orders.
    pub reach: Option<Range>,
    /// Times the sizes it rests.
    pub depth: Option<Range>,
    /// Share of the market's messages that never come; a lost change of the book is a gap until it is fetched anew.
    pub message_loss: Option<Range>,
    /// How often the feed stalls, a second on average, per minute; a number.
    pub stalls_per_min: Option<Range>,
    /// Steps of a copy until ranges are as wide as written; from the first if 0.
    pub widen_steps: u64,
}

/// How a range is read, and where it opens from.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// A factor, evenly by logarithm, opening from 1.
    Factor,
    /// A number within bounds, opening from the middle.
    Around(f64, f64),
    /// A number within bounds, opening from its lower end.
    Upwards(f64, f64),
}

/// What was drawn for one episode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Drawn {
    maker_fee_bps: Option<f64>,
    taker_fee_bps: Option<f64>,
    latency: Option<f64>,
    latency_tail: Option<f64>,
    pub observation_noise: Option<f64>,
    volatility: Option<f64>,
    drift: Option<f64>,
    arrivals: Option<f64>,
    branching: Option<f64>,
    informed: Option<f64>,
    reach: Option<f64>,
    depth: Option<f64>,
    message_loss: Option<f64>,
    stalls_per_min: Option<f64>,
    queue: Option<QueueModel>,
    /// Of what is drawn within the episode.
    pub seed: u64,
}

/// Calls a macro with every range and how it is read; those that only a simulated market has come last.
macro_rules! ranges {
    ($each:ident) => {
        $each! {
            maker_fee_bps: Reading::Around(-100.0, 1000.0), false;
            taker_fee_bps: Reading::Around(-100.0, 1000.0), false;
            latency: Reading::Factor, false;
            latency_tail: Reading::Upwards(1.0, 1000.0), false;
            observation_noise: Reading::Upwards(0.0, 1.0), false;
            volatility: Reading::Factor, true;
            drift: Reading::Upwards(0.0, 10.0), true;
            arrivals: Reading::Factor, true;
            branching: Reading::Upwards(0.0, 0.95), true;
            informed: Reading::Factor, true;
            reach: Reading::Factor, true;
            depth: Reading::Factor, true;
            message_loss: Reading::Upwards(0.0, 0.5), true;
            stalls_per_min: Reading::Upwards(0.0, 60.0), true;
        }
    };
}

impl Reading {
    fn check(self, key: &str, [low, high]: Range) -> Result<(), String> {
        let (what, least, most) = match self {
            Reading::Factor => ("two factors", f64::MIN_POSITIVE, 1000.0),
            Reading::Around(least, most) | Reading::Upwards(least, most) => ("two numbers", least, most),
        };
        if low <= high && low >= least && high <= most {
            return Ok(());
        }
        let from = if least == f64::MIN_POSITIVE { "above 0".to_owned() } else { least.to_string() };
        Err(format!("vary.{key} = [{low}, {high}]: {what}, the smaller first, {from} to {most}"))
    }

    /// * `wide` — how far it is open, 0 to 1
    /// * `u` — uniform
    fn draw(self, [low, high]: Range, wide: f64, u: f64) -> f64 {
        match self {
            Reading::Factor => exp(wide * (ln(low) + u * (ln(high) - ln(low)))),
            Reading::Around(..) => 0.5 * (low + high) + wide * (u - 0.5) * (high - low),
            Reading::Upwards(..) => low + wide * u * (high - low),
        }
    }
}

impl Varied {
    /// Errors if a range is none; names it.
    pub fn check(&self) -> Result<(), String> {
        macro_rules! each {
            ($($key:ident: $reading:expr, $market:expr;)*) => {
                $(if let Some(range) = self.$key { $reading.check(stringify!($key), range)?; })*
            };
        }
        ranges!(each);
        self.models().map(drop)
    }

    fn models(&self) -> Result<Vec<QueueModel>, String> {
        self.queue.iter().map(|name| name.parse().map_err(|e| format!("vary.queue: {e}"))).collect()
    }

    /// Whether it asks for something that only a simulated market has.
    pub fn changes_market(&self) -> bool {
        let mut changes = false;
        macro_rules! each {
            ($($key:ident: $reading:expr, $market:expr;)*) => { $(changes |= $market && self.$key.is_some();)* };
        }
        ranges!(each);
        changes
    }

    /// An episode's, after so many steps of its copy: always as many draws. Panics where [`Varied::check`] has not been.
    pub(super) fn draw(&self, steps: u64, draws: &mut Stream) -> Drawn {
        let wide = if self.widen_steps == 0 { 1.0 } else { (steps as f64 / self.widen_steps as f64).min(1.0) };
        let mut drawn = Drawn::default();
        macro_rules! each {
            ($($key:ident: $reading:expr, $market:expr;)*) => {$(
                let u = draws.uniform();
                drawn.$key = self.$key.map(|range| $reading.draw(range, wide, u));
            )*};
        }
        ranges!(each);
        let models = self.models().expect("names that have been checked");
        let nth = draws.below(models.len().max(1) as u64) as usize;
        drawn.queue = models.get(nth).copied();
        drawn.seed = draws.bits();
        drawn
    }
}

impl Drawn {
    /// Fees, latencies and our place in line.
    pub(super) fn change_session(&self, session: &mut SessionSpec) {
        let rate = |bps: f64| Rate((bps * 1000.0).round() as i64);
        for desk in &mut session.desks {
            let (maker, taker) = (self.maker_fee_bps.map(rate), self.taker_fee_bps.map(rate));
            if maker.or(taker).is_some() {
                let base = desk.paper.fees.base;
                desk.paper.fees = Schedule::flat(maker.unwrap_or(base.maker), taker.unwrap_or(base.taker));
            }
            desk.paper.queue = self.queue.unwrap_or(desk.paper.queue);
            let latency = &mut desk.paper.latency;
            let factor = self.latency.unwrap_or(1.0);
            let slow = |us: &mut u32| *us = (f64::from(*us) * factor).round() as u32;
            slow(&mut latency.feed_us);
            for way in [&mut latency.place, &mut latency.cancel, &mut latency.replace, &mut latency.response] {
                match way {
                    Way::Constant { us } | Way::Lognormal { us, .. } => slow(us),
                    Way::Feed { factor: times, us } => {
                        *times *= factor;
                        slow(us);
                    }
                    Way::Measured => {}
                }
                if let (Way::Constant { us } | Way::Lognormal { us, .. }, Some(tail)) = (*way, self.latency_tail) {
                    *way = Way::Lognormal { us, sigma: ln(tail) / NINETY_NINTH };
                }
            }
        }
    }

    /// The line between the market and us.
    pub(super) fn line(&self) -> Line {
        let loss = self.message_loss.unwrap_or(0.0);
        Line { loss, stalls_per_s: self.stalls_per_min.unwrap_or(0.0) / 60.0, stall_s: STALL_S, seed: self.seed }
    }

    /// The market with what was drawn.
    pub(super) fn change_market(&self, market: &SimSpec) -> SimSpec {
        let mut changed = market.clone();
        let times = |factor: Option<f64>| factor.unwrap_or(1.0);
        for market in &mut changed.market {
            let value = &mut market.value;
            value.volatility_bps *= times(self.volatility);
            if let Some(drift) = self.drift {
                (value.drift_bps, value.drift_turns_per_s) = (drift * value.volatility_bps, TURNS_PER_S);
            }
            for crowd in &mut market.zero_intelligence {
                for arrivals in [&mut crowd.limits, &mut crowd.markets] {
                    arrivals.per_s *= times(self.arrivals);
                    if let Some(branching) = self.branching {
                        // Of a rate ρ without excitement, ρ/(1 - n) come.
                        arrivals.per_s *= (1.0 - branching) / (1.0 - arrivals.branching);
                        arrivals.branching = branching;
                    }
                }
                match &mut crowd.placement {
                    Placement::Uniform { ticks } => {
                        *ticks = ((*ticks as f64 * times(self.reach)).round() as i64).max(1);
                    }
                    Placement::Opposite { scale_ticks, .. } | Placement::Own { scale_ticks, .. } => {
                        *scale_ticks *= times(self.reach);
                    }
                }
                if let SizeLaw::Lognormal { median_lots, .. } = &mut crowd.limit_size {
                    *median_lots *= times(self.depth);
                }
            }
            market.fundamental.iter_mut().for_each(|trader| trader.mean_wait_s /= times(self.informed));
            market.value_trader.iter_mut().for_each(|trader| trader.mean_wait_s /= times(self.informed));
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_open_from_what_the_terms_say() {
        let varied = Varied {
            maker_fee_bps: Some([0.0, 2.0]),
            volatility: Some([0.25, 4.0]),
            message_loss: Some([0.0, 0.01]),
            widen_steps: 100,
            ..Varied::default()
        };
        let all = |steps| {
            let mut draws = Stream::new(3, "test.varied");
            (0..400).map(|_| varied.draw(steps, &mut draws)).collect::<Vec<_>>()
        };
        // Not open yet: the middle of the fees, the volatility that is written, and nothing is lost.
        let none = (Some(1.0), Some(1.0), Some(0.0));
        assert!(all(0).iter().all(|drawn| (drawn.maker_fee_bps, drawn.volatility, drawn.message_loss) == none));
        // Half open: fees in 0.5 to 1.5, factors in 1/2 to 2, up to half of the loss.
        let within = |from: f64, to: f64, x: Option<f64>| (from..=to).contains(&x.unwrap());
        assert!(all(50).iter().all(|d| within(0.5, 1.5, d.maker_fee_bps)
            && within(0.5, 2.0, d.volatility)
            && within(0.0, 0.005, d.message_loss)));
        let wide = all(1_000);
        assert!(
            wide.iter().any(|d| within(0.0, 0.3, d.volatility)) && wide.iter().any(|d| within(3.5, 4.0, d.volatility))
        );
        assert!(wide.iter().all(|d| d.latency.is_none() && d.taker_fee_bps.is_none()), "what is absent stays");
        let mean = wide.iter().map(|d| ln(d.volatility.unwrap())).sum::<f64>() / 400.0;
        // Evenly by logarithm over ±ln 4: deviation 0.8, of the mean of 400 0.04.
        assert!(mean.abs() < 0.2, "{mean}");
        let seeds: std::collections::BTreeSet<u64> = wide.iter().map(|d| d.seed).collect();
        assert_eq!(seeds.len(), 400, "every episode has a seed of its own");
    }

    #[test]
    fn a_range_that_is_none_is_named() {
        let said = |varied: Varied| varied.check().unwrap_err();
        let depth = Varied { depth: Some([2.0, 1.0]), ..Varied::default() };
        assert_eq!(said(depth), "vary.depth = [2, 1]: two factors, the smaller first, above 0 to 1000");
        let fee = Varied { taker_fee_bps: Some([1.0, f64::NAN]), ..Varied::default() };
        assert!(said(fee).starts_with("vary.taker_fee_bps"));
        let tail = Varied { latency_tail: Some([0.5, 3.0]), ..Varied::default() };
        assert_eq!(said(tail), "vary.latency_tail = [0.5, 3]: two numbers, the smaller first, 1 to 1000");
        let queue = Varied { queue: vec!["log".to_owned(), "first".to_owned()], ..Varied::default() };
        assert!(said(queue).starts_with("vary.queue: \"first\""));
    }

    #[test]
    fn what_was_drawn_is_what_is_lived() {
        let drawn = Drawn {
            maker_fee_bps: Some(1.5),
            volatility: Some(2.0),
            drift: Some(0.5),
            arrivals: Some(3.0),
            branching: Some(0.8),
            informed: Some(4.0),
            reach: Some(0.5),
            depth: Some(4.0),
            ..Drawn::default()
        };
        let demo = SimSpec::demo();
        let changed = drawn.change_market(&demo);
        assert_eq!(changed.faults(), []);
        let (was, is) = (&demo.market[0], &changed.market[0]);
        assert_eq!(is.value.volatility_bps, 2.0 * was.value.volatility_bps);
        assert_eq!(is.value.drift_bps, 0.5 * is.value.volatility_bps);
        // 20 by 3, and 0.2/0.5 of that excites itself to as many: 60/0.5 = 24/0.2.
        let limits = &is.zero_intelligence[0].limits;
        assert!((limits.per_s - 24.0).abs() < 1e-9 && limits.branching == 0.8, "{limits:?}");
        assert_eq!(is.fundamental[0].mean_wait_s, 1.25, "5 by 4");
        let Placement::Opposite { scale_ticks, .. } = is.zero_intelligence[0].placement else { panic!("as written") };
        assert_eq!(scale_ticks, 60.0, "half of 120");
        assert_eq!(is.market_maker, was.market_maker);
        assert_eq!(Drawn::default().change_market(&demo), demo);
    }
}
