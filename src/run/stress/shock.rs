//! What can be done to a market.

use std::fmt;

use crate::units::Nanos;

/// A shock. Of each, size nothing is no shock at all: the session then ends as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shock {
    /// From the moment on all prices of the instrument are so many of its standard deviations of one minute worse for the
    /// position.
    Gap {
        /// How many.
        sigmas: f64,
    },
    /// Each side of the instrument's book is farther from the mid, so that the recording's mean spread becomes so many
    /// times itself.
    Spread {
        /// How many times.
        times: f64,
        /// From the moment on, for so long; `None` is the whole session.
        window: Option<Nanos>,
    },
    /// The connections to the instrument's venue are lost, and come back after this time with a snapshot.
    FeedLoss {
        /// For how long.
        length: Nanos,
    },
    /// The same, but nobody says so: the book goes stale without a word.
    Silence {
        /// For how long.
        length: Nanos,
    },
    /// In the whole session our resting orders trade only where that makes a position larger, and then always
    /// ([`WrongSide`](crate::exchange::queue::QueueModel::WrongSide)).
    WrongSide,
}

impl Shock {
    /// All of them, at the size they have when nobody says another.
    pub const DEFAULT: [Shock; 5] = [
        Shock::Gap { sigmas: 6.0 },
        Shock::Spread { times: 5.0, window: Some(Nanos::from_s(60)) },
        Shock::FeedLoss { length: Nanos::from_s(30) },
        Shock::Silence { length: Nanos::from_s(30) },
        Shock::WrongSide,
    ];
}

/// As on the command line: `gap:6`, `spread:5:60s`, `spread:5:all`, `feed-loss:30s`, `silence:30s`, `wrong-side`.
impl fmt::Display for Shock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Nanos| match time.ms() {
            ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
            ms => format!("{ms}ms"),
        };
        match *self {
            Shock::Gap { sigmas } => write!(f, "gap:{sigmas}"),
            Shock::Spread { times, window: Some(window) } => write!(f, "spread:{times}:{}", time(window)),
            Shock::Spread { times, window: None } => write!(f, "spread:{times}:all"),
            Shock::FeedLoss { length } => write!(f, "feed-loss:{}", time(length)),
            Shock::Silence { length } => write!(f, "silence:{}", time(length)),
            Shock::WrongSide => f.write_str("wrong-side"),
        }
    }
}
