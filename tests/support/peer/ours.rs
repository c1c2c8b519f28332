//! The maker as a strategy of ours, over a session on disk.

use arrayvec::ArrayVec;
use papermaker::engine::{DeskSpec, Input, Output, QuotingSpec, Session, SessionSpec};
use papermaker::exchange::PaperSpec;
use papermaker::exchange::fee::Schedule;
use papermaker::exchange::habit::Habits;
use papermaker::exchange::latency::LatencySpec;
use papermaker::exchange::queue::QueueModel;
use papermaker::journal::{Reader, Store};
use papermaker::market::InstrumentId;
use papermaker::order::{ReportKind, Request};
use papermaker::risk::{BookLimits, InstrumentLimits, RiskLimits};
use papermaker::signal::SignalSpec;
use papermaker::strategy::{Decision, Quote, View, Wanted, Why};
use papermaker::units::{Lots, Money, Nanos, Rate, Side, Ticks};

use super::{ENTRY_US, FEED_US, Fill, Maker, Market, Queue, RESPONSE_US, Ran};

/// More than anything here comes to: limits are not what is compared.
const PLENTY: Lots = Lots(1_000_000);

impl Market {
    /// What a session of the maker is made of.
    pub fn spec(&self, maker: &Maker) -> SessionSpec {
        let queue = match maker.queue {
            Queue::RiskAverse => QueueModel::RiskAverse,
            Queue::Power3 => QueueModel::Power3 { n: 3.0 },
        };
        let desk = DeskSpec {
            rules: self.rules.clone(),
            paper: PaperSpec {
                latency: LatencySpec::constant(FEED_US, ENTRY_US, RESPONSE_US),
                queue,
                fees: Schedule::flat(Rate(0), Rate(0)),
                // Theirs takes orders however fast they come.
                habits: Habits { pace: None, ..Habits::of(self.rules.venue) },
            },
            signals: SignalSpec {
                volatility_grid_ms: 1_000,
                volatility_half_life_s: 60.0,
                volatility_samples_min: 10,
                intensity_window_s: 300.0,
                intensity_orders_min: 20,
                intensity_refit_s: 5.0,
                intensity_k_min: 0.00001,
                intensity_k_max: 10.0,
            },
            answers: Default::default(),
            quoting: QuotingSpec {
                decide_every: Nanos::ZERO,
                refresh_tolerance_centibps: 0,
                order_age_max: Nanos::ZERO,
            },
            strategy: Some("the maker of both".to_owned()),
        };
        let own = InstrumentLimits {
            long_max: PLENTY,
            short_max: PLENTY,
            order_qty_max: PLENTY,
            order_notional_max: Money(i128::MAX / 4),
            open_orders_max: 1_000,
            collar_centibps: 1_000_000,
            stale_book_ms: 3_600_000,
            ..InstrumentLimits::nothing()
        };
        let book = BookLimits { order_rate_max_per_s: 1_000_000, ..BookLimits::default() };
        let risk = RiskLimits { instruments: vec![own], book, ..RiskLimits::default() };
        SessionSpec { seed: 1, desks: vec![desk], risk, equity_every: Nanos::from_s(1) }
    }
}

/// Reads the session from disk and lives through it. Decides at ticks of time, as they do; between them an event costs
/// what it costs any session.
pub fn ours(store: &Store, id: &str, spec: &SessionSpec, maker: &Maker) -> Ran {
    let mut reader = store.reader(id).expect("recorded");
    let mut session = Session::new(spec);
    let (mut input, mut out, mut ran) = (Reader::blank(), Vec::new(), Ran::default());
    while reader.next_input(&mut input).expect("whole") {
        session.take_in(&input, &mut out);
        if matches!(input.input, Input::Tick)
            && let Some(due) = session.decision_due()
        {
            let decision = maker.decide(&session.view(due));
            session.carry_out(decision, &mut out);
        }
        out.drain(..).for_each(|output| ran.note(&output));
    }
    ran.fills.sort_unstable();
    ran.position = session.equity(InstrumentId(0)).position.0;
    ran
}

impl Maker {
    fn decide(&self, view: &View<'_>) -> Decision {
        let (bid, ask) = (view.top.bid.price.0, view.top.ask.price.0);
        let mut quotes = ArrayVec::new();
        for side in Side::BOTH {
            for rank in 0..self.levels {
                let price = Ticks(self.price(side, rank, bid, ask, view.position.0));
                quotes.push(Quote { side, price, qty: Lots(1) });
            }
        }
        Decision { instrument: view.instrument, wanted: Wanted::Quotes(quotes), why: Why::default() }
    }
}

impl Ran {
    fn note(&mut self, output: &Output) {
        match output {
            Output::Heard(report) => {
                if let ReportKind::Filled(fill) = &report.kind {
                    let (side, price, qty) = (fill.side, fill.price.0, fill.qty.0);
                    self.fills.push(Fill { at: report.happened.0, side, price, qty });
                }
            }
            Output::Sent(Request::Place { .. }) => self.placed += 1,
            Output::Sent(Request::Replace { .. }) => self.moved += 1,
            Output::Sent(Request::Cancel { .. }) => self.cancelled += 1,
            Output::Refused { refusal, .. } => panic!("limits are not what is compared: {refusal:?}"),
            Output::Book { .. }
            | Output::Decided { .. }
            | Output::Risk { .. }
            | Output::Commanded { .. }
            | Output::Equity(_)
            | Output::Funding(_)
            | Output::FundingUnknown { .. }
            | Output::Drift { .. } => {}
        }
    }
}
