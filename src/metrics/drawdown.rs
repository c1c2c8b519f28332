//! How far down from the top, and for how long.

use std::ops::Sub;

/// The deepest and the longest time under water, found in one pass.
///
/// Equity in currency, so a drawdown is currency too: an equity that starts at zero has no percent. Deepest and longest
/// need not be the same one. Whatever equity and time are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawdown<E, T> {
    top: Option<(E, T)>,
    is_below: bool,
    max: E,
    longest: T,
}

impl<E: Copy + PartialOrd + Sub<Output = E>, T: Copy + PartialOrd + Sub<Output = T>> Drawdown<E, T> {
    /// Takes in one mark of equity; a top reached again ends the time below it.
    pub fn mark(&mut self, at: T, equity: E) {
        let (top, since) = *self.top.get_or_insert((equity, at));
        if self.is_below || equity < top {
            let (fall, lasted) = (top - equity, at - since);
            self.max = if fall > self.max { fall } else { self.max };
            self.longest = if lasted > self.longest { lasted } else { self.longest };
        }
        self.is_below = equity < top;
        if !self.is_below {
            self.top = Some((equity, at));
        }
    }

    /// Highest equity so far minus equity, at most; QuantStats' `max_drawdown`, in currency and positive.
    pub fn max(&self) -> E {
        self.max
    }

    /// Longest from a top to when it was reached again, or to the last mark if it never was.
    pub fn longest(&self) -> T {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deepest_and_longest_need_not_be_the_same() {
        // 5 at 1 falls to 1 (by 4) and is reached again at 3; 6 at 4 is only ever missed by 1, until 9 and the end.
        let mut drawdown = Drawdown::default();
        let falls = [(0, 0), (1, 5), (2, 1), (3, 5), (4, 6), (6, 5), (9, 5)].map(|(at, equity)| {
            drawdown.mark(at, equity);
            (drawdown.max(), drawdown.longest())
        });
        assert_eq!(falls, [(0, 0), (0, 0), (4, 1), (4, 2), (4, 2), (4, 2), (4, 5)]);
    }
}
