//! What a learned policy said last, for people.

use serde::{Deserialize, Serialize};

use crate::strategy::{Wanted, Why};

/// The answer behind the last decision. While the drift gate has it step aside it says nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// What it answers for bid and ask, each within ±1: of its reach, or between its depths; more is farther from the mid. Its mean, or a draw round it
    /// where it explores.
    pub action: [f64; 2],
    /// The natural logarithm of that draw's density; nothing where it does not explore, and while an answer stands.
    pub logp: Option<f64>,
    /// What came of it: `quotes`, `keep` (what rests stays as it is), `flatten`, or `nothing`.
    pub wants: String,
}

impl PolicyStatus {
    /// Of a decision, if a policy made it.
    pub fn of(wanted: Option<&Wanted>, why: &Why) -> Option<Self> {
        let wants = match wanted? {
            Wanted::Quotes(_) => "quotes",
            Wanted::Keep => "keep",
            Wanted::Flatten => "flatten",
            Wanted::Nothing(_) => "nothing",
        };
        Some(Self { action: why.action?, logp: why.logp, wants: wants.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_shown_with_what_it_said_and_a_formula_is_not() {
        let said = Why { action: Some([0.25, -0.5]), logp: Some(-1.5), ..Why::default() };
        let shown = PolicyStatus::of(Some(&Wanted::Keep), &said).expect("a policy's decision");
        assert_eq!((shown.action, shown.logp, shown.wants.as_str()), ([0.25, -0.5], Some(-1.5), "keep"));
        assert_eq!(PolicyStatus::of(Some(&Wanted::Keep), &Why::default()), None);
        assert_eq!(PolicyStatus::of(None, &said), None);
    }
}
