//! A fixed distance either side of the mid: the naive baseline.
//!
//! Believes nothing. What it earns is the spread, what it loses is the inventory it never tries to be rid of, so it
//! is the line every other strategy has to beat.

use super::ladder::{Ladder, Memory, Target};
use super::settings::{Settings, StrategyError};
use super::{Decision, Idle, Strategy, View, Why};
use crate::market::Instrument;

/// Half the spread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum HalfSpread {
    Ticks(f64),
    Bps(f64),
}

/// The strategy; settings in `strategies/fixed_spread.toml`.
#[derive(Clone, Debug)]
pub struct FixedSpread {
    ladder: Ladder,
    half_spread: HalfSpread,
}

impl FixedSpread {
    /// The name in `kind` and in exports.
    pub const NAME: &'static str = "fixed-spread";

    pub(super) fn take(mut settings: Settings, rules: Option<&Instrument>) -> Result<Self, StrategyError> {
        let mut ladder = Ladder::take(&mut settings)?;
        let ticks = settings.maybe_number("half_spread_ticks", 0.0..=1e9, "ticks")?;
        let bps = settings.maybe_number("half_spread_bps", 0.0..=10_000.0, "basis points of the mid")?;
        let half_spread = match (ticks, bps) {
            (Some(ticks), None) => HalfSpread::Ticks(ticks),
            (None, Some(bps)) => HalfSpread::Bps(bps),
            (Some(_), Some(_)) => {
                let both = "half_spread_ticks and half_spread_bps say the same thing; keep one";
                return Err(StrategyError::Conflict(both.to_owned()));
            }
            (None, None) => {
                let meaning = "basis points of the mid; or half_spread_ticks";
                return Err(settings.missing("half_spread_bps", meaning));
            }
        };
        settings.finish()?;
        if let Some(rules) = rules {
            ladder.fit(rules)?;
        }
        Ok(Self { ladder, half_spread })
    }

    fn answer(&mut self, view: &View<'_>) -> Result<(Target, Why), Idle> {
        self.ladder.attend(view)?;
        let mid = view.top.mid();
        let half = match self.half_spread {
            HalfSpread::Ticks(ticks) => ticks,
            HalfSpread::Bps(bps) => bps * 1e-4 * mid,
        };
        let target = Target { reservation: mid, bid_distance: Some(half), ask_distance: Some(half) };
        Ok((target, Why::default()))
    }
}

impl Strategy for FixedSpread {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let answer = self.answer(view);
        self.ladder.decide(view, answer)
    }

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn save(&self) -> Vec<u8> {
        self.ladder.memory.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        self.ladder.memory = Memory::restore(saved)?;
        Ok(())
    }
}
