//! One instrument of a session, and everything that is measured of it.

use super::bootstrap::{Plan, interval};
use super::curve::Curve;
use super::drawdown::Drawdown;
use super::markout::{Circumstances, Markouts};
use super::quotes::Quotes;
use super::returns::{cvar, mean, nd_pnl, pnl_to_map, returns, sharpe, sharpe_error, sortino, win_rate};
use super::selection::Track;
use super::sight::Sight;
use super::sketch::Dwell;
use super::summary::{Attribution, InstrumentSummary, Inventory, Market, Risk, seconds};
use crate::engine::{BookState, Carried, EquityMark, Output};
use crate::market::{Instrument, InstrumentId, MarketEvent};
use crate::order::{Liquidity, Report, ReportKind};
use crate::portfolio::Ledger;
use crate::units::{LocalTime, Money, Nanos, Ticks};

/// Books, orders, fills and time of one instrument.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub sight: Sight,
    ledger: Ledger,
    markouts: Markouts,
    quotes: Quotes,
    position: Dwell,
    curve: Curve,
    drawdown: Drawdown<Money, Nanos>,
    /// Twice the mid of the last mark, ticks.
    marked: Option<i64>,
    /// Time in each state of the book.
    states: Vec<(BookState, Nanos)>,
    interruptions: u64,
    /// `∫ spread dt` in tick-nanoseconds over the live time, and that time.
    spread_time: (i128, Nanos),
    unexplained: Money,
    funding_unknown: u64,
}

impl Desk {
    pub fn new(rules: Instrument, sample_every: Nanos) -> Self {
        Self {
            sight: Sight::new(rules),
            ledger: Ledger::default(),
            markouts: Markouts::default(),
            quotes: Quotes::default(),
            position: Dwell::default(),
            curve: Curve::new(sample_every),
            drawdown: Drawdown::default(),
            marked: None,
            states: Vec::new(),
            interruptions: 0,
            spread_time: (0, Nanos::ZERO),
            unexplained: Money::ZERO,
            funding_unknown: 0,
        }
    }

    /// Everything stayed as it is for so long, until so long after the start.
    pub fn pass(&mut self, time: Nanos, elapsed: Nanos) {
        self.curve.until(elapsed, self.ledger.equity().to_f64());
        if time == Nanos::ZERO {
            return;
        }
        let state = self.sight.state;
        match self.states.iter_mut().find(|(of, _)| *of == state) {
            Some((_, so_far)) => *so_far += time,
            None => self.states.push((state, time)),
        }
        if let Some(top) = self.sight.live_top() {
            self.spread_time.0 += i128::from(top.spread().0) * i128::from(time.0);
            self.spread_time.1 += time;
        }
        self.quotes.pass(time);
        self.position.change(Some(self.held()));
        self.position.pass(time);
    }

    /// The books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Twice the mid that the position was last marked at, ticks.
    pub fn marked(&self) -> Option<i64> {
        self.marked
    }

    /// Our best resting bid and ask, as we know it.
    pub fn best(&self) -> [Option<Ticks>; 2] {
        self.quotes.best()
    }

    /// Signed, in the asset.
    pub fn held(&self) -> f64 {
        self.ledger.position().0 as f64 * self.sight.rules.lot.to_f64()
    }

    /// The account goes on where another session left it.
    pub fn restore(&mut self, carried: &Carried, id: InstrumentId) {
        if let (Some(position), Some(cost)) = (carried.positions.get(id.index()), carried.costs.get(id.index())) {
            self.ledger = Ledger::carried(*position, *cost);
        }
    }

    /// The venue's word on an order, heard while everything else was as it is.
    pub fn hear(&mut self, report: &Report) {
        let waited = self.quotes.waited(report.id, report.happened);
        let rules = &self.sight.rules;
        self.quotes.hear(rules, report);
        if let ReportKind::Filled(fill) = &report.kind {
            self.ledger.fill(rules, fill);
            // The ledger takes a fill before the first mark as its mark: no spread was earned.
            let mark = *self.marked.get_or_insert(2 * fill.price.0);
            let imbalance = self.sight.live_top().map(|top| top.imbalance() * fill.side.sign() as f64);
            let waited = waited.filter(|_| fill.liquidity == Liquidity::Maker);
            self.markouts.fill(rules, fill, report.happened, mark, Circumstances { imbalance, waited });
        }
    }

    /// News of the market.
    pub fn learn(&mut self, event: &MarketEvent) {
        let held = self.ledger.position();
        if let Some(new) = self.sight.hear(event, held) {
            self.markouts.lose();
            self.marked = None;
            if let Some(ratio) = new.lot_ratio {
                self.ledger.split_lots(ratio);
            }
        }
    }

    /// What the session said of this instrument, reports and equity aside.
    pub fn take(&mut self, output: &Output) {
        match output {
            Output::Book { state, .. } => {
                if self.sight.state == BookState::Live {
                    self.interruptions += 1;
                }
                self.sight.state = *state;
            }
            Output::Sent(request) => self.quotes.send(request),
            Output::Refused { refusal, .. } => self.quotes.refuse(refusal.code.word()),
            Output::Funding(payment) => self.ledger.fund(payment.amount),
            Output::FundingUnknown { payments, .. } => self.funding_unknown += u64::from(*payments),
            Output::Heard(_)
            | Output::Equity(_)
            | Output::Decided { .. }
            | Output::Risk { .. }
            | Output::Commanded { .. }
            | Output::Drift { .. } => {}
        }
    }

    /// All that an input brought is known: what are we worth?
    pub fn mark(&mut self, now: LocalTime, elapsed: Nanos) {
        let twice_mid = self.sight.live_top().map(|top| top.twice_mid());
        if let Some(mid) = twice_mid {
            self.ledger.mark(&self.sight.rules, mid);
            self.marked = Some(mid);
        }
        self.markouts.mid(&self.sight.rules, now, twice_mid);
        self.drawdown.mark(elapsed, self.ledger.equity());
    }

    /// What the session made of the same moment.
    pub fn compare(&mut self, said: &EquityMark) {
        let ours = [self.ledger.spread(), self.ledger.inventory(), self.ledger.fees(), self.ledger.funding()];
        let theirs = [said.spread, said.inventory, said.fees, said.funding];
        let apart: Money = ours.into_iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).sum();
        self.unexplained = self.unexplained.max(apart);
    }

    /// The end, so long after the start.
    pub fn summary(mut self, elapsed: Nanos, plan: &Plan) -> InstrumentSummary {
        self.markouts.lose();
        let attribution = self.attribution();
        let pnl = attribution.pnl.to_f64();
        let rules = &self.sight.rules;
        let half_spread = (self.spread_time.1 > Nanos::ZERO)
            .then(|| 0.5 * self.spread_time.0 as f64 / self.spread_time.1.0 as f64 * rules.tick.to_f64());
        let (position, risk) = (self.held(), self.risk(plan));
        let (held, mean_absolute_position) = self.position.settled();
        InstrumentSummary {
            instrument: rules.label(),
            currency: rules.settle().to_owned(),
            asset: rules.quantity_asset().to_owned(),
            attribution,
            risk,
            trading: self.quotes.trading(attribution.pnl),
            quoting: self.quotes.quoting(elapsed),
            inventory: Inventory {
                position,
                distribution: held.quantiles(),
                mean_absolute_position,
                max_absolute_position: held.max_abs(),
                max_long: held.high(),
                max_short: 0.0 - held.low(),
                pnl_to_map: pnl_to_map(pnl, mean_absolute_position),
            },
            market: Market {
                half_spread,
                nd_pnl: half_spread.and_then(|half| nd_pnl(pnl, half)),
                seconds: self.states.iter().map(|(state, time)| (state.word(), seconds(*time))).collect(),
                interruptions: self.interruptions,
            },
            markouts: self.markouts.summary(),
            markouts_by_imbalance: self.markouts.by_imbalance(),
            markouts_by_waiting_time: self.markouts.by_waiting_time(),
        }
    }

    fn attribution(&self) -> Attribution {
        let ledger = &self.ledger;
        let (spread, inventory, fees, funding) = (ledger.spread(), ledger.inventory(), ledger.fees(), ledger.funding());
        let pnl = ledger.equity();
        Attribution {
            pnl,
            spread,
            inventory,
            fees,
            funding,
            residual: pnl - (spread + inventory - fees - funding),
            unexplained: self.unexplained,
            funding_unknown: self.funding_unknown,
        }
    }

    fn risk(&self, plan: &Plan) -> Risk {
        let returns = returns(self.curve.points());
        let track = Track::of(&returns);
        Risk {
            period_s: seconds(self.curve.every()),
            mean: interval(&returns, plan, mean),
            sharpe: interval(&returns, plan, sharpe),
            sharpe_error: track.and_then(|t| sharpe_error(t.sharpe, returns.len(), t.skew, t.kurtosis)),
            probabilistic_sharpe: track.map(|t| t.probabilistic_sharpe(0.0)),
            sortino: sortino(&returns),
            win_rate: win_rate(&returns),
            cvar: cvar(&returns, 0.05),
            max_drawdown: self.drawdown.max(),
            longest_drawdown_s: seconds(self.drawdown.longest()),
            equity: self.curve.points().to_vec(),
        }
    }
}
