//! What an agent in a model world sees, does and is paid.
//!
//! One definition, used for stepping and for exact evaluation alike, so that a policy is judged by just what it is asked while it
//! learns. Observations and depths are in single precision in both.

use serde::{Deserialize, Serialize};

use super::continuous;
use super::{Fills, Model, SIGNS};
use crate::numeric;
use crate::strategy::avellaneda_stoikov::{risk_neutral_half_spread, spread};
use crate::strategy::glft;

/// A world or a seat that cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A number is out of its range.
    #[error("{key} = {found} in a model world; it must be {allowed}")]
    Number {
        /// Which.
        key: &'static str,
        /// What it is.
        found: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(&'static str),
}

/// The quotes that an action is added to. None of them knows of impact or drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// Avellaneda & Stoikov, towards the end of the episode. They solve another problem (exponential utility), so there is
    /// something to learn: 96.45, 86.78 and 90.66 % of the optimum in P1, P2 and P3.
    #[default]
    AvellanedaStoikov,
    /// The closed form of Guéant, Lehalle & Fernandez-Tapia: far from the end. 99.93, 88.09 and 89.06 %.
    Glft,
    /// Cartea, Jaimungal & Penalva, optimal in continuous time, so nearly nothing is left to learn: 99.983, 99.995 and 99.992 %.
    Cjp,
}

/// What an action means. Both take two numbers, the bid's and the ask's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Quoting {
    /// Depth = that of the analytic quote + action · reach / k.
    Residual {
        /// Whose quote.
        base: Base,
        /// How far an action may move it, in units of 1/k.
        reach: f64,
    },
    /// Depth from `from`/k at action -1 to `to`/k at action 1.
    Direct {
        /// Least depth, in units of 1/k; negative is through the mid.
        from: f64,
        /// Greatest depth, in units of 1/k.
        to: f64,
    },
}

impl Default for Quoting {
    fn default() -> Self {
        Quoting::Residual { base: Base::default(), reach: 2.0 }
    }
}

/// What of A and k the agent is told, at the beginning of each episode, and quotes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Knowledge {
    /// Nothing: analytic quotes use the numbers of [`Seat::model`].
    #[default]
    Hidden,
    /// The episode's own.
    Exact,
    /// Estimates from so many aggressive orders: log-normal, both with standard deviation `1/√orders` (`quant/TARGETS.md` §3.1 for k; for
    /// A the same, time being what those orders took).
    Estimated {
        /// How many orders.
        orders: f64,
    },
}

/// Which worlds episodes are set in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Worlds {
    /// Always the seat's own.
    #[default]
    One,
    /// A and k of each episode log-uniform between these multiples of the seat's own.
    Between {
        /// Least and greatest multiple of A.
        a: [f64; 2],
        /// Least and greatest multiple of k.
        k: [f64; 2],
    },
}

/// How an episode begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// With no inventory and no drift, as worlds are judged.
    #[default]
    Flat,
    /// With any inventory and any drift, equally likely. The same policy is optimal, and rare states are seen.
    Anywhere,
    /// Like that, and with any number of steps left, equally likely, the same for sixteen copies: the end of the day, where quotes change
    /// fastest, is seen twice as often.
    Anytime,
}

/// How time left is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// As a share of the horizon.
    #[default]
    Even,
    /// Also as the logarithm of steps left: near the end, where everything happens, half the time is as far away as at the start.
    Logarithmic,
}

/// An agent's place in a world.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// The world.
    pub model: Model,
    /// What an action means.
    #[serde(default)]
    pub quoting: Quoting,
    /// What is known of A and k.
    #[serde(default)]
    pub knowledge: Knowledge,
    /// Which worlds there are.
    #[serde(default)]
    pub worlds: Worlds,
    /// How episodes begin.
    #[serde(default)]
    pub start: Start,
    /// How time left is seen.
    #[serde(default)]
    pub clock: Clock,
}

/// What the agent believes of its episode, and what that makes of its quotes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    /// `ln(A/A₀)` and `ln(k/k₀)` over the widest there is; in [-1, 1] but for errors of estimates.
    pub told: [f32; 2],
    /// Depth at action 0 without inventory that does not depend on time.
    pub half: f32,
    /// More of it per lot held, for the bid; less for the ask.
    pub skew: f32,
    /// What action 1 adds.
    pub reach: f32,
}

/// The part of quotes that depends on time: `[steps]` each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timed {
    /// As [`Belief::half`].
    pub half: Vec<f32>,
    /// As [`Belief::skew`].
    pub skew: Vec<f32>,
    /// Instead of both, bid and ask depths by `[step][inventory]`; empty where quotes are straight lines in inventory.
    pub table: Vec<Vec<[f32; 2]>>,
}

impl Seat {
    /// The default seat in a world: Avellaneda & Stoikov's quotes ± 2/k.
    pub fn new(model: Model) -> Self {
        let (quoting, knowledge) = (Quoting::default(), Knowledge::default());
        Self { model, quoting, knowledge, worlds: Worlds::default(), start: Start::default(), clock: Clock::default() }
    }

    /// Errors if a number is out of range or two settings exclude each other.
    pub fn check(&self) -> Result<(), ModelError> {
        self.model.check()?;
        let (reach, ordered) = match self.quoting {
            Quoting::Residual { reach, .. } => (reach, true),
            Quoting::Direct { from, to } => (to - from, from.is_finite() && to.is_finite()),
        };
        if !ordered || !reach.is_finite() || reach <= 0.0 {
            return Err(ModelError::Number { key: "reach (or to - from)", found: reach, allowed: "above 0" });
        }
        if let Knowledge::Estimated { orders } = self.knowledge
            && !(orders.is_finite() && orders >= 1.0)
        {
            return Err(ModelError::Number { key: "estimated.orders", found: orders, allowed: "at least 1" });
        }
        if let Worlds::Between { a, k } = self.worlds {
            for (key, [low, high]) in [("between.a", a), ("between.k", k)] {
                if !(low > 0.0 && low <= high && high.is_finite()) {
                    let allowed = "two multiples above 0, the lower first";
                    return Err(ModelError::Number { key, found: low, allowed });
                }
            }
        }
        let cjp = matches!(self.quoting, Quoting::Residual { base: Base::Cjp, .. });
        if cjp && (self.worlds != Worlds::One || self.knowledge != Knowledge::Hidden) {
            let why = "quotes of base = \"cjp\" are solved for one known world; between several, quote round \"glft\"";
            return Err(ModelError::Conflict(why));
        }
        Ok(())
    }

    /// The seat in one world of several, known as well as it ever is; for judging.
    pub fn at(&self, a: f64, k: f64) -> Judged {
        let told = match self.knowledge {
            Knowledge::Hidden => (self.model.a, self.model.k),
            Knowledge::Exact | Knowledge::Estimated { .. } => (a, k),
        };
        Judged { seat: *self, model: self.model.with(a, k), belief: self.belief(told.0, told.1), timed: self.timed() }
    }

    /// Names of the numbers in an observation, in order.
    ///
    /// `time_left` from 1 to -1, `inventory` over Q, `drift` -1, 0 or 1 where there are regimes, `ln_time_left` from 1 to -1 at the last step
    /// if the clock has it, and `ln_a` and `ln_k`, logarithms of
    /// what is believed over the seat's own A and k, divided by the largest there is, where they are told.
    pub fn fields(&self) -> Vec<&'static str> {
        let mut names = vec!["time_left", "inventory"];
        if self.model.regimes.is_some() {
            names.push("drift");
        }
        if self.clock == Clock::Logarithmic {
            names.push("ln_time_left");
        }
        if self.knowledge != Knowledge::Hidden {
            names.extend(["ln_a", "ln_k"]);
        }
        names
    }

    /// Writes what is seen; `into` is as long as [`fields`](Self::fields).
    #[inline]
    pub(super) fn observe(&self, step: u32, inventory: f32, sign: f32, told: [f32; 2], into: &mut [f32]) {
        let (steps, most) = (self.model.steps as f32, self.model.inventory_max as f32);
        into[0] = 1.0 - step as f32 * (2.0 / steps);
        into[1] = inventory * (1.0 / most);
        let mut at = 2;
        if self.model.regimes.is_some() {
            into[at] = sign;
            at += 1;
        }
        if self.clock == Clock::Logarithmic {
            // From ln N, all steps left, to ln 1 at the last; over, it stays there.
            let left = steps - step as f32;
            into[at] = 2.0 * numeric::ln_f32(left.max(1.0)) / numeric::ln_f32(steps.max(2.0)) - 1.0;
            at += 1;
        }
        if self.knowledge != Knowledge::Hidden {
            into[at] = told[0];
            into[at + 1] = told[1];
        }
    }

    /// What believing in these makes of quotes.
    pub(super) fn belief(&self, a: f64, k: f64) -> Belief {
        let m = &self.model;
        let (half, skew, reach) = match self.quoting {
            Quoting::Direct { from, to } => (0.5 * (from + to) / k, 0.0, 0.5 * (to - from) / k),
            Quoting::Residual { base, reach } => match base {
                Base::AvellanedaStoikov => (risk_neutral_half_spread(m.gamma, k), 0.0, reach / k),
                Base::Glft => {
                    let (half, skew) = glft::closed_form(m.gamma, m.sigma, a, k, 1.0);
                    (half, skew, reach / k)
                }
                Base::Cjp => (0.0, 0.0, reach / k),
            },
        };
        let [a_most, k_most] = match self.worlds {
            Worlds::One => [1.0; 2],
            Worlds::Between { a, k } => {
                [a, k].map(|[low, high]| numeric::ln(high).max(-numeric::ln(low)).max(f64::MIN_POSITIVE))
            }
        };
        let told = [numeric::ln(a / m.a) / a_most, numeric::ln(k / m.k) / k_most].map(|x| x as f32);
        Belief { told, half: half as f32, skew: skew as f32, reach: reach as f32 }
    }

    /// The part of quotes that only depends on time.
    pub(super) fn timed(&self) -> Timed {
        let m = &self.model;
        let steps = m.steps as usize;
        let Quoting::Residual { base, .. } = self.quoting else {
            return Timed { half: vec![0.0; steps], skew: vec![0.0; steps], table: Vec::new() };
        };
        match base {
            Base::Glft => Timed { half: vec![0.0; steps], skew: vec![0.0; steps], table: Vec::new() },
            Base::AvellanedaStoikov => {
                let (mut half, mut skew) = (Vec::new(), Vec::new());
                for step in 0..steps {
                    let left = m.horizon - step as f64 * m.dt();
                    let risk = m.gamma * m.sigma * m.sigma * left;
                    half.push(
                        (0.5 * (spread(m.gamma, m.sigma, m.k, left) - spread(m.gamma, m.sigma, m.k, 0.0))) as f32,
                    );
                    skew.push(risk as f32);
                }
                Timed { half, skew, table: Vec::new() }
            }
            Base::Cjp => {
                let blind = Model { impact: 0.0, ..*m };
                let table = continuous::quotes_by_step(&blind)
                    .into_iter()
                    .map(|row| row.into_iter().map(|quotes| quotes.map(|d| d as f32)).collect())
                    .collect();
                Timed { table, ..Timed::default() }
            }
        }
    }
}

impl Belief {
    /// Depths of bid and ask. `centre`: half and skew of the moment.
    #[inline]
    pub(super) fn depths(&self, centre: [f32; 2], inventory: f32, action: [f32; 2]) -> [f32; 2] {
        let (half, lean) = (centre[0] + self.half, inventory * (centre[1] + self.skew));
        let moved = action.map(|x| self.reach * x.clamp(-1.0, 1.0));
        [(half + lean) + moved[0], (half - lean) + moved[1]]
    }
}

/// A seat in one particular world, ready to be judged.
#[derive(Clone, Debug)]
pub struct Judged {
    seat: Seat,
    model: Model,
    belief: Belief,
    timed: Timed,
}

impl Judged {
    /// The world it is in.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How many numbers an observation has.
    pub fn observation_len(&self) -> usize {
        self.seat.fields().len()
    }

    /// What is seen at a step with the `i`-th inventory and the `j`-th drift, into `[observation_len]`.
    pub fn observe(&self, step: u32, i: usize, j: usize, into: &mut [f32]) {
        let sign = if self.model.regimes.is_some() { SIGNS[j] } else { 0.0 };
        self.seat.observe(step, self.model.inventory(i) as f32, sign as f32, self.belief.told, into);
    }

    /// What an action there means: depths of bid and ask, price.
    pub fn depths(&self, step: u32, i: usize, action: [f32; 2]) -> [f64; 2] {
        let step = step as usize;
        let q = self.model.inventory(i) as f32;
        let depths = match self.timed.table.get(step) {
            Some(row) => {
                let moved = action.map(|x| self.belief.reach * x.clamp(-1.0, 1.0));
                [row[i][0] + moved[0], row[i][1] + moved[1]]
            }
            None => self.belief.depths([self.timed.half[step], self.timed.skew[step]], q, action),
        };
        depths.map(f64::from)
    }

    /// How a quote fills here.
    pub fn fills(&self) -> Fills {
        self.model.fills
    }
}
