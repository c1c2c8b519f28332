//! Which of the prices on the tick grid an order may have.
//!
//! Most venues take every tick. Some widen the step with the price, some count significant figures; both cut the
//! price axis into stretches with one step each, so both are one loop. The allowed prices are exactly what
//! [`PriceRule::snap`] leaves where it is.

use serde::{Deserialize, Serialize};

use crate::units::{Side, Step, Ticks};

/// Which of the prices on the tick grid an order may have. The tick is the finest step of them all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceRule {
    /// Every tick.
    EveryTick,
    /// From each of these prices (ascending) on, only multiples of the step beside it; below the first, every tick.
    Steps(Vec<(Ticks, i64)>),
    /// At most so many significant figures; whole units of quote currency are always allowed.
    SignificantFigures(u32),
}

/// Prices from `from` up to, not including, `until`: allowed are the multiples of `step`. All in ticks.
struct Stretch {
    from: i128,
    until: i128,
    step: i128,
}

impl PriceRule {
    /// The nearest allowed price that is not more aggressive: bids go down, asks go up. There may be none above zero
    /// for a bid, whose answer is then below one tick; absurd prices saturate.
    pub fn snap(&self, tick: Step, side: Side, price: Ticks) -> Ticks {
        if *self == PriceRule::EveryTick || price.0 <= 0 {
            return price;
        }
        let mut at = i128::from(price.0);
        loop {
            let Stretch { from, until, step } = self.stretch(tick, at);
            let below = at - at % step;
            // Where a stretch does not begin on its own step, the next allowed price is in its neighbour.
            at = match side {
                Side::Bid if below >= from => break Ticks(below as i64),
                Side::Bid => from - 1,
                Side::Ask => match if below == at { at } else { below + step } {
                    above if above < until => break Ticks(i64::try_from(above).unwrap_or(i64::MAX)),
                    _ => until,
                },
            };
        }
    }

    /// Whether an order may have this price.
    pub fn allows(&self, tick: Step, price: Ticks) -> bool {
        self.snap(tick, Side::Bid, price) == price
    }

    /// The stretch a price lies in; the lowest begins at zero, which every step divides.
    fn stretch(&self, tick: Step, at: i128) -> Stretch {
        match self {
            PriceRule::EveryTick => Stretch { from: 0, until: i128::MAX, step: 1 },
            PriceRule::Steps(steps) => {
                let next = steps.partition_point(|(from, _)| i128::from(from.0) <= at);
                let until = steps.get(next).map_or(i128::MAX, |(from, _)| i128::from(from.0));
                let (from, step) = match next.checked_sub(1).map(|i| steps[i]) {
                    Some((from, step)) => (i128::from(from.0).max(0), i128::from(step.max(1))),
                    None => (0, 1),
                };
                Stretch { from, until, step }
            }
            PriceRule::SignificantFigures(figures) => {
                // In units of the tick's last decimal a price is a whole number; its digits say how many are too many.
                let unit = i128::from(tick.mantissa());
                let digits = (at * unit).max(1).ilog10() + 1;
                let coarse = 10i128.pow(digits.saturating_sub(*figures).min(tick.decimals()));
                Stretch {
                    from: if digits == 1 { 0 } else { ceil_div(10i128.pow(digits - 1), unit) },
                    until: ceil_div(10i128.pow(digits), unit),
                    step: coarse / common_divisor(coarse, unit),
                }
            }
        }
    }
}

fn ceil_div(a: i128, b: i128) -> i128 {
    (a + b - 1) / b
}

fn common_divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(text: &str) -> Step {
        Step::parse(text).expect("a step")
    }

    #[test]
    fn five_significant_figures_as_hyperliquid_counts_them() {
        // (tick, price, bid goes to, ask goes to), in quote currency; the venue's own examples 1234.5 and 123456.
        let rule = PriceRule::SignificantFigures(5);
        for (tick, price, bid, ask) in [
            ("0.1", "1234.5", "1234.5", "1234.5"),
            ("0.1", "64210.5", "64210.0", "64211.0"),
            ("0.1", "123456.0", "123456.0", "123456.0"),
            ("0.1", "9999.9", "9999.9", "9999.9"),
            ("0.01", "9999.99", "9999.90", "10000.00"),
            ("0.000001", "0.012345", "0.012345", "0.012345"),
            ("0.000001", "0.123456", "0.123450", "0.123460"),
        ] {
            let tick = step(tick);
            let count = |text: &str| Ticks(tick.count(text.parse().unwrap()).unwrap());
            assert_eq!(rule.snap(tick, Side::Bid, count(price)), count(bid), "bid {price}");
            assert_eq!(rule.snap(tick, Side::Ask, count(price)), count(ask), "ask {price}");
        }
    }

    #[test]
    fn a_step_that_widens_with_the_price() {
        // Every tick below 100, fives from 100, twenties from 210, which is no multiple of twenty itself.
        let rule = PriceRule::Steps(vec![(Ticks(100), 5), (Ticks(210), 20)]);
        for (price, bid, ask) in
            [(99, 99, 99), (100, 100, 100), (103, 100, 105), (208, 205, 220), (213, 205, 220), (220, 220, 220)]
        {
            assert_eq!(rule.snap(Step::ONE, Side::Bid, Ticks(price)), Ticks(bid), "bid {price}");
            assert_eq!(rule.snap(Step::ONE, Side::Ask, Ticks(price)), Ticks(ask), "ask {price}");
        }
        assert!(rule.allows(Step::ONE, Ticks(205)) && !rule.allows(Step::ONE, Ticks(210)));
    }

    #[test]
    fn no_price_is_too_absurd_to_answer() {
        for rule in [PriceRule::SignificantFigures(1), PriceRule::Steps(vec![(Ticks(7), i64::MAX)])] {
            assert!(rule.snap(step("0.025"), Side::Bid, Ticks(i64::MAX)) <= Ticks(i64::MAX));
            assert_eq!(rule.snap(step("0.025"), Side::Ask, Ticks(i64::MAX)), Ticks(i64::MAX));
            assert_eq!(rule.snap(step("0.025"), Side::Bid, Ticks(-3)), Ticks(-3));
        }
    }

    /// The rule as the venues write it, in decimals.
    fn allowed(rule: &PriceRule, tick: Step, price: i64) -> bool {
        let value = tick.value(price).normalize();
        match rule {
            PriceRule::EveryTick => true,
            PriceRule::Steps(steps) => {
                let last = steps.iter().rev().find(|(from, _)| from.0 <= price);
                last.is_none_or(|(_, step)| price % step == 0)
            }
            PriceRule::SignificantFigures(figures) => {
                let digits = value.mantissa().to_string().trim_end_matches('0').len();
                value == value.trunc() || digits <= *figures as usize
            }
        }
    }

    fn rules() -> impl Strategy<Value = PriceRule> {
        let steps = proptest::collection::vec((1i64..4_000, 1i64..60), 0..4).prop_map(|mut list| {
            list.sort_unstable();
            PriceRule::Steps(list.into_iter().map(|(from, step)| (Ticks(from), step)).collect())
        });
        prop_oneof![Just(PriceRule::EveryTick), steps, (1u32..7).prop_map(PriceRule::SignificantFigures)]
    }

    proptest! {
        #[test]
        fn the_nearest_allowed_price_on_the_patient_side(
            rule in rules(),
            tick in prop_oneof![Just("1"), Just("0.5"), Just("0.01"), Just("0.00025"), Just("0.0003"), Just("20")],
            price in 1i64..9_000,
        ) {
            let tick = step(tick);
            let bid = (0..=price).rev().find(|p| *p == 0 || allowed(&rule, tick, *p)).expect("zero at last");
            prop_assert_eq!(rule.snap(tick, Side::Bid, Ticks(price)), Ticks(bid));
            let ask = (price..).find(|p| allowed(&rule, tick, *p)).expect("whole units are allowed");
            prop_assert_eq!(rule.snap(tick, Side::Ask, Ticks(price)), Ticks(ask));
            prop_assert_eq!(rule.allows(tick, Ticks(price)), allowed(&rule, tick, price));
        }
    }
}
