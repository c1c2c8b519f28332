//! Bad days, on a timetable.
//!
//! A scenario is a window of time, once or again and again, in which some of the market is different. Windows may
//! overlap: their factors multiply, and a venue is closed if any of them closes it. Everything in it is exogenous: the
//! timetable is known before the first order.
//!
//! | bad day | what makes it |
//! |---|---|
//! | flash crash | [`Forced`] selling and a `liquidity_factor` near 0 |
//! | liquidity drought | `liquidity_factor` |
//! | spread blow-out | `spread_factor` |
//! | another volatility regime | `volatility_factor` |
//! | toxic flow | [`Informed`] traders |
//! | exchange outage | `closed` |

use serde::{Deserialize, Serialize};

use super::laws::{self, SizeLaw};
use super::spec::Check;
use crate::units::Nanos;

/// One window, and what is different in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// What people call it; names its random streams too.
    pub name: String,
    /// When it begins, seconds of simulated time.
    pub from_s: f64,
    /// How long it lasts, seconds.
    pub lasting_s: f64,
    /// It comes again after this many seconds; 0 is never.
    #[serde(default)]
    pub every_s: f64,
    /// Symbols it concerns; empty is all of them.
    #[serde(default)]
    pub symbols: Vec<String>,
    /// Share of limit orders that still come, and of levels and sizes that makers still quote, 0 to 1.
    #[serde(default = "neutral")]
    pub liquidity_factor: f64,
    /// How much wider makers quote, and how much further from the other side the crowd places its orders.
    #[serde(default = "neutral")]
    pub spread_factor: f64,
    /// How much more the value moves.
    #[serde(default = "neutral")]
    pub volatility_factor: f64,
    /// The venue refuses every order and cancellation; what rests, rests.
    #[serde(default)]
    pub closed: bool,
    /// Somebody who must trade.
    #[serde(default)]
    pub forced: Option<Forced>,
    /// Traders who know the value before it shows.
    #[serde(default)]
    pub informed: Option<Informed>,
}

fn neutral() -> f64 {
    1.0
}

/// Somebody who must trade this much within the window, whatever it costs: market orders at even intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forced {
    /// Sells, or buys.
    pub sell: bool,
    /// All of it, lots.
    pub lots: i64,
    /// In this many orders.
    pub children: u32,
}

/// Traders who know what the value will be, and take what is worth it to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Informed {
    /// They look this often, per second (a Poisson process).
    pub looks_per_s: f64,
    /// How far ahead they know, seconds.
    pub ahead_s: f64,
    /// They trade if the best price is off by more than this, ticks.
    pub edge_ticks: f64,
    /// Size of one order.
    pub size: SizeLaw,
}

impl ScenarioSpec {
    pub(super) fn check(&self, key: &str, check: &mut Check) {
        check.number(&format!("{key}.from_s"), self.from_s, -1e9..=1e9);
        check.number(&format!("{key}.lasting_s"), self.lasting_s, 0.001..=1e9);
        if self.every_s != 0.0 {
            check.number(&format!("{key}.every_s"), self.every_s, self.lasting_s..=1e9);
        }
        check.number(&format!("{key}.liquidity_factor"), self.liquidity_factor, 0.0..=1.0);
        check.number(&format!("{key}.spread_factor"), self.spread_factor, 1.0..=1_000.0);
        check.number(&format!("{key}.volatility_factor"), self.volatility_factor, 0.0..=1_000.0);
        if let Some(forced) = &self.forced {
            check.whole(&format!("{key}.forced.lots"), forced.lots, 1..=1 << 38);
            check.whole(&format!("{key}.forced.children"), i64::from(forced.children), 1..=1_000_000);
        }
        if let Some(informed) = &self.informed {
            check.number(&format!("{key}.informed.looks_per_s"), informed.looks_per_s, 1e-6..=10_000.0);
            check.number(&format!("{key}.informed.ahead_s"), informed.ahead_s, 0.0..=3_600.0);
            check.number(&format!("{key}.informed.edge_ticks"), informed.edge_ticks, 0.0..=1e9);
            informed.size.check(&format!("{key}.informed.size"), check);
        }
    }

    /// Whether it concerns a symbol.
    pub fn concerns(&self, symbol: &str) -> bool {
        self.symbols.is_empty() || self.symbols.iter().any(|s| s == symbol)
    }

    pub(super) fn window(&self) -> Window {
        Window {
            from: laws::seconds(self.from_s),
            lasting: laws::seconds(self.lasting_s),
            every: laws::seconds(self.every_s),
        }
    }
}

/// When a scenario is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Window {
    from: Nanos,
    pub lasting: Nanos,
    every: Nanos,
}

impl Window {
    /// Whether it is on at `at`, and until when that stays so.
    pub fn on(&self, at: Nanos) -> (bool, Nanos) {
        if at < self.from {
            return (false, self.from);
        }
        let (since, next) = match self.every.0 {
            0 => ((at - self.from).0, Nanos(i64::MAX)),
            every => {
                let since = (at - self.from).0 % every;
                (since, at + Nanos(every - since))
            }
        };
        match since < self.lasting.0 {
            true => (true, at + Nanos(self.lasting.0 - since)),
            false => (false, next),
        }
    }

    /// When it begins next, at `at` or later; `None` if never.
    pub fn begins(&self, at: Nanos) -> Option<Nanos> {
        if at <= self.from {
            return Some(self.from);
        }
        match self.every.0 {
            0 => None,
            every => Some(self.from + Nanos((((at - self.from).0 + every - 1) / every) * every)),
        }
    }
}

/// What is different right now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Weather {
    pub liquidity_factor: f64,
    pub spread_factor: f64,
    pub volatility_factor: f64,
    pub closed: bool,
    /// It stays so until here.
    pub until: Nanos,
}

impl Weather {
    pub const FAIR: Weather = Weather {
        liquidity_factor: 1.0,
        spread_factor: 1.0,
        volatility_factor: 1.0,
        closed: false,
        until: Nanos(i64::MAX),
    };
}

/// The timetable of one market.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Schedule {
    windows: Vec<(Window, [f64; 3], bool)>,
}

impl Schedule {
    pub fn of(scenarios: &[ScenarioSpec], symbol: &str) -> Self {
        let row = |s: &ScenarioSpec| (s.window(), [s.liquidity_factor, s.spread_factor, s.volatility_factor], s.closed);
        Self { windows: scenarios.iter().filter(|s| s.concerns(symbol)).map(row).collect() }
    }

    pub fn at(&self, at: Nanos) -> Weather {
        let mut weather = Weather::FAIR;
        for (window, [liquidity, spread, volatility], closed) in &self.windows {
            let (on, until) = window.on(at);
            weather.until = weather.until.min(until);
            if on {
                weather.liquidity_factor *= liquidity;
                weather.spread_factor *= spread;
                weather.volatility_factor *= volatility;
                weather.closed |= closed;
            }
        }
        weather
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(from_s: f64, lasting_s: f64, every_s: f64, spread_factor: f64) -> ScenarioSpec {
        ScenarioSpec {
            name: "a bad day".to_owned(),
            from_s,
            lasting_s,
            every_s,
            symbols: Vec::new(),
            liquidity_factor: 0.5,
            spread_factor,
            volatility_factor: 1.0,
            closed: false,
            forced: None,
            informed: None,
        }
    }

    #[test]
    fn windows_overlap_repeat_and_end() {
        // Once from 10 to 30, and for 5 s at 20, 120, 220, …
        let both = [scenario(10.0, 20.0, 0.0, 2.0), scenario(20.0, 5.0, 100.0, 3.0)];
        let schedule = Schedule::of(&both, "BTCUSDT");
        let at = |s: i64| {
            let w = schedule.at(Nanos::from_s(s));
            (w.spread_factor, w.liquidity_factor, w.until.0 / 1_000_000_000)
        };
        assert_eq!(at(-5), (1.0, 1.0, 10));
        assert_eq!(at(10), (2.0, 0.5, 20));
        assert_eq!(at(24), (6.0, 0.25, 25));
        assert_eq!(at(25), (2.0, 0.5, 30));
        assert_eq!(at(30), (1.0, 1.0, 120));
        assert_eq!(at(123), (3.0, 0.5, 125));
        let window = both[1].window();
        assert_eq!(window.begins(Nanos::from_s(20)), Some(Nanos::from_s(20)));
        assert_eq!(window.begins(Nanos::from_s(21)), Some(Nanos::from_s(120)));
        assert_eq!(both[0].window().begins(Nanos::from_s(11)), None);
    }

    #[test]
    fn a_scenario_may_concern_one_symbol() {
        let one = ScenarioSpec { symbols: vec!["ETHUSDT".to_owned()], ..scenario(0.0, 9.0, 0.0, 2.0) };
        assert_eq!(Schedule::of(std::slice::from_ref(&one), "BTCUSDT"), Schedule::default());
        assert_ne!(Schedule::of(&[one], "ETHUSDT"), Schedule::default());
    }
}
