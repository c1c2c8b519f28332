//! What cannot be read off a recording: the parameters a search pulls at.
//!
//! Nobody tells a fundamentalist's pull or a chartist's zeal; they show in what comes of them. A [`Lever`] is a path in the
//! market's specification and how far it may be moved either way; the unit interval is its factor on a logarithmic scale.

use std::str::FromStr;

use toml::Value;

use super::keys;
use crate::numeric::{exp, ln};

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Lever {
    /// What it pulls at, as [`keys::pull`] reads it.
    pub path: String,
    /// Up to so many times, and down to one over it; above 1.
    pub reach: f64,
}

/// The usual ones, those of trend followers apart, and how far each reaches.
const USUAL: [(&str, f64); 26] = [
    ("value.volatility_bps", 3.0),
    ("activity.waves.*.sigma", 2.0),
    ("reflexive.lambda_ticks", 8.0),
    ("fundamental.*.kappa_lots_per_tick", 8.0),
    ("fundamental.*.mean_wait_s", 3.0),
    ("noise.*.mean_wait_s", 4.0),
    ("metaorder.*.mean_wait_s", 4.0),
    ("metaorder.*.exponent", 1.25),
    ("metaorder.*.size.power_law.exponent", 1.3),
    ("market_maker.*.half_spread_ticks", 4.0),
    ("market_maker.*.skew_ticks", 4.0),
    ("market_maker.*.mean_wait_s", 3.0),
    ("market_maker.*.size.lognormal.median_lots", 4.0),
    ("market_maker.*.size.power_law.scale_lots", 4.0),
    ("zero_intelligence.*.limits.per_s", 2.0),
    ("zero_intelligence.*.markets.per_s", 3.0),
    ("zero_intelligence.*.markets.branching", 1.3),
    ("zero_intelligence.*.market_size.lognormal.sigma", 1.3),
    ("zero_intelligence.*.market_size.power_law.exponent", 1.3),
    ("zero_intelligence.*.lifetime.exponential.mean_s", 3.0),
    ("zero_intelligence.*.lifetime.power_law.scale_s", 3.0),
    ("zero_intelligence.*.lifetime.power_law.exponent", 1.3),
    ("zero_intelligence.*.placement.own.scale_ticks", 3.0),
    ("zero_intelligence.*.placement.own.exponent", 1.5),
    ("zero_intelligence.*.placement.opposite.scale_ticks", 3.0),
    ("deep_liquidity.*.size.power_law.scale_lots", 4.0),
];
/// Of each population of trend followers: quick and slow ones are pulled apart.
const OF_MOMENTUM: [(&str, f64); 2] = [("trend.chiarella.beta_lots", 4.0), ("trend.chiarella.gamma_s_per_tick", 4.0)];

/// The usual levers, those of which there is something to pull at.
pub fn usual(tree: &Value) -> Vec<Lever> {
    let momentum = keys::names(tree, "momentum")
        .into_iter()
        .flat_map(|name| OF_MOMENTUM.map(|(path, reach)| Lever { path: format!("momentum.{name}.{path}"), reach }));
    let all = USUAL.iter().map(|(path, reach)| Lever { path: (*path).to_owned(), reach: *reach }).chain(momentum);
    all.filter(|lever| lever.pulls(tree)).collect()
}

impl Lever {
    /// Whether there is anything to pull at that is not zero.
    pub fn pulls(&self, tree: &Value) -> bool {
        keys::pull(&mut tree.clone(), &self.path, 1.0) > 0
    }

    /// The factor at a place of the unit interval; 1 in its middle.
    pub fn factor(&self, at: f64) -> f64 {
        exp(ln(self.reach) * (2.0 * at - 1.0))
    }
}

/// `PATH` or `PATH=REACH`; a reach of 4 if none is said.
impl FromStr for Lever {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, reach) = text.split_once('=').unwrap_or((text, "4"));
        match reach.parse::<f64>() {
            Ok(reach) if reach > 1.0 && reach <= 1000.0 && !path.is_empty() => {
                Ok(Self { path: path.to_owned(), reach })
            }
            _ => Err("PATH or PATH=REACH, REACH above 1: fundamental.*.kappa_lots_per_tick=8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimSpec;

    #[test]
    fn the_usual_levers_are_those_that_the_market_has() {
        let tree = keys::tree(&SimSpec::demo().market[0]);
        let paths: Vec<String> = usual(&tree).into_iter().map(|lever| lever.path).collect();
        for has in ["momentum.slow.trend.chiarella.gamma_s_per_tick", "metaorder.*.exponent", "value.volatility_bps"] {
            assert!(paths.contains(&has.to_owned()), "{paths:?}");
        }
        for lacks in ["zero_intelligence.*.lifetime.power_law.scale_s", "zero_intelligence.*.placement.own.scale_ticks"]
        {
            assert!(!paths.contains(&lacks.to_owned()), "{paths:?}");
        }
        let rmsc04 = keys::tree(&SimSpec::rmsc04().market[0]);
        assert!(usual(&rmsc04).iter().all(|lever| !lever.path.starts_with("momentum")), "they compare averages");
    }

    #[test]
    fn a_lever_is_neutral_in_its_middle() {
        let lever: Lever = "noise.*.mean_wait_s=9".parse().unwrap();
        for (at, factor) in [(0.0, 1.0 / 9.0), (0.25, 1.0 / 3.0), (0.5, 1.0), (1.0, 9.0)] {
            assert!((lever.factor(at) / factor - 1.0).abs() < 1e-12, "{at}");
        }
        assert_eq!("a.b".parse(), Ok(Lever { path: "a.b".to_owned(), reach: 4.0 }));
        for wrong in ["a=1", "a=x", "=3", "a=0.5"] {
            assert!(wrong.parse::<Lever>().is_err(), "{wrong}");
        }
    }
}
