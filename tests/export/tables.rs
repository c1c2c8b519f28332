//! Tables of a session told by hand, row by row.

use papermaker::digest::of_state;
use papermaker::engine::{Command, EquityMark, FundingPayment, Input, Output, Stamped};
use papermaker::journal::export::{At, Cast, Exported, Exporter, Kind, Wish, export, table::Format};
use papermaker::market::{
    self, Contract, Extent, FeedEvent, FeedEventKind, Funding, Instrument, InstrumentId, Level, Mark, MarketEvent,
    MarketEventKind, PrintFlags, VenueId,
};
use papermaker::order::{Fill, FillWhy, Liquidity, OrderId, OrderKind, RejectReason, Report, ReportKind, Request};
use papermaker::risk::{BookLimits, InstrumentLimits, Limit, Refusal, RefusalCode, RiskLimits, RiskState, Whose};
use papermaker::signal::Top;
use papermaker::strategy::{Decision, Estimator, Idle, Quote, Wanted, Why};
use papermaker::units::{FundingRate, LocalTime, Lots, Money, Nanos, Side, Step, Ticks, VenueTime};

use super::parquet;

const BTC: InstrumentId = InstrumentId(0);

pub type Record = (Stamped, Vec<Output>);

/// One input, `seq` milliseconds after the epoch, and what it led to.
fn said(seq: u64, input: Input, outputs: Vec<Output>) -> Record {
    (Stamped { seq, at: LocalTime(seq as i64 * 1_000_000), input }, outputs)
}

pub fn news(seq: u64, kind: MarketEventKind) -> Record {
    let event = MarketEvent { instrument: BTC, venue_time: Some(VenueTime(seq as i64 * 1_000_000 + 7)), kind };
    said(seq, Input::Market(event), vec![])
}

pub fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

fn money(quote: &str) -> Money {
    Money::from_decimal(quote.parse().unwrap()).unwrap()
}

fn limits() -> RiskLimits {
    RiskLimits {
        instruments: vec![InstrumentLimits {
            long_max: Lots(5_000),
            short_max: Lots(5_000),
            order_qty_max: Lots(2_000),
            order_notional_max: money("5000"),
            open_orders_max: 20,
            collar_centibps: 20_000,
            stale_book_ms: 2_000,
            ..InstrumentLimits::nothing()
        }],
        book: BookLimits { order_rate_max_per_s: 20, loss_max: None, ..BookLimits::default() },
        ..RiskLimits::default()
    }
}

pub fn cast() -> Cast {
    let (tick, lot) = (Step::parse("0.01").unwrap(), Step::parse("0.00001").unwrap());
    let rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", tick, lot).unwrap();
    Cast { instruments: vec![rules], strategies: vec!["glft".to_owned()], limits: limits() }
}

fn write(kind: Kind, format: Format, at: At, depth: usize, records: &[Record]) -> (Vec<String>, Exported) {
    write_of(cast(), kind, format, at, depth, records)
}

fn write_of(
    cast: Cast,
    kind: Kind,
    format: Format,
    at: At,
    depth: usize,
    records: &[Record],
) -> (Vec<String>, Exported) {
    let mut out = Vec::new();
    let records = records.iter().cloned().map(Ok::<Record, String>);
    let exported = export(Wish { kind, format, at, depth }, cast, records, &mut out).unwrap();
    (String::from_utf8(out).unwrap().lines().map(str::to_owned).collect(), exported)
}

/// The csv lines below the header. Parquet must say the same.
fn csv(kind: Kind, records: &[Record]) -> Vec<String> {
    let (mut lines, exported) = write(kind, Format::Csv, At::End, 5, records);
    let mut file = Vec::new();
    let mut exporter =
        Exporter::new(Wish { kind, format: Format::Parquet, at: At::End, depth: 5 }, cast(), &mut file).unwrap();
    records.iter().for_each(|(input, _)| exporter.foresee(&input.input));
    records.iter().for_each(|(input, outputs)| exporter.step(input, outputs).unwrap());
    exporter.finish().unwrap();
    parquet::agrees(file, &lines.join("\n"));
    assert_eq!(lines.remove(0), kind.columns().join(","));
    assert_eq!(exported.rows, lines.len() as u64);
    lines
}

#[test]
fn the_columns_begin_with_those_of_the_contract() {
    for (kind, columns) in [
        (Kind::Trades, "seq,recv_ns,venue_ns,venue,symbol,trade_id,price,qty,aggressor"),
        (Kind::Book, "venue,symbol,side,level,price,qty"),
        (Kind::Bbo, "seq,recv_ns,venue,symbol,bid_price,bid_qty,ask_price,ask_qty"),
        (Kind::Feed, "seq,recv_ns,venue,symbol,event,detail"),
        (Kind::Orders, "seq,recv_ns,order_id,symbol,side,price,qty,event,reason"),
        (Kind::Fills, "seq,venue_ns,recv_ns,order_id,symbol,side,price,qty,fee_quote,liquidity,why,queue_ahead"),
        (Kind::Decisions, "seq,recv_ns,symbol,strategy,mid,reservation,bid,ask,inventory,"),
        (Kind::Equity, "recv_ns,equity_quote,cash_quote,position,mid,realised,unrealised,fees,funding,drawdown"),
        (Kind::Risk, "seq,recv_ns,event,limit,old,new,value,by"),
    ] {
        assert!(kind.columns().join(",").starts_with(columns), "{kind:?}");
        assert_eq!(kind.word().parse(), Ok(kind));
    }
    assert!("xlsx".parse::<Format>().unwrap_err().contains("known are csv, jsonl and parquet"));
    assert!("candles".parse::<Kind>().unwrap_err().contains("known are trades, book"));
}

pub fn market() -> Vec<Record> {
    vec![
        news(
            1,
            MarketEventKind::Snapshot {
                seq: 10,
                bids: vec![level(10_000, 100_000), level(9_999, 1)],
                asks: vec![level(10_003, 50_000)],
                extent: Extent::ToLast,
            },
        ),
        news(2, MarketEventKind::Bbo { seq: 11, bid: Some(level(10_001, 5)), ask: Some(level(10_003, 50_000)) }),
        // The book follows: at update 11 it says what the bbo said already.
        news(3, MarketEventKind::Delta { seq: 11, bids: vec![level(10_001, 5)], asks: vec![] }),
        news(
            4,
            MarketEventKind::Trade {
                id: 7,
                taker: Side::Ask,
                price: Ticks(10_001),
                qty: Lots(5),
                flags: PrintFlags::NONE,
            },
        ),
        news(5, MarketEventKind::Delta { seq: 13, bids: vec![level(10_001, 0)], asks: vec![] }),
        news(6, MarketEventKind::Gap { expected: 14, found: 20 }),
        // Not to be believed: the book is unknown since the gap.
        news(7, MarketEventKind::Delta { seq: 21, bids: vec![level(9_000, 1)], asks: vec![] }),
    ]
}

#[test]
fn trades_are_written_in_the_venues_precision() {
    assert_eq!(csv(Kind::Trades, &market()), ["4,4000000,4000007,binance-spot,BTCUSDT,7,100.01,0.00005,sell"]);
    let (lines, _) = write(Kind::Trades, Format::Jsonl, At::End, 0, &market());
    let row = r#"{"seq":4,"recv_ns":4000000,"venue_ns":4000007,"venue":"binance-spot","symbol":"BTCUSDT","trade_id":7,"price":100.01,"qty":0.00005,"aggressor":"sell"}"#;
    assert_eq!(lines, [row]);
}

#[test]
fn the_best_bid_and_offer_has_a_row_per_change_from_whichever_channel_is_ahead() {
    let rows = csv(Kind::Bbo, &market());
    assert_eq!(
        rows,
        [
            "1,1000000,binance-spot,BTCUSDT,100.00,1.00000,100.03,0.50000",
            "2,2000000,binance-spot,BTCUSDT,100.01,0.00005,100.03,0.50000",
            "5,5000000,binance-spot,BTCUSDT,100.00,1.00000,100.03,0.50000",
            "6,6000000,binance-spot,BTCUSDT,,,,",
        ]
    );
}

#[test]
fn a_book_is_that_of_the_asked_moment_and_says_if_it_was_not_in_step() {
    let at = |ms: i64, depth| write(Kind::Book, Format::Csv, At::Time(LocalTime(ms * 1_000_000)), depth, &market());
    let (lines, exported) = at(3, 1);
    assert_eq!(lines[1..], ["binance-spot,BTCUSDT,bid,1,100.01,0.00005", "binance-spot,BTCUSDT,ask,1,100.03,0.50000"]);
    assert_eq!((exported.rows, exported.notes.len()), (2, 0));
    assert_eq!(at(0, 5).0.len(), 1);
    let (lines, exported) = write(Kind::Book, Format::Csv, At::End, 5, &market());
    assert_eq!(lines[1], "binance-spot,BTCUSDT,bid,1,100.00,1.00000");
    let note = "the book of binance-spot:BTCUSDT was not in step at that moment: gap, 20 came instead of 14";
    assert_eq!(exported.notes, [note]);
    assert_eq!("end".parse(), Ok(At::End));
    assert_eq!("17".parse(), Ok(At::Time(LocalTime(17))));
    assert!("noon".parse::<At>().is_err());
}

#[test]
fn the_feeds_life_holds_snapshots_and_gaps_too() {
    let feed = |seq, kind| {
        let event = FeedEvent { venue: VenueId::BinanceSpot, connection: 0, instrument: None, generation: 2, kind };
        said(seq, Input::Feed(event), vec![])
    };
    let stale = FeedEventKind::Stale { channel: "depth".to_owned(), silent_ms: 5_001 };
    let mut records = market();
    records.extend([feed(8, FeedEventKind::Connected), feed(9, stale), said(10, Input::Tick, vec![])]);
    assert_eq!(
        csv(Kind::Feed, &records),
        [
            "1,1000000,binance-spot,BTCUSDT,snapshot,\"update 10, 2 bids and 1 asks, deeper levels unknown\"",
            "6,6000000,binance-spot,BTCUSDT,gap,\"expected update 14, found 20\"",
            "8,8000000,binance-spot,,connected,connection 2",
            "9,9000000,binance-spot,,stale,depth silent for 5001 ms",
        ]
    );
}

fn place(id: u64, side: Side, price: i64, qty: i64) -> Request {
    let (price, qty) = (Ticks(price), Lots(qty));
    Request::Place { id: OrderId(id), instrument: BTC, side, price, qty, kind: OrderKind::PostOnly }
}

fn heard(id: u64, kind: ReportKind) -> Output {
    Output::Heard(Report { id: OrderId(id), instrument: BTC, happened: LocalTime(1_500_000), kind })
}

fn fill(qty: i64, remaining: i64) -> ReportKind {
    ReportKind::Filled(Fill {
        side: Side::Bid,
        price: Ticks(10_000),
        qty: Lots(qty),
        remaining: Lots(remaining),
        fee: money("0.0000123"),
        liquidity: Liquidity::Maker,
        why: FillWhy::QueueFront,
        queue_ahead: Lots(3),
    })
}

/// A bid is placed, replaced, filled in two parts; an ask is refused, another rejected, a third cancelled.
pub fn orders() -> Vec<Record> {
    let replace =
        Request::Replace { old: OrderId(1), new: OrderId(2), instrument: BTC, price: Ticks(10_000), qty: Lots(2_000) };
    let replaced = ReportKind::Replaced { old: OrderId(1), remaining: Lots(1_000), queue_ahead: Lots(30) };
    let refusal = Refusal { code: RefusalCode::Limit(Limit::PositionLong), value: 6_000, limit: 5_000 };
    vec![
        said(1, Input::Tick, vec![Output::Sent(place(1, Side::Bid, 9_999, 1_000))]),
        said(2, Input::Tick, vec![heard(1, ReportKind::Accepted { queue_ahead: Lots(20) }), Output::Sent(replace)]),
        said(3, Input::Tick, vec![heard(2, replaced), heard(2, fill(500, 1_500))]),
        said(4, Input::Tick, vec![heard(2, fill(1_500, 0))]),
        said(5, Input::Tick, vec![Output::Refused { request: place(3, Side::Ask, 10_003, 6_000), refusal }]),
        said(
            6,
            Input::Tick,
            vec![
                Output::Sent(place(4, Side::Ask, 10_001, 10)),
                heard(4, ReportKind::Rejected(RejectReason::WouldTake)),
                Output::Sent(place(5, Side::Ask, 10_005, 10)),
                Output::Sent(Request::Cancel { id: OrderId(5), instrument: BTC }),
                heard(5, ReportKind::Cancelled { remaining: Lots(10) }),
            ],
        ),
    ]
}

#[test]
fn an_order_is_followed_through_its_life() {
    assert_eq!(
        csv(Kind::Orders, &orders()),
        [
            "1,1000000,1,BTCUSDT,buy,99.99,0.01000,sent,post_only",
            "2,2000000,1,BTCUSDT,buy,99.99,0.01000,accepted,0.00020 ahead",
            "2,2000000,2,BTCUSDT,buy,100.00,0.02000,sent,replaces 1",
            "3,3000000,1,BTCUSDT,buy,99.99,0.01000,cancelled,replaced by 2",
            "3,3000000,2,BTCUSDT,buy,100.00,0.02000,accepted,0.00030 ahead",
            "3,3000000,2,BTCUSDT,buy,100.00,0.00500,partially_filled,queue_front",
            "4,4000000,2,BTCUSDT,buy,100.00,0.01500,filled,queue_front",
            "5,5000000,3,BTCUSDT,sell,100.03,0.06000,refused,POSITION_LIMIT_EXCEEDED value=6000 limit=5000 unit=lots",
            "6,6000000,4,BTCUSDT,sell,100.01,0.00010,sent,post_only",
            "6,6000000,4,BTCUSDT,sell,100.01,0.00010,rejected,-2010 Order would immediately match and take.",
            "6,6000000,5,BTCUSDT,sell,100.05,0.00010,sent,post_only",
            "6,6000000,5,BTCUSDT,sell,100.05,0.00010,cancel_sent,",
            "6,6000000,5,BTCUSDT,sell,100.05,0.00010,cancelled,",
        ]
    );
}

#[test]
fn an_order_the_venue_changes_by_itself_goes_on_as_what_it_became() {
    let moved = ReportKind::Amended { price: Ticks(9_998), remaining: Lots(600) };
    let told = [
        said(1, Input::Tick, vec![Output::Sent(place(1, Side::Bid, 10_004, 1_000))]),
        said(2, Input::Tick, vec![heard(1, ReportKind::Accepted { queue_ahead: Lots(0) }), heard(1, moved)]),
        said(3, Input::Tick, vec![Output::Sent(Request::Cancel { id: OrderId(1), instrument: BTC })]),
    ];
    assert_eq!(
        csv(Kind::Orders, &told),
        [
            "1,1000000,1,BTCUSDT,buy,100.04,0.01000,sent,post_only",
            "2,2000000,1,BTCUSDT,buy,100.04,0.01000,accepted,0.00000 ahead",
            "2,2000000,1,BTCUSDT,buy,99.98,0.00600,amended,",
            "3,3000000,1,BTCUSDT,buy,99.98,0.00600,cancel_sent,",
        ]
    );
}

#[test]
fn a_fill_says_why_and_who_was_ahead() {
    assert_eq!(
        csv(Kind::Fills, &orders()),
        [
            "3,1500000,3000000,2,BTCUSDT,buy,100.00,0.00500,0.0000123,maker,queue_front,0.00003",
            "4,1500000,4000000,2,BTCUSDT,buy,100.00,0.01500,0.0000123,maker,queue_front,0.00003",
        ]
    );
}

#[test]
fn a_decision_says_what_was_wanted_and_why() {
    let decided = |wanted, why| {
        let top = Top { bid: level(10_000, 1), ask: level(10_003, 1) };
        let decision = Box::new(Decision { instrument: BTC, wanted, why });
        Output::Decided { decision, top, position: Lots(-250) }
    };
    let quote = |side, price| Quote { side, price: Ticks(price), qty: Lots(1_000) };
    let quotes: Vec<Quote> = vec![quote(Side::Bid, 9_998), quote(Side::Bid, 9_990), quote(Side::Ask, 10_006)];
    let why =
        Why { reservation: 10_002.25, sigma: 12.5, action: Some([0.5, -0.25]), logp: Some(-1.5), ..Why::default() };
    let warming = Wanted::Nothing(Idle::WarmingUp { what: Estimator::Volatility, have: 3, need: 10 });
    let records = [said(
        1,
        Input::Tick,
        vec![decided(Wanted::Quotes(quotes.into_iter().collect()), why), decided(warming, Why::default())],
    )];
    // Mid (100.00 + 100.03) / 2; reservation 10 002.25 ticks of 0.01.
    assert_eq!(
        csv(Kind::Decisions, &records),
        [
            "1,1000000,BTCUSDT,glft,100.015,100.022500,99.98,100.06,-0.00250,0.01000,0.01000,quotes,,12.5,,,,0.5;-0.25,-1.5",
            "1,1000000,BTCUSDT,glft,100.015,,,,-0.00250,,,nothing,\"warming up, volatility 3/10\",,,,,,",
        ]
    );
    let (lines, _) = write(Kind::Decisions, Format::Jsonl, At::End, 0, &records);
    let row: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    assert!(row["bid"].is_null() && row["reservation"].is_null());
    assert_eq!((row["strategy"].as_str(), row["wanted"].as_str()), (Some("glft"), Some("nothing")));
}

#[test]
fn equity_is_what_was_realised_and_not_less_what_was_paid() {
    let mark = EquityMark {
        instrument: BTC,
        position: Lots(2_000),
        twice_mid: 20_003,
        cash: money("-2.01"),
        realised: money("0.5"),
        unrealised: money("-0.2"),
        fees: money("0.01"),
        funding: money("0"),
        spread: money("0.4"),
        inventory: money("-0.1"),
        drawdown: money("0.05"),
    };
    let records = [said(1, Input::Tick, vec![Output::Equity(mark)])];
    // 0.5 - 0.2 - 0.01 = 0.29.
    let row = "1000000,0.29,-2.01,0.02000,100.015,0.5,-0.2,0.01,0,0.05,1,BTCUSDT,0.4,-0.1,USDT";
    assert_eq!(csv(Kind::Equity, &records), [row]);
}

/// The cast as contracts of 10 USD, settled in BTC.
fn inverse() -> Cast {
    let mut cast = cast();
    let contract =
        Contract { kind: market::Kind::Inverse, unit: Step::ONE, settle: "BTC".to_owned(), funding_every: None };
    let spot = Instrument { lot: Step::parse("10").unwrap(), ..cast.instruments.remove(0) };
    cast.instruments.push(spot.with_contract(contract));
    cast
}

#[test]
fn amounts_of_an_inverse_contract_are_in_the_coin_unless_a_column_says_quote() {
    let mark = EquityMark {
        instrument: BTC,
        position: Lots(2_000),
        twice_mid: 10_000_000,
        cash: money("0.4"),
        realised: money("0.002"),
        unrealised: money("0"),
        fees: money("0.0005"),
        funding: money("0.0001"),
        spread: money("0.002"),
        inventory: money("0"),
        drawdown: money("0"),
    };
    let fill = Fill {
        side: Side::Bid,
        price: Ticks(5_000_000),
        qty: Lots(1_000),
        remaining: Lots(0),
        fee: money("0.0001"),
        liquidity: Liquidity::Maker,
        why: FillWhy::QueueFront,
        queue_ahead: Lots(7),
    };
    let report = Report { id: OrderId(1), instrument: BTC, happened: LocalTime(5), kind: ReportKind::Filled(fill) };
    let records = [said(1, Input::Tick, vec![Output::Equity(mark), Output::Heard(report)])];
    let rows = |kind| write_of(inverse(), kind, Format::Csv, At::End, 0, &records).0.remove(1);
    // 0.0014 BTC at 50 000 are 70 USD, 0.4 are 20 000; a fee of 0.0001 is 5.
    let row = "1000000,70,20000,20000,50000.000,0.002,0,0.0005,0.0001,0,1,BTCUSDT,0.002,0,BTC";
    assert_eq!(rows(Kind::Equity), row);
    assert_eq!(rows(Kind::Fills), "1,5,1000000,1,BTCUSDT,buy,50000.00,10000,5,maker,queue_front,70");
}

#[test]
fn marks_and_what_was_paid_on_them() {
    let due = Some(VenueTime(9_000_000));
    let funding = Funding {
        rate: FundingRate::from_decimal("0.0001".parse().unwrap()).unwrap(),
        due,
        every: Nanos(1),
        at_index: false,
    };
    let mark = Mark { mark: Some(money("60000.125")), index: None, funding: Some(funding) };
    let paid = FundingPayment {
        instrument: BTC,
        position: Lots(-100_000),
        amount: money("-6"),
        rate: funding.rate,
        price: money("60000"),
        due,
    };
    let unknown = Output::FundingUnknown { instrument: BTC, position: Lots(-100_000), payments: 3 };
    let mut told = news(1, MarketEventKind::Mark(mark));
    told.1 = vec![Output::Funding(paid), unknown];
    let accrued = said(2, Input::Tick, vec![Output::Funding(FundingPayment { due: None, ..paid })]);
    let only_index = Mark { index: Some(money("59999")), ..Mark::default() };
    assert_eq!(
        csv(Kind::Funding, &[told, accrued, news(3, MarketEventKind::Mark(only_index))]),
        [
            "1,1000000,1000007,binance-spot,BTCUSDT,mark,60000.125,,0.0001,9000000,,,,",
            "1,1000000,1000007,binance-spot,BTCUSDT,paid,60000,,0.0001,9000000,-1.00000,-6,USDT,",
            "1,1000000,1000007,binance-spot,BTCUSDT,unknown,,,,,-1.00000,,,3",
            "2,2000000,,binance-spot,BTCUSDT,accrued,60000,,0.0001,,-1.00000,-6,USDT,",
            "3,3000000,3000007,binance-spot,BTCUSDT,mark,,59999,,,,,,",
        ]
    );
}

#[test]
fn the_risk_audit_names_old_and_new_and_who() {
    let mut tighter = limits();
    tighter.instruments[0].long_max = Lots(1_000);
    tighter.instruments[0].collar_centibps = 150;
    let command = |command| Output::Commanded { by: "operator".to_owned(), command };
    let halted =
        Output::Risk { whose: Whose::Book, state: RiskState::Halted, reason: "loss".to_owned(), by: "risk".to_owned() };
    let refusal = Refusal { code: RefusalCode::Limit(Limit::OpenOrders), value: 21, limit: 20 };
    let records = [
        said(1, Input::Tick, vec![command(Command::SetLimits(Box::new(tighter.clone())))]),
        said(2, Input::Tick, vec![Output::Refused { request: place(1, Side::Bid, 1, 1), refusal }, halted]),
        said(3, Input::Tick, vec![command(Command::Resume)]),
    ];
    let digest = of_state(&tighter);
    assert_eq!(
        csv(Kind::Risk, &records),
        [
            &*format!(
                "1,1000000,limit,position_max_base binance-spot:BTCUSDT,0.05,0.01,,operator,binance-spot:BTCUSDT,{digest}"
            ),
            &*format!(
                "1,1000000,limit,collar_bps binance-spot:BTCUSDT,200,1.5,,operator,binance-spot:BTCUSDT,{digest}"
            ),
            "2,2000000,refused,OPEN_ORDERS_EXCEEDED,20,,21,gate,binance-spot:BTCUSDT,",
            "2,2000000,state,,active,halted,loss,risk,,",
            "3,3000000,resume,,,,,operator,,",
        ]
    );
}

#[test]
fn prices_after_a_change_of_rules_are_in_the_new_ticks() {
    let mut rules = cast().instruments.remove(0);
    rules.tick = Step::parse("0.001").unwrap();
    let trade = |seq| {
        let (taker, price, qty) = (Side::Bid, Ticks(10_001), Lots(1));
        news(seq, MarketEventKind::Trade { id: seq, taker, price, qty, flags: PrintFlags::NONE })
    };
    let rows = csv(Kind::Trades, &[trade(1), news(2, MarketEventKind::Rules(Box::new(rules))), trade(3)]);
    assert!(rows[0].contains(",100.01,") && rows[1].contains(",10.001,"), "{rows:?}");
}

#[test]
fn a_recording_that_cannot_be_read_ends_the_export_with_its_error() {
    let records = vec![Ok(market().remove(0)), Err("segment 1, offset 99: damaged".to_owned())];
    let wish = Wish { kind: Kind::Trades, format: Format::Csv, at: At::End, depth: 0 };
    let error = export(wish, cast(), records, std::io::sink()).unwrap_err();
    assert_eq!(error.to_string(), "segment 1, offset 99: damaged");
}
