//! One function per kind: from an input and what it led to, to rows.

use std::collections::BTreeMap;
use std::io::Write;

use rust_decimal::Decimal;

use super::table::{Cell, Whose};
use super::{ExportError, Exporter};
use crate::digest::of_state;
use crate::engine::{Command, Input, Output, Stamped};
use crate::market::{Extent, FeedEventKind, Instrument, InstrumentId, MarketEvent, MarketEventKind};
use crate::order::{OrderId, OrderKind, Report, ReportKind, Request};
use crate::risk::{self, RiskLimits, RiskState};
use crate::strategy::{DriftLook, Estimator, Idle, Policy, Quote, Wanted};
use crate::units::{Lots, Side, Ticks};

/// The rules an instrument has from this input on.
pub fn new_rules(input: &Input) -> Option<(InstrumentId, &Instrument)> {
    match input {
        Input::Market(MarketEvent { instrument, kind: MarketEventKind::Rules(rules), .. }) => {
            Some((*instrument, rules))
        }
        Input::Market(_) | Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => None,
    }
}

/// Side, price and quantity of the orders that live, which reports do not repeat.
#[derive(Clone, Debug, Default)]
pub struct Orders(BTreeMap<OrderId, Terms>);

#[derive(Clone, Copy, Debug)]
struct Terms {
    side: Option<Side>,
    price: Ticks,
    qty: Lots,
}

/// State and limits in force, to say what a change changed.
#[derive(Clone, Debug)]
pub struct RiskBook {
    states: BTreeMap<risk::Whose, RiskState>,
    limits: RiskLimits,
}

impl RiskBook {
    pub fn new(limits: RiskLimits) -> Self {
        Self { states: BTreeMap::new(), limits }
    }
}

/// Who asked, and why, if both were recorded in one as `who (why)`.
fn who_and_why(by: &str) -> (&str, Option<&str>) {
    let apart = by.strip_suffix(')').and_then(|by| by.split_once(" ("));
    apart.map_or((by, None), |(who, why)| (who, Some(why)))
}

impl<W: Write + Send> Exporter<W> {
    pub(super) fn trades(&mut self, input: &Stamped) -> Result<(), ExportError> {
        let Input::Market(MarketEvent { instrument, venue_time, kind }) = &input.input else { return Ok(()) };
        let MarketEventKind::Trade { id, taker, price, qty, flags: _ } = kind else { return Ok(()) };
        let rules = self.rules(*instrument);
        let row = [
            input.seq.into(),
            input.at.0.into(),
            venue_time.map_or(Cell::Nothing, |time| time.0.into()),
            Cell::text(rules.venue.name()),
            Cell::text(&rules.symbol),
            (*id).into(),
            Cell::Decimal(rules.price_text(*price)),
            Cell::Decimal(rules.qty_text(*qty)),
            Cell::text(taker.word()),
        ];
        Ok(self.table.row(Whose::Instrument(*instrument), input.at, row)?)
    }

    pub(super) fn feed(&mut self, input: &Stamped) -> Result<(), ExportError> {
        let (whose, venue, symbol, event, detail) = match &input.input {
            Input::Feed(event) => {
                let whose = event.instrument.map_or(Whose::Venue(event.venue), Whose::Instrument);
                let symbol = event.instrument.map_or(Cell::Nothing, |id| Cell::text(&self.rules(id).symbol));
                let detail = feed_detail(&event.kind, event.generation);
                (whose, event.venue, symbol, event.kind.word(), detail)
            }
            Input::Market(event) => {
                let Some((word, detail)) = market_news(&event.kind) else { return Ok(()) };
                let rules = self.rules(event.instrument);
                (Whose::Instrument(event.instrument), rules.venue, Cell::text(&rules.symbol), word, detail)
            }
            Input::Report(_) | Input::Tick | Input::Command { .. } => return Ok(()),
        };
        let (venue, event, detail) = (Cell::text(venue.name()), Cell::text(event), Cell::text(detail));
        let row = [input.seq.into(), input.at.0.into(), venue, symbol, event, detail];
        Ok(self.table.row(whose, input.at, row)?)
    }

    pub(super) fn orders(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        for output in outputs {
            match output {
                Output::Sent(request) => self.sent(input, request)?,
                Output::Refused { request, refusal } => {
                    let terms = self.orders.terms(request);
                    self.order_row(input, request.id(), request.instrument(), terms, "refused", refusal.to_string())?;
                }
                Output::Heard(report) => self.heard(input, report)?,
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
        Ok(())
    }

    fn sent(&mut self, input: &Stamped, request: &Request) -> Result<(), ExportError> {
        let terms = self.orders.terms(request);
        let (event, reason) = match request {
            Request::Place { kind, .. } => ("sent", order_kind(*kind).to_owned()),
            Request::Cancel { .. } => ("cancel_sent", String::new()),
            Request::Replace { old, .. } => ("sent", format!("replaces {}", old.0)),
        };
        match request {
            Request::Place { id, .. } | Request::Replace { new: id, .. } => {
                self.orders.0.insert(*id, terms.expect("a placement has its terms"));
            }
            Request::Cancel { .. } => {}
        }
        self.order_row(input, request.id(), request.instrument(), terms, event, reason)
    }

    fn heard(&mut self, input: &Stamped, report: &Report) -> Result<(), ExportError> {
        let Report { id, instrument, kind, .. } = report;
        let known = self.orders.0.get(id).copied();
        let with = |qty: Lots| known.map(|terms| Terms { qty, ..terms });
        let (terms, event, reason, is_over) = match kind {
            ReportKind::Accepted { queue_ahead } => (known, "accepted", self.behind(*instrument, *queue_ahead), false),
            ReportKind::Rejected(reason) => (known, "rejected", reason.to_string(), true),
            ReportKind::Cancelled { remaining } => (with(*remaining), "cancelled", String::new(), true),
            ReportKind::CancelRejected(reason) => (known, "cancel_rejected", reason.to_string(), false),
            ReportKind::Replaced { old, remaining, queue_ahead } => {
                // Two orders: one ends, one rests.
                let ended = self.orders.0.remove(old).map(|terms| Terms { qty: *remaining, ..terms });
                self.order_row(input, *old, *instrument, ended, "cancelled", format!("replaced by {}", id.0))?;
                (known, "accepted", self.behind(*instrument, *queue_ahead), false)
            }
            ReportKind::Amended { price, remaining } => {
                let terms = known.map(|terms| Terms { price: *price, qty: *remaining, ..terms });
                self.orders.0.extend(terms.map(|terms| (*id, terms)));
                (terms, "amended", String::new(), false)
            }
            ReportKind::Filled(fill) => {
                let terms = Some(Terms { side: Some(fill.side), price: fill.price, qty: fill.qty });
                let is_over = fill.remaining == Lots::ZERO;
                let event = if is_over { "filled" } else { "partially_filled" };
                (terms, event, fill.why.word().to_owned(), is_over)
            }
        };
        if is_over {
            self.orders.0.remove(id);
        }
        self.order_row(input, *id, *instrument, terms, event, reason)
    }

    fn behind(&self, instrument: InstrumentId, ahead: Lots) -> String {
        format!("{} ahead", self.rules(instrument).qty_text(ahead))
    }

    fn order_row(
        &mut self,
        input: &Stamped,
        id: OrderId,
        instrument: InstrumentId,
        terms: Option<Terms>,
        event: &str,
        reason: String,
    ) -> Result<(), ExportError> {
        let rules = self.rules(instrument);
        let cell = |text: Option<String>| text.map_or(Cell::Nothing, Cell::Decimal);
        let row = [
            input.seq.into(),
            input.at.0.into(),
            id.0.into(),
            Cell::text(&rules.symbol),
            terms.and_then(|t| t.side).map_or(Cell::Nothing, |side| Cell::text(side.word())),
            cell(terms.map(|t| rules.price_text(t.price))),
            cell(terms.map(|t| rules.qty_text(t.qty))),
            Cell::text(event),
            Cell::Text(reason),
        ];
        Ok(self.table.row(Whose::Instrument(instrument), input.at, row)?)
    }

    pub(super) fn fills(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        for output in outputs {
            let Output::Heard(Report { id, instrument, happened, kind: ReportKind::Filled(fill) }) = output else {
                continue;
            };
            let rules = self.rules(*instrument);
            let row = [
                input.seq.into(),
                happened.0.into(),
                input.at.0.into(),
                id.0.into(),
                Cell::text(&rules.symbol),
                Cell::text(fill.side.word()),
                Cell::Decimal(rules.price_text(fill.price)),
                Cell::Decimal(rules.qty_text(fill.qty)),
                Cell::decimal(rules.in_quote(fill.fee, rules.price(2 * fill.price.0))),
                Cell::text(fill.liquidity.word()),
                Cell::text(fill.why.word()),
                Cell::Decimal(rules.qty_text(fill.queue_ahead)),
            ];
            self.table.row(Whose::Instrument(*instrument), input.at, row)?;
        }
        Ok(())
    }

    pub(super) fn decisions(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        for output in outputs {
            let Output::Decided { decision, top, position } = output else { continue };
            let (rules, why) = (self.rules(decision.instrument), &decision.why);
            let strategy = self.cast.strategies.get(decision.instrument.index()).map_or("", String::as_str);
            let (wanted, mut reason) = wanted_words(&decision.wanted);
            if strategy == Policy::NAME && why.action.is_none() && reason.is_empty() {
                reason = "glft, as the policy has drifted".to_owned();
            }
            let best = |side: Side| match &decision.wanted {
                Wanted::Quotes(quotes) => quotes.iter().find(|q| q.side == side).copied(),
                Wanted::Keep | Wanted::Nothing(_) | Wanted::Flatten => None,
            };
            let price =
                |quote: Option<Quote>| quote.map_or(Cell::Nothing, |q| Cell::Decimal(rules.price_text(q.price)));
            let qty = |quote: Option<Quote>| quote.map_or(Cell::Nothing, |q| Cell::Decimal(rules.qty_text(q.qty)));
            // Zero means that the strategy has no such term.
            let term = |value: f64| if value == 0.0 { Cell::Nothing } else { Cell::number(value) };
            let reservation = match why.reservation {
                0.0 => Cell::Nothing,
                ticks => {
                    let places = rules.tick.decimals() as usize + 4;
                    Cell::Decimal(format!("{:.places$}", ticks * rules.tick.to_f64()))
                }
            };
            let row = [
                input.seq.into(),
                input.at.0.into(),
                Cell::text(&rules.symbol),
                Cell::text(strategy),
                Cell::Decimal(mid_text(rules, top.twice_mid())),
                reservation,
                price(best(Side::Bid)),
                price(best(Side::Ask)),
                Cell::Decimal(rules.qty_text(*position)),
                qty(best(Side::Bid)),
                qty(best(Side::Ask)),
                Cell::text(wanted),
                Cell::Text(reason),
                term(why.sigma),
                term(why.a),
                term(why.k),
                term(why.gamma),
                why.action.map_or(Cell::Nothing, |[first, second]| Cell::Text(format!("{first};{second}"))),
                why.logp.map_or(Cell::Nothing, Cell::number),
            ];
            self.table.row(Whose::Instrument(decision.instrument), input.at, row)?;
        }
        Ok(())
    }

    pub(super) fn equity(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        for output in outputs {
            let Output::Equity(mark) = output else { continue };
            let rules = self.rules(mark.instrument);
            let equity = mark.realised + mark.unrealised - mark.fees - mark.funding;
            let in_quote = |amount| rules.in_quote(amount, rules.price(mark.twice_mid));
            let mid = match mark.twice_mid {
                0 => Cell::Nothing,
                twice_mid => Cell::Decimal(mid_text(rules, twice_mid)),
            };
            let row = [
                input.at.0.into(),
                Cell::decimal(in_quote(equity)),
                Cell::decimal(in_quote(mark.cash)),
                Cell::Decimal(rules.qty_text(mark.position)),
                mid,
                Cell::decimal(mark.realised),
                Cell::decimal(mark.unrealised),
                Cell::decimal(mark.fees),
                Cell::decimal(mark.funding),
                Cell::decimal(mark.drawdown),
                input.seq.into(),
                Cell::text(&rules.symbol),
                Cell::decimal(mark.spread),
                Cell::decimal(mark.inventory),
                Cell::text(rules.settle()),
            ];
            self.table.row(Whose::Instrument(mark.instrument), input.at, row)?;
        }
        Ok(())
    }

    pub(super) fn risk(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        for output in outputs {
            match output {
                Output::Risk { whose, state, reason, by } => {
                    let old = self.risk.states.insert(*whose, *state).unwrap_or_default();
                    let of = whose.label(&self.cast.instruments);
                    let cell = if of.is_empty() { Cell::Nothing } else { Cell::text(&of) };
                    let words = [cell, Cell::text(old.word()), Cell::text(state.word()), Cell::text(reason)];
                    self.risk_row(input, "state", words, who_and_why(by).0, [of, String::new()])?;
                }
                Output::Refused { request, refusal } => {
                    let code = Cell::text(refusal.code.word());
                    let words = [code, refusal.limit.into(), Cell::Nothing, refusal.value.into()];
                    let of = self.rules(request.instrument()).label();
                    self.risk_row(input, "refused", words, "gate", [of, String::new()])?;
                }
                Output::Commanded { by, command } => self.commanded(input, by, command)?,
                Output::Book { .. }
                | Output::Decided { .. }
                | Output::Sent(_)
                | Output::Heard(_)
                | Output::Equity(_)
                | Output::Funding(_)
                | Output::FundingUnknown { .. } => {}
                Output::Drift { instrument, look } => self.drift_row(input, *instrument, look)?,
            }
        }
        Ok(())
    }

    /// The index and its limit stand where limits do, what chance makes of the test where values do.
    fn drift_row(&mut self, input: &Stamped, instrument: InstrumentId, look: &DriftLook) -> Result<(), ExportError> {
        let score = &look.score;
        let p = score.mmd.map_or(Cell::Nothing, |mmd| Cell::number(mmd.p));
        let words = [Cell::text(&look.column), Cell::number(score.psi_limit), Cell::number(score.psi), p];
        let of = self.rules(instrument).label();
        let event = if score.is_tripped { "drift_off" } else { "drift_on" };
        self.risk_row(input, event, words, "policy", [of, String::new()])
    }

    fn commanded(&mut self, input: &Stamped, by: &str, command: &Command) -> Result<(), ExportError> {
        let (who, why) = who_and_why(by);
        let why = why.map_or(Cell::Nothing, Cell::text);
        let (word, value, by) = match command {
            Command::Restore(carried) => ("restore", Cell::text(&carried.from), by),
            Command::Pause => ("pause", why, who),
            Command::Resume => ("resume", why, who),
            // These have a place of their own for their reason.
            Command::Halt { reason } => ("halt", Cell::text(reason), by),
            Command::Reduce { reason } => ("reduce", Cell::text(reason), by),
            Command::Flatten => ("flatten", why, who),
            Command::Stop => ("stop", why, who),
            Command::SetLimits(limits) => {
                let old = std::mem::replace(&mut self.risk.limits, (**limits).clone());
                // Of all limits together: the rows of one change share it.
                let digest = of_state(&**limits).to_string();
                for change in old.differences(limits, &self.cast.instruments) {
                    let name = [change.key.as_str(), change.of.as_str()].join(" ").trim_end().to_owned();
                    let value = Cell::text(if change.loosens { "looser" } else { "" });
                    let words = [Cell::Text(name), Cell::Decimal(change.old), Cell::Decimal(change.new), value];
                    self.risk_row(input, "limit", words, by, [change.of, digest.clone()])?;
                }
                return Ok(());
            }
        };
        self.risk_row(input, word, [Cell::Nothing, Cell::Nothing, Cell::Nothing, value], by, Default::default())
    }

    /// * `words` — limit, old, new, value · `more` — whose, digest
    fn risk_row(
        &mut self,
        input: &Stamped,
        event: &str,
        words: [Cell; 4],
        by: &str,
        more: [String; 2],
    ) -> Result<(), ExportError> {
        let [limit, old, new, value] = words;
        let [of, digest] = more.map(|text| if text.is_empty() { Cell::Nothing } else { Cell::Text(text) });
        let event = Cell::text(event);
        let row = [input.seq.into(), input.at.0.into(), event, limit, old, new, value, Cell::text(by), of, digest];
        Ok(self.table.row(Whose::Nobody, input.at, row)?)
    }
}

impl Orders {
    /// The terms a request is about; a replacement keeps its order's side.
    fn terms(&self, request: &Request) -> Option<Terms> {
        match request {
            Request::Place { side, price, qty, .. } => Some(Terms { side: Some(*side), price: *price, qty: *qty }),
            Request::Cancel { id, .. } => self.0.get(id).copied(),
            Request::Replace { old, price, qty, .. } => {
                Some(Terms { side: self.0.get(old).and_then(|t| t.side), price: *price, qty: *qty })
            }
        }
    }
}

fn order_kind(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Limit => "limit",
        OrderKind::PostOnly => "post_only",
        OrderKind::Ioc => "ioc",
        OrderKind::Market => "market",
        OrderKind::Fok => "fok",
    }
}

fn wanted_words(wanted: &Wanted) -> (&'static str, String) {
    match wanted {
        Wanted::Quotes(_) => ("quotes", String::new()),
        Wanted::Keep => ("keep", String::new()),
        Wanted::Flatten => ("flatten", String::new()),
        Wanted::Nothing(idle) => {
            let reason = match idle {
                Idle::WarmingUp { what, have, need } => {
                    let what = match what {
                        Estimator::Volatility => "volatility",
                        Estimator::Intensity => "intensity",
                    };
                    format!("warming up, {what} {have}/{need}")
                }
                Idle::NoFiniteQuote => "no finite quote".to_owned(),
                Idle::AfterFill => "waiting after a fill".to_owned(),
            };
            ("nothing", reason)
        }
    }
}

/// Half of twice the mid: one decimal more than the tick.
fn mid_text(rules: &Instrument, twice_mid: i64) -> String {
    (rules.tick.value(twice_mid) * Decimal::new(5, 1)).to_string()
}

/// What of the market's news concerns the state of a book rather than prices. Marks are in the `funding` export.
fn market_news(kind: &MarketEventKind) -> Option<(&'static str, String)> {
    Some(match kind {
        MarketEventKind::Snapshot { seq, bids, asks, extent } => {
            let known = match extent {
                Extent::All => "complete".to_owned(),
                Extent::ToLast => "deeper levels unknown".to_owned(),
                Extent::Window(levels) => format!("the best {levels} levels a side"),
            };
            ("snapshot", format!("update {seq}, {} bids and {} asks, {known}", bids.len(), asks.len()))
        }
        MarketEventKind::Gap { expected, found } => ("gap", format!("expected update {expected}, found {found}")),
        MarketEventKind::Rules(rules) => {
            ("rules", format!("tick {}, lot {}, revision {}", rules.tick, rules.lot, rules.revision))
        }
        MarketEventKind::Status(status) => ("status", format!("{status:?}")),
        MarketEventKind::Trade { .. }
        | MarketEventKind::Delta { .. }
        | MarketEventKind::Bbo { .. }
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_) => return None,
    })
}

fn feed_detail(kind: &FeedEventKind, generation: u32) -> String {
    match kind {
        FeedEventKind::Connected => format!("connection {generation}"),
        FeedEventKind::Disconnected { reason }
        | FeedEventKind::Resync { reason }
        | FeedEventKind::Refused { reason } => reason.clone(),
        FeedEventKind::Live | FeedEventKind::ShutdownAnnounced => String::new(),
        FeedEventKind::Stale { channel, silent_ms } => format!("{channel} silent for {silent_ms} ms"),
        FeedEventKind::NoData { channel, waited_ms } => format!("{channel}: nothing came in {waited_ms} ms"),
        FeedEventKind::ChecksumMismatch { expected, found } => format!("expected {expected}, found {found}"),
        FeedEventKind::ProtocolError { detail } => detail.clone(),
        FeedEventKind::RateLimited { code, wait_ms } => format!("code {code}, silent for {wait_ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_why_come_apart_as_they_were_put_together() {
        assert_eq!(who_and_why("anna (again)"), ("anna", Some("again")));
        assert_eq!(who_and_why("anna (again (and again))"), ("anna", Some("again (and again)")));
        assert_eq!(who_and_why("account, for anna (again) in monday"), ("account, for anna (again) in monday", None));
        assert_eq!(who_and_why("risk"), ("risk", None));
    }
}
