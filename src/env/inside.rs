//! A session inside a simulated market: our orders rest in the book itself, and the market reacts to them.
//!
//! No socket and no wall clock: [`Inside`] has the world and the session in one hand and steps both through simulated
//! time. What the market tells reaches the session one feed latency later, as a feed would tell it; what the session sends
//! arrives one entry latency later; what became of it is heard one response latency after that. All three are inputs, so a
//! recording of such a session replays from its inputs alone, without the market.
//!
//! The same seed and settings give the same session, however far the caller steps at a time, and a session that sends
//! nothing leaves the market exactly as it would have been: that is the counterfactual of everything a session does.
//!
//! Reading order: [`Inside::step`] is what happens next; `clerk` is our business at the exchange, `crier` what the market
//! tells everybody.

mod clerk;
mod crier;
mod line;

use crate::engine::{Command, Input, Output, Session, SessionSpec, Stamped};
use crate::exchange::place::Answers;
use crate::market::{Instrument, InstrumentId};
use crate::order::OrderId;
use crate::sim::{SimSpec, World, WorldEvent};
use crate::strategy::{Decision, Strategies, View};
use crate::units::{LocalTime, Lots, Nanos};

use clerk::{Clerk, response_at_least};
use crier::Crier;

pub use crier::DEPTH_EVERY;
pub use line::Line;

/// Our clock when a simulated world's shows zero: midnight of 2026-01-01, UTC.
pub const BEGINS: LocalTime = LocalTime(1_767_225_600_000_000_000);

/// Why a session cannot live in a market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotLive {
    /// The market does not list it.
    #[error("the simulated market does not list {instrument}; it lists {listed}")]
    Unlisted {
        /// What the session trades.
        instrument: String,
        /// What there is.
        listed: String,
    },
    /// The rules in the session's spec are not the market's.
    #[error("{instrument}: the session's rules are not those of the simulated market")]
    OtherRules {
        /// Whose.
        instrument: String,
    },
    /// Time would not pass.
    #[error("a session needs ticks of time, and {0:?} is none")]
    Timeless(Nanos),
}

fn unlisted(sim: &SimSpec, instrument: String) -> CannotLive {
    let labels = sim.market.iter().map(|market| market.rules().map_or_else(|_| market.symbol(), |rules| rules.label()));
    let listed: Vec<String> = labels.collect();
    CannotLive::Unlisted { instrument, listed: listed.join(", ") }
}

/// The rules of the instruments of a configuration, in its order; an error if the market does not list one of them.
///
/// * `wanted` — `VENUE:SYMBOL`
pub fn listed(sim: &SimSpec, wanted: &[String]) -> Result<Vec<Instrument>, CannotLive> {
    let rules = sim.market.iter().filter_map(|market| market.rules().ok()).collect::<Vec<_>>();
    let found = |label: &String| rules.iter().find(|rules| rules.label() == *label).cloned();
    wanted.iter().map(|label| found(label).ok_or_else(|| unlisted(sim, label.clone()))).collect()
}

/// The world with these markets, in this order, and the bad days that concern them.
fn only(sim: &SimSpec, symbols: &[String]) -> SimSpec {
    let market = |symbol: &String| sim.market.iter().find(|market| market.symbol() == *symbol).cloned();
    let mut only = SimSpec { market: symbols.iter().filter_map(market).collect(), ..sim.clone() };
    only.scenario
        .retain(|scenario| scenario.symbols.is_empty() || scenario.symbols.iter().any(|s| symbols.contains(s)));
    only.scenario.iter_mut().for_each(|scenario| scenario.symbols.retain(|s| symbols.contains(s)));
    only
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An input; [`Inside::last`] and [`Inside::said`] tell which, and what the session said to it.
    Took,
    /// The session wants a decision for this instrument, and nobody is in the chair: [`Inside::answer`] it.
    Asked(InstrumentId),
    /// Nothing more until then.
    Reached,
}

/// A session and the market it trades in.
///
/// Strategies decide at once. Where a chair is empty (`None` among the strategies of an instrument whose spec names one) the
/// caller decides: [`Inside::step`] stops with [`Next::Asked`], he looks at [`Inside::view`] and gives an
/// [`Inside::answer`]. That is how an agent learns to trade.
pub struct Inside {
    sim: SimSpec,
    spec: SessionSpec,
    tick_every: Nanos,
    world: World,
    events: Vec<WorldEvent>,
    session: Session,
    strategies: Strategies,
    criers: Vec<Crier>,
    clerks: Vec<Clerk>,
    /// What is heard within so much after the world's clock is known.
    ahead: Nanos,
    next_tick: LocalTime,
    last: Stamped,
    said: Vec<Output>,
    /// Of `said`, those whose requests are on their way.
    sent: usize,
    asked: Option<InstrumentId>,
}

impl Inside {
    /// Seed's world, as old as its specification says, and a session before its first input. Of the world only the
    /// markets that the session trades are kept: markets do not know of each other.
    ///
    /// Whatever the spec says of it, the session's orders are answered by the market.
    ///
    /// * `tick_every` — how often time itself is an input
    pub fn new(
        sim: &SimSpec,
        seed: u64,
        spec: &SessionSpec,
        strategies: Strategies,
        tick_every: Nanos,
    ) -> Result<Self, CannotLive> {
        assert_eq!(strategies.len(), spec.desks.len(), "one strategy (or none) per instrument");
        if tick_every <= Nanos::ZERO {
            return Err(CannotLive::Timeless(tick_every));
        }
        let mut symbols = Vec::new();
        for desk in &spec.desks {
            let symbol = &desk.rules.symbol;
            let Some(market) = sim.market.iter().find(|market| market.symbol() == *symbol) else {
                return Err(unlisted(sim, desk.rules.label()));
            };
            if market.rules().as_ref() != Ok(&desk.rules) {
                return Err(CannotLive::OtherRules { instrument: desk.rules.label() });
            }
            symbols.push(symbol.clone());
        }
        let sim = only(sim, &symbols);
        let mut spec = spec.clone();
        spec.desks.iter_mut().for_each(|desk| desk.answers = Answers::Told);
        Ok(Self::begin(sim, seed, spec, strategies, tick_every))
    }

    fn begin(sim: SimSpec, seed: u64, spec: SessionSpec, strategies: Strategies, tick_every: Nanos) -> Self {
        let mut world = World::new(seed, &sim);
        let (mut criers, mut clerks) = (Vec::new(), Vec::new());
        for (desk, n) in spec.desks.iter().zip(0..) {
            let (instrument, latency) = (InstrumentId(n), &desk.paper.latency);
            world.prevent_self_trades(n);
            criers.push(Crier::new(instrument, n, &world, latency.feed(), BEGINS));
            clerks.push(Clerk::new(instrument, n, desk, spec.seed, BEGINS));
        }
        let latencies = spec.desks.iter().map(|desk| &desk.paper.latency);
        let ahead = latencies.map(|latency| latency.feed().min(response_at_least(latency))).min();
        Self {
            session: Session::new(&spec),
            world,
            events: Vec::new(),
            strategies,
            criers,
            clerks,
            ahead: ahead.unwrap_or(Nanos::ZERO),
            next_tick: BEGINS + tick_every,
            last: Stamped { seq: 0, at: BEGINS, input: Input::Tick },
            said: Vec::new(),
            sent: 0,
            asked: None,
            sim,
            spec,
            tick_every,
        }
    }

    /// From now on the session hears its markets through this line; to be said before the first step.
    pub fn through(&mut self, line: Line) {
        self.criers.iter_mut().for_each(|crier| crier.through(line));
    }

    /// Everything anew, on good lines, with another seed for the market and new strategies; the session's own seed stays.
    pub fn reset(&mut self, seed: u64, strategies: Strategies) {
        let (sim, spec) = (self.sim.clone(), self.spec.clone());
        *self = Self::begin(sim, seed, spec, strategies, self.tick_every);
    }

    /// The next thing that happens to the session until `until`, simulated time since the beginning.
    pub fn step(&mut self, until: Nanos) -> Next {
        if let Some(id) = self.asked {
            return Next::Asked(id);
        }
        let end = BEGINS + until;
        loop {
            let due = self.next_input();
            if due.0 <= end.min(self.known_until()) {
                let (at, input) = self.hand_over(due);
                return self.take(at, input);
            }
            if self.world.now() >= until {
                return Next::Reached;
            }
            self.live(until, due.0);
        }
    }

    /// Steps until `to`, or until a decision is wanted that nobody in a chair can make.
    pub fn advance(&mut self, to: Nanos) -> Option<InstrumentId> {
        loop {
            match self.step(to) {
                Next::Took => {}
                Next::Asked(id) => return Some(id),
                Next::Reached => return None,
            }
        }
    }

    /// What an operator or the account says, at once. Panics while a decision is wanted.
    pub fn command(&mut self, by: &str, command: Command) -> Next {
        assert!(self.asked.is_none(), "the decision that is wanted comes first");
        let at = self.last.at.max(BEGINS + self.world.now());
        self.take(at, Input::Command { by: by.to_owned(), command })
    }

    /// What somebody in the chair may know; as [`Session::view`].
    pub fn view(&self, id: InstrumentId) -> View<'_> {
        self.session.view(id)
    }

    /// The decision that was wanted. Panics if none was, or another instrument's.
    pub fn answer(&mut self, decision: Decision) -> Next {
        let asked = self.asked.take();
        assert_eq!(asked, Some(decision.instrument), "a decision for the instrument that was asked about");
        self.session.carry_out(decision, &mut self.said);
        self.decide()
    }

    /// The session as it is.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the session is made of.
    pub fn spec(&self) -> &SessionSpec {
        &self.spec
    }

    /// The strategies in their chairs.
    pub fn strategies(&self) -> &Strategies {
        &self.strategies
    }

    /// The market as it is: at [`World::now`], which is at most one feed latency away from what the session knows.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The last input.
    pub fn last(&self) -> &Stamped {
        &self.last
    }

    /// What the session said to the last input; not all of it while a decision is wanted.
    pub fn said(&self) -> &[Output] {
        &self.said
    }

    /// Twice the mid of a market now, ticks.
    pub fn twice_mid(&self, id: InstrumentId) -> Option<i64> {
        self.criers[id.index()].twice_mid()
    }

    /// Lots that really stand before one of our orders; `None` if it does not rest. Nobody in the market is told so.
    pub fn queue_ahead(&self, id: InstrumentId, order: OrderId) -> Option<Lots> {
        self.clerks[id.index()].ahead_of(order, &self.world)
    }

    /// All that is heard until then is known.
    fn known_until(&self) -> LocalTime {
        BEGINS + self.world.now() + self.ahead
    }

    /// The first of what is on its way to the session. At one moment a report comes before the public's news, as from the
    /// paper exchange and from venues that tell the parties of a trade first; and both before time.
    fn next_input(&self) -> (LocalTime, Way) {
        let mut first = (self.next_tick, Way::Time);
        let mut look = |at: Option<LocalTime>, way: Way| {
            if let Some(at) = at.filter(|at| (*at, way) < first) {
                first = (at, way);
            }
        };
        for n in 0..self.criers.len() {
            look(self.criers[n].next_at(), Way::News(n));
            look(self.clerks[n].next_at(), Way::Report(n));
        }
        first
    }

    fn hand_over(&mut self, (at, way): (LocalTime, Way)) -> (LocalTime, Input) {
        let due = "it was the first on its way";
        match way {
            Way::News(n) => {
                let (at, event) = self.criers[n].next().expect(due);
                self.clerks[n].saw(event.venue_time, at);
                (at, Input::Market(event))
            }
            Way::Report(n) => {
                let (at, report) = self.clerks[n].next().expect(due);
                (at, Input::Report(report))
            }
            Way::Time => {
                self.next_tick = self.next_tick + self.tick_every;
                (at, Input::Tick)
            }
        }
    }

    fn take(&mut self, at: LocalTime, input: Input) -> Next {
        self.said.clear();
        self.sent = 0;
        self.last = Stamped { seq: self.last.seq + 1, at, input };
        self.session.take_in(&self.last, &mut self.said);
        self.decide()
    }

    /// As [`Session::step`], but an empty chair is the caller's.
    fn decide(&mut self) -> Next {
        while let Some(id) = self.session.decision_due() {
            match &mut self.strategies[id.index()] {
                Some(strategy) => self.session.ask(id, &mut **strategy, &mut self.said),
                None => {
                    self.asked = Some(id);
                    break;
                }
            }
        }
        for output in &self.said[self.sent..] {
            if let Output::Sent(request) = output {
                self.clerks[request.instrument().index()].send(request.clone(), self.last.at);
            }
        }
        self.sent = self.said.len();
        self.asked.map_or(Next::Took, Next::Asked)
    }

    /// Lets the world live on: as far as nothing that the session does meanwhile could arrive earlier. Everything heard
    /// until `known_until` has been handed over, so what it sends from here on arrives after the world's clock.
    fn live(&mut self, until: Nanos, due: LocalTime) {
        let now = self.world.now();
        let to = match self.ahead {
            // Nothing is known ahead: from one event to the next.
            Nanos::ZERO => {
                let next = self.world.next_at().unwrap_or(until).min(due.since(BEGINS));
                self.clerks.iter().filter_map(Clerk::next_arrival).fold(next, Nanos::min)
            }
            ahead => now + ahead,
        };
        let to = to.clamp(now, until);
        let Self { world, events, criers, clerks, .. } = self;
        loop {
            let arrival = clerks.iter().filter_map(Clerk::next_arrival).min().filter(|at| *at <= to);
            world.advance(arrival.unwrap_or(to), events);
            tell(criers, events);
            clerks.iter_mut().for_each(|clerk| clerk.hear(world));
            if arrival.is_none() {
                break;
            }
            for clerk in clerks.iter_mut() {
                clerk.carry_out(world, &mut |world| {
                    world.advance(world.now(), events);
                    tell(criers, events);
                });
            }
        }
        criers.iter_mut().for_each(|crier| crier.pass(to));
    }
}

/// Whole changes to whom they concern.
fn tell(criers: &mut [Crier], events: &mut Vec<WorldEvent>) {
    for change in events.chunk_by(|a, b| (a.symbol, a.update) == (b.symbol, b.update)) {
        criers[usize::from(change[0].symbol)].take_in(change);
    }
    events.clear();
}

/// By which way an input comes; at one moment in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Report(usize),
    News(usize),
    Time,
}
