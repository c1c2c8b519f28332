//! What differs from episode to episode, so that a policy does not learn one market by heart.
//!
//! Ranges are factors on what the terms say, drawn evenly by logarithm (Tobin et al., *Domain randomization for transferring deep neural
//! networks from simulation to the real world*, IROS 2017; which ranges: `quant/TARGETS.md` §8, as far as this market has knobs).
//! A curriculum: they start as points and widen with the steps taken.

use serde::{Deserialize, Serialize};

use crate::engine::SessionSpec;
use crate::exchange::fee::Schedule;
use crate::exchange::latency::Way;
use crate::numeric::{exp, ln};
use crate::rng::Stream;
use crate::sim::SimSpec;
use crate::sim::laws::{Placement, SizeLaw};
use crate::units::Rate;

/// A lower and an upper bound.
pub type Range = [f64; 2];

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
    /// σ: times the volatility of the value. Simulated markets only, as all that follow.
    pub volatility: Option<Range>,
    /// A: times the rate of all arrivals of the crowd without intelligence.
    pub arrivals: Option<Range>,
    /// 1/k: times how far from the other side it places its orders.
    pub reach: Option<Range>,
    /// Times the sizes it rests.
    pub depth: Option<Range>,
    /// Steps of a copy until ranges are as wide as written; from the first if 0.
    pub widen_steps: u64,
}

/// What was drawn for one episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drawn {
    fees: [Option<f64>; 2],
    latency: f64,
    volatility: f64,
    arrivals: f64,
    reach: f64,
    depth: f64,
}

impl Varied {
    /// Errors if a range is none; names it.
    pub fn check(&self) -> Result<(), String> {
        let fees = [("maker_fee_bps", self.maker_fee_bps), ("taker_fee_bps", self.taker_fee_bps)];
        for (key, range) in fees {
            if range.is_some_and(|[low, high]| !(low <= high && (-100.0..=1000.0).contains(&low) && high <= 1000.0)) {
                return Err(format!("vary.{key}: two numbers of basis points, the smaller first, -100 to 1000"));
            }
        }
        match self.factors().into_iter().find(|(_, range)| {
            range.is_some_and(|[low, high]| !(low > 0.0 && low <= high && high.is_finite() && high <= 1000.0))
        }) {
            Some((key, _)) => Err(format!("vary.{key}: two factors, the smaller first, above 0 to 1000")),
            None => Ok(()),
        }
    }

    fn factors(&self) -> [(&'static str, Option<Range>); 5] {
        let Self { latency, volatility, arrivals, reach, depth, .. } = *self;
        [("latency", latency), ("volatility", volatility), ("arrivals", arrivals), ("reach", reach), ("depth", depth)]
    }

    /// Whether it asks for something that only a simulated market has.
    pub fn changes_market(&self) -> bool {
        self.factors()[1..].iter().any(|(_, range)| range.is_some())
    }

    /// As the terms say.
    pub(super) fn nothing(&self) -> Drawn {
        Drawn { fees: [None; 2], latency: 1.0, volatility: 1.0, arrivals: 1.0, reach: 1.0, depth: 1.0 }
    }

    /// An episode's, after so many steps of its copy: always as many draws.
    pub(super) fn draw(&self, steps: u64, draws: &mut Stream) -> Drawn {
        let wide = if self.widen_steps == 0 { 1.0 } else { (steps as f64 / self.widen_steps as f64).min(1.0) };
        // A range of fees opens from its middle.
        let fees = [self.maker_fee_bps, self.taker_fee_bps].map(|range| {
            let off = wide * (draws.uniform() - 0.5);
            range.map(|[low, high]| 0.5 * (low + high) + off * (high - low))
        });
        let [latency, volatility, arrivals, reach, depth] = self.factors().map(|(_, range)| {
            let u = draws.uniform();
            range.map_or(1.0, |[low, high]| exp(wide * (ln(low) + u * (ln(high) - ln(low)))))
        });
        Drawn { fees, latency, volatility, arrivals, reach, depth }
    }
}

impl Drawn {
    /// Fees and latencies.
    pub(super) fn change_session(&self, session: &mut SessionSpec) {
        let rate = |bps: f64| Rate((bps * 1000.0).round() as i64);
        for desk in &mut session.desks {
            let base = desk.paper.fees.base;
            if self.fees.iter().any(Option::is_some) {
                let [maker, taker] = self.fees;
                desk.paper.fees = Schedule::flat(maker.map_or(base.maker, rate), taker.map_or(base.taker, rate));
            }
            if self.latency != 1.0 {
                let slow = |us: &mut u32| *us = (f64::from(*us) * self.latency).round() as u32;
                let latency = &mut desk.paper.latency;
                slow(&mut latency.feed_us);
                for way in [&mut latency.place, &mut latency.cancel, &mut latency.replace, &mut latency.response] {
                    match way {
                        Way::Constant { us } | Way::Lognormal { us, .. } => slow(us),
                        Way::Feed { factor, us } => {
                            *factor *= self.latency;
                            slow(us);
                        }
                        Way::Measured => {}
                    }
                }
            }
        }
    }

    /// The market with what was drawn.
    pub(super) fn change_market(&self, market: &SimSpec) -> SimSpec {
        let mut changed = market.clone();
        for market in &mut changed.market {
            market.value.volatility_bps *= self.volatility;
            for crowd in &mut market.zero_intelligence {
                crowd.limits.per_s *= self.arrivals;
                crowd.markets.per_s *= self.arrivals;
                match &mut crowd.placement {
                    Placement::Uniform { ticks } => *ticks = ((*ticks as f64 * self.reach).round() as i64).max(1),
                    Placement::Opposite { scale_ticks, .. } | Placement::Own { scale_ticks, .. } => {
                        *scale_ticks *= self.reach;
                    }
                }
                if let SizeLaw::Lognormal { median_lots, .. } = &mut crowd.limit_size {
                    *median_lots *= self.depth;
                }
            }
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
            widen_steps: 100,
            ..Varied::default()
        };
        let all = |steps| {
            let mut draws = Stream::new(3, "test.varied");
            (0..400).map(|_| varied.draw(steps, &mut draws)).collect::<Vec<_>>()
        };
        // Not open yet: the middle of the fees, and the volatility that is written.
        assert!(all(0).iter().all(|drawn| drawn.fees[0] == Some(1.0) && drawn.volatility == 1.0));
        // Half open: fees in 0.5 to 1.5, factors in 1/2 to 2.
        let half = all(50);
        assert!(half.iter().all(|d| (0.5..=1.5).contains(&d.fees[0].unwrap()) && (0.5..=2.0).contains(&d.volatility)));
        let wide = all(1_000);
        assert!(wide.iter().any(|d| d.volatility < 0.3) && wide.iter().any(|d| d.volatility > 3.5));
        assert!(wide.iter().all(|d| d.latency == 1.0 && d.fees[1].is_none()), "what is absent stays");
        let mean = wide.iter().map(|d| ln(d.volatility)).sum::<f64>() / 400.0;
        // Evenly by logarithm over ±ln 4: deviation 0.8, of the mean of 400 0.04.
        assert!(mean.abs() < 0.2, "{mean}");
    }

    #[test]
    fn a_range_that_is_none_is_named() {
        let said = Varied { depth: Some([2.0, 1.0]), ..Varied::default() }.check().unwrap_err();
        assert_eq!(said, "vary.depth: two factors, the smaller first, above 0 to 1000");
        let said = Varied { taker_fee_bps: Some([1.0, f64::NAN]), ..Varied::default() }.check().unwrap_err();
        assert!(said.starts_with("vary.taker_fee_bps"), "{said}");
    }

    #[test]
    fn what_was_drawn_is_what_is_lived() {
        let drawn =
            Drawn { fees: [Some(1.5), None], volatility: 2.0, arrivals: 3.0, reach: 0.5, depth: 4.0, latency: 1.0 };
        let demo = SimSpec::demo();
        let changed = drawn.change_market(&demo);
        let (was, is) = (&demo.market[0], &changed.market[0]);
        assert_eq!(is.value.volatility_bps, 2.0 * was.value.volatility_bps);
        assert_eq!(is.zero_intelligence[0].limits.per_s, 60.0, "20 by 3");
        let Placement::Opposite { scale_ticks, .. } = is.zero_intelligence[0].placement else { panic!("as written") };
        assert_eq!(scale_ticks, 60.0, "half of 120");
        assert_eq!(is.market_maker, was.market_maker);
    }
}
