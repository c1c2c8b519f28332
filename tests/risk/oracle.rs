//! What limits mean, said once more by somebody who has never seen the gate.
//!
//! Everything is counted from outputs: orders from what was sent and heard, positions and fees from fills, losses from a
//! list of equities. Sums are made anew after every input, in floating point where that is simpler; where the engine
//! rounds, so much room is left, and no more. Of the session itself only the market's side is asked (best prices, the
//! volatility estimate, what positions are worth).
//!
//! Not said here, but in stories of their own: markouts, the age of news and clock skew.

use std::collections::{BTreeMap, VecDeque};

use papermaker::engine::{BookState, Command, Input, Output, Session, Stamped};
use papermaker::market::{Instrument, InstrumentId, Kind, MarketEventKind, VenueId};
use papermaker::order::{OrderId, OrderKind, OrderState, ReportKind, Request};
use papermaker::portfolio::Balance;
use papermaker::risk::{RiskLimits, RiskState};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Side};

/// Where we are, for whom reads of a failure.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub seed: u64,
    pub n: usize,
    pub input: &'a Input,
    pub request: Option<&'a Request>,
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}, input {}: {:?}", self.seed, self.n, self.input)?;
        self.request.map_or(Ok(()), |request| write!(f, ": {request:?}"))
    }
}

/// An order as we know it.
#[derive(Clone, Debug)]
struct Known {
    instrument: InstrumentId,
    side: Side,
    price: i64,
    remaining: i64,
    rests: bool,
    leaving: bool,
}

/// Gross and net, every order of the worse side filled.
type AtStake = (f64, f64);

pub struct Oracle {
    limits: RiskLimits,
    orders: BTreeMap<OrderId, Known>,
    positions: Vec<i64>,
    fees: Vec<Money>,
    worst: Vec<[i64; 2]>,
    news: Vec<LocalTime>,
    held_since: Vec<(i64, LocalTime)>,
    priced: Vec<bool>,
    asked: RiskState,
    sent: VecDeque<LocalTime>,
    cancelled: VecDeque<LocalTime>,
    losses: Losses,
    begun: bool,
    /// Trades seen.
    pub fills: u64,
}

/// Equity over time, in account currency, as floating point.
#[derive(Clone, Debug, Default)]
struct Losses {
    settled: f64,
    origin: Option<f64>,
    /// Restored with positions: what this session has lost cannot be told from what was lost before.
    knows_session: bool,
    /// The day's number, equity and fees at its beginning; those are of this session.
    day: Option<(i64, f64, f64)>,
    fees_carried: f64,
    peak: f64,
    minutes: Vec<(i64, f64)>,
    last: Option<(f64, f64)>,
}

const CENT: f64 = 0.01;

fn quote(money: Money) -> f64 {
    money.0 as f64 / Money::PER_QUOTE as f64
}

/// What so many lots are worth at a price in ticks, in quote currency.
fn notional(rules: &Instrument, price: i64, lots: i64) -> f64 {
    let number = |step: &papermaker::units::Step| step.to_string().parse::<f64>().expect("a number");
    match rules.contract.kind {
        Kind::Spot | Kind::Linear => price as f64 * number(&rules.tick) * lots as f64 * number(&rules.lot),
        Kind::Inverse => lots as f64 * number(&rules.lot),
    }
}

impl Oracle {
    pub fn new(limits: &RiskLimits, count: usize) -> Self {
        Self {
            limits: limits.clone(),
            orders: BTreeMap::new(),
            positions: vec![0; count],
            fees: vec![Money::ZERO; count],
            worst: vec![[0; 2]; count],
            news: vec![LocalTime(0); count],
            held_since: vec![(0, LocalTime(0)); count],
            priced: vec![false; count],
            asked: RiskState::Active,
            sent: VecDeque::new(),
            cancelled: VecDeque::new(),
            losses: Losses { peak: f64::MIN, knows_session: true, ..Losses::default() },
            begun: false,
            fills: 0,
        }
    }

    /// The session was killed and another goes on: nothing rests, the rest is as it was.
    pub fn killed(&mut self, session: &Session) {
        self.orders.clear();
        self.begun = false;
        self.sent.clear();
        self.cancelled.clear();
        let fees = self.day_fees();
        let settled = |i: usize| {
            let mark = session.equity(InstrumentId(i as u16));
            quote(self.limits.instruments[i].in_account(mark.realised - mark.fees - mark.funding))
        };
        self.losses.settled += (0..self.positions.len()).map(settled).sum::<f64>();
        self.losses.fees_carried = fees;
        self.losses.knows_session = self.positions.iter().all(|position| *position == 0);
        (self.losses.origin, self.losses.last) = (None, None);
        if let Some(day) = &mut self.losses.day {
            day.2 = 0.0;
        }
        self.fees.fill(Money::ZERO);
        self.priced.fill(false);
        self.worst.fill([i64::MAX; 2]);
    }

    fn ids(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        (0..self.positions.len() as u16).map(InstrumentId)
    }

    /// Everything that must hold after one input.
    pub fn check(&mut self, session: &Session, input: &Stamped, said: &[Output], at: &At<'_>) {
        let now = session.now();
        let is_new_rules = matches!(&input.input, Input::Market(e) if matches!(e.kind, MarketEventKind::Rules(_)));
        self.hear_input(session, &input.input, now);
        for output in said {
            self.hear(session, output, now, is_new_rules, at);
        }
        if is_new_rules {
            self.recount(session);
        }
        let has_new_limits = matches!(&input.input, Input::Command { command: Command::SetLimits(_), .. });
        assert_eq!(&self.limits, session.limits(), "{at}: limits in force");
        for id in self.ids() {
            self.check_orders(session, id, is_new_rules, has_new_limits, at);
            self.check_instrument(session, id, &input.input, at);
        }
        self.check_exposure(session, at);
        let marks = matches!(input.input, Input::Tick | Input::Command { .. });
        self.check_losses(session, marks, at);
        assert!(session.risk_state() >= self.asked, "{at}: {:?} was asked for", self.asked);
    }

    fn hear_input(&mut self, session: &Session, input: &Input, now: LocalTime) {
        if !self.begun {
            self.begun = true;
            self.news.fill(now);
        }
        match input {
            Input::Market(event) => {
                if !matches!(event.kind, MarketEventKind::Mark(_) | MarketEventKind::Order(_)) {
                    self.news[event.instrument.index()] = now;
                }
            }
            Input::Command { command, .. } => match command {
                Command::SetLimits(limits) => {
                    self.limits = (**limits).clone();
                    self.sent.clear();
                    self.cancelled.clear();
                }
                Command::Halt { .. } => self.asked = RiskState::Halted,
                Command::Reduce { .. } => self.asked = self.asked.max(RiskState::Reducing),
                // Whether that was granted is seen by the state; the worst that it could mean is that nothing is asked.
                Command::Resume if session.risk_state() != RiskState::Halted => self.asked = RiskState::Active,
                Command::Restore(_) | Command::Resume | Command::Pause | Command::Flatten | Command::Stop => {}
            },
            Input::Feed(_) | Input::Report(_) | Input::Tick => {}
        }
    }

    /// A lot has become another: numbers of the old one are counted anew.
    fn recount(&mut self, session: &Session) {
        self.limits = session.limits().clone();
        for id in self.ids() {
            self.positions[id.index()] = session.equity(id).position.0;
            for order in session.orders(id) {
                let known = self.orders.get_mut(&order.id).expect("an order that was sent");
                known.remaining = order.remaining.0;
            }
        }
    }

    fn open(&self, id: InstrumentId, side: Side) -> i64 {
        self.orders.values().filter(|o| o.instrument == id && o.side == side).map(|o| o.remaining).sum()
    }

    /// As [`Oracle::open`], without what closes a position across the spread.
    fn resting(&self, id: InstrumentId, side: Side) -> i64 {
        let such = self.orders.values().filter(|o| o.instrument == id && o.side == side && o.rests);
        such.map(|o| o.remaining).sum()
    }

    fn hear(&mut self, session: &Session, output: &Output, now: LocalTime, is_new_rules: bool, at: &At<'_>) {
        match output {
            Output::Sent(request) => self.hear_request(session, request, now, at),
            Output::Heard(report) => {
                let id = report.instrument;
                match &report.kind {
                    ReportKind::Filled(fill) => {
                        self.fills += 1;
                        let position = &mut self.positions[id.index()];
                        *position += fill.side.sign() * fill.qty.0;
                        let sign = position.signum();
                        if sign != self.held_since[id.index()].0 {
                            self.held_since[id.index()] = (sign, now);
                        }
                        self.fees[id.index()] += fill.fee;
                        let order = self.orders.get_mut(&report.id).expect("a fill of an order that was sent");
                        order.remaining -= fill.qty.0;
                        assert!(is_new_rules || order.remaining == fill.remaining.0, "{at}: {fill:?}");
                        if order.remaining == 0 {
                            self.orders.remove(&report.id);
                        }
                    }
                    ReportKind::Cancelled { .. } | ReportKind::Rejected(_) => {
                        self.orders.remove(&report.id);
                    }
                    ReportKind::Replaced { old, .. } => {
                        self.orders.remove(old);
                    }
                    ReportKind::CancelRejected(_) => {
                        if let Some(order) = self.orders.get_mut(&report.id) {
                            order.leaving = false;
                        }
                    }
                    ReportKind::Amended { price, remaining } => {
                        let order = self.orders.get_mut(&report.id).expect("an order that was sent");
                        (order.price, order.remaining) = (price.0, remaining.0);
                    }
                    ReportKind::Accepted { .. } => {}
                }
            }
            Output::Book { .. }
            | Output::Decided { .. }
            | Output::Refused { .. }
            | Output::Risk { .. }
            | Output::Commanded { .. }
            | Output::Equity(_)
            | Output::Funding(_)
            | Output::FundingUnknown { .. }
            | Output::Drift { .. } => {}
        }
    }

    fn hear_request(&mut self, session: &Session, request: &Request, now: LocalTime, at: &At<'_>) {
        let (old, new, price, qty, kind, side) = match *request {
            Request::Cancel { id, .. } => {
                self.cancelled.push_back(now);
                self.orders.get_mut(&id).expect("an order that was sent").leaving = true;
                return;
            }
            Request::Place { id, side, price, qty, kind, .. } => (None, id, price.0, qty.0, kind, side),
            Request::Replace { old, new, price, qty, .. } => {
                let side = self.orders[&old].side;
                (Some(old), new, price.0, qty.0, OrderKind::PostOnly, side)
            }
        };
        let id = request.instrument();
        self.judge(session, id, (old, price, qty, kind, side), now, &At { request: Some(request), ..*at });
        if let Some(old) = old {
            self.orders.get_mut(&old).expect("an order that was sent").leaving = true;
            self.cancelled.push_back(now);
        }
        self.sent.push_back(now);
        let rests = kind.may_rest();
        self.orders.insert(new, Known { instrument: id, side, price, remaining: qty, rests, leaving: false });
    }

    /// One order on its way, against every limit on orders.
    fn judge(
        &self,
        session: &Session,
        id: InstrumentId,
        (old, price, qty, kind, side): (Option<OrderId>, i64, i64, OrderKind, Side),
        now: LocalTime,
        at: &At<'_>,
    ) {
        let (own, rules) = (&self.limits.instruments[id.index()], session.rules(id));
        assert_eq!(session.book_state(id), BookState::Live, "{at}: on a book not to be trusted");
        let top = session.top(id).expect("a live book has one");
        assert!(now.since(self.news[id.index()]).0 <= i64::from(own.stale_book_ms) * 1_000_000, "{at}: on old news");
        assert!(qty > 0 && qty <= own.order_qty_max.0, "{at}: at most {:?}", own.order_qty_max);
        let worth = notional(rules, price, qty);
        assert!(worth <= quote(own.order_notional_max) + CENT / 10.0, "{at}: worth {worth}");
        let position = self.positions[id.index()] * side.sign();
        let worst = position + self.open(id, side) + qty;
        assert!(worst <= own.position_max(side).0, "{at}: {worst} could be held, {:?}", own.position_max(side));
        let alive = self.orders.iter().filter(|(n, o)| o.instrument == id && Some(**n) != old).count() + 1;
        assert!(alive <= own.open_orders_max as usize, "{at}: {alive} open");
        // In hundredths of a basis point, cut towards zero.
        let parts = |twice: i64| (i128::from(twice) * 1_000_000 / i128::from(top.twice_mid())) as i64;
        assert!(parts(2 * price - top.twice_mid()).abs() <= i64::from(own.collar_centibps), "{at}: beyond the collar");
        if kind.may_rest() && own.spread_min_centibps > 0 {
            for (n, other) in &self.orders {
                if other.instrument == id && other.rests && other.side != side && Some(*n) != old {
                    let apart = parts(2 * side.sign() * (other.price - price));
                    assert!(apart >= i64::from(own.spread_min_centibps), "{at}: {apart} from {other:?}");
                }
            }
        }
        let reducible = (-position - self.open(id, side)).max(0);
        match session.risk_state_of(id) {
            RiskState::Active => {}
            RiskState::Reducing => assert!(qty <= reducible, "{at}: while reducing {position}"),
            RiskState::Halted => assert!(qty <= reducible && !kind.may_rest(), "{at}: while halted"),
        }
        // Of a hedged book no leg could ever be closed if each had to keep the net within its limit.
        let closes = !kind.may_rest() && qty <= reducible;
        if !closes {
            self.judge_exposure(session, id, side, qty, at);
        }
        let seconds = |then: &LocalTime| now.since(*then).seconds();
        let rate = f64::from(self.limits.book.order_rate_max_per_s);
        for (count, then) in (2..).zip(self.sent.iter().rev()).take_while(|(_, then)| seconds(then) < 3.0) {
            let most = rate * (1.0 + seconds(then)) + 1e-6;
            assert!(f64::from(count) <= most, "{at}: {count} orders in {} s", seconds(then));
        }
        if let Some(rate) = self.limits.book.cancel_rate_max_per_s.map(f64::from) {
            for (count, then) in (2..).zip(self.cancelled.iter().rev()).take_while(|(_, then)| seconds(then) < 1.0) {
                let most = rate * (1.0 + seconds(then)) + 1e-6;
                assert!(f64::from(count) <= most, "{at}: after {count} cancellations in {} s", seconds(then));
            }
        }
    }

    fn at_stake(
        &self,
        session: &Session,
        of: Option<VenueId>,
        more: Option<(InstrumentId, Side, i64)>,
    ) -> Option<AtStake> {
        let (mut gross, mut sides) = (0.0, [0.0, 0.0]);
        for id in self.ids() {
            let rules = session.rules(id);
            if of.is_some_and(|venue| venue != rules.venue) {
                continue;
            }
            let mid = session.top(id)?.twice_mid() / 2;
            let rate = self.limits.instruments[id.index()].account_rate_ppm as f64 / 1e6;
            let worst = Side::BOTH.map(|side| {
                let added = more.filter(|(n, s, _)| *n == id && *s == side).map_or(0, |(_, _, qty)| qty);
                let lots = self.positions[id.index()] + side.sign() * (self.resting(id, side) + added);
                notional(rules, mid, lots) * rate
            });
            gross += worst[0].abs().max(worst[1].abs());
            sides = [sides[0] + worst[0], sides[1] + worst[1]];
        }
        Some((gross, sides[0].abs().max(sides[1].abs())))
    }

    /// Each limit on exposure: whose, the largest gross and net.
    fn scopes(&self) -> Vec<(Option<VenueId>, [Option<f64>; 2])> {
        let venues = self.limits.venues.iter().map(|(venue, own)| (Some(*venue), *own));
        let all = venues.chain([(None, self.limits.book.exposure)]);
        all.map(|(whose, own)| (whose, [own.gross_max.map(quote), own.net_max.map(quote)])).collect()
    }

    fn judge_exposure(&self, session: &Session, id: InstrumentId, side: Side, qty: i64, at: &At<'_>) {
        let venue = session.rules(id).venue;
        for (whose, max) in self.scopes() {
            if whose.is_some_and(|whose| whose != venue) || max == [None, None] {
                continue;
            }
            let more = Some((id, side, qty));
            let both = self.at_stake(session, whose, None).zip(self.at_stake(session, whose, more));
            let Some((before, after)) = both else { continue };
            for (max, before, after) in [(max[0], before.0, after.0), (max[1], before.1, after.1)] {
                let is_fine = max.is_none_or(|max| after <= max + CENT || after <= before + CENT);
                assert!(is_fine, "{at}: {whose:?}: {after} at stake, {before} before, {max:?} allowed");
            }
        }
    }

    fn check_orders(
        &mut self,
        session: &Session,
        id: InstrumentId,
        is_new_rules: bool,
        has_new_limits: bool,
        at: &At<'_>,
    ) {
        let own = &self.limits.instruments[id.index()];
        assert_eq!(session.equity(id).position, Lots(self.positions[id.index()]), "{at}: {id:?} by its fills");
        assert_eq!(session.balance(id), Balance { base: Lots::ZERO, quote: Money::ZERO }, "{at}");
        let theirs: Vec<_> = session.orders(id).iter().map(|o| (o.id, o.remaining.0)).collect();
        let mut ours: Vec<_> =
            self.orders.iter().filter(|(_, o)| o.instrument == id).map(|(n, o)| (*n, o.remaining)).collect();
        ours.sort_unstable();
        let mut sorted = theirs;
        sorted.sort_unstable();
        assert_eq!(sorted, ours, "{at}: orders of {id:?} by what was sent and heard");
        let stays: Vec<_> = session
            .orders(id)
            .iter()
            .filter(|o| o.kind.may_rest() && matches!(o.state, OrderState::Pending | OrderState::Working))
            .collect();
        let state = session.risk_state_of(id);
        let may_rest = state != RiskState::Halted && session.book_state(id) == BookState::Live;
        assert!(may_rest || stays.is_empty(), "{at}: {stays:?} rests while {state:?}, {:?}", session.book_state(id));
        for side in Side::BOTH {
            let held = self.positions[id.index()] * side.sign();
            let worst = held + self.open(id, side);
            let max = own.position_max(side).0;
            let before = self.worst[id.index()][side as usize];
            assert!(is_new_rules || worst <= max.max(before), "{at}: {worst} {side:?} of {id:?}, {max} allowed");
            self.worst[id.index()][side as usize] = worst;
            let staying: i64 = stays.iter().filter(|o| o.side == side).map(|o| o.remaining.0).sum();
            assert!(staying == 0 || worst <= max, "{at}: {staying} {side:?} of {id:?} stay, {worst} of {max} possible");
            if state == RiskState::Reducing {
                assert!(staying <= (-held).max(0), "{at}: {staying} {side:?} while reducing {held}");
            }
        }
        if !has_new_limits {
            return;
        }
        assert!(stays.len() <= own.open_orders_max as usize, "{at}: {} stay", stays.len());
        let Some(top) = session.top(id) else { return };
        let parts = |twice: i64| (i128::from(twice) * 1_000_000 / i128::from(top.twice_mid())) as i64;
        for order in &stays {
            let worth = notional(session.rules(id), order.price.0, order.remaining.0);
            let is_fine = order.remaining <= own.order_qty_max
                && worth <= quote(own.order_notional_max) + CENT / 10.0
                && parts(2 * order.price.0 - top.twice_mid()).abs() <= i64::from(own.collar_centibps);
            assert!(is_fine, "{at}: {order:?} could not be sent any more");
            for other in stays.iter().filter(|o| order.side == Side::Bid && o.side == Side::Ask) {
                let apart = parts(2 * (other.price.0 - order.price.0));
                assert!(apart >= i64::from(own.spread_min_centibps), "{at}: {order:?} and {other:?}");
            }
        }
    }

    fn check_instrument(&self, session: &Session, id: InstrumentId, input: &Input, at: &At<'_>) {
        let own = &self.limits.instruments[id.index()];
        match input {
            Input::Market(event) if event.instrument == id => {}
            Input::Tick | Input::Command { .. } => {}
            Input::Market(_) | Input::Feed(_) | Input::Report(_) => return,
        }
        let state = session.risk_state_of(id);
        let (sign, since) = self.held_since[id.index()];
        let age = session.now().since(since).0 / 1_000_000_000;
        if let (Some(max), true) = (own.inventory_age_max, sign != 0) {
            let most = max.0 / 1_000_000_000;
            assert!(age <= most || state >= RiskState::Reducing, "{at}: {id:?} held for {age} s of {most}");
        }
        let sigma = session.signals(id).volatility().ready();
        if let (Some(max), Some(sigma), Some(top)) = (own.volatility_max_centibps, sigma, session.top(id)) {
            let found = sigma / (top.twice_mid() as f64 / 2.0) * 1e6;
            let is_fine = found < f64::from(max) + 1.0 || state >= RiskState::Reducing;
            assert!(is_fine, "{at}: {id:?} moves by {found} of {max}");
        }
    }

    /// Prices may have carried us beyond: the same input is answered.
    fn check_exposure(&self, session: &Session, at: &At<'_>) {
        for (whose, max) in self.scopes() {
            let Some((gross, net)) = self.at_stake(session, whose, None) else { continue };
            let is_beyond = max[0].is_some_and(|max| gross > max + CENT) || max[1].is_some_and(|max| net > max + CENT);
            let mut concerned = self.ids().filter(|id| whose.is_none_or(|whose| session.rules(*id).venue == whose));
            let is_answered = concerned.all(|id| session.risk_state_of(id) >= RiskState::Reducing);
            assert!(!is_beyond || is_answered, "{at}: {whose:?}: {gross} gross, {net} net, {max:?} allowed");
        }
        let book = &self.limits.book;
        if let (Some(capital), Some(max)) = (book.capital, book.leverage_max_centi)
            && let Some((gross, _)) = self.at_stake(session, None, None)
        {
            let worth = quote(capital) + self.equity(session);
            let is_fine = gross == 0.0 || worth > 0.0 && gross / worth * 100.0 < f64::from(max) + 1.0 + 1e-6 * gross;
            let state = session.risk_state();
            assert!(is_fine || state >= RiskState::Reducing, "{at}: {gross} on {worth}, {max} allowed");
        }
    }

    fn equity(&self, session: &Session) -> f64 {
        let of = |id: InstrumentId| self.limits.instruments[id.index()].in_account(session.equity_in_quote(id));
        self.ids().map(|id| quote(of(id))).sum()
    }

    fn fees_here(&self) -> f64 {
        self.fees.iter().zip(&self.limits.instruments).map(|(fees, own)| quote(own.in_account(*fees))).sum()
    }

    fn day_fees(&self) -> f64 {
        let Some((_, _, at_midnight)) = self.losses.day else { return self.losses.fees_carried };
        let last = self.losses.last.map_or(at_midnight, |(_, fees)| fees);
        self.losses.fees_carried + last - at_midnight
    }

    fn check_losses(&mut self, session: &Session, marks: bool, at: &At<'_>) {
        for id in self.ids() {
            self.priced[id.index()] |= session.book_state(id) == BookState::Live;
        }
        let is_priced = self.ids().all(|id| self.priced[id.index()] || self.positions[id.index()] == 0);
        // Fees of an inverse contract are in its coin; they are worth something else every moment.
        let has_coins = session.instruments().any(|rules| rules.contract.kind == Kind::Inverse);
        let equity = self.losses.settled + self.equity(session);
        let fees = self.fees_here();
        if !is_priced || !(marks || self.losses.last != Some((equity, fees))) {
            return;
        }
        let losses = &mut self.losses;
        let (day, minute) = (session.now().0 / 86_400_000_000_000, session.now().0 / 60_000_000_000);
        let origin = *losses.origin.get_or_insert(equity);
        if losses.day.is_none_or(|(known, _, _)| known != day) {
            let (begins_at, fees) = losses.last.unwrap_or((equity, 0.0));
            losses.day = Some((day, begins_at, fees));
            losses.fees_carried = 0.0;
        }
        losses.peak = losses.peak.max(equity);
        losses.last = Some((equity, fees));
        if losses.minutes.last().is_none_or(|(last, _)| *last != minute) {
            losses.minutes.push((minute, equity));
        }
        let hour =
            losses.minutes.iter().rev().take_while(|(m, _)| *m > minute - 60).map(|(_, e)| *e).fold(equity, f64::max);
        let (day_equity, peak, knows_session) = (losses.day.expect("set above").1, losses.peak, losses.knows_session);
        let book = &self.limits.book;
        let over_restarts = !has_coins || self.losses.settled == 0.0;
        let rows = [
            (knows_session, "session", origin - equity, book.loss_max, RiskState::Halted),
            (over_restarts, "day", day_equity - equity, book.daily_loss_max, RiskState::Halted),
            (over_restarts, "hour", hour - equity, book.hourly_loss_max, RiskState::Halted),
            (over_restarts, "peak", peak - equity, book.drawdown_max, RiskState::Halted),
            (!has_coins, "fees", self.day_fees(), book.daily_fees_max, RiskState::Reducing),
        ];
        let soft = f64::from(self.limits.conduct.soft_percent) / 100.0;
        for (is_known, name, value, max, state) in rows {
            let Some(max) = max.map(quote).filter(|_| is_known) else { continue };
            let found = session.risk_state();
            assert!(value <= max + CENT || found >= state, "{at}: {name}: {value} of {max} while {found:?}");
            let is_warned = soft == 0.0 || value <= max * soft + CENT || found >= RiskState::Reducing;
            assert!(
                is_warned,
                "{at}: {name}: {value} of {max}, no warning from {soft} on; {:?}",
                session.breakers().losses()
            );
        }
    }
}

/// Longer than any rate is looked at.
pub const MEMORY: Nanos = Nanos::from_s(3);

impl Oracle {
    /// Forgets what no rate asks for any more.
    pub fn forget(&mut self, now: LocalTime) {
        for list in [&mut self.sent, &mut self.cancelled] {
            while list.front().is_some_and(|then| now.since(*then) > MEMORY) {
                list.pop_front();
            }
        }
        self.losses.minutes.retain(|(minute, _)| *minute > now.0 / 60_000_000_000 - 61);
    }
}
