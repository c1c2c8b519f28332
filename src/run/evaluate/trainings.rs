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
    /// Its policies, as they are called; of two of one seed the first counts.
    pub policies: Vec<String>,
    /// Their seeds, each once.
    pub seeds: Vec<u64>,
    /// What they earned on average.
    pub pnl: Option<Interval>,
    /// Their mean against every other.
    pub pairs: Vec<Against>,
}

/// Places of policies whose cards tell of the same training by the same program, whatever their seeds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Family {
    /// All of them.
    pub all: Vec<usize>,
    /// One for each seed, the first that was named.
    pub seeds: Vec<usize>,
}

/// All families; most have one member.
pub(super) fn families(cards: &[Option<PolicyCard>]) -> Vec<Family> {
    // How many seeds there are, and how often and where they are stepped, makes no other training.
    let recipe = |card: &PolicyCard| {
        let mut training = card.training.clone();
        ["seeds", "goal", "device", "evaluate_every"].iter().for_each(|key| drop(training.remove(*key)));
        let made = (card.papermaker.clone(), card.configuration.clone(), card.data.clone(), card.observation.clone());
        (card.fold, made, training)
    };
    let mut families: Vec<(_, Family)> = Vec::new();
    for (n, card) in cards.iter().enumerate().filter_map(|(n, card)| Some((n, card.as_ref()?))) {
        let own = recipe(card);
        let place = families.iter().position(|(recipe, _)| *recipe == own).unwrap_or_else(|| {
            families.push((own, Family { all: Vec::new(), seeds: Vec::new() }));
            families.len() - 1
        });
        let family = &mut families[place].1;
        family.all.push(n);
        let is_known = |kin: &usize| cards[*kin].as_ref().is_some_and(|kin| kin.seed == card.seed);
        if !family.seeds.iter().any(is_known) {
            family.seeds.push(n);
        }
    }
    families.into_iter().map(|(_, family)| family).collect()
}

/// What a family earned, and against whom.
///
/// * `family` — of places among `series` and `names`
/// * `others` — places of whom it is held against
/// * `series` — `[strategies][groups][periods]`
pub(super) fn judge(
    (family, others): (&Family, std::ops::Range<usize>),
    cards: &[Option<PolicyCard>],
    (names, series): (&[String], &[Vec<Vec<f64>>]),
    plan: &Plan,
    statistic: &impl Fn(&[f64]) -> Option<f64>,
) -> Training {
    let each = &family.seeds;
    let kin: Vec<&PolicyCard> = each.iter().filter_map(|n| cards[*n].as_ref()).collect();
    let groups = |n: usize| series[n].iter().map(Vec::as_slice).collect::<Vec<&[f64]>>();
    let versions: Vec<Vec<&[f64]>> = each.iter().map(|n| groups(*n)).collect();
    let versions: Vec<&[&[f64]]> = versions.iter().map(Vec::as_slice).collect();
    let name = format!("{} seeds of {}", each.len(), kin.first().map_or("", |card| &card.algorithm));
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
        policies: family.all.iter().map(|n| names[*n].clone()).collect(),
        seeds: kin.iter().map(|card| card.seed).collect(),
        pnl: interval_of_versions(&versions, plan, statistic),
        pairs,
        name,
    }
}
