//! What differs from episode to episode, so that a policy does not learn one market by heart.
//!
//! Ranges are factors on what the terms say, drawn evenly by logarithm, or numbers in their place, drawn evenly (Tobin et al., *Domain
//! randomization for transferring deep neural networks from simulation to the real world*, IROS 2017; which ranges:
//! `quant/TARGETS.md` §8). A curriculum: they start as points and widen with the steps taken.

use serde::{Deserialize, Serialize};

use crate::engine::SessionSpec;
use crate::env::inside::Line;
use crate::exchange::fee::Schedule;
use crate::exchange::latency::{LatencySpec, Way};
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
    /// What a learner sees is off by so much of its spread, normally: a number, 0 not at all. Judges see clearly.
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

/// How a range is read. All open from what the terms say: factors from 1.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// A factor, evenly by logarithm.
    Factor,
    /// A number within bounds.
    Number(f64, f64),
}

/// What was drawn for one episode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Drawn {
    maker_fee_bps: Option<f64>,
    taker_fee_bps: Option<f64>,
    latency: Option<f64>,
    latency_tail: Option<f64>,
    observation_noise: Option<f64>,
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
    /// How far numbers have opened from what the terms say, 0 to 1.
    wide: f64,
    /// Of what is drawn within the episode.
    pub seed: u64,
}

/// Calls a macro with every range and how it is read; those that only a simulated market has come last.
macro_rules! ranges {
    ($each:ident) => {
        $each! {
            maker_fee_bps: Reading::Number(-100.0, 1000.0), false;
            taker_fee_bps: Reading::Number(-100.0, 1000.0), false;
            latency: Reading::Factor, false;
            latency_tail: Reading::Number(1.0, 1000.0), false;
            observation_noise: Reading::Number(0.0, 1.0), false;
            volatility: Reading::Factor, true;
            drift: Reading::Number(0.0, 10.0), true;
            arrivals: Reading::Factor, true;
            branching: Reading::Number(0.0, 0.95), true;
            informed: Reading::Factor, true;
            reach: Reading::Factor, true;
            depth: Reading::Factor, true;
            message_loss: Reading::Number(0.0, 0.5), true;
            stalls_per_min: Reading::Number(0.0, 60.0), true;
        }
    };
}

impl Reading {
    fn check(self, key: &str, [low, high]: Range) -> Result<(), String> {
        let (what, least, most) = match self {
            Reading::Factor => ("two factors", f64::MIN_POSITIVE, 1000.0),
            Reading::Number(least, most) => ("two numbers", least, most),
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
            Reading::Number(..) => low + u * (high - low),
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

    /// Errors if a market at an end of these ranges cannot be.
    pub(super) fn check_in(&self, market: &SimSpec) -> Result<(), String> {
        for u in [0.0, 1.0] {
            let mut drawn = Drawn { wide: 1.0, ..Drawn::default() };
            macro_rules! each {
                ($($key:ident: $reading:expr, $market:expr;)*) => {
                    $(drawn.$key = self.$key.map(|range| $reading.draw(range, 1.0, u));)*
                };
            }
            ranges!(each);
            if let Some(fault) = drawn.change_market(market).faults().into_iter().next() {
                let end = if u == 0.0 { "lower" } else { "upper" };
                return Err(format!("vary: at the {end} ends of its ranges there is no such market: {fault}"));
            }
        }
        Ok(())
    }

    /// Errors if a way to this exchange is not one whose lateness can be drawn.
    pub(super) fn check_on(&self, latency: &LatencySpec) -> Result<(), String> {
        let ways = [latency.place, latency.cancel, latency.replace, latency.response];
        let fixed = ways.iter().any(|way| matches!(way, Way::Feed { .. } | Way::Measured));
        match self.latency_tail.is_some() && fixed {
            true => {
                Err("vary.latency_tail: not where latency_model is feed or measured, which say it themselves"
                    .to_owned())
            }
            false => Ok(()),
        }
    }

    /// An episode's, after so many steps of its copy: always as many draws. Panics where [`Varied::check`] has not been.
    pub(super) fn draw(&self, steps: u64, draws: &mut Stream) -> Drawn {
        let wide = if self.widen_steps == 0 { 1.0 } else { (steps as f64 / self.widen_steps as f64).min(1.0) };
        let mut drawn = Drawn { wide, ..Drawn::default() };
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
    /// From what the terms say as far towards what was drawn as ranges are open.
    fn opened(&self, is: f64, drawn: Option<f64>) -> f64 {
        drawn.map_or(is, |to| is + self.wide * (to - is))
    }

    /// What is seen is off by, a share of how it spreads.
    pub(super) fn noise(&self) -> f64 {
        self.opened(0.0, self.observation_noise)
    }

    /// Fees, latencies and our place in line.
    ///
    /// * `is_market` — in a simulated market, where the feed's own delay is changed too
    pub(super) fn change_session(&self, session: &mut SessionSpec, is_market: bool) {
        for desk in &mut session.desks {
            if self.maker_fee_bps.or(self.taker_fee_bps).is_some() {
                let opened = |is: Rate, bps| Rate(self.opened(is.0 as f64, bps).round() as i64);
                let (base, thousand) = (desk.paper.fees.base, |bps: f64| 1000.0 * bps);
                let maker = opened(base.maker, self.maker_fee_bps.map(thousand));
                desk.paper.fees = Schedule::flat(maker, opened(base.taker, self.taker_fee_bps.map(thousand)));
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
                        *times *= if is_market { 1.0 } else { factor };
                        slow(us);
                    }
                    Way::Measured => {}
                }
                let late = self.latency_tail.map(|tail| ln(tail) / NINETY_NINTH);
                match (*way, late) {
                    (Way::Constant { us }, Some(_)) => *way = Way::Lognormal { us, sigma: self.opened(0.0, late) },
                    (Way::Lognormal { us, sigma }, Some(_)) => {
                        *way = Way::Lognormal { us, sigma: self.opened(sigma, late) };
                    }
                    _ => {}
                }
            }
        }
    }

    /// The line between the market and us.
    pub(super) fn line(&self) -> Line {
        let (loss, stalls) = (self.opened(0.0, self.message_loss), self.opened(0.0, self.stalls_per_min));
        Line { loss, stalls_per_s: stalls / 60.0, stall_s: STALL_S, seed: self.seed }
    }

    /// The market with what was drawn.
    pub(super) fn change_market(&self, market: &SimSpec) -> SimSpec {
        let mut changed = market.clone();
        let times = |factor: Option<f64>| factor.unwrap_or(1.0);
        for market in &mut changed.market {
            let value = &mut market.value;
            value.volatility_bps *= times(self.volatility);
            if let Some(drift) = self.drift {
                value.drift_bps = self.opened(value.drift_bps, Some(drift * value.volatility_bps));
                value.drift_turns_per_s = TURNS_PER_S;
            }
            for crowd in &mut market.zero_intelligence {
                for arrivals in [&mut crowd.limits, &mut crowd.markets] {
                    arrivals.per_s *= times(self.arrivals);
                    if self.branching.is_some() {
                        // Of a rate ρ without excitement, ρ/(1 - n) come.
                        let branching = self.opened(arrivals.branching, self.branching);
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
        // Not open yet: fees of 10 bps and the volatility as they are written, and nothing is lost.
        let lived = |drawn: &Drawn| (drawn.opened(10.0, drawn.maker_fee_bps), drawn.volatility, drawn.line().loss);
        assert!(all(0).iter().all(|drawn| lived(drawn) == (10.0, Some(1.0), 0.0)));
        // Half open: fees half way from 10 to 0 to 2, factors in 1/2 to 2, up to half of the loss.
        let within = |from: f64, to: f64, x: Option<f64>| (from..=to).contains(&x.unwrap());
        let half = |drawn: &Drawn| {
            let (fee, volatility, loss) = lived(drawn);
            (5.0..=6.0).contains(&fee) && within(0.5, 2.0, volatility) && (0.0..=0.005).contains(&loss)
        };
        assert!(all(50).iter().all(half));
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
    fn markets_that_cannot_be_are_refused_before_anything_is_learnt() {
        let demo = SimSpec::demo();
        let varied = Varied { volatility: Some([0.5, 1000.0]), ..Varied::default() };
        let said = varied.check_in(&demo).unwrap_err();
        assert!(said.contains("upper ends") && said.contains("market[0].value.volatility_bps"), "{said}");
        let varied = Varied { volatility: Some([0.5, 2.0]), drift: Some([0.0, 1.0]), ..Varied::default() };
        assert_eq!(varied.check_in(&demo), Ok(()));
        let mut latency = LatencySpec::constant(1, 2, 3);
        let varied = Varied { latency_tail: Some([3.0, 10.0]), ..Varied::default() };
        assert_eq!(varied.check_on(&latency), Ok(()));
        latency.response = Way::Measured;
        assert!(varied.check_on(&latency).unwrap_err().starts_with("vary.latency_tail"));
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
            wide: 1.0,
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
        assert_eq!(
            Drawn { wide: 0.0, volatility: None, arrivals: None, informed: None, reach: None, depth: None, ..drawn }
                .change_market(&demo)
                .market[0]
                .zero_intelligence,
            was.zero_intelligence
        );
    }
}
