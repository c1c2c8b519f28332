//! A session told in a trader's words.
//!
//! One line, one input: milliseconds, then what happens.
//! ```text
//! 100 book 10@1000 5@999 / 10@1004     a snapshot: bids best first, slash, asks
//! 150 level bid 4@1000                  a change of one level
//! 160 sell 4@1000                       a print, by its taker; `block` after it flags it
//! 170 bbo 3@1001 / 10@1004              best bid and offer
//! 180 mark 1002 rate 0.01 due 300       a contract's mark, and its funding every 100 ms; `accrues` for `due 300`
//! 190 stale 1                           connection 1 has gone silent; `live 1` it is back, `lost 1` gone. 0 unsaid
//! 200 tick · gap · pause · resume · halt · reduce · flatten · stop
//! ```

use papermaker::engine::{Command, DeskSpec, Input, Output, QuotingSpec, Session, SessionSpec, Stamped};
use papermaker::exchange::PaperSpec;
use papermaker::exchange::fee::Schedule;
use papermaker::exchange::habit::Habits;
use papermaker::exchange::latency::LatencySpec;
use papermaker::exchange::queue::QueueModel;
use papermaker::market::{
    Extent, FeedEvent, FeedEventKind, Funding, Instrument, InstrumentId, Level, Mark, MarketEvent, MarketEventKind,
    PrintFlags, VenueId,
};
use papermaker::risk::{BookLimits, InstrumentLimits, RiskLimits};
use papermaker::signal::SignalSpec;
use papermaker::strategy::{Decision, Quote, Strategies, Strategy, View, Wanted, Why};
use papermaker::units::{FundingRate, LocalTime, Lots, Money, Nanos, Rate, Side, Step, Ticks, VenueTime};

pub const ID: InstrumentId = InstrumentId(0);

/// One tick is 1, one lot is 1: numbers in stories are what they look like.
pub fn rules() -> Instrument {
    let one = Step::parse("1").expect("a step");
    Instrument::new(VenueId::BinanceSpot, "TESTUSDT", "TEST", "USDT", one, one).expect("rules")
}

pub fn signals() -> SignalSpec {
    SignalSpec {
        volatility_grid_ms: 1_000,
        volatility_half_life_s: 60.0,
        volatility_samples_min: 10,
        intensity_window_s: 600.0,
        intensity_orders_min: 20,
        intensity_refit_s: 5.0,
        intensity_k_min: 1e-4,
        intensity_k_max: 10.0,
    }
}

/// No latency, no fees, the pessimistic queue, generous limits but for the position.
pub fn spec(position_max: i64) -> SessionSpec {
    let latency = LatencySpec::constant(0, 0, 0);
    SessionSpec {
        seed: 1,
        desks: vec![DeskSpec {
            rules: rules(),
            paper: PaperSpec {
                latency,
                queue: QueueModel::RiskAverse,
                fees: Schedule::flat(Rate(0), Rate(0)),
                habits: Habits::of(VenueId::BinanceSpot),
            },
            signals: signals(),
            answers: Default::default(),
            quoting: QuotingSpec {
                decide_every: Nanos::ZERO,
                refresh_tolerance_centibps: 0,
                order_age_max: Nanos::ZERO,
            },
            strategy: Some("test".to_owned()),
        }],
        risk: RiskLimits {
            instruments: vec![InstrumentLimits {
                long_max: Lots(position_max),
                short_max: Lots(position_max),
                order_qty_max: Lots(1_000),
                order_notional_max: Money(10_000_000 * Money::PER_QUOTE),
                open_orders_max: 50,
                collar_centibps: 500_000,
                stale_book_ms: 5_000,
                ..InstrumentLimits::nothing()
            }],
            book: BookLimits { order_rate_max_per_s: 1_000, loss_max: None, ..BookLimits::default() },
            ..RiskLimits::default()
        },
        equity_every: Nanos::from_s(1),
    }
}

/// Limits of so many instruments as these, each with its largest position (either way) and largest order.
pub fn sized(like: &RiskLimits, sizes: &[(i64, i64)]) -> RiskLimits {
    let own = |&(position, order): &(i64, i64)| InstrumentLimits {
        long_max: Lots(position),
        short_max: Lots(position),
        order_qty_max: Lots(order),
        ..like.instruments[0].clone()
    };
    RiskLimits { instruments: sizes.iter().map(own).collect(), ..like.clone() }
}

/// Joins both best prices with `qty` lots, cut to the room the limits leave.
pub struct JoinBest {
    pub qty: i64,
}

impl Strategy for JoinBest {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let side = |side, room: Lots| Quote { side, price: view.top.price(side), qty: Lots(self.qty).min(room) };
        let quotes = [side(Side::Bid, view.room_to_buy), side(Side::Ask, view.room_to_sell)];
        let wanted = Wanted::Quotes(quotes.into_iter().filter(|q| q.qty > Lots::ZERO).collect());
        Decision { instrument: view.instrument, wanted, why: Why::default() }
    }

    fn name(&self) -> &'static str {
        "join-best"
    }
}

/// Joins the best prices for `qty` lots a side.
pub fn joining(qty: i64) -> Strategies {
    vec![Some(Box::new(JoinBest { qty }))]
}

/// The inputs a story tells. Panics on a line it cannot read.
pub fn story(text: &str) -> Vec<Stamped> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.enumerate().map(|(i, line)| stamped(i as u64 + 1, line)).collect()
}

fn stamped(seq: u64, line: &str) -> Stamped {
    let (ms, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no time in {line:?}"));
    let at = LocalTime(0) + Nanos::from_ms(ms.parse().unwrap_or_else(|_| panic!("no time in {line:?}")));
    let (word, args) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    Stamped { seq, at, input: input(seq, at, word, args) }
}

fn input(seq: u64, at: LocalTime, word: &str, args: &str) -> Input {
    let market = |kind| Input::Market(MarketEvent { instrument: ID, venue_time: None, kind });
    let feed = |kind| {
        let connection = if args.is_empty() { 0 } else { args.parse().expect("the number of a connection") };
        let instrument = Some(ID);
        Input::Feed(FeedEvent { venue: VenueId::BinanceSpot, connection, instrument, generation: 1, kind })
    };
    let command = |command| Input::Command { by: "operator".to_owned(), command };
    let sides = || args.split_once('/').unwrap_or_else(|| panic!("no slash in {args:?}"));
    match word {
        "book" => {
            let (bids, asks) = sides();
            market(MarketEventKind::Snapshot { seq, bids: levels(bids), asks: levels(asks), extent: Extent::All })
        }
        "level" => {
            let (side, level) = args.split_once(' ').expect("a side and a level");
            let (mut bids, mut asks) = (vec![], vec![]);
            if side == "bid" { &mut bids } else { &mut asks }.extend(levels(level));
            market(MarketEventKind::Delta { seq, bids, asks })
        }
        "bbo" => {
            let (bid, ask) = sides();
            let best = |s| levels(s).first().copied();
            market(MarketEventKind::Bbo { seq, bid: best(bid), ask: best(ask) })
        }
        "buy" | "sell" => {
            let (level, flag) = args.split_once(' ').unwrap_or((args, ""));
            let Level { price, qty } = levels(level)[0];
            let taker = if word == "buy" { Side::Bid } else { Side::Ask };
            let flags = if flag == "block" { PrintFlags::BLOCK } else { PrintFlags::NONE };
            market(MarketEventKind::Trade { id: seq, taker, price, qty, flags })
        }
        // The venue's clock shows what ours does.
        "mark" => Input::Market(MarketEvent {
            instrument: ID,
            venue_time: Some(VenueTime(at.0)),
            kind: MarketEventKind::Mark(mark(args)),
        }),
        "gap" => market(MarketEventKind::Gap { expected: 1, found: 3 }),
        "lost" => feed(FeedEventKind::Disconnected { reason: "1006".to_owned() }),
        "live" => feed(FeedEventKind::Live),
        "stale" => feed(FeedEventKind::Stale { channel: "depth".to_owned(), silent_ms: 5_000 }),
        "quiet" => feed(FeedEventKind::Stale { channel: "trade".to_owned(), silent_ms: 60_000 }),
        "tick" => Input::Tick,
        "pause" => command(Command::Pause),
        "resume" => command(Command::Resume),
        "halt" => command(Command::Halt { reason: "asked".to_owned() }),
        "reduce" => command(Command::Reduce { reason: "asked".to_owned() }),
        "flatten" => command(Command::Flatten),
        "stop" => command(Command::Stop),
        _ => panic!("no such word: {word:?}"),
    }
}

/// `1002 rate 0.01 due 300`, `1002 rate 0.01 accrues`, `1002`.
fn mark(text: &str) -> Mark {
    let words: Vec<&str> = text.split_whitespace().collect();
    let decimal = |text: &str| text.parse().unwrap_or_else(|_| panic!("not a decimal: {text:?}"));
    let funding = |rate: &str, due| Funding {
        rate: FundingRate::from_decimal(decimal(rate)).expect("a rate"),
        due,
        every: Nanos::from_ms(100),
        at_index: false,
    };
    let funding = match words[1..] {
        [] => None,
        ["rate", rate, "due", ms] => Some(funding(rate, Some(VenueTime(Nanos::from_ms(ms.parse().expect("ms")).0)))),
        ["rate", rate, "accrues"] => Some(funding(rate, None)),
        _ => panic!("no such mark: {text:?}"),
    };
    Mark { mark: Money::from_decimal(decimal(words[0])), index: None, funding }
}

fn levels(text: &str) -> Vec<Level> {
    let number = |s: &str| s.parse().unwrap_or_else(|_| panic!("not a number: {s:?}"));
    text.split_whitespace()
        .map(|l| l.split_once('@').unwrap_or_else(|| panic!("no level: {l:?}")))
        .map(|(qty, price)| Level { price: Ticks(number(price)), qty: Lots(number(qty)) })
        .collect()
}

/// Runs a story; the session as it ends, and everything it said with the input's number.
pub fn run(spec: &SessionSpec, mut strategies: Strategies, inputs: &[Stamped]) -> (Session, Vec<(u64, Output)>) {
    let mut session = Session::new(spec);
    let mut said = Vec::new();
    let mut out = Vec::new();
    for input in inputs {
        session.step(input, &mut strategies, &mut out);
        said.extend(out.drain(..).map(|o| (input.seq, o)));
    }
    (session, said)
}
