//! Which numbers a policy sees, in which order, with which parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::LEVELS_MAX;
use crate::digest::Digest;
use crate::signal::flow;
use crate::units::Side;

/// Most looks that a number may be old.
const LOOKS_MAX: u32 = 64;

/// Changes whenever a number comes to mean something else under the same name.
const VERSION: u32 = 1;

/// One number of an observation, before [`super::Scale`].
///
/// The microprice's distance from the mid in half-spreads is `Imbalance { levels: 1 }`: they are the same number, see
/// [`crate::signal::Top::microprice`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "feature", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Feature {
    /// Inventory, order amounts, over `orders_max`.
    Inventory {
        /// What counts as full.
        orders_max: f64,
    },
    /// Time until the end, or the next funding, over `horizon_s`; 1 where there is no end.
    TimeLeft {
        /// Seconds.
        horizon_s: f64,
    },
    /// The spread in units of 1/k: `k·(ask - bid)`.
    Spread,
    /// `(bids - asks)/(bids + asks)` of the best `levels`, in [-1, 1]; positive when bids are heavier.
    Imbalance {
        /// Levels of a side.
        levels: u32,
    },
    /// Order flow at the best `levels` of both sides, fading, over the mean of what rests at them on either side; positive when buyers push.
    OrderFlow {
        /// Levels of a side, 10 at most.
        levels: u32,
        /// After this long a lot counts half.
        half_life_s: f64,
    },
    /// `ln(σ now/σ believed in)`: the mid's volatility over the last looks to the strategy's; 0 while either is none.
    VolatilityRatio {
        /// After this long a move counts half.
        half_life_s: f64,
    },
    /// `Σ sign·qty/Σ qty` of trades, fading, in [-1, 1]; see [`crate::signal::Flow::trade_sign`].
    TradeSign,
    /// Share of what others rest at our price that is ahead of our best order; 1 without an order.
    QueueAhead {
        /// Of our bid or our ask.
        side: Side,
    },
    /// `ln(1 + age/scale_s)` of our best order; 0 without one.
    QueueAge {
        /// Of our bid or our ask.
        side: Side,
        /// Seconds.
        scale_s: f64,
    },
    /// `k·` distance of our best order from the mid; [`super::CLIP`] without one.
    Distance {
        /// Of our bid or our ask.
        side: Side,
    },
    /// `ln(1 + latency/scale_ms)` from decision to venue; 0 where it is not known.
    Latency {
        /// Milliseconds.
        scale_ms: f64,
    },
    /// What another number of this observation was some looks ago; of those that came before the first, as at the first.
    Before {
        /// Which number, counted from 0; one that stands further up.
        number: u32,
        /// How many looks ago.
        looks: u32,
    },
}

impl Feature {
    /// Whether it is the market's alone: what we hold, quote and wait for is not in it.
    fn is_market(&self) -> bool {
        match self {
            Feature::Spread
            | Feature::Imbalance { .. }
            | Feature::OrderFlow { .. }
            | Feature::VolatilityRatio { .. }
            | Feature::TradeSign => true,
            Feature::Inventory { .. }
            | Feature::TimeLeft { .. }
            | Feature::QueueAhead { .. }
            | Feature::QueueAge { .. }
            | Feature::Distance { .. }
            | Feature::Latency { .. }
            | Feature::Before { .. } => false,
        }
    }
}

/// A feature as people and digests read it: name, parameters with units, what one of it is.
impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feature::Inventory { orders_max } => write!(f, "inventory, order amounts over {orders_max}"),
            Feature::TimeLeft { horizon_s } => write!(f, "time left, seconds over {horizon_s}"),
            Feature::Spread => write!(f, "spread, in 1/k"),
            Feature::Imbalance { levels } => write!(f, "imbalance of {levels} levels, -1 to 1"),
            Feature::OrderFlow { levels, half_life_s } => {
                write!(f, "order flow of {levels} levels, half-life {half_life_s} s, over mean depth of a side")
            }
            Feature::VolatilityRatio { half_life_s } => {
                write!(f, "ln of volatility, half-life {half_life_s} s, over that believed in")
            }
            Feature::TradeSign => write!(f, "sign of trades by size, half-life {} s, -1 to 1", flow::HALF_LIFE_S),
            Feature::QueueAhead { side } => {
                write!(f, "queue ahead of our {}, share of others at its price", name(*side))
            }
            Feature::QueueAge { side, scale_s } => write!(f, "ln(1 + age of our {}), over {scale_s} s", name(*side)),
            Feature::Distance { side } => write!(f, "distance of our {} from the mid, in 1/k", name(*side)),
            Feature::Latency { scale_ms } => write!(f, "ln(1 + latency), over {scale_ms} ms"),
            Feature::Before { number, looks } => write!(f, "number {number}, {looks} looks ago"),
        }
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Bid => "bid",
        Side::Ask => "ask",
    }
}

/// The numbers of an observation, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Feature>", into = "Vec<Feature>")]
pub struct Schema(Vec<Feature>);

/// A schema that cannot be, or is not the one expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A feature's parameter is out of range, or there is no feature.
    #[error("{0}")]
    Wrong(String),
    /// Trained on one, asked for another.
    #[error("the policy was trained on another observation\n  trained on {trained}\n  here {here}")]
    Differs {
        /// Digest and fields.
        trained: String,
        /// Digest and fields.
        here: String,
    },
}

impl Schema {
    /// These features, in this order. Errors name the first that cannot be.
    pub fn new(features: Vec<Feature>) -> Result<Self, SchemaError> {
        if features.is_empty() {
            return Err(SchemaError::Wrong("an observation needs a feature at least".to_owned()));
        }
        for (n, feature) in features.iter().enumerate() {
            let (most, positive) = match feature {
                Feature::Imbalance { levels } => (*levels, 1.0),
                Feature::OrderFlow { levels, half_life_s } => (*levels, *half_life_s),
                Feature::Inventory { orders_max: x }
                | Feature::TimeLeft { horizon_s: x }
                | Feature::VolatilityRatio { half_life_s: x }
                | Feature::QueueAge { scale_s: x, .. }
                | Feature::Latency { scale_ms: x } => (1, *x),
                Feature::Spread | Feature::TradeSign | Feature::QueueAhead { .. } | Feature::Distance { .. } => {
                    (1, 1.0)
                }
                Feature::Before { number, looks } => {
                    let of = features[..n].get(*number as usize);
                    if matches!(of, None | Some(Feature::Before { .. })) || !(1..=LOOKS_MAX).contains(looks) {
                        let why = format!(
                            "feature {n} of the observation ({feature}): it is of one further up that is of now, 1 to {LOOKS_MAX} looks ago"
                        );
                        return Err(SchemaError::Wrong(why));
                    }
                    (1, 1.0)
                }
            };
            if !(positive.is_finite() && positive > 0.0 && (1..=LEVELS_MAX as u32).contains(&most)) {
                let why = format!(
                    "feature {n} of the observation ({feature}): numbers are above 0, levels 1 to {LEVELS_MAX}"
                );
                return Err(SchemaError::Wrong(why));
            }
        }
        Ok(Self(features))
    }

    /// Everything there is, for inventories up to `orders_max`: what policies are trained on unless told otherwise.
    pub fn standard(orders_max: f64) -> Result<Self, SchemaError> {
        let mut features = vec![
            Feature::Inventory { orders_max },
            Feature::TimeLeft { horizon_s: 28_800.0 },
            Feature::Spread,
            Feature::Imbalance { levels: 1 },
            Feature::Imbalance { levels: 5 },
            Feature::Imbalance { levels: 10 },
            Feature::OrderFlow { levels: 1, half_life_s: 1.0 },
            Feature::OrderFlow { levels: 5, half_life_s: 1.0 },
            Feature::OrderFlow { levels: 10, half_life_s: 10.0 },
            Feature::VolatilityRatio { half_life_s: 10.0 },
            Feature::TradeSign,
        ];
        for side in Side::BOTH {
            features.push(Feature::QueueAhead { side });
            features.push(Feature::QueueAge { side, scale_s: 1.0 });
            features.push(Feature::Distance { side });
        }
        features.push(Feature::Latency { scale_ms: 10.0 });
        Self::new(features)
    }

    /// The same numbers of the last `frames` looks, those of now first: what a network without memory needs to see what moves.
    pub fn stacked(&self, frames: u32) -> Result<Self, SchemaError> {
        let before = |looks| (0..self.0.len() as u32).map(move |number| Feature::Before { number, looks });
        Self::new(self.0.iter().copied().chain((1..frames).flat_map(before)).collect())
    }

    /// Whether a number is the market's alone: what we hold, quote and wait for is not in it. Panics if there is none of that index.
    pub fn is_market(&self, n: usize) -> bool {
        match self.0[n] {
            Feature::Before { number, .. } => self.0[number as usize].is_market(),
            now => now.is_market(),
        }
    }

    /// Most looks back that anything of it reaches.
    pub(super) fn looks_back(&self) -> usize {
        let back = |feature: &Feature| if let Feature::Before { looks, .. } = feature { *looks as usize } else { 0 };
        self.0.iter().map(back).max().unwrap_or(0)
    }

    /// The features, in order.
    pub fn features(&self) -> &[Feature] {
        &self.0
    }

    /// Of what every number means, in order.
    pub fn digest(&self) -> Digest {
        let lines: String = self.0.iter().map(|feature| format!("{feature}\n")).collect();
        Digest::of(format!("papermaker observation {VERSION}\n{lines}").as_bytes())
    }

    /// Errors with both schemas named if a policy was trained on another one than this.
    pub fn require(&self, trained: &Schema, digest: &Digest) -> Result<(), SchemaError> {
        if self.digest() == *digest && trained == self {
            return Ok(());
        }
        let named = |digest: &Digest, schema: &Schema| format!("{digest} ({schema})");
        Err(SchemaError::Differs { trained: named(digest, trained), here: named(&self.digest(), self) })
    }
}

/// The features, one after the other.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, feature) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{feature}")?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<Feature>> for Schema {
    type Error = SchemaError;

    fn try_from(features: Vec<Feature>) -> Result<Self, SchemaError> {
        Self::new(features)
    }
}

impl From<Schema> for Vec<Feature> {
    fn from(schema: Schema) -> Self {
        schema.0
    }
}
