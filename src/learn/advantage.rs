//! How much better than expected a step turned out.

use serde::{Deserialize, Serialize};

/// The mean that rewards are counted from.
///
/// What every step earns whatever is done says nothing about what to do, but it is most of what a critic has to know: in P1 a value is 66
/// at the beginning of the day and 0 at its end, and what a lot more or less is worth is a hundredth of that. Counted from their mean,
/// rewards add up to nearly nothing, and what is left to be learned is what matters. Which policy is best stays as it was where no
/// action decides how many steps there are, or where there is no end: Naik, Wan, Tomar & Sutton, *Reward centering*, Reinforcement Learning Conference 2024.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Centre {
    mean: f64,
    count: u64,
}

impl Centre {
    /// Takes more rewards in: their mean has a share of `rate`, the first ones more, so that the mean does not begin at 0.
    pub fn take(&mut self, rate: f64, rewards: &[f32]) {
        self.count += 1;
        let share = rate.max(1.0 / self.count as f64);
        let mean = rewards.iter().map(|r| f64::from(*r)).sum::<f64>() / rewards.len().max(1) as f64;
        self.mean += share * (mean - self.mean);
    }

    /// The mean so far, reward per step; 0 if nothing was taken in.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Counts these from it.
    pub fn remove(&self, rewards: &mut [f32]) {
        rewards.iter_mut().for_each(|r| *r -= self.mean as f32);
    }
}

/// Advantages of one rollout of many copies, time-major.
///
/// `Â_t = δ_t + γλ·(1 - end_t)·Â_{t+1}`, with `δ_t = r_t + γ·(1 - end_t)·V_{t+1} - V_t`: Schulman et al., *High-dimensional continuous
/// control using generalized advantage estimation*, ICLR 2016, equations 11 and 16.
///
/// * `rewards`, `ends`, `values`: `[T][copies]`, `ends` says whether an episode ended with the step
/// * `last`: `[copies]`, the critic's view of where the rollout stopped
/// * in units of reward
///
/// Panics if the lengths disagree.
pub fn advantages(rewards: &[f32], ends: &[bool], values: &[f32], last: &[f32], gamma: f64, lambda: f64) -> Vec<f32> {
    let (all, copies) = (values.len(), last.len());
    assert!(rewards.len() == all && ends.len() == all && all.is_multiple_of(copies), "a rollout of {copies} copies");
    let (gamma, lambda) = (gamma as f32, lambda as f32);
    let mut found = vec![0.0; all];
    for i in (0..all).rev() {
        let later = i + copies;
        let (value, advantage) = if later < all { (values[later], found[later]) } else { (last[later - all], 0.0) };
        let on = if ends[i] { 0.0 } else { gamma };
        found[i] = rewards[i] + on * value - values[i] + on * lambda * advantage;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprises_are_added_up_until_an_episode_ends() {
        // γ = 1/2, λ = 1/2; one copy on the left, one on the right, three steps.
        // Left: δ2 = 4 + 8/2 - 2 = 6; δ1 = 2 + 2/2 - 4 = -1, Â1 = -1 + 6/4 = 0.5; δ0 = 1 + 4/2 - 1 = 2, Â0 = 2 + 0.5/4 = 2.125.
        // Right ends with the second step: Â2 = 4 + 8/2 - 2 = 6; Â1 = 2 - 4 = -2; Â0 = 1 + 4/2 - 1 - 2/4 = 1.5.
        let found = advantages(
            &[1.0, 1.0, 2.0, 2.0, 4.0, 4.0],
            &[false, false, false, true, false, false],
            &[1.0, 1.0, 4.0, 4.0, 2.0, 2.0],
            &[8.0, 8.0],
            0.5,
            0.5,
        );
        assert_eq!(found, [2.125, 1.5, 0.5, -2.0, 6.0, 6.0]);
    }
}
