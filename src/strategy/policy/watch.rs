//! What a policy meets, row by row, and whether that is what it was trained on.

use super::super::DriftLook;
use super::super::beliefs::Beliefs;
use super::super::settings::{Settings, StrategyError};
use crate::numeric;
use crate::signal::drift::{DriftGate, DriftRules, DriftScore, Reference, Tables};
use crate::signal::observation::Schema;
use crate::units::LocalTime;

/// What stands in a row behind the observation, and whether it is the market's.
const BEHIND: [(&str, bool); 5] =
    [("ln σ", true), ("ln A", true), ("ln k", true), ("action of the bid", false), ("action of the ask", false)];

/// What a row of states and actions holds, column by column: the observation as the network sees it; the logarithms of what the
/// quotes are made of, in 1/s, ticks and ticks/√s; the two actions, within ±1.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    names: Vec<String>,
    is_market: Vec<bool>,
}

impl Columns {
    /// Of a policy that sees this.
    pub fn of(schema: &Schema) -> Self {
        let seen = schema.features().iter().zip(0..).map(|(feature, n)| (feature.to_string(), schema.is_market(n)));
        let behind = BEHIND.iter().map(|(name, is_market)| ((*name).to_owned(), *is_market));
        let (names, is_market) = seen.chain(behind).unzip();
        Self { names, is_market }
    }

    /// What each is.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether each is the market's alone, whatever we do.
    pub fn is_market(&self) -> &[bool] {
        &self.is_market
    }
}

/// Rows, and the gate they are shown to if the policy knows what it was trained on.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    columns: Columns,
    row: Vec<f32>,
    has_row: bool,
    seen: usize,
    held: Option<Held>,
    score: Option<DriftScore>,
}

#[derive(Clone, Debug)]
struct Held {
    rules: DriftRules,
    training: Reference,
    gate: DriftGate,
}

impl Watch {
    /// Takes `[drift]`; it and the tables need each other.
    pub(super) fn take(
        settings: &mut Settings,
        schema: &Schema,
        tables: Option<Tables>,
    ) -> Result<Self, StrategyError> {
        let columns = Columns::of(schema);
        let conflict = |why: String| StrategyError::Conflict(why);
        let rules = settings.value("drift").map(toml::Value::try_into::<DriftRules>).transpose();
        let rules = rules.map_err(|e| conflict(format!("[drift]: {e}")))?;
        let held = match (rules, tables) {
            (None, None) => None,
            (Some(rules), Some(tables)) => {
                rules.check().map_err(|why| conflict(format!("[drift] {why}")))?;
                let training = Reference::from_tables(tables, &rules, &columns.is_market);
                let training = training.map_err(|e| conflict(format!("the policy's reference does not fit: {e}")))?;
                Some(Held { rules, training, gate: DriftGate::new(rules, 0) })
            }
            (Some(_), None) => {
                let why = "[drift] has rules and the weights hold no reference of the training to judge by; \
                           `papermaker policy reference` makes one";
                return Err(conflict(why.to_owned()));
            }
            (None, Some(_)) => {
                let why = "the weights hold a reference of the training and [drift] says nothing: give it rules \
                           (an empty [drift] has the usual ones)";
                return Err(conflict(why.to_owned()));
            }
        };
        let row = vec![0.0; columns.names.len()];
        Ok(Self { row, has_row: false, seen: schema.features().len(), held, score: None, columns })
    }

    /// A decision begins: nothing met yet.
    pub(super) fn begin(&mut self) {
        self.has_row = false;
        self.score = None;
    }

    /// One moment; see [`Columns`].
    pub(super) fn meet(&mut self, now: LocalTime, observed: &[f32], b: &Beliefs, action: [f64; 2]) {
        let (seen, behind) = self.row.split_at_mut(self.seen);
        seen.copy_from_slice(&observed[..seen.len()]);
        // A market that stands still has no logarithm.
        let ln = |x: f64| numeric::ln(x.max(1e-12));
        let all = [ln(b.sigma), ln(b.a), ln(b.k), action[0].clamp(-1.0, 1.0), action[1].clamp(-1.0, 1.0)];
        behind.iter_mut().zip(all).for_each(|(into, x)| *into = x as f32);
        self.has_row = true;
        if let Some(held) = &mut self.held {
            self.score = held.gate.meet(now, &self.row, &held.training);
        }
    }

    pub(super) fn met(&self) -> Option<&[f32]> {
        self.has_row.then_some(&self.row)
    }

    pub(super) fn is_tripped(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.gate.is_tripped())
    }

    /// What the last decision's look found, if there was one.
    pub(super) fn look(&mut self) -> Option<DriftLook> {
        let score = self.score.take()?;
        Some(DriftLook { column: self.columns.names[score.column as usize].clone(), score })
    }

    pub(super) fn save(&self) -> Option<DriftGate> {
        self.held.as_ref().map(|held| held.gate.clone())
    }

    pub(super) fn restore(&mut self, saved: Option<DriftGate>) -> Result<(), String> {
        match (&mut self.held, saved) {
            (None, None) => Ok(()),
            (Some(held), Some(gate)) if gate.fits(&held.rules, &held.training) => {
                held.gate = gate;
                Ok(())
            }
            (Some(_) | None, _) => Err("saved by a policy with another drift gate".to_owned()),
        }
    }
}
