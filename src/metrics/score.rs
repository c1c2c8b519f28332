//! Totals: what a strategy made of a list of recordings, and of how many instruments each had.
//!
//! Money of two currencies does not add up, so there is one [`Score`] per currency; positions of two assets do not
//! either, so their mean is then missing. Returns of all recordings are counted in one common period, the longest that any
//! of them needs, doubled until there are at most [`PERIODS_MAX`]: ten thousand resamples of more would tell no more.
//!
//! Recordings follow each other in the order given (of time, that is). Each begins with an account of its own, so the
//! last equity of one is where the next goes on: the curve of somebody who traded them one after the other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{Comparison, Interval, Plan, compare_groups, interval_of_groups};
use super::drawdown::Drawdown;
use super::markout::Markout;
use super::returns::{mean, pnl_to_map, sharpe, sharpe_error, sortino};
use super::selection::Track;
use super::summary::{InstrumentSummary, Summary};
use crate::units::Money;

/// Most periods that the returns of all recordings together are counted in.
pub const PERIODS_MAX: usize = 1_024;

/// A strategy's totals in one currency. Amounts in it, quantities in `asset`; `None` is "cannot be said".
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// What amounts are in; `None` if there are several, and then no amount is said.
    pub currency: Option<String>,
    /// What quantities are in; `None` if there are several.
    pub asset: Option<String>,
    /// Profit, open positions at the last mid of each recording.
    pub pnl: Option<f64>,
    /// Paid; negative is a rebate.
    pub fees: Option<f64>,
    /// How often an order of ours traded.
    pub fills: u64,
    /// Mean return by its deviation, per period of `period_s`: hftbacktest's and QuantStats' before annualisation.
    pub sharpe: Option<f64>,
    /// Standard error of that ([`sharpe_error`]).
    pub sharpe_error: Option<f64>,
    /// Mean return by its downside deviation, per period.
    pub sortino: Option<f64>,
    /// Deepest fall of the equity from a top, recordings one after the other.
    pub max_drawdown: Option<f64>,
    /// Mean absolute position over time: MAP.
    pub mean_abs_position: Option<f64>,
    /// Profit by that.
    pub pnl_to_map: Option<f64>,
    /// Share of time with a bid and an ask resting, mean over instruments.
    pub quote_uptime: Option<f64>,
    /// Where the mid went after fills, all of them together; none across currencies.
    pub markouts: Vec<Markout>,
    /// How sure profit and Sharpe ratio are.
    pub ci95: Sureness,
    /// Length of a period of returns, seconds.
    pub period_s: f64,
    /// How many.
    pub periods: usize,
    /// Bought plus sold by their prices.
    pub trading_value: Option<f64>,
}

/// Intervals of a score at 95 %: blocks of periods resampled, and recordings too if there are several
/// ([`super::bootstrap`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sureness {
    /// Of the profit.
    pub pnl: Option<Interval>,
    /// Of the Sharpe ratio per period.
    pub sharpe: Option<Interval>,
}

/// A score less another one's, both on the same recordings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each is the difference of the field of the same name in a score")]
pub struct Difference {
    pub currency: Option<String>,
    pub pnl: Option<f64>,
    pub fees: Option<f64>,
    pub fills: i64,
    pub sharpe: Option<f64>,
    pub sortino: Option<f64>,
    pub max_drawdown: Option<f64>,
    pub mean_abs_position: Option<f64>,
    pub pnl_to_map: Option<f64>,
    pub quote_uptime: Option<f64>,
    pub markouts: Vec<MarkoutDifference>,
    pub ci95: PairSureness,
}

/// Of the mean markout over fills.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MarkoutDifference {
    /// Seconds after the fill.
    pub after_s: f64,
    /// Basis points; `None` if either had no fill.
    pub mean_bps: Option<f64>,
}

/// Intervals of a paired difference at 95 %, and how likely one so large is between strategies that are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PairSureness {
    /// Of the profit.
    pub pnl: Option<Comparison>,
    /// Of the Sharpe ratio per period.
    pub sharpe: Option<Comparison>,
}

/// Returns of recordings one after the other, all per the same period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Length of a period, seconds.
    pub period_s: f64,
    /// One list per recording; it adds up to the recording's profit.
    pub recordings: Vec<Vec<f64>>,
}

impl Series {
    /// Of these recordings' instruments that settle in `currency`.
    ///
    /// What is left of a recording after its last whole period belongs to that one; a recording shorter than a period has
    /// one all the same.
    pub fn of(runs: &[&Summary], currency: &str) -> Self {
        let all = runs.iter().flat_map(|run| within(run, currency));
        let own_s = all.map(|it| it.risk.period_s).fold(0.0, f64::max);
        let mut period_s = if own_s > 0.0 { own_s } else { 1.0 };
        let count = |period_s: f64| runs.iter().map(|run| ((run.seconds / period_s) as usize).max(1)).sum::<usize>();
        // Of more recordings than that, each is a period or more whatever its length.
        while count(period_s) > PERIODS_MAX.max(runs.len()) {
            period_s *= 2.0;
        }
        let recordings = runs.iter().map(|run| returns_of(run, currency, period_s)).collect();
        Self { period_s, recordings }
    }

    /// All of them in a row.
    pub fn concat(&self) -> Vec<f64> {
        self.recordings.concat()
    }

    /// As the bootstrap takes them.
    fn groups(&self) -> Vec<&[f64]> {
        self.recordings.iter().map(Vec::as_slice).collect()
    }
}

fn within<'a>(run: &'a Summary, currency: &'a str) -> impl Iterator<Item = &'a InstrumentSummary> {
    run.instruments.iter().filter(move |it| it.currency == currency)
}

fn returns_of(run: &Summary, currency: &str, period_s: f64) -> Vec<f64> {
    let mut equity = vec![0.0];
    for it in within(run, currency) {
        // Periods double, so the one is a whole multiple of the other.
        let stride = (period_s / it.risk.period_s).round().max(1.0) as usize;
        let mut marks: Vec<f64> = it.risk.equity.iter().step_by(stride).copied().collect();
        let pnl = nearest(it.attribution.pnl);
        match marks.len() {
            0 | 1 => marks = vec![0.0, pnl],
            marked => marks[marked - 1] = pnl,
        }
        if equity.len() < marks.len() {
            equity.resize(marks.len(), 0.0);
        }
        equity.iter_mut().zip(marks).for_each(|(sum, mark)| *sum += mark);
    }
    super::returns::returns(&equity)
}

/// The float nearest to an amount: what one would type ([`Money::to_f64`] is off by a bit, and sessions depend on it).
fn nearest(amount: Money) -> f64 {
    amount.to_string().parse().expect("an amount is written as a number")
}

/// Currencies of the instruments, in the order in which they first appear.
pub fn currencies(runs: &[&Summary]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for it in runs.iter().flat_map(|run| &run.instruments) {
        if !found.contains(&it.currency) {
            found.push(it.currency.clone());
        }
    }
    found
}

impl Score {
    /// The totals of one strategy's runs, in the order of time, in one currency, and its returns.
    pub fn of(runs: &[&Summary], currency: &str, plan: &Plan) -> (Self, Series) {
        let mut score = Self::counted(&runs.iter().flat_map(|run| within(run, currency)).collect::<Vec<_>>());
        let series = Series::of(runs, currency);
        let its: Vec<(&Summary, &InstrumentSummary)> =
            runs.iter().flat_map(|run| within(run, currency).map(move |it| (*run, it))).collect();
        let total = |amount: fn(&InstrumentSummary) -> Money| nearest(its.iter().map(|(_, it)| amount(it)).sum());
        let pnl = total(|it| it.attribution.pnl);
        let returns = series.concat();
        let track = Track::of(&returns);
        let time: f64 = its.iter().map(|(run, _)| run.seconds).sum();
        let over_time =
            |of: fn(&InstrumentSummary) -> f64| its.iter().map(|(run, it)| run.seconds * of(it)).sum::<f64>();
        let length: f64 = runs.iter().map(|run| run.seconds).sum();
        score.currency = Some(currency.to_owned());
        score.pnl = Some(pnl);
        score.fees = Some(total(|it| it.attribution.fees));
        score.trading_value = Some(total(|it| it.trading.trading_value));
        score.sharpe = sharpe(&returns);
        score.sharpe_error = track.and_then(|t| sharpe_error(t.sharpe, returns.len(), t.skew, t.kurtosis));
        score.sortino = sortino(&returns);
        score.max_drawdown = Some(max_drawdown(runs, currency, &series));
        score.quote_uptime = (time > 0.0).then(|| over_time(|it| it.quoting.two_sided_uptime) / time);
        let map = over_time(|it| it.inventory.mean_absolute_position) / length;
        score.mean_abs_position = (score.asset.is_some() && length > 0.0).then_some(map);
        score.pnl_to_map = score.mean_abs_position.and_then(|map| pnl_to_map(pnl, map));
        score.period_s = series.period_s;
        score.periods = returns.len();
        score.ci95 = Sureness {
            pnl: interval_of_groups(&series.groups(), plan, sum_of(returns.len())),
            sharpe: interval_of_groups(&series.groups(), plan, sharpe),
        };
        (score, series)
    }

    /// What can be said of all currencies together: counts.
    pub fn across_currencies(runs: &[&Summary]) -> Self {
        let all: Vec<&InstrumentSummary> = runs.iter().flat_map(|run| &run.instruments).collect();
        let time: f64 = runs.iter().map(|run| run.seconds * run.instruments.len() as f64).sum();
        let each =
            runs.iter().flat_map(|run| run.instruments.iter().map(|it| run.seconds * it.quoting.two_sided_uptime));
        let up: f64 = each.sum();
        Self { markouts: Vec::new(), quote_uptime: (time > 0.0).then(|| up / time), ..Self::counted(&all) }
    }

    fn counted(its: &[&InstrumentSummary]) -> Self {
        let first = its.first().map(|it| it.asset.clone());
        let mut markouts: BTreeMap<usize, Vec<&Markout>> = BTreeMap::new();
        for it in its {
            it.markouts.iter().enumerate().for_each(|(h, markout)| markouts.entry(h).or_default().push(markout));
        }
        Self {
            asset: first.filter(|asset| its.iter().all(|it| it.asset == *asset)),
            fills: its.iter().map(|it| it.trading.num_trades).sum(),
            markouts: markouts.values().map(|of_horizon| Markout::of_all(of_horizon)).collect(),
            ..Self::default()
        }
    }
}

/// A sum of `n` periods that stays comparable when a resample has more or fewer: `n` times the mean.
fn sum_of(n: usize) -> impl Fn(&[f64]) -> Option<f64> {
    move |returns| mean(returns).map(|mean| mean * n as f64)
}

/// At the ends of periods; where there is one instrument only, also as deep as the deepest within a recording.
fn max_drawdown(runs: &[&Summary], currency: &str, series: &Series) -> f64 {
    let mut drawdown = Drawdown::default();
    let mut equity = 0.0;
    drawdown.mark(0.0, equity);
    for (at, profit) in (1..).zip(series.concat()) {
        equity += profit;
        drawdown.mark(f64::from(at), equity);
    }
    let is_single = runs.iter().all(|run| within(run, currency).count() <= 1);
    let inside = runs.iter().flat_map(|run| within(run, currency)).map(|it| nearest(it.risk.max_drawdown));
    if is_single { inside.fold(drawdown.max(), f64::max) } else { drawdown.max() }
}

impl Difference {
    /// First less second, both with their returns on the same recordings.
    pub fn of(first: (&Score, &Series), second: (&Score, &Series), plan: &Plan) -> Self {
        let ((a, returns), (b, others)) = (first, second);
        let less = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
        let periods = a.periods;
        let markout = |(a, b): (&Markout, &Markout)| MarkoutDifference {
            after_s: a.after_s,
            mean_bps: less(a.mean_bps, b.mean_bps),
        };
        let is_paired = returns.recordings.iter().map(Vec::len).eq(others.recordings.iter().map(Vec::len));
        let ci95 = if is_paired && a.currency.is_some() && a.currency == b.currency {
            PairSureness {
                pnl: compare_groups(&returns.groups(), &others.groups(), plan, sum_of(periods)),
                sharpe: compare_groups(&returns.groups(), &others.groups(), plan, sharpe),
            }
        } else {
            PairSureness::default()
        };
        Self {
            currency: a.currency.clone(),
            pnl: less(a.pnl, b.pnl),
            fees: less(a.fees, b.fees),
            fills: a.fills.cast_signed() - b.fills.cast_signed(),
            sharpe: less(a.sharpe, b.sharpe),
            sortino: less(a.sortino, b.sortino),
            max_drawdown: less(a.max_drawdown, b.max_drawdown),
            mean_abs_position: less(a.mean_abs_position, b.mean_abs_position),
            pnl_to_map: less(a.pnl_to_map, b.pnl_to_map),
            quote_uptime: less(a.quote_uptime, b.quote_uptime),
            markouts: a.markouts.iter().zip(&b.markouts).map(markout).collect(),
            ci95,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::summary::{Attribution, Inventory, Quoting, Risk, Trading};

    fn money(text: &str) -> Money {
        Money::from_decimal(text.parse().expect("a number")).expect("an amount")
    }

    /// Ends at `pnl`, with equity marks every `period_s` on the way.
    fn one(currency: &str, asset: &str, pnl: &str, period_s: f64, equity: &[f64]) -> InstrumentSummary {
        InstrumentSummary {
            instrument: format!("imported:{asset}{currency}"),
            currency: currency.to_owned(),
            asset: asset.to_owned(),
            attribution: Attribution { pnl: money(pnl), fees: money("0.5"), ..Attribution::default() },
            risk: Risk { period_s, equity: equity.to_vec(), ..Risk::default() },
            trading: Trading { num_trades: 3, trading_value: money("100"), ..Trading::default() },
            quoting: Quoting { two_sided_uptime: 0.5, ..Quoting::default() },
            inventory: Inventory { mean_absolute_position: 2.0, ..Inventory::default() },
            market: Default::default(),
            markouts: Vec::new(),
            markouts_by_imbalance: Vec::new(),
            markouts_by_waiting_time: Vec::new(),
        }
    }

    fn run(seconds: f64, instruments: Vec<InstrumentSummary>) -> Summary {
        Summary { seconds, inputs: 1, instruments }
    }

    fn plan() -> Plan {
        Plan { resamples: 50, ..Plan::default() }
    }

    #[test]
    fn two_recordings_of_different_periods_are_counted_in_the_longer() {
        // 5 s of 1 s marks 0 1 2 3 4 5 ending at 6, and 4 s of 2 s marks 0 3 1 ending at 1. In periods of 2 s: 0 2 4,
        // where the last ends at the end, so 2 and 4; and 3 and -2. Together 7.
        let (a, b) = (
            run(5.5, vec![one("USDT", "BTC", "6", 1.0, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])]),
            run(4.0, vec![one("USDT", "BTC", "1", 2.0, &[0.0, 3.0, 1.0])]),
        );
        let (score, series) = Score::of(&[&a, &b], "USDT", &plan());
        assert_eq!(series, Series { period_s: 2.0, recordings: vec![vec![2.0, 4.0], vec![3.0, -2.0]] });
        assert_eq!((score.pnl, score.fees, score.fills, score.periods), (Some(7.0), Some(1.0), 6, 4));
        // Mean 7/4; squares about it 1/16 + 81/16 + 25/16 + 225/16 = 332/16, over three.
        let expected = 1.75 / (332.0f64 / 48.0).sqrt();
        assert!((score.sharpe.expect("it varies") - expected).abs() < 1e-12);
        // From 9 to 7 at the very end.
        assert_eq!(score.max_drawdown, Some(2.0));
        assert_eq!((score.mean_abs_position, score.pnl_to_map, score.quote_uptime), (Some(2.0), Some(3.5), Some(0.5)));
        assert_eq!(score.ci95.pnl.map(|i| (i.value, i.n)), Some((7.0, 4)));
    }

    #[test]
    fn two_instruments_of_one_currency_add_up_and_of_two_do_not() {
        let both = run(
            2.0,
            vec![
                one("USDT", "BTC", "2", 1.0, &[0.0, 5.0, 2.0]),
                one("USDT", "ETH", "1", 1.0, &[0.0, -4.0, 1.0]),
                one("BTC", "USD", "0.25", 1.0, &[0.0, 0.0, 0.25]),
            ],
        );
        assert_eq!(currencies(&[&both]), ["USDT", "BTC"]);
        let (usdt, series) = Score::of(&[&both], "USDT", &plan());
        // 5 - 4 = 1, then 2 + 1 = 3: never below a top, though the bitcoin alone fell by 3.
        assert_eq!(series.recordings, [[1.0, 2.0]]);
        assert_eq!((usdt.pnl, usdt.max_drawdown, usdt.fills), (Some(3.0), Some(0.0), 6));
        assert_eq!((usdt.asset, usdt.mean_abs_position, usdt.pnl_to_map), (None, None, None));
        let (btc, _) = Score::of(&[&both], "BTC", &plan());
        assert_eq!((btc.pnl, btc.asset.as_deref()), (Some(0.25), Some("USD")));
        let all = Score::across_currencies(&[&both]);
        assert_eq!((all.pnl, all.sharpe, all.fills, all.quote_uptime), (None, None, 9, Some(0.5)));
    }

    #[test]
    fn many_periods_become_a_thousand() {
        let marks: Vec<f64> = (0..=2_000).map(f64::from).collect();
        let runs: Vec<Summary> = (0..3).map(|_| run(2_000.0, vec![one("USDT", "BTC", "2000", 1.0, &marks)])).collect();
        // 6000 s in at most 1024 periods: 8 s each, 250 of them a recording.
        let series = Series::of(&runs.iter().collect::<Vec<_>>(), "USDT");
        assert_eq!((series.period_s, series.concat().len()), (8.0, 750));
        assert_eq!(series.concat().iter().sum::<f64>(), 6_000.0);
    }

    #[test]
    fn a_difference_is_paired_by_period() {
        let of = |pnl: &str, equity: &[f64]| run(3.0, vec![one("USDT", "BTC", pnl, 1.0, equity)]);
        let (good, bad) = (of("6", &[0.0, 3.0, 2.0, 6.0]), of("3", &[0.0, 2.0, 0.0, 3.0]));
        let (a, x) = Score::of(&[&good], "USDT", &plan());
        let (b, y) = Score::of(&[&bad], "USDT", &plan());
        let less = Difference::of((&a, &x), (&b, &y), &plan());
        assert_eq!((less.pnl, less.fills, less.fees), (Some(3.0), 0, Some(0.0)));
        // One more in every period: three of them, whatever is drawn.
        let pnl = less.ci95.pnl.expect("both have profits").difference;
        assert_eq!((pnl.value, pnl.low, pnl.high), (3.0, 3.0, 3.0));
    }
}
