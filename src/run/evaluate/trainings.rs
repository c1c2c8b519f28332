//! Policies of one training that differ in nothing but its seed: what the training is worth, not the seed that came out best.
//!
//! Seeds are drawn as well as histories ([`crate::metrics::bootstrap::compare_versions`]), so that an interval tells what another
//! training by the same file would earn. Of two or three seeds it still promises too much.

use serde::Serialize;

use super::{Against, ZERO_QUOTE};
use crate::metrics::Plan;
use crate::metrics::bootstrap::{Interval, compare_versions, interval_of_versions};
use crate::run::card::PolicyCard;

/// All seeds of a training that took part, together.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// What it is called where it is compared.
    pub name: String,
    /// Its policies, as they are called.
    pub policies: Vec<String>,
    /// Their seeds.
    pub seeds: Vec<u64>,
    /// What they earned on average.
    pub pnl: Option<Interval>,
    /// Their mean against every other.
    pub pairs: Vec<Against>,
}

/// Places of policies whose cards tell of the same training, where there are at least two.
pub(super) fn families(cards: &[Option<PolicyCard>]) -> Vec<Vec<usize>> {
    let is_kin = |a: &PolicyCard, b: &PolicyCard| {
        let of = |card: &PolicyCard| (card.algorithm.clone(), card.fold, card.data.clone(), card.configuration.clone());
        of(a) == of(b) && a.training == b.training && a.observation == b.observation
    };
    let mut families: Vec<Vec<usize>> = Vec::new();
    for (n, card) in cards.iter().enumerate() {
        let Some(card) = card else { continue };
        let of = |m: &usize| cards[*m].as_ref();
        match families.iter_mut().find(|family| of(&family[0]).is_some_and(|first| is_kin(first, card))) {
            Some(family) if family.iter().filter_map(of).any(|kin| kin.seed == card.seed) => {}
            Some(family) => family.push(n),
            None => families.push(vec![n]),
        }
    }
    families.retain(|family| family.len() > 1);
    families
}

/// What a family earned, and against whom.
///
/// * `family` — places among `series` and `names`
/// * `others` — places of whom it is held against
/// * `series` — `[strategies][groups][periods]`
pub(super) fn judge(
    (family, others): (&[usize], std::ops::Range<usize>),
    cards: &[Option<PolicyCard>],
    (names, series): (&[String], &[Vec<Vec<f64>>]),
    plan: &Plan,
    statistic: &impl Fn(&[f64]) -> Option<f64>,
) -> Training {
    let kin: Vec<&PolicyCard> = family.iter().filter_map(|n| cards[*n].as_ref()).collect();
    let groups = |n: usize| series[n].iter().map(Vec::as_slice).collect::<Vec<&[f64]>>();
    let versions: Vec<Vec<&[f64]>> = family.iter().map(|n| groups(*n)).collect();
    let versions: Vec<&[&[f64]]> = versions.iter().map(Vec::as_slice).collect();
    let name = format!("{} seeds of {}", family.len(), kin.first().map_or("", |card| &card.algorithm));
    let against = |other: &str, its: &[&[f64]]| Against {
        policy: name.clone(),
        other: other.to_owned(),
        difference: compare_versions(&versions, its, plan, statistic),
    };
    let nothing: Vec<Vec<f64>> = versions[0].iter().map(|returns| vec![0.0; returns.len()]).collect();
    let nothing: Vec<&[f64]> = nothing.iter().map(Vec::as_slice).collect();
    let mut pairs: Vec<Against> = others.map(|n| against(&names[n], &groups(n))).collect();
    pairs.push(against(ZERO_QUOTE, &nothing));
    Training {
        policies: family.iter().map(|n| names[*n].clone()).collect(),
        seeds: kin.iter().map(|card| card.seed).collect(),
        pnl: interval_of_versions(&versions, plan, statistic),
        pairs,
        name,
    }
}
