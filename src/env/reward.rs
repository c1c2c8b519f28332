//! What a learner is paid in a session.
//!
//! Profit alone teaches to bet on the mid. So what inventory gains by the mid's own moves is damped, what it loses is not: Spooner, Fearnley,
//! Savani & Koukorinis, *Market making via reinforcement learning*, AAMAS 2018, "asymmetrically dampened PnL", `Ψ - max(0, η·Inv·Δm)`. Holding
//! is charged besides, as it runs and as it ends, so that the pure reward of Cartea, Jaimungal & Penalva is a special case: [`RewardSpec::cjp`].
//!
//! Units: money in quote currency, inventory in order amounts, prices as quote currency per order amount (price · order amount), time in
//! seconds, the mid's σ in quote currency per order amount and √second. A reward is a plain number: quote currency over [`RewardSpec::unit`].

use serde::{Deserialize, Serialize};

/// How a step is paid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardSpec {
    /// η: the share of the mid's gains on inventory that is taken away; 0 to 1.
    pub dampening: f64,
    /// `γ/2`, 1/quote: `risk·σ²·q²·dt` is charged. Ties the charge to Avellaneda & Stoikov's γ whatever the volatility.
    pub risk: f64,
    /// φ, quote/(order amount² · second): `running·q²·dt` is charged.
    pub running: f64,
    /// α, quote/order amount²: `terminal·q²` is charged at the end.
    pub terminal: f64,
    /// One unit of reward, quote: about what returns vary by from episode to episode.
    pub unit: f64,
}

impl Default for RewardSpec {
    fn default() -> Self {
        Self { dampening: 0.2, risk: 0.0, running: 0.0, terminal: 0.0, unit: 1.0 }
    }
}

/// What happened between two decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Between {
    /// Money that came in by trading (sold less bought), fees not counted, quote.
    pub cash: f64,
    /// Fees paid, quote; rebates are negative.
    pub fees: f64,
    /// Inventory at the first decision and at the second, order amounts, long is positive.
    pub inventory: [f64; 2],
    /// The mid at either, quote per order amount.
    pub mid: [f64; 2],
    /// Volatility of the mid, quote per order amount and √second.
    pub sigma: f64,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Whether the episode is over.
    pub over: bool,
}

/// The terms of a reward, quote; [`Reward::total`] is what the learner hears.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reward {
    /// Ψ, all profit and loss: cash, less fees, and what inventory is worth at the mid now and was then.
    pub profit: f64,
    /// Of it, what is taken away, `max(0, η·Inv·Δm)`, with the inventory carried into the step: what was bought within is no bet yet.
    pub damped: f64,
    /// Charged for holding, `(risk·σ² + running)·q²·dt`, q at the end of the step.
    pub held: f64,
    /// Charged for what is left over.
    pub left: f64,
    /// All of it in units of reward.
    pub total: f64,
}

impl RewardSpec {
    /// The pure criterion `E[X + qS - α·q_T² - φ∫q²dt]`.
    pub fn cjp(running: f64, terminal: f64, unit: f64) -> Self {
        Self { dampening: 0.0, risk: 0.0, running, terminal, unit }
    }

    /// Errors if a number is out of range; names it.
    pub fn check(&self) -> Result<(), String> {
        let rules = [
            ("dampening", self.dampening, (0.0..=1.0).contains(&self.dampening), "0 to 1"),
            ("risk", self.risk, self.risk >= 0.0, "at least 0"),
            ("running", self.running, self.running >= 0.0, "at least 0"),
            ("terminal", self.terminal, self.terminal >= 0.0, "at least 0"),
            ("unit", self.unit, self.unit > 0.0, "above 0"),
        ];
        match rules.into_iter().find(|(_, found, holds, _)| !found.is_finite() || !holds) {
            Some((key, found, _, allowed)) => Err(format!("{key} = {found} in a reward; it must be {allowed}")),
            None => Ok(()),
        }
    }

    /// What a step is worth.
    pub fn of(&self, step: &Between) -> Reward {
        let Between { cash, fees, inventory: [from, to], mid: [was, is], sigma, seconds, over } = *step;
        let profit = cash - fees + (to * is - from * was);
        let damped = (self.dampening * from * (is - was)).max(0.0);
        let held = (self.risk * sigma * sigma + self.running) * to * to * seconds;
        let left = if over { self.terminal * to * to } else { 0.0 };
        Reward { profit, damped, held, left, total: (profit - damped - held - left) / self.unit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_of_the_mid_are_damped_and_losses_are_not() {
        // Two lots held while the mid goes from 100 to 103: +6, of which half is taken. Back again: -6, all of it.
        let spec = RewardSpec { dampening: 0.5, ..RewardSpec::default() };
        let up = Between { inventory: [2.0, 2.0], mid: [100.0, 103.0], seconds: 1.0, ..Between::default() };
        let reward = spec.of(&up);
        assert_eq!((reward.profit, reward.damped, reward.total), (6.0, 3.0, 3.0));
        assert_eq!(spec.of(&Between { mid: [103.0, 100.0], ..up }).total, -6.0);
        // A short gains when the mid falls, and is damped just so.
        let short = Between { inventory: [-2.0, -2.0], mid: [103.0, 100.0], ..up };
        assert_eq!(spec.of(&short).total, 3.0);
    }

    #[test]
    fn a_step_with_everything_by_hand() {
        // One lot held; one more bought at 99 with a fee of 0.1 while the mid goes from 100 to 102. Cash -99; inventory from 1·100 to
        // 2·102: profit -99 - 0.1 + 104 = 4.9. Damped 0.25·1·2 = 0.5. Held: (0.01·3² + 0.02)·2²·5 = 2.2. Left: 0.3·4 = 1.2. Sum 1.0;
        // in units of 0.5: 2.
        let spec = RewardSpec { dampening: 0.25, risk: 0.01, running: 0.02, terminal: 0.3, unit: 0.5 };
        let step = Between {
            cash: -99.0,
            fees: 0.1,
            inventory: [1.0, 2.0],
            mid: [100.0, 102.0],
            sigma: 3.0,
            seconds: 5.0,
            over: true,
        };
        let found = spec.of(&step);
        let expected = Reward { profit: 4.9, damped: 0.5, held: 2.2, left: 1.2, total: 2.0 };
        for (found, expected) in [
            (found.profit, expected.profit),
            (found.damped, expected.damped),
            (found.held, expected.held),
            (found.left, expected.left),
            (found.total, expected.total),
        ] {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        let goes_on = spec.of(&Between { over: false, ..step });
        assert_eq!((goes_on.left, goes_on.held), (0.0, found.held));
        // A rebate is income.
        assert!((spec.of(&Between { fees: -0.1, ..step }).profit - 5.1).abs() < 1e-12);
    }

    #[test]
    fn the_pure_reward_is_that_of_the_model_worlds() {
        // P3 in 500 steps: a bid at 1.18 fills at a mid of 50 that stays: 1.18 - 2·(1/500)·1² = 1.176.
        let model = crate::env::model::Model::P3;
        let spec = RewardSpec::cjp(model.running, model.terminal, 1.0);
        let bought = Between {
            cash: -(50.0 - 1.18),
            inventory: [0.0, 1.0],
            mid: [50.0, 50.0],
            seconds: model.dt(),
            ..Between::default()
        };
        assert!((spec.of(&bought).total - 1.176).abs() < 1e-12);
        assert!((spec.of(&Between { over: true, ..bought }).total - 0.676).abs() < 1e-12);
    }

    #[test]
    fn a_number_out_of_range_is_named() {
        let spec = RewardSpec { dampening: 1.5, ..RewardSpec::default() };
        assert_eq!(spec.check().unwrap_err(), "dampening = 1.5 in a reward; it must be 0 to 1");
        let spec = RewardSpec { unit: 0.0, ..RewardSpec::default() };
        assert_eq!(spec.check().unwrap_err(), "unit = 0 in a reward; it must be above 0");
        assert_eq!(RewardSpec::default().check(), Ok(()));
    }
}
