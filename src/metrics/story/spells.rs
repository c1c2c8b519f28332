//! When a book could not be traded on, and why.

use crate::engine::BookState;
use crate::units::{LocalTime, Nanos};

/// Most spells kept; beyond, the shorter half goes, counted and added up.
pub const SPELLS_MAX: usize = 2_048;

/// A stretch of time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// It began.
    pub from: LocalTime,
    /// It ended.
    pub to: LocalTime,
    /// Not [`BookState::Live`].
    pub state: BookState,
}

/// All of them, the shortest left out where there are too many to see.
#[derive(Clone, Debug, Default)]
pub struct Spells {
    /// In the order of time.
    pub kept: Vec<Spell>,
    /// How many were left out.
    pub dropped: u64,
    /// How long those were together.
    pub dropped_time: Nanos,
    now: BookState,
    since: Option<LocalTime>,
}

impl Spells {
    /// Another state from now on.
    pub(super) fn begin(&mut self, state: BookState, now: LocalTime) {
        if state == self.now {
            return;
        }
        self.close(now);
        (self.now, self.since) = (state, Some(now));
    }

    /// The recording is over. What was never said otherwise was unknown from the start.
    pub(super) fn end(&mut self, started: LocalTime, ended: LocalTime) {
        self.close(ended);
        if let Some(first) = self.kept.first_mut()
            && first.from == LocalTime::default()
        {
            first.from = started;
        }
    }

    fn close(&mut self, now: LocalTime) {
        // Nothing is known of a book before its first news: the spell of that begins with the recording.
        let from = self.since.unwrap_or_default();
        if self.now == BookState::Live || from == now {
            return;
        }
        self.kept.push(Spell { from, to: now, state: self.now });
        if self.kept.len() > SPELLS_MAX {
            self.drop_short();
        }
    }

    fn drop_short(&mut self) {
        let length = |spell: &Spell| spell.to.since(spell.from);
        let mut lengths: Vec<Nanos> = self.kept.iter().map(length).collect();
        lengths.sort_unstable();
        let (median, mut to_drop) = (lengths[SPELLS_MAX / 2], SPELLS_MAX / 2);
        let (dropped, dropped_time) = (&mut self.dropped, &mut self.dropped_time);
        self.kept.retain(|spell| {
            let goes = to_drop > 0 && length(spell) <= median;
            if goes {
                to_drop -= 1;
                *dropped += 1;
                *dropped_time += length(spell);
            }
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spell_lasts_until_the_next_state_and_the_first_from_the_start() {
        // Recording from 5 to 50: nothing known until 8, live, lost at 20, stale at 25, live again at 30, gone at 45.
        let mut spells = Spells::default();
        let states = [(8, BookState::Live), (20, BookState::Gap), (25, BookState::Stale), (30, BookState::Live)];
        states.into_iter().for_each(|(at, state)| spells.begin(state, LocalTime(at)));
        spells.begin(BookState::Disconnected, LocalTime(45));
        spells.end(LocalTime(5), LocalTime(50));
        let told: Vec<_> = spells.kept.iter().map(|s| (s.from.0, s.to.0, s.state.word())).collect();
        assert_eq!(told, [(5, 8, "empty"), (20, 25, "gap"), (25, 30, "stale"), (45, 50, "disconnected")]);
        assert_eq!((spells.dropped, spells.dropped_time), (0, Nanos::ZERO));
    }

    #[test]
    fn of_too_many_the_long_ones_stay_and_the_short_ones_are_added_up() {
        // 10 000 stale spells of 1 ns, and one of 50 in each 1 000.
        let (mut spells, mut at, mut all) = (Spells::default(), 1_000_000, 0);
        spells.begin(BookState::Live, LocalTime(at));
        for number in 0..10_000 {
            let length = if number % 1_000 == 0 { 50 } else { 1 };
            spells.begin(BookState::Stale, LocalTime(at + 1));
            spells.begin(BookState::Live, LocalTime(at + 1 + length));
            at += 1 + length;
            all += length;
        }
        spells.end(LocalTime(999_990), LocalTime(at));
        assert!(spells.kept.len() <= SPELLS_MAX);
        let lengths = || spells.kept[1..].iter().map(|s| s.to.0 - s.from.0);
        assert_eq!(lengths().filter(|length| *length == 50).count(), 10);
        assert_eq!(lengths().sum::<i64>() + spells.dropped_time.0, all);
        assert_eq!(spells.kept.len() as u64 - 1 + spells.dropped, 10_000);
    }
}
