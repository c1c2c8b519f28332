//! Every limit told as a story: what moves, what is said, what is left resting, how it ends.

mod loosening;
mod oracle;
mod reload;
mod scope;
mod standstill;
mod storm;
mod stress;
mod table;
mod uses;

use papermaker::engine::{Command, Input, Output, Session, SessionSpec, Stamped};
use papermaker::market::{MarketEvent, MarketEventKind, VenueId};
use papermaker::order::{OrderKind, OrderState, Request};
use papermaker::risk::{Conduct, ExposureLimits, Limit, MarkoutLimit, RULES, RiskState, Score, Whose};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Side, VenueTime};

use crate::engine::story::{ID, joining, run, spec, story};

/// 5 lots bought at 1000 with the mid at 1002 and an offer of 5 at 1004 resting: worth 5010, 10 earned.
const LONG_FIVE: &str = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 tick";

fn money(quote: i128) -> Money {
    Money(quote * Money::PER_QUOTE)
}

/// A session in which a limit clears below 80 % of itself, held for one second.
fn tight(set: impl FnOnce(&mut SessionSpec)) -> SessionSpec {
    let mut spec = spec(5);
    spec.risk.conduct = Conduct { soft_percent: 0, clear_percent: 80, hold: Nanos::from_s(1), flatten_on_halt: false };
    set(&mut spec);
    spec
}

struct Told {
    session: Session,
    said: Vec<(u64, Output)>,
}

fn tell(spec: &SessionSpec, text: &str) -> Told {
    tell_inputs(spec, &story(text))
}

fn tell_inputs(spec: &SessionSpec, inputs: &[Stamped]) -> Told {
    let (session, said) = run(spec, joining(5), inputs);
    Told { session, said }
}

impl Told {
    /// States that were said, with whose and why.
    fn states(&self) -> Vec<(&'static str, &'static str, String)> {
        let states = self.said.iter().filter_map(|(_, output)| match output {
            Output::Risk { whose, state, reason, .. } => {
                let whose = match whose {
                    Whose::Instrument(_) => "instrument",
                    Whose::Venue(venue) => venue.name(),
                    Whose::Book => "book",
                };
                Some((whose, state.word(), reason.clone()))
            }
            _ => None,
        });
        states.collect()
    }

    fn refusals(&self) -> Vec<String> {
        let refused = self.said.iter().filter_map(|(_, output)| match output {
            Output::Refused { refusal, .. } => Some(refusal.to_string()),
            _ => None,
        });
        refused.collect()
    }

    /// Orders that rest and are not on their way out.
    fn resting(&self) -> Vec<(Side, i64)> {
        let stays = self.session.orders(ID).iter().filter(|o| o.state != OrderState::Leaving);
        stays.map(|o| (o.side, o.remaining.0)).collect()
    }

    /// Nothing was placed on a side from an input on.
    fn placed_since(&self, seq: u64, wanted: Side) -> bool {
        let is_such = |output: &Output| matches!(output, Output::Sent(Request::Place { side, .. }) if *side == wanted);
        self.said.iter().any(|(n, output)| *n >= seq && is_such(output))
    }

    #[track_caller]
    fn says(&self, expected: &[(&str, &str, &str)]) {
        let states = self.states();
        let states: Vec<_> = states.iter().map(|(whose, state, why)| (*whose, *state, why.as_str())).collect();
        assert_eq!(states, expected, "{:#?}", self.said);
    }
}

#[test]
fn every_limit_has_its_story() {
    // The compiler sees to it that none is forgotten; the stories are run by themselves.
    let story = |limit: Limit| -> fn() {
        match limit {
            Limit::StaleBook => a_silent_market_is_not_quoted_in,
            Limit::OrderQty => an_order_may_not_be_larger_than_one_may_be,
            Limit::OrderNotional => an_order_may_not_be_worth_more_than_one_may_be,
            Limit::PositionLong => what_rests_counts_as_bought,
            Limit::PositionShort => shorts_have_a_limit_of_their_own,
            Limit::OpenOrders => no_more_orders_than_may_be_open,
            Limit::OrderRate => orders_come_as_fast_as_they_may,
            Limit::CancelRate => who_cancels_too_much_places_nothing_new_but_may_always_leave,
            Limit::Collar => a_price_far_from_the_market_is_refused,
            Limit::SpreadMin => our_two_sides_keep_their_distance,
            Limit::VenueGross => a_venue_holds_no_more_than_it_may,
            Limit::VenueNet => a_venue_leans_no_farther_than_it_may,
            Limit::BookGross => the_book_holds_no_more_than_it_may,
            Limit::BookNet => the_book_leans_no_farther_than_it_may,
            Limit::Leverage => leverage_counts_profit_and_loss,
            Limit::InstrumentLoss => scope::an_instrument_that_loses_too_much_is_halted_and_no_other,
            Limit::Loss => a_loss_halts_until_an_operator_raises_the_limit,
            Limit::DailyLoss => yesterdays_loss_is_not_todays_but_this_mornings_is,
            Limit::HourlyLoss => a_fast_loss_halts_where_a_slow_one_does_not,
            Limit::Drawdown => profit_given_back_counts_as_drawdown,
            Limit::DailyFees => fees_end_the_day_for_new_positions,
            Limit::Funding => expensive_funding_only_lets_positions_shrink,
            Limit::InventoryAge => a_position_held_too_long_may_only_shrink,
            Limit::Volatility => a_wild_market_is_left_to_others,
            Limit::Markout => being_picked_off_stops_new_positions,
            Limit::FeedLatency => old_news_is_not_quoted_on,
            Limit::ClockSkew => news_from_the_future_is_not_quoted_on,
        }
    };
    let stories: Vec<fn()> = RULES.iter().map(|rule| story(rule.limit)).collect();
    assert_eq!(stories.len(), 27);
}

#[test]
fn a_silent_market_is_not_quoted_in() {
    let spec = tight(|spec| spec.risk.instruments[0].stale_book_ms = 100);
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick\n300 tick");
    assert_eq!((told.session.book_state(ID).word(), told.resting().len()), ("stale", 0));
}

#[test]
fn an_order_may_not_be_larger_than_one_may_be() {
    let spec = tight(|spec| spec.risk.instruments[0].order_qty_max = Lots(3));
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), ["ORDER_QTY_EXCEEDED value=5 limit=3 unit=lots"; 2]);
    assert!(told.resting().is_empty());
}

#[test]
fn an_order_may_not_be_worth_more_than_one_may_be() {
    // 5 × 1000 and 5 × 1004; 5010 allowed.
    let spec = tight(|spec| spec.risk.instruments[0].order_notional_max = money(5_010));
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), ["ORDER_NOTIONAL_EXCEEDED value=5020 limit=5010 unit=quote"]);
    assert_eq!(told.resting(), [(Side::Bid, 5)]);
}

#[test]
fn what_rests_counts_as_bought() {
    // Long 5 of 5: the strategy is told there is no room, so it bids no more.
    let told = tell(&tight(|_| ()), LONG_FIVE);
    assert_eq!(told.resting(), [(Side::Ask, 5)]);
    assert!(!told.placed_since(3, Side::Bid));
}

#[test]
fn shorts_have_a_limit_of_their_own() {
    let spec = tight(|spec| spec.risk.instruments[0].short_max = Lots::ZERO);
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.resting(), [(Side::Bid, 5)], "flat: nothing may be sold");
    let told = tell(&spec, LONG_FIVE);
    assert_eq!(told.resting(), [(Side::Ask, 5)], "long 5: those may be sold");
}

#[test]
fn no_more_orders_than_may_be_open() {
    let spec = tight(|spec| spec.risk.instruments[0].open_orders_max = 1);
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), ["OPEN_ORDERS_EXCEEDED value=2 limit=1 unit=orders"]);
}

#[test]
fn orders_come_as_fast_as_they_may() {
    // Two a second, used up by the first pair; the market moves at once, and again a second later.
    let spec = tight(|spec| spec.risk.book.order_rate_max_per_s = 2);
    let moved = "100 book 10@1000 / 10@1004\n150 book 10@1001 / 10@1005\n160 tick";
    let told = tell(&spec, moved);
    assert_eq!(told.refusals(), ["ORDER_RATE_EXCEEDED value=3 limit=2 unit=per_s"; 2]);
    assert!(told.resting().is_empty(), "what may not be moved leaves");
    let told = tell(&spec, &format!("{moved}\n1200 book 10@1002 / 10@1006\n1210 tick"));
    assert_eq!(told.resting().len(), 2);
}

#[test]
fn who_cancels_too_much_places_nothing_new_but_may_always_leave() {
    let spec = tight(|spec| spec.risk.book.cancel_rate_max_per_s = Some(2));
    // Two replacements use up the cancellations of that second; a halt still cancels both orders.
    let moved = "100 book 10@1000 / 10@1004\n150 book 10@1001 / 10@1005\n160 tick\n170 halt\n180 tick";
    let told = tell(&spec, moved);
    assert!(told.resting().is_empty(), "{:#?}", told.said);
    let still = "100 book 10@1000 / 10@1004\n150 book 10@1001 / 10@1005\n160 book 10@1002 / 10@1006\n170 tick";
    let told = tell(&spec, still);
    assert_eq!(told.refusals(), ["CANCEL_RATE_EXCEEDED value=3 limit=2 unit=per_s"; 2]);
}

#[test]
fn a_price_far_from_the_market_is_refused() {
    // The best bid is 2 from the mid of 1002: 19.96 bps; 19 allowed.
    let spec = tight(|spec| spec.risk.instruments[0].collar_centibps = 1_900);
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), ["PRICE_COLLAR_EXCEEDED value=1996 limit=1900 unit=0.01bps"; 2]);
}

#[test]
fn our_two_sides_keep_their_distance() {
    // 1000 to 1004 are 39.92 bps of 1002; 50 wanted: the bid rests, the offer beside it may not.
    let spec = tight(|spec| spec.risk.instruments[0].spread_min_centibps = 5_000);
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), ["SPREAD_MIN_UNDERCUT value=3992 limit=5000 unit=0.01bps"]);
    assert_eq!(told.resting(), [(Side::Bid, 5)]);
    let told = tell(&spec, "100 book 10@1000 / 10@1006\n150 tick");
    assert_eq!((told.refusals().len(), told.resting().len()), (0, 2), "6 of 1003 are 59.8 bps");
}

/// Flat, with 5 lots wanted on both sides at a mid of 1002: worth 5010 a side, whichever is filled.
fn exposed(set: impl FnOnce(&mut SessionSpec), whose: &str, refusal: &str, beyond: &str) {
    let spec = tight(set);
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), [refusal; 2]);
    // 5 bought before the limit came; it is passed by the price, not by us: only the offer stays.
    let limited = spec.risk.clone();
    let mut inputs = story(LONG_FIVE);
    let command = Input::Command { by: "risk".to_owned(), command: Command::SetLimits(Box::new(limited)) };
    inputs.push(Stamped { seq: 5, at: LocalTime(0) + Nanos::from_ms(200), input: command });
    inputs.extend(story("210 tick").into_iter().map(|input| Stamped { seq: 6, ..input }));
    let free = tight(|_| ());
    let told = tell_inputs(&free, &inputs);
    told.says(&[(whose, "reducing", beyond)]);
    assert_eq!(told.resting(), [(Side::Ask, 5)]);
}

#[test]
fn a_venue_holds_no_more_than_it_may() {
    let limit = ExposureLimits { gross_max: Some(money(5_000)), net_max: None };
    exposed(
        |spec| {
            spec.risk.venues.insert(VenueId::BinanceSpot, limit);
        },
        "binance-spot",
        "VENUE_GROSS_EXCEEDED value=5010 limit=5000 unit=quote",
        "VENUE_GROSS_EXCEEDED value=5010.00 limit=5000.00 unit=quote",
    );
}

#[test]
fn a_venue_leans_no_farther_than_it_may() {
    let limit = ExposureLimits { gross_max: None, net_max: Some(money(5_000)) };
    exposed(
        |spec| {
            spec.risk.venues.insert(VenueId::BinanceSpot, limit);
        },
        "binance-spot",
        "VENUE_NET_EXCEEDED value=5010 limit=5000 unit=quote",
        "VENUE_NET_EXCEEDED value=5010.00 limit=5000.00 unit=quote",
    );
}

#[test]
fn the_book_holds_no_more_than_it_may() {
    exposed(
        |spec| spec.risk.book.exposure.gross_max = Some(money(5_000)),
        "book",
        "BOOK_GROSS_EXCEEDED value=5010 limit=5000 unit=quote",
        "BOOK_GROSS_EXCEEDED value=5010.00 limit=5000.00 unit=quote",
    );
}

#[test]
fn the_book_leans_no_farther_than_it_may() {
    exposed(
        |spec| spec.risk.book.exposure.net_max = Some(money(5_000)),
        "book",
        "BOOK_NET_EXCEEDED value=5010 limit=5000 unit=quote",
        "BOOK_NET_EXCEEDED value=5010.00 limit=5000.00 unit=quote",
    );
}

#[test]
fn leverage_counts_profit_and_loss() {
    // 5010 on a capital of 2000 is 2.505; 2.5 allowed.
    let spec = tight(|spec| {
        spec.risk.book.capital = Some(money(2_000));
        spec.risk.book.leverage_max_centi = Some(249);
    });
    let told = tell(&spec, "100 book 10@1000 / 10@1004\n150 tick");
    assert_eq!(told.refusals(), ["LEVERAGE_EXCEEDED value=250 limit=249 unit=0.01x"; 2]);
    // With 260 it may; bought at 1000, and at 950 the 4750 held stand against 1750: 2.71.
    let spec = tight(|spec| {
        spec.risk.book.capital = Some(money(2_000));
        spec.risk.book.leverage_max_centi = Some(260);
    });
    let told = tell(&spec, &format!("{LONG_FIVE}\n200 book 10@948 / 10@952\n210 tick"));
    told.says(&[("book", "reducing", "LEVERAGE_EXCEEDED value=271 limit=260 unit=0.01x")]);
}

#[test]
fn a_loss_halts_until_an_operator_raises_the_limit() {
    // Bought 5 at 1000; at 900 that is 500 less, 400 allowed.
    let spec = tight(|spec| spec.risk.book.loss_max = Some(money(400)));
    let fell = format!("{LONG_FIVE}\n200 book 10@899 / 10@901\n210 tick");
    let halted = ("book", "halted", "LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote");
    let told = tell(&spec, &fell);
    told.says(&[halted]);
    assert!(told.resting().is_empty());
    // Resuming changes nothing while the loss is what it is, also after the market has come half of the way back.
    let again = format!("{fell}\n220 resume\n230 tick\n240 book 10@949 / 10@951\n250 tick\n3000 tick");
    let told = tell(&spec, &again);
    let refused = ("book", "halted", "RESUME_REFUSED LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote");
    told.says(&[halted, refused]);
    // At 950 the loss is 250: now the operator may.
    let told =
        tell(&spec, &format!("{again}\n3100 book 10@949 / 10@951\n3200 resume\n3300 book 10@949 / 10@952\n3400 tick"));
    told.says(&[halted, refused, ("book", "active", "resumed")]);
    assert_eq!(told.resting(), [(Side::Ask, 5)]);
    // With flatten_on_halt the position goes too, across the spread.
    let flat = tight(|spec| {
        spec.risk.book.loss_max = Some(money(400));
        spec.risk.conduct.flatten_on_halt = true;
    });
    let told = tell(&flat, &format!("{fell}\n220 tick\n230 tick\n240 tick"));
    assert_eq!((told.session.equity(ID).position, told.session.risk_state()), (Lots::ZERO, RiskState::Halted));
    let is_bounded = |o: &Output| matches!(o, Output::Sent(Request::Place { kind: OrderKind::Ioc, .. }));
    assert_eq!(told.said.iter().filter(|(_, o)| is_bounded(o)).count(), 1);
}

const DAY_MS: i64 = 86_400_000;

#[test]
fn yesterdays_loss_is_not_todays_but_this_mornings_is() {
    let spec = tight(|spec| spec.risk.book.daily_loss_max = Some(money(400)));
    // 300 lost before midnight, 300 after: neither day loses more than 400. (The book is kept fresh over midnight.)
    let fresh = DAY_MS + 1_000;
    let told = tell(
        &spec,
        &format!(
            "{LONG_FIVE}\n200 book 10@939 / 10@941\n{fresh} book 10@939 / 10@941\n{} book 10@879 / 10@881",
            fresh + 10
        ),
    );
    told.says(&[]);
    // This morning's session lost 300, settled; this one is down 150 before noon.
    let score = Score { settled: money(-300), day: 0, ..Score::default() };
    let carried = papermaker::engine::Carried {
        from: "morning".to_owned(),
        positions: vec![Lots(5)],
        costs: vec![money(5_000)],
        score: Some(score),
        ..Default::default()
    };
    let restore = Command::Restore(Box::new(carried));
    let mut inputs = vec![Stamped {
        seq: 1,
        at: LocalTime(0),
        input: Input::Command { by: "account".to_owned(), command: restore },
    }];
    inputs
        .extend(story("100 book 10@969 / 10@971\n110 tick").into_iter().zip(2..).map(|(i, seq)| Stamped { seq, ..i }));
    tell_inputs(&spec, &inputs).says(&[("book", "halted", "DAILY_LOSS_EXCEEDED value=450.00 limit=400.00 unit=quote")]);
}

#[test]
fn a_fast_loss_halts_where_a_slow_one_does_not() {
    let spec = tight(|spec| spec.risk.book.hourly_loss_max = Some(money(200)));
    let minute = 60_000;
    // 250 within ten minutes.
    let at = |minutes: i64, mid: i64| format!("{} book 10@{} / 10@{}", minutes * minute, mid - 1, mid + 1);
    let fast = [LONG_FIVE.to_owned(), at(1, 1_000), at(10, 950)].join("\n");
    tell(&spec, &fast).says(&[("book", "halted", "HOURLY_LOSS_EXCEEDED value=250.00 limit=200.00 unit=quote")]);
    // The same 250, but the top is more than an hour old by then.
    let slow = [LONG_FIVE.to_owned(), at(1, 1_000), at(40, 975), at(90, 950)].join("\n");
    tell(&spec, &slow).says(&[]);
}

#[test]
fn profit_given_back_counts_as_drawdown() {
    // Up 250 at 1050, then 100 left at 1020: 150 given back, 140 allowed; no loss at all since the start.
    let spec = tight(|spec| spec.risk.book.drawdown_max = Some(money(140)));
    // (Nothing rests meanwhile, so that nothing is sold on the way.)
    let warned =
        format!("{LONG_FIVE}\n180 pause\n190 tick\n200 book 10@1049 / 10@1051\n210 book 10@1019 / 10@1021\n220 tick");
    let told = tell(&spec, &warned);
    told.says(&[("book", "halted", "DRAWDOWN_EXCEEDED value=150.00 limit=140.00 unit=quote")]);
    // A warning at half of twice as much, lifted after a second well within.
    let soft = tight(|spec| {
        spec.risk.book.drawdown_max = Some(money(280));
        spec.risk.conduct.soft_percent = 50;
    });
    let reducing = ("book", "reducing", "DRAWDOWN_EXCEEDED soft value=150.00 limit=140.00 unit=quote");
    tell(&soft, &warned).says(&[reducing]);
    let told = tell(&soft, &format!("{warned}\n300 book 10@1049 / 10@1051\n400 tick\n1299 tick\n1300 tick"));
    told.says(&[reducing, ("book", "active", "cleared DRAWDOWN_EXCEEDED")]);
}

#[test]
fn fees_end_the_day_for_new_positions() {
    use papermaker::exchange::fee::Schedule;
    use papermaker::units::Rate;
    // 5000 at 10 bps is 5; 4 allowed.
    let spec = tight(|spec| {
        spec.risk.book.daily_fees_max = Some(money(4));
        spec.desks[0].paper.fees = Schedule::flat(Rate(10_000), Rate(10_000));
    });
    let told = tell(&spec, LONG_FIVE);
    let beyond = ("book", "reducing", "DAILY_FEES_EXCEEDED value=5.00 limit=4.00 unit=quote");
    told.says(&[beyond]);
    assert_eq!(told.resting(), [(Side::Ask, 5)]);
    let told = tell(&spec, &format!("{LONG_FIVE}\n{DAY_MS} tick\n{} tick", DAY_MS + 50));
    told.says(&[beyond, ("book", "active", "cleared DAILY_FEES_EXCEEDED")]);
}

#[test]
fn expensive_funding_only_lets_positions_shrink() {
    // 5 × 1000 at 1 % is 50 due at 10 s; 40 allowed.
    let mut spec = tight(|spec| spec.risk.book.funding_max = Some(money(40)));
    spec.desks[0].rules = crate::engine::contracts::contract(papermaker::market::Kind::Linear).desks[0].rules.clone();
    let told = tell(&spec, &format!("{LONG_FIVE}\n200 mark 1000 rate 0.01 due 10000\n210 tick"));
    told.says(&[("book", "reducing", "FUNDING_EXCEEDED value=50.00 limit=40.00 unit=quote")]);
    // Whoever is paid may go on.
    let told = tell(&spec, &format!("{LONG_FIVE}\n200 mark 1000 rate -0.01 due 10000\n210 tick"));
    told.says(&[]);
}

#[test]
fn a_position_held_too_long_may_only_shrink() {
    let spec = tight(|spec| spec.risk.instruments[0].inventory_age_max = Some(Nanos::from_s(3)));
    let held = format!("{LONG_FIVE}\n1000 book 10@1000 / 10@1004\n4200 book 10@1000 / 10@1004\n4210 tick");
    let told = tell(&spec, &held);
    let beyond = ("instrument", "reducing", "INVENTORY_AGE_EXCEEDED value=4 limit=3 unit=s");
    told.says(&[beyond]);
    assert_eq!(told.resting(), [(Side::Ask, 5)]);
    // Sold; a second later both sides are quoted again.
    let told =
        tell(&spec, &format!("{held}\n4300 buy 15@1004\n4310 tick\n5310 book 10@1000 / 10@1004\n5320 tick\n5330 tick"));
    told.says(&[beyond, ("instrument", "active", "cleared INVENTORY_AGE_EXCEEDED")]);
    assert_eq!(told.resting().len(), 2);
}

#[test]
fn a_wild_market_is_left_to_others() {
    // A mid that goes 1 % up and down each second; the estimate needs ten samples before it says anything.
    let spec = tight(|spec| spec.risk.instruments[0].volatility_max_centibps = Some(2_000));
    let book = |second: i64| {
        let mid = 1_000 + 10 * (second % 2);
        format!("{} book 10@{} / 10@{}", second * 1_000, mid - 2, mid + 2)
    };
    let told = tell(&spec, &(1..9).map(book).collect::<Vec<_>>().join("\n"));
    told.says(&[]);
    let told = tell(&spec, &(1..30).map(book).collect::<Vec<_>>().join("\n"));
    let states = told.states();
    assert_eq!(states.len(), 1, "{states:?}");
    assert!(states[0].2.starts_with("VOLATILITY_EXCEEDED value="), "{states:?}");
    assert!(told.resting().is_empty(), "flat: nothing reduces");
}

#[test]
fn being_picked_off_stops_new_positions() {
    let limit = MarkoutLimit { horizon: Nanos::from_ms(100), fills: 1, loss_max_centibps: 1_000 };
    let spec = tight(|spec| spec.risk.instruments[0].markout = Some(limit));
    // Bought at 1000, 100 ms later the mid is 998: 20 bps lost, 10 allowed.
    let told =
        tell(&spec, &format!("{LONG_FIVE}\n200 book 10@996 / 10@1000\n259 tick\n260 book 10@996 / 10@1000\n270 tick"));
    let beyond = ("instrument", "reducing", "MARKOUT_EXCEEDED value=2000 limit=1000 unit=0.01bps");
    told.says(&[beyond]);
    assert_eq!(told.resting(), [(Side::Ask, 5)]);
}

/// Books every 10 ms, each stamped by a venue whose clock is `ahead` of ours as we hear it.
fn stamped(ahead_ms: i64, count: i64) -> Vec<Stamped> {
    let one = |i: i64| {
        let ms = 100 + 10 * i;
        let text = format!("{ms} book 10@1000 / 10@{}", 1_004 + i % 2);
        let mut input = story(&text).remove(0);
        input.seq = i as u64 + 1;
        if let Input::Market(MarketEvent { venue_time, kind: MarketEventKind::Snapshot { seq, .. }, .. }) =
            &mut input.input
        {
            *venue_time = Some(VenueTime((ms + ahead_ms) * 1_000_000));
            *seq = i as u64 + 1;
        }
        input
    };
    (0..count).map(one).collect()
}

#[test]
fn old_news_is_not_quoted_on() {
    let spec = tight(|spec| spec.risk.instruments[0].feed_latency_max_ms = Some(40));
    tell_inputs(&spec, &stamped(-50, 15)).says(&[]);
    let told = tell_inputs(&spec, &stamped(-50, 17));
    told.says(&[("instrument", "halted", "FEED_LATENCY_EXCEEDED value=50 limit=40 unit=ms")]);
    assert!(told.resting().is_empty());
}

#[test]
fn news_from_the_future_is_not_quoted_on() {
    // The real recordings of BTCUSDT are 1.27 s ahead of the recorder's clock.
    let spec = tight(|spec| spec.risk.instruments[0].clock_skew_max_ms = Some(1_000));
    let told = tell_inputs(&spec, &stamped(1_270, 17));
    told.says(&[("instrument", "halted", "CLOCK_SKEW_EXCEEDED value=1270 limit=1000 unit=ms")]);
    assert!(told.resting().is_empty());
}
