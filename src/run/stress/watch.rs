//! What is noted of one side of a stress, input by input.

use std::collections::BTreeMap;

use serde::Serialize;

use super::oracle::{Breach, Oracle};
use crate::engine::{BookState, Command, ITSELF, LimitUse, Output, Session, Stamped};
use crate::market::InstrumentId;
use crate::order::{OrderState, ReportKind};
use crate::risk::{Limit, Reason, RiskState, Whose};
use crate::units::{LocalTime, Lots, Money, Nanos};

/// A limit that was passed, or its warning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trip {
    /// With which input of this side.
    pub seq: u64,
    /// Seconds since the shock.
    pub after_s: f64,
    /// The reason code.
    pub code: String,
    /// The whole reason: soft or not, value, limit, unit.
    pub reason: String,
    /// `VENUE:SYMBOL`, a venue, or `book`.
    pub of: String,
    /// The state its scope is in from then on: `reducing`, `halted`, or `stale` of a book that is not traded on.
    pub state: String,
}

/// The highest use of a limit since the shock, in the units of `config/risk.toml`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeakUse {
    /// Its key in the file.
    pub limit: String,
    /// `VENUE:SYMBOL`, a venue, or `book`.
    pub of: String,
    /// The reason code of who passes it.
    pub code: String,
    /// Decimal.
    pub value: String,
    /// Decimal.
    pub max: String,
    /// Of both.
    pub unit: String,
    /// `value / max`.
    pub share: f64,
    /// Seconds since the shock.
    pub after_s: f64,
}

/// The largest position of an instrument in the whole session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Held {
    /// Which.
    pub instrument: String,
    /// Without its sign, decimal.
    pub most: String,
    /// At the end, decimal.
    pub end: String,
    /// What quantities are in.
    pub unit: String,
}

/// What became of a session. Amounts are decimals in account currency; what is `_after` is since the shock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noted {
    /// Inputs, those that were put in counted, those left out not.
    pub inputs: u64,
    /// Profit of the session.
    pub pnl: String,
    /// Profit since the shock.
    pub pnl_after: String,
    /// The deepest it fell below what it stood at when the shock came.
    pub loss_after: String,
    /// Highest equity less equity, the most of it in the session.
    pub drawdown: String,
    /// What positions were worth at most, without their signs.
    pub notional: String,
    /// Per instrument.
    pub positions: Vec<Held>,
    /// Orders that traded, each time.
    pub fills_after: u64,
    /// Requests refused, by code.
    pub refused_after: BTreeMap<String, u64>,
    /// The worst state of anything since the shock.
    pub worst_state: String,
    /// The book's at the end.
    pub end_state: String,
    /// What an operator wants at the end: `paused` behind a position that was flattened.
    pub end_mode: String,
    /// Limits that were passed since the shock, first things first.
    pub trips: Vec<Trip>,
    /// Seconds from the shock to the first halt.
    pub halted_after_s: Option<f64>,
    /// Who asked for it: `risk`, or an operator of the recording; nobody if it was halted before.
    pub halted_by: Option<String>,
    /// Seconds from that halt until positions were zero, where `flatten_on_halt` brought them there.
    pub flat_after_s: Option<f64>,
    /// Seconds since the shock in which some book was not to be traded on.
    pub blind_s: f64,
    /// Inputs after which something rested, not on its way out, while halted.
    pub rested_while_halted: u64,
    /// The same while the book was not to be traded on.
    pub rested_while_blind: u64,
    /// Orders sent beyond a limit: there is to be none.
    pub breaches: Vec<Breach>,
    /// The highest use of every limit since the shock.
    pub limits: Vec<PeakUse>,
}

/// The fold.
pub struct Watch {
    /// Behind this input is after the shock.
    shock_seq: u64,
    shock_at: Option<LocalTime>,
    inputs: u64,
    equity_before: Money,
    lowest: Money,
    peak: Money,
    drawdown: Money,
    notional: Money,
    most: Vec<Lots>,
    fills: u64,
    refused: BTreeMap<String, u64>,
    worst: RiskState,
    trips: Vec<Trip>,
    halted: Option<LocalTime>,
    halted_by: Option<String>,
    flat: Option<LocalTime>,
    blind_since: Option<LocalTime>,
    blind_ns: i64,
    rested_while_halted: u64,
    rested_while_blind: u64,
    oracle: Oracle,
    peaks: BTreeMap<(Whose, Limit), (LimitUse, LocalTime)>,
    uses: Vec<LimitUse>,
}

impl Watch {
    /// Of a session shocked behind an input; 0 is from the first on.
    pub fn new(shock_seq: u64) -> Self {
        Self {
            shock_seq,
            shock_at: None,
            inputs: 0,
            equity_before: Money::ZERO,
            lowest: Money::ZERO,
            peak: Money::ZERO,
            drawdown: Money::ZERO,
            notional: Money::ZERO,
            most: Vec::new(),
            fills: 0,
            refused: BTreeMap::new(),
            worst: RiskState::Active,
            trips: Vec::new(),
            halted: None,
            halted_by: None,
            flat: None,
            blind_since: None,
            blind_ns: 0,
            rested_while_halted: 0,
            rested_while_blind: 0,
            oracle: Oracle::default(),
            peaks: BTreeMap::new(),
            uses: Vec::new(),
        }
    }

    /// After an input that made the session say `said`.
    pub fn step(&mut self, session: &Session, input: &Stamped, said: &[Output]) {
        self.inputs += 1;
        let now = session.now();
        let ids = || (0..session.len()).map(|i| InstrumentId(i as u16));
        let limits = session.limits();
        let in_account = |id: InstrumentId, quote| limits.instruments[id.index()].in_account(quote);
        let equity: Money = ids().map(|id| in_account(id, session.equity_in_quote(id))).sum();
        let notional = ids().map(|id| in_account(id, session.notional_in_quote(id).unwrap_or_default())).sum();
        self.notional = self.notional.max(notional);
        self.peak = self.peak.max(equity);
        self.drawdown = self.drawdown.max(self.peak - equity);
        self.most.resize(session.len(), Lots::ZERO);
        for id in ids() {
            let most = &mut self.most[id.index()];
            *most = (*most).max(session.equity(id).position.abs());
            let orders = session.orders(id).iter();
            if orders.clone().any(|order| order.kind.may_rest() && order.state != OrderState::Leaving) {
                self.rested_while_halted += u64::from(session.risk_state_of(id) == RiskState::Halted);
                self.rested_while_blind += u64::from(session.book_state(id) != BookState::Live);
            }
        }
        self.oracle.step(session, input, said);
        if session.seq() <= self.shock_seq {
            (self.equity_before, self.lowest) = (equity, equity);
            self.shock_at = Some(now);
            self.look_if_blind(session, now);
            return;
        }
        let since = *self.shock_at.get_or_insert(now);
        self.lowest = self.lowest.min(equity);
        self.look_if_blind(session, now);
        self.worst =
            ids().map(|id| session.risk_state_of(id)).fold(self.worst.max(session.risk_state()), RiskState::max);
        said.iter().for_each(|output| self.hear(session, output, since));
        if self.halted.is_none() && session.risk_state() == RiskState::Halted {
            self.halted = Some(now);
            self.halted_by = said.iter().find_map(|output| match output {
                Output::Risk { state: RiskState::Halted, by, .. } => Some(by.clone()),
                _ => None,
            });
        }
        self.measure(session, said);
    }

    fn hear(&mut self, session: &Session, output: &Output, since: LocalTime) {
        let now = session.now();
        match output {
            Output::Heard(report) => self.fills += u64::from(matches!(report.kind, ReportKind::Filled(_))),
            Output::Refused { refusal, .. } => *self.refused.entry(refusal.code.word().to_owned()).or_default() += 1,
            Output::Risk { whose, state, reason, by } if by == "risk" && !reason.starts_with("cleared ") => {
                self.trips.push(Trip {
                    seq: session.seq(),
                    after_s: now.since(since).seconds(),
                    code: reason.split(' ').next().unwrap_or_default().to_owned(),
                    reason: reason.clone(),
                    of: name(session, *whose),
                    state: state.word().to_owned(),
                });
            }
            // Said when positions are zero.
            Output::Commanded { by, command: Command::Pause } if by == ITSELF => {
                self.flat = self.flat.or(self.halted.map(|_| now));
            }
            // This limit's state is the book's.
            Output::Book { instrument, state: BookState::Stale } => self.note_age(session, *instrument, since),
            Output::Risk { .. }
            | Output::Commanded { .. }
            | Output::Book { .. }
            | Output::Decided { .. }
            | Output::Sent(_)
            | Output::Equity(_)
            | Output::Funding(_)
            | Output::FundingUnknown { .. }
            | Output::Drift { .. } => {}
        }
    }

    /// A book is stale, if by its age and not by the word of the feed.
    fn note_age(&mut self, session: &Session, id: InstrumentId, since: LocalTime) {
        let (age, max) = (session.news_age(id), session.limits().instruments[id.index()].stale_book_ms);
        if age <= Nanos::from_ms(i64::from(max)) {
            return;
        }
        let (limit, is_money) = (Limit::StaleBook, false);
        let reason = Reason { limit, is_soft: false, value: i128::from(age.ms()), max: i128::from(max), is_money };
        self.trips.push(Trip {
            seq: session.seq(),
            after_s: session.now().since(since).seconds(),
            code: limit.rule().code.to_owned(),
            reason: reason.to_string(),
            of: name(session, Whose::Instrument(id)),
            state: BookState::Stale.word().to_owned(),
        });
    }

    fn look_if_blind(&mut self, session: &Session, now: LocalTime) {
        let is_blind = (0..session.len()).any(|i| session.book_state(InstrumentId(i as u16)) != BookState::Live);
        let from = self.shock_at.unwrap_or(now);
        if let Some(since) = self.blind_since {
            self.blind_ns += now.since(since.max(from)).0.max(0);
        }
        self.blind_since = is_blind.then_some(now);
    }

    fn measure(&mut self, session: &Session, said: &[Output]) {
        self.uses.clear();
        session.limit_uses_into(&mut self.uses);
        session.request_uses_into(said, &mut self.uses);
        for used in self.uses.iter().filter(|used| used.value.is_some()) {
            let peak = self.peaks.entry((used.whose, used.limit)).or_insert((*used, session.now()));
            if used.share() > peak.0.share() {
                *peak = (*used, session.now());
            }
        }
    }

    /// All of it, after the last input.
    pub fn finish(self, session: &Session) -> Noted {
        let ids = (0..session.len()).map(|i| InstrumentId(i as u16));
        let limits = session.limits();
        let quote = |id: InstrumentId| limits.instruments[id.index()].in_account(session.equity_in_quote(id));
        let equity: Money = ids.clone().map(quote).sum();
        let since = self.shock_at.unwrap_or_else(|| session.now());
        let held = |id: InstrumentId| {
            let rules = session.rules(id);
            Held {
                instrument: rules.label(),
                most: rules.qty_text(self.most.get(id.index()).copied().unwrap_or_default()),
                end: rules.qty_text(session.equity(id).position),
                unit: rules.quantity_asset().to_owned(),
            }
        };
        let peak = |(used, at): &(LimitUse, LocalTime)| {
            let rules = match used.whose {
                Whose::Instrument(id) => Some(session.rules(id)),
                Whose::Venue(_) | Whose::Book => None,
            };
            PeakUse {
                limit: used.key(rules),
                of: name(session, used.whose),
                code: used.limit.rule().code.to_owned(),
                value: used.in_file_units(used.value.unwrap_or_default(), rules),
                max: used.in_file_units(used.max, rules),
                unit: used.unit(rules).to_owned(),
                share: used.share(),
                after_s: at.since(since).seconds(),
            }
        };
        Noted {
            inputs: self.inputs,
            pnl: equity.to_string(),
            pnl_after: (equity - self.equity_before).to_string(),
            loss_after: (self.equity_before - self.lowest).to_string(),
            drawdown: self.drawdown.to_string(),
            notional: self.notional.to_string(),
            positions: ids.map(held).collect(),
            fills_after: self.fills,
            refused_after: self.refused,
            worst_state: self.worst.word().to_owned(),
            end_state: session.risk_state().word().to_owned(),
            end_mode: session.mode().word().to_owned(),
            halted_after_s: self.halted.map(|at| at.since(since).seconds()),
            halted_by: self.halted_by,
            flat_after_s: self.flat.zip(self.halted).map(|(flat, halted)| flat.since(halted).seconds()),
            trips: self.trips,
            blind_s: self.blind_ns as f64 * 1e-9,
            rested_while_halted: self.rested_while_halted,
            rested_while_blind: self.rested_while_blind,
            breaches: self.oracle.into_breaches(),
            limits: self.peaks.values().map(peak).collect(),
        }
    }
}

fn name(session: &Session, whose: Whose) -> String {
    match whose {
        Whose::Instrument(id) => session.rules(id).label(),
        Whose::Venue(venue) => venue.name().to_owned(),
        Whose::Book => "book".to_owned(),
    }
}
