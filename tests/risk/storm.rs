//! Random limits, markets, reloads and operators: whatever happens, no action of ours breaks a limit.
//!
//! What is compared is not the gate's own arithmetic but what can be counted from outside after every input ([`Oracle`]):
//! orders, positions, prices. Prices may carry us beyond a limit; then the same input that did it must be answered. Two
//! venues, in every other storm an inverse contract too, sessions that are killed and go on from their account.

use papermaker::digest::{Chain, Digest};
use papermaker::engine::{Command, Input, Session, SessionSpec, Stamped};
use papermaker::exchange::latency::{LatencySpec, Way};
use papermaker::journal::Account;
use papermaker::market::{InstrumentId, Kind, MarketEventKind, VenueId};
use papermaker::risk::rule::Ends;
use papermaker::risk::{BookLimits, Conduct, ExposureLimits, MarkoutLimit, RiskLimits, RiskState, Trip};
use papermaker::rng::Stream;
use papermaker::run::purse::Purse;
use papermaker::strategy::{Decision, Quote, Strategies, Strategy, View, Wanted, Why};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Rate, Side, Ticks, VenueTime};

use super::oracle::{At, Oracle};
use crate::engine::contracts::contract;
use crate::engine::invariants::{second_rules, storm, two_markets};
use crate::engine::story::{JoinBest, spec};

/// Steps in all: `PAPERMAKER_TEST_STEPS`, or a hundred million by `PAPERMAKER_TEST_SIZE=full`.
fn steps() -> u64 {
    let full = std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|s| s == "full");
    number("PAPERMAKER_TEST_STEPS").unwrap_or(if full { 100_000_000 } else { 1_000_000 })
}

/// Other storms than the usual ones: `PAPERMAKER_TEST_SEED`.
fn first_seed() -> u64 {
    number("PAPERMAKER_TEST_SEED").unwrap_or(0)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Each storm is so long, then another begins.
const STORM: u64 = 20_000;

fn money(quote: u64) -> Money {
    Money(i128::from(quote) * Money::PER_QUOTE)
}

/// Every limit there is, each there half of the time, near what this market and these strategies come to.
fn limits(draw: &mut Stream, count: usize) -> RiskLimits {
    let mut limits = spec(0).risk;
    let own = limits.instruments.remove(0);
    let some = |draw: &mut Stream, most: u64| draw.chance(0.5).then(|| 1 + draw.below(most));
    for (scale, rate) in [(1, 1_000_000), (10, 920_000), (1, 1_100_000)].into_iter().take(count) {
        let mut own = own.clone();
        own.account_rate_ppm = rate;
        (own.feed_latency_max_ms, own.clock_skew_max_ms) =
            (some(draw, 300).map(|ms| ms as u32), some(draw, 300).map(|ms| ms as u32));
        own.long_max = Lots(draw.below(25) as i64 * scale);
        own.short_max = Lots(draw.below(25) as i64 * scale);
        own.order_qty_max = Lots((1 + draw.below(10) as i64) * scale);
        own.order_notional_max = money(1_000 + draw.below(20_000));
        own.open_orders_max = draw.below(4) as u32;
        own.collar_centibps = 1_000 + draw.below(100_000) as u32;
        own.spread_min_centibps = if draw.chance(0.3) { draw.below(5_000) as u32 } else { 0 };
        own.stale_book_ms = 50 + draw.below(2_000) as u32;
        own.inventory_age_max = some(draw, 30).map(|s| Nanos::from_s(s as i64));
        own.volatility_max_centibps = some(draw, 20_000).map(|v| v as u32);
        own.markout = some(draw, 3_000).map(|loss| MarkoutLimit {
            horizon: Nanos::from_ms(1 + draw.below(2_000) as i64),
            fills: 1 + draw.below(10) as u32,
            loss_max_centibps: loss as u32,
        });
        limits.instruments.push(own);
    }
    let exposure = |draw: &mut Stream| ExposureLimits {
        gross_max: some(draw, 40_000).map(money),
        net_max: some(draw, 30_000).map(money),
    };
    for venue in [VenueId::BinanceSpot, VenueId::Kraken, VenueId::Deribit] {
        if draw.chance(0.5) {
            limits.venues.insert(venue, exposure(draw));
        }
    }
    limits.book = BookLimits {
        exposure: exposure(draw),
        capital: some(draw, 20_000).map(money),
        leverage_max_centi: some(draw, 500).map(|v| v as u32),
        loss_max: some(draw, 3_000).map(money),
        daily_loss_max: some(draw, 3_000).map(money),
        hourly_loss_max: some(draw, 3_000).map(money),
        drawdown_max: some(draw, 3_000).map(money),
        daily_fees_max: some(draw, 2_000).map(money),
        funding_max: some(draw, 50).map(money),
        order_rate_max_per_s: 1 + draw.below(50) as u32,
        cancel_rate_max_per_s: some(draw, 50).map(|v| v as u32),
    };
    limits.conduct = Conduct {
        soft_percent: draw.below(100) as u32,
        clear_percent: 1 + draw.below(100) as u32,
        hold: Nanos::from_ms(draw.below(3_000) as i64),
        flatten_on_halt: draw.chance(0.5),
    };
    limits
}

fn storm_spec(draw: &mut Stream, seed: u64) -> SessionSpec {
    let mut spec = spec(15);
    spec.seed = seed;
    let mut second = spec.desks[0].clone();
    second.rules = second_rules("0.1", 0);
    second.rules.venue = VenueId::Kraken;
    spec.desks.push(second);
    if seed % 4 >= 2 {
        // Of the first one's venue, so that one venue has two.
        let mut third = contract(Kind::Inverse).desks.remove(0);
        third.rules.symbol = "TESTUSD".to_owned();
        spec.desks.push(third);
    }
    for desk in &mut spec.desks {
        let us = draw.below(20_000) as u32;
        desk.paper.latency = LatencySpec::constant(2_000, us, 9_000);
        desk.paper.latency.cancel = Way::Lognormal { us, sigma: 0.7 };
        desk.paper.fees.base.maker = Rate(draw.below(3_000) as i64 - 1_000);
    }
    spec.risk = limits(draw, spec.desks.len());
    spec
}

/// Wants whatever it likes, limits or no limits: up to three orders a side of any size, near the market or far from it, and
/// all of it otherwise a moment later. A strategy that keeps to its room would never try the gate.
struct Reckless {
    draw: Stream,
    qty: u64,
}

impl Strategy for Reckless {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let mut quotes = Vec::new();
        for side in Side::BOTH {
            for _ in 0..self.draw.below(4) {
                let far = if self.draw.chance(0.1) { 300 } else { 4 };
                let away = self.draw.below(far) as i64;
                let price = Ticks(view.top.price(side).0 - side.sign() * away);
                quotes.push(Quote { side, price, qty: Lots(1 + self.draw.below(self.qty) as i64) });
            }
        }
        quotes.retain(|quote| quote.price > Ticks(0));
        Decision {
            instrument: view.instrument,
            wanted: Wanted::Quotes(quotes.into_iter().collect()),
            why: Why::default(),
        }
    }

    fn name(&self) -> &'static str {
        "reckless"
    }
}

/// Of every three storms one has careful guests, the others have reckless ones.
fn strategies(seed: u64, count: usize) -> Strategies {
    let guest = |(n, qty): (u64, i64)| -> Option<Box<dyn Strategy>> {
        if seed.is_multiple_of(3) {
            return Some(Box::new(JoinBest { qty }));
        }
        Some(Box::new(Reckless { draw: Stream::new(seed * 8 + n, "reckless"), qty: 2 * qty as u64 }))
    };
    (0..).zip([5, 40, 5]).take(count).map(guest).collect()
}

/// Markets, operators, and in between new limits of all kinds. Half of the storms are over within minutes and have a
/// midnight in them, the others last hours.
fn inputs(draw: &mut Stream, seed: u64, count: usize) -> Vec<Stamped> {
    let mut all = two_markets(seed, STORM);
    if count > 2 {
        let mut third = storm(seed + 2_000, STORM / 3).into_iter().filter(|i| matches!(i.input, Input::Market(_)));
        let mut both = Vec::new();
        for input in all {
            both.push(input);
            if draw.chance(0.33)
                && let Some(mut input) = third.next()
                && let Input::Market(event) = &mut input.input
            {
                event.instrument = InstrumentId(2);
                both.push(input);
            }
        }
        all = both;
    }
    let reload = |limits| Input::Command { by: "risk".to_owned(), command: Command::SetLimits(Box::new(limits)) };
    let longest_ms = if seed.is_multiple_of(3) { 600 } else { 20 };
    let length_ms = all.len() as i64 * longest_ms / 2;
    let mut at = LocalTime(20_000 * 86_400_000_000_000) + Nanos::from_ms(-(draw.below(length_ms as u64) as i64));
    for (seq, input) in (1..).zip(&mut all) {
        at = at + Nanos::from_ms(draw.below(longest_ms as u64) as i64);
        (input.seq, input.at) = (seq, at);
        match &mut input.input {
            // Those of the storm know fewer limits.
            Input::Command { command: Command::SetLimits(_), .. } => input.input = reload(limits(draw, count)),
            Input::Tick if draw.chance(0.02) => input.input = reload(limits(draw, count)),
            Input::Market(event) => {
                if let MarketEventKind::Rules(rules) = &mut event.kind {
                    rules.venue = VenueId::Kraken;
                }
                // Clocks are up to a quarter of a second apart, either way.
                if event.venue_time.is_none() && draw.chance(0.5) {
                    event.venue_time = Some(VenueTime(at.0 + (draw.below(500) as i64 - 250) * 1_000_000));
                }
            }
            Input::Command { .. } | Input::Feed(_) | Input::Report(_) | Input::Tick => {}
        }
    }
    all
}

/// Killed, and another goes on from the account: what it has to do first.
fn killed(session: &Session, spec: &mut SessionSpec) -> Vec<Input> {
    let store = tempfile::tempdir().expect("a folder");
    let account = || Account::open(store.path()).expect("an account");
    let configured = Digest::of(b"configured");
    let (mut purse, _) = Purse::take(account(), spec, false, configured).expect("an empty purse");
    purse.save(session, "before", "killed", None).expect("saved");
    drop(purse);
    for (desk, rules) in spec.desks.iter_mut().zip(session.instruments()) {
        desk.rules = rules.clone();
    }
    let (_, brought) = Purse::take(account(), spec, false, configured).expect("a purse");
    let restore = brought.carried.map(|carried| Command::Restore(Box::new(carried)));
    let limits = brought.limits.map(|limits| Command::SetLimits(Box::new(limits)));
    let commands = restore.into_iter().chain(limits);
    commands.map(|command| Input::Command { by: "account".to_owned(), command }).collect()
}

/// What has to come back: an operator's halt, or a loss that only an operator may forgive.
fn must_stay_halted(session: &Session) -> bool {
    let waits = |trip: &Trip| !trip.is_soft && trip.limit.rule().ends == Ends::Operator;
    session.carried("").state == RiskState::Halted || session.breakers().trips().iter().any(waits)
}

/// One life of a session: what it began as, what it heard, what became of it.
struct Life {
    spec: SessionSpec,
    heard: Vec<Stamped>,
    end: (Chain, Digest),
}

impl Life {
    fn lived_again(&self, guests: &mut Strategies) -> (Chain, Digest) {
        let (mut session, mut out) = (Session::new(&self.spec), Vec::new());
        for input in &self.heard {
            session.step(input, guests, &mut out);
            out.clear();
        }
        (session.digest(), session.state_digest())
    }
}

/// What came of one storm.
#[derive(Default)]
struct Came {
    fills: u64,
    states: [u64; 3],
    kills: u64,
    kills_halted: u64,
}

fn run_storm(seed: u64, came: &mut Came) -> u64 {
    let mut draw = Stream::new(seed, "risk storm");
    let mut spec = storm_spec(&mut draw, seed);
    let count = spec.desks.len();
    let all = inputs(&mut draw, seed, count);
    let (mut session, mut guests, mut out) = (Session::new(&spec), strategies(seed, count), Vec::new());
    let mut oracle = Oracle::new(&spec.risk, count);
    let remembers = seed % 10 == 1;
    let mut lives = Vec::new();
    let mut heard = Vec::new();
    let mut seq = 0;
    for (n, Stamped { at, input, .. }) in all.iter().enumerate() {
        // Oftener while somebody has to come back to a halt.
        let kills = if n % 16 == 0 && must_stay_halted(&session) { 500.0 } else { 2.0 };
        let is_killed = seed % 2 == 1 && draw.chance(kills / STORM as f64);
        if is_killed {
            let (was_halted, positions) = (must_stay_halted(&session), session.carried("").positions);
            let (limits, end) = (session.limits().clone(), (session.digest(), session.state_digest()));
            lives.push(Life { spec: spec.clone(), heard: std::mem::take(&mut heard), end });
            oracle.killed(&session);
            let then = killed(&session, &mut spec);
            (session, guests, seq) = (Session::new(&spec), strategies(seed, count), 0);
            came.kills += 1;
            came.kills_halted += u64::from(was_halted);
            for input in then {
                seq += 1;
                let input = Stamped { seq, at: *at, input };
                session.step(&input, &mut guests, &mut out);
                out.clear();
                heard.extend(remembers.then_some(input));
            }
            assert_eq!(
                (session.carried("").positions, session.limits()),
                (positions, &limits),
                "seed {seed}, input {n}"
            );
            assert!(
                !was_halted || session.risk_state() == RiskState::Halted,
                "seed {seed}, input {n}: a halt is forgotten"
            );
        }
        seq += 1;
        let input = Stamped { seq, at: *at, input: input.clone() };
        session.step(&input, &mut guests, &mut out);
        oracle.check(&session, &input, &out, &At { seed, n, input: &input.input, request: None });
        came.states[session.risk_state() as usize] += 1;
        out.clear();
        if n % 256 == 0 {
            oracle.forget(session.now());
        }
        heard.extend(remembers.then_some(input));
    }
    // Once more: the same, bit for bit.
    if remembers {
        lives.push(Life { spec, heard, end: (session.digest(), session.state_digest()) });
        for life in &lives {
            assert_eq!(life.lived_again(&mut strategies(seed, count)), life.end, "seed {seed}");
        }
    }
    came.fills += oracle.fills;
    all.len() as u64
}

#[test]
fn no_action_of_ours_breaks_a_limit() {
    let (mut done, mut seed) = (0, first_seed());
    let mut came = Came::default();
    while done < steps() {
        seed += 1;
        done += run_storm(seed, &mut came);
    }
    let Came { fills, states, kills, kills_halted } = came;
    eprintln!("{done} steps, {fills} fills, {states:?} active, reducing, halted, {kills} kills, {kills_halted} halted");
    assert!(fills * 1_000 > done, "{fills} fills in {done} steps: a storm without trades proves nothing");
    assert!(states.iter().all(|n| n * 100 > done), "{states:?}: every state is seen");
    assert!(kills * 100_000 > done, "{kills} kills");
    assert!(kills_halted > 0 || done < 1_000_000, "{kills} kills, none of them while halted");
}
