//! A made-up session: random walk, orders, fills, the odd rare input; the same for the same seed.

use papermaker::digest::{Chain, Digest, canonical_bytes};
use papermaker::engine::{BookState, Command, DeskSpec, EquityMark, Input, Output, QuotingSpec, SessionSpec, Stamped};
use papermaker::exchange::fee::{Rates, Schedule, Tier};
use papermaker::exchange::habit::{Habits, PostOnly, SelfTrade};
use papermaker::exchange::latency::{LatencySpec, Measured, Way};
use papermaker::exchange::{PaperSpec, queue::QueueModel};
use papermaker::journal::{Checkpoint, Durability, Ending, JournalError, Manifest, Options, Store, Writer};
use papermaker::market::{Extent, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind, PrintFlags, VenueId};
use papermaker::order::{Fill, FillWhy, Liquidity, OrderId, OrderKind, Report, ReportKind, Request};
use papermaker::risk::{BookLimits, InstrumentLimits, RiskLimits, RiskState, Whose};
use papermaker::signal::SignalSpec;
use papermaker::units::{LocalTime, Lots, Money, Nanos, Rate, Side, Step, Ticks, VenueTime};

pub const START: i64 = 1_723_161_253_937_085_768;

/// One input and what the session said to it.
pub type Told = (Stamped, Vec<Output>);

pub fn spec() -> SessionSpec {
    let step = |text| Step::parse(text).expect("a step");
    let rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001"));
    let mut rules = rules.expect("fine enough");
    // 5 USDT is 5·10²⁴ money units: beyond 64 bits, so the manifest must not squeeze it through a TOML integer.
    rules.min_notional = Money(5 * Money::PER_QUOTE);
    SessionSpec {
        seed: u64::MAX,
        desks: vec![DeskSpec {
            rules,
            paper: PaperSpec {
                latency: LatencySpec {
                    feed_us: 1,
                    place: Way::Lognormal { us: 2, sigma: 0.1 + 0.2 },
                    cancel: Way::Feed { factor: 1.0 / 3.0, us: 2 },
                    replace: Way::Measured,
                    response: Way::Constant { us: 3 },
                    measured: Measured::parse("sent,matched,acknowledged\n1,2,3\n4,6,9").expect("two rows"),
                },
                queue: QueueModel::Power { n: 2.0 },
                fees: Schedule {
                    base: Rates { maker: Rate(10_000), taker: Rate(10_000) },
                    tiers: vec![Tier {
                        volume_min: Money(i128::MAX / 7),
                        rates: Rates { maker: Rate(-500), taker: Rate(7_500) },
                    }],
                },
                habits: Habits { post_only: PostOnly::Reprice, self_trade: SelfTrade::Decrement, pace: None },
            },
            signals: SignalSpec {
                volatility_grid_ms: 1000,
                volatility_half_life_s: 1.0 / 3.0,
                volatility_samples_min: 10,
                intensity_window_s: 60.0,
                intensity_orders_min: 5,
                intensity_refit_s: 1.0,
                intensity_k_min: 5e-324,
                intensity_k_max: 1.797e308,
            },
            answers: Default::default(),
            quoting: QuotingSpec {
                decide_every: Nanos(0),
                refresh_tolerance_centibps: 5,
                order_age_max: Nanos::from_s(60),
            },
            strategy: Some("name = \"glft\"\ngamma = 0.1\n".to_owned()),
        }],
        risk: RiskLimits {
            instruments: vec![InstrumentLimits {
                long_max: Lots(1000),
                short_max: Lots(1000),
                order_qty_max: Lots(100),
                order_notional_max: Money(i128::MAX / 3),
                open_orders_max: 4,
                collar_centibps: 1000,
                stale_book_ms: 3000,
                ..InstrumentLimits::nothing()
            }],
            book: BookLimits { order_rate_max_per_s: 10, loss_max: None, ..BookLimits::default() },
            ..RiskLimits::default()
        },
        equity_every: Nanos::from_s(1),
    }
}

/// A small generator of its own: tests of the journal should not hang on the house's streams.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// `count` steps, an input about every 5 ms. Order 7 is placed at input 3 and fills at every input divisible by 10.
pub fn steps(count: u64, seed: u64) -> Vec<Told> {
    let mut dice = Dice::new(seed);
    let mut mid = 6_183_763i64;
    let mut at = START;
    (1..=count)
        .map(|seq| {
            at += dice.below(10_000_000) as i64;
            mid += dice.below(21) as i64 - 10;
            let mut level = |far: i64| Level {
                price: Ticks(mid + far + dice.below(50) as i64),
                qty: Lots(dice.below(100_000) as i64),
            };
            let (bids, asks) = (vec![level(-50), level(-500)], vec![level(1), level(300), level(9000)]);
            let input = match seq % 12 {
                1 => Some(MarketEventKind::Snapshot { seq, bids, asks, extent: Extent::ToLast }),
                4 => Some(MarketEventKind::Trade {
                    id: seq * 3,
                    taker: Side::Ask,
                    price: Ticks(mid),
                    qty: Lots(2000),
                    flags: PrintFlags::NONE,
                }),
                6 => Some(MarketEventKind::Bbo { seq, bid: bids.first().copied(), ask: None }),
                8 => Some(MarketEventKind::Gap { expected: seq, found: seq + 1 }),
                11 => None,
                _ => Some(MarketEventKind::Delta { seq, bids, asks }),
            };
            let input = match input {
                Some(kind) => Input::Market(MarketEvent {
                    instrument: InstrumentId(0),
                    venue_time: Some(VenueTime(at - 1_000_000)),
                    kind,
                }),
                None if seq % 24 == 11 => Input::Command { by: "operator".to_owned(), command: Command::Pause },
                None => Input::Tick,
            };
            (Stamped { seq, at: LocalTime(at), input }, outputs_of(seq, at, mid))
        })
        .collect()
}

fn outputs_of(seq: u64, at: i64, mid: i64) -> Vec<Output> {
    let instrument = InstrumentId(0);
    let mut said = Vec::new();
    if seq == 1 {
        said.push(Output::Book { instrument, state: BookState::Live });
    }
    if seq == 3 {
        said.push(Output::Sent(Request::Place {
            id: OrderId(7),
            instrument,
            side: Side::Bid,
            price: Ticks(mid - 5),
            qty: Lots(1000),
            kind: OrderKind::PostOnly,
        }));
    }
    if seq.is_multiple_of(10) {
        let fill = Fill {
            side: Side::Bid,
            price: Ticks(mid),
            qty: Lots(1),
            remaining: Lots(5),
            fee: Money(seq.into()),
            liquidity: Liquidity::Maker,
            why: FillWhy::QueueFront,
            queue_ahead: Lots(0),
        };
        let kind = ReportKind::Filled(fill);
        said.push(Output::Heard(Report { id: OrderId(7), instrument, happened: LocalTime(at), kind }));
        said.push(Output::Equity(EquityMark {
            instrument,
            position: Lots(seq as i64 / 10),
            twice_mid: 2 * mid,
            cash: Money(-5),
            realised: Money(0),
            unrealised: Money(1),
            fees: Money(2),
            funding: Money(0),
            spread: Money(3),
            inventory: Money(4),
            drawdown: Money(0),
        }));
    }
    if seq.is_multiple_of(25) {
        let (state, reason) = (RiskState::Reducing, "too much".to_owned());
        said.push(Output::Risk { whose: Whose::Book, state, reason, by: "gate".to_owned() });
    }
    said
}

/// Blocks of 20 inputs, segments of 6 KiB: a few hundred inputs show everything.
pub const SMALL: Options = Options {
    block_inputs: 20,
    block_bytes: 1 << 20,
    block_age: None,
    segment_bytes: 6 << 10,
    durability: Durability::EveryBlock,
};

pub fn begin(store: &Store, id: &str, options: Options) -> Result<Writer, JournalError> {
    store.create(id, Manifest::new(id, spec(), LocalTime(START)), options)
}

/// Hands over steps as a driver would, with a checkpoint every 50 inputs; the chain so far.
pub fn record(writer: &mut Writer, steps: &[Told], chain: &mut Chain) -> Result<(), JournalError> {
    for (input, outputs) in steps {
        writer.input(input)?;
        for output in outputs {
            let bytes = canonical_bytes(output);
            chain.extend(input.seq, &bytes);
            writer.output_bytes(input.seq, &bytes)?;
        }
        if input.seq.is_multiple_of(50) {
            writer.checkpoint(Checkpoint {
                seq: input.seq,
                at: input.at,
                outputs: chain.length(),
                output_digest: chain.digest(),
                state_digest: Digest::of(&input.seq.to_le_bytes()),
                state: vec![7; 100],
            })?;
        }
    }
    Ok(())
}

/// A whole session from begin to end.
pub fn recorded(store: &Store, id: &str, steps: &[Told], options: Options) -> Manifest {
    let mut writer = begin(store, id, options).expect("begins");
    let mut chain = Chain::default();
    record(&mut writer, steps, &mut chain).expect("records");
    let at = steps.last().map_or(LocalTime(START), |(input, _)| input.at);
    let ending = Ending { at, output_digest: chain.digest(), state_digest: Digest::of(b"end") };
    writer.finish(ending).expect("ends")
}

/// Everything a reader gives from where it stands.
pub fn read_steps(reader: &mut papermaker::journal::Reader) -> Result<Vec<Told>, JournalError> {
    let mut found = Vec::new();
    let (mut input, mut outputs) = (papermaker::journal::Reader::blank(), Vec::new());
    while reader.next_step(&mut input, &mut outputs)? {
        found.push((input.clone(), outputs.clone()));
    }
    Ok(found)
}

/// A folder in memory where the machine has one: these tests sync a thousand times, and what a sync means is
/// [`super::faulty_disk`]'s business, not the machine's.
pub fn temporary() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}
