//! Why: a reason code with its numbers, `CATEGORY_CONDITION key=value …`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::Limit;
use crate::units::Money;

/// A limit with what it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which.
    pub limit: Limit,
    /// Whether it is the warning before the limit.
    pub is_soft: bool,
    /// What it came to, in the rule's unit; money in [`Money`]'s.
    pub value: i128,
    /// What is allowed.
    pub max: i128,
    /// Whether both are money.
    pub is_money: bool,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.limit.rule();
        f.write_str(rule.code)?;
        if self.is_soft {
            f.write_str(" soft")?;
        }
        if self.is_money {
            write!(f, " value={:.2} limit={:.2} unit={}", Money(self.value), Money(self.max), rule.unit)
        } else {
            write!(f, " value={} limit={} unit={}", self.value, self.max, rule.unit)
        }
    }
}
