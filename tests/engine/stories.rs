//! What a trader would tell of a session.

use papermaker::engine::{BookState, Command, Input, Mode, Output, Session, Stamped};
use papermaker::exchange::latency::LatencySpec;
use papermaker::market::{Instrument, MarketEvent, MarketEventKind, Status};
use papermaker::order::{FillWhy, ReportKind, Request};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Side, Step, Ticks};

use super::story::{ID, joining, run, sized, spec, story};

/// Fills in short: `bid 4@1000 queue_front`.
fn fills(said: &[(u64, Output)]) -> Vec<String> {
    said.iter()
        .filter_map(|(_, o)| match o {
            Output::Heard(r) => match &r.kind {
                ReportKind::Filled(f) => Some(format!("{} {}@{} {}", f.side.word(), f.qty.0, f.price.0, f.why.word())),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

#[test]
fn an_order_waits_for_the_queue_it_joined() {
    // We join 10 lots at 1000; 4 trade there; 6 are still ahead of us, so we own nothing yet.
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 4@1000\n170 tick";
    let (session, said) = run(&spec(100), joining(5), &story(told));
    assert_eq!(session.equity(ID).position, Lots(0), "{said:#?}");
    // 6 more clear the queue, 3 more are ours, and the rest of our order keeps waiting at the front.
    let told = format!("{told}\n180 sell 9@1000\n190 tick");
    let (session, said) = run(&spec(100), joining(5), &story(&told));
    assert_eq!(fills(&said), ["buy 3@1000 queue_front"]);
    assert_eq!(session.equity(ID).position, Lots(3));
}

#[test]
fn a_part_fill_reaches_position_and_profit() {
    // Bought 5 at 1000 with the mid at 1002: spread earned 2 × 5 = 10; the mid falls to 1001: inventory −5.
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 tick
        180 book 10@1000 / 10@1002\n190 tick";
    let (session, said) = run(&spec(100), joining(5), &story(told));
    assert_eq!(fills(&said), ["buy 5@1000 queue_front"]);
    let mark = session.equity(ID);
    let quote = |n: i128| Money(n * Money::PER_QUOTE);
    assert_eq!((mark.spread, mark.inventory, mark.unrealised), (quote(10), quote(-5), quote(5)));
}

#[test]
fn inventory_never_passes_the_limit_whatever_the_tape_does() {
    let tape: String = (0..200)
        .map(|i| {
            let side = if i % 7 < 4 { "sell" } else { "buy" };
            let price = if i % 7 < 4 { 998 } else { 1_006 };
            format!("{} book 3@1000 / 3@1004\n{} {side} 9@{price}\n", 100 + 20 * i, 110 + 20 * i)
        })
        .collect();
    for limit in 0..12 {
        let (session, said) = run(&spec(limit), joining(5), &story(&tape));
        let mut position = 0i64;
        for (seq, output) in &said {
            if let Output::Heard(r) = output
                && let ReportKind::Filled(f) = &r.kind
            {
                position += f.side.sign() * f.qty.0;
                assert!(position.abs() <= limit, "limit {limit}, {position} at input {seq}");
            }
        }
        assert_eq!(session.equity(ID).position, Lots(position));
        assert_eq!(
            limit == 0,
            fills(&said).is_empty(),
            "limit {limit} should {}trade",
            if limit == 0 { "not " } else { "" }
        );
    }
}

#[test]
fn nothing_rests_on_a_book_that_cannot_be_trusted() {
    for (word, state) in [("gap", BookState::Gap), ("lost", BookState::Disconnected), ("stale", BookState::Stale)] {
        let told = format!("100 book 10@1000 / 10@1004\n150 tick\n200 {word}\n210 tick");
        let (session, _) = run(&spec(100), joining(5), &story(&told));
        assert_eq!(session.book_state(ID), state);
        assert!(session.orders(ID).is_empty(), "{word}: {:?}", session.orders(ID));
        // A snapshot and the feed's word bring it back, and quotes with it.
        let told = format!("{told}\n300 book 9@1000 / 9@1004\n310 live\n320 bbo 9@1000 / 9@1004");
        let (session, _) = run(&spec(100), joining(5), &story(&told));
        assert_eq!(session.book_state(ID), BookState::Live, "{word}");
        assert_eq!(session.orders(ID).len(), 2, "{word}");
    }
}

#[test]
fn every_silent_connection_has_to_speak_again_before_the_book_is_believed() {
    // Book on connection 0, trades on connection 1.
    let states = [
        ("200 stale 1", BookState::Stale),
        // A new book says nothing of the trades, nor does the book's own connection.
        ("210 book 9@1000 / 9@1004", BookState::Stale),
        ("220 live 0", BookState::Stale),
        ("230 stale 0", BookState::Stale),
        ("240 stale 1", BookState::Stale),
        ("250 live 1", BookState::Stale),
        ("260 live 0", BookState::Live),
        // Nobody trades: that is not silence.
        ("265 quiet 0", BookState::Live),
        // A connection lost is worse than a silent one, and its book has to come again.
        ("270 stale 1", BookState::Stale),
        ("280 lost 1", BookState::Disconnected),
        ("290 live 1", BookState::Disconnected),
        ("300 book 9@1000 / 9@1004", BookState::Live),
    ];
    let mut told = "100 book 10@1000 / 10@1004\n150 tick".to_owned();
    for (line, state) in states {
        told = format!("{told}\n{line}");
        let (session, _) = run(&spec(100), joining(5), &story(&told));
        assert_eq!(session.book_state(ID), state, "after {line}");
    }
}

#[test]
fn a_change_to_an_unknown_book_says_nothing() {
    let (session, said) = run(&spec(100), joining(5), &story("100 level bid 10@1000\n110 level ask 10@1004\n120 tick"));
    assert_eq!(session.book_state(ID), BookState::Empty);
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn silence_is_noticed_by_our_own_clock() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n5101 tick\n5110 tick";
    let (session, _) = run(&spec(100), joining(5), &story(told));
    assert_eq!((session.book_state(ID), session.orders(ID).len()), (BookState::Stale, 0));
}

#[test]
fn a_crossed_book_is_not_quoted_on() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n200 level bid 5@1004\n210 tick";
    let (session, _) = run(&spec(100), joining(5), &story(told));
    assert_eq!((session.book_state(ID), session.orders(ID).len()), (BookState::Crossed, 0));
}

#[test]
fn a_halt_cancels_what_rests_and_sends_nothing_more() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n200 halt\n210 book 10@1001 / 10@1005\n220 sell 99@900";
    let (session, said) = run(&spec(100), joining(5), &story(told));
    assert!(session.orders(ID).is_empty());
    let halted_at = 3;
    for (seq, output) in said {
        match output {
            Output::Sent(Request::Place { .. } | Request::Replace { .. }) => assert!(seq < halted_at, "sent at {seq}"),
            Output::Heard(r) if seq > halted_at => assert!(!matches!(r.kind, ReportKind::Filled(_)), "{r:?}"),
            _ => {}
        }
    }
    // Resuming quotes again.
    let told = format!("{told}\n300 resume\n310 book 10@1001 / 10@1005");
    let (session, _) = run(&spec(100), joining(5), &story(&told));
    assert_eq!(session.orders(ID).len(), 2);
}

#[test]
fn a_fill_on_its_way_wins_over_our_cancellation() {
    // 10 ms in, 10 ms back. The halt at 200 reaches the venue at 210; the sweep at 205 got there first.
    let mut slow = spec(100);
    slow.desks[0].paper.latency = LatencySpec::constant(0, 10_000, 10_000);
    let told = "100 book 10@1000 / 10@1004\n150 tick\n200 halt\n205 sell 99@990\n230 tick";
    let (session, said) = run(&slow, joining(5), &story(told));
    assert_eq!(fills(&said), ["buy 5@1000 traded_through"]);
    assert_eq!(session.equity(ID).position, Lots(5));
    assert!(session.orders(ID).is_empty());
}

#[test]
fn flattening_crosses_the_spread_and_then_pauses() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 flatten\n180 tick\n190 tick\n200 tick";
    let (session, said) = run(&spec(100), joining(5), &story(told));
    assert_eq!(fills(&said), ["buy 5@1000 queue_front", "sell 5@1000 took"]);
    assert_eq!((session.equity(ID).position, session.mode()), (Lots(0), Mode::Paused));
    assert!(session.orders(ID).is_empty());
}

#[test]
fn reducing_sells_what_we_hold_and_buys_nothing() {
    let told =
        "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 reduce\n180 book 10@1000 / 10@1004\n190 tick";
    let (session, said) = run(&spec(100), joining(5), &story(told));
    assert_eq!(session.equity(ID).position, Lots(5));
    let resting: Vec<_> = session.orders(ID).iter().map(|o| (o.side, o.remaining)).collect();
    assert_eq!(resting, [(Side::Ask, Lots(5))], "the bid placed before is pulled, the offer of what we hold stays");
    let placed_after =
        said.iter().any(|(seq, o)| *seq >= 4 && matches!(o, Output::Sent(Request::Place { side: Side::Bid, .. })));
    assert!(!placed_after, "{said:#?}");
}

#[test]
fn a_loss_beyond_the_limit_halts_before_anything_else_is_sent() {
    // Bought 5 at 1000; the mid falls to 900: −500 quote, 400 allowed.
    let mut tight = spec(5);
    tight.risk.book.loss_max = Some(Money(400 * Money::PER_QUOTE));
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 book 10@899 / 10@901\n180 tick";
    let (session, said) = run(&tight, joining(5), &story(told));
    assert_eq!(session.risk_state().word(), "halted");
    assert!(session.orders(ID).is_empty());
    let reason = said.iter().find_map(|(_, o)| match o {
        Output::Risk { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote"));
}

#[test]
fn a_block_print_neither_fills_nor_moves_the_queue() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 99@1000 block\n170 sell 10@1000\n180 tick";
    let (_, said) = run(&spec(100), joining(5), &story(told));
    assert_eq!(fills(&said), Vec::<String>::new());
}

#[test]
fn a_market_that_comes_to_us_without_a_print_fills_us_as_crossed() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 book 10@995 / 10@1000\n170 tick";
    let (_, said) = run(&spec(100), joining(5), &story(told));
    let why = said.iter().find_map(|(_, o)| match o {
        Output::Heard(r) => match &r.kind {
            ReportKind::Filled(f) => Some((f.why, f.price)),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(why, Some((FillWhy::Crossed, Ticks(1_000))));
}

#[test]
fn a_working_order_keeps_its_place_within_the_tolerance() {
    // 20 bps of 1002 is 2 ticks: the best bid moving to 1001 is not worth the queue.
    let mut patient = spec(100);
    patient.desks[0].quoting.refresh_tolerance_centibps = 2_000;
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 book 1@1001 10@1000 / 10@1004\n170 tick";
    let (session, _) = run(&patient, joining(5), &story(told));
    let bid = session.orders(ID).iter().find(|o| o.side == Side::Bid).expect("a bid rests");
    assert_eq!((bid.price, bid.id.0), (Ticks(1_000), 1));
}

#[test]
fn decisions_are_no_more_frequent_than_asked() {
    let mut calm = spec(100);
    calm.desks[0].quoting.decide_every = Nanos::from_ms(100);
    let told: String = (0..50).map(|i| format!("{} book 10@{} / 10@1010\n", 100 + 10 * i, 1_000 + i / 10)).collect();
    let (_, said) = run(&calm, joining(5), &story(&told));
    let decisions = said.iter().filter(|(_, o)| matches!(o, Output::Decided { .. })).count();
    assert_eq!(decisions, 5, "500 ms at one per 100 ms");
}

/// An input a story has no word for, at this many milliseconds.
fn then(told: &str, more: Vec<(i64, Input)>, end: &str) -> Vec<Stamped> {
    let mut inputs = story(told);
    let at = |ms| LocalTime(0) + Nanos::from_ms(ms);
    inputs.extend(more.into_iter().map(|(ms, input)| Stamped { seq: 0, at: at(ms), input }));
    inputs.extend(story(end));
    inputs.iter_mut().zip(1..).for_each(|(input, seq)| input.seq = seq);
    inputs
}

fn market(kind: MarketEventKind) -> Input {
    Input::Market(MarketEvent { instrument: ID, venue_time: None, kind })
}

/// The same instrument in other lots.
fn in_lots(lot: &str) -> Instrument {
    let step = |text| Step::parse(text).expect("a step");
    let old = super::story::rules();
    Instrument { revision: 1, ..Instrument::new(old.venue, &old.symbol, "TEST", "USDT", step("1"), step(lot)).unwrap() }
}

#[test]
fn a_quote_as_large_as_the_limit_still_follows_the_market() {
    // A bid of 5 and its replacement could fill for 10, the limit is 5: the old one leaves, then the new one comes.
    let told = "100 book 10@1000 / 10@1004\n150 tick\n200 book 10@1001 / 10@1005\n210 tick\n220 tick";
    let (session, said) = run(&spec(5), joining(5), &story(told));
    let resting: Vec<_> = session.orders(ID).iter().map(|o| (o.side, o.price.0, o.remaining.0)).collect();
    assert_eq!(resting, [(Side::Bid, 1_001, 5), (Side::Ask, 1_005, 5)], "{said:#?}");
    let refused = said.iter().filter(|(_, o)| matches!(o, Output::Refused { .. })).count();
    assert_eq!(refused, 0, "what waits is not refused");
}

#[test]
fn an_order_that_may_not_be_moved_is_taken_back() {
    // The market runs away beyond what one order may be worth: 5 × 1001 > 5 000. The old bid must not stay behind.
    let mut small = spec(100);
    small.risk.instruments[0].order_notional_max = Money(5_000 * Money::PER_QUOTE);
    small.risk.instruments[0].collar_centibps = 1_000;
    let told =
        "100 book 10@1000 / 10@1000000\n150 book 10@1000 / 10@1001\n160 tick\n200 book 10@1001 / 10@1002\n210 tick";
    let (session, said) = run(&small, joining(5), &story(told));
    let bids = session.orders(ID).iter().filter(|o| o.side == Side::Bid).count();
    assert_eq!(bids, 0, "{said:#?}");
}

#[test]
fn an_order_the_venue_will_not_move_is_taken_back() {
    // The venue now asks for 10 lots an order. It refuses the replacement and leaves the old order where it was.
    let larger = Instrument { min_qty: Lots(10), ..super::story::rules() };
    let inputs = then(
        "100 book 10@1000 / 10@1004\n150 tick",
        vec![(200, market(MarketEventKind::Rules(Box::new(larger))))],
        "210 book 10@1001 / 10@1005\n211 tick\n212 tick",
    );
    let (session, said) = run(&spec(100), joining(5), &inputs);
    assert!(session.orders(ID).iter().all(|o| o.price != Ticks(1_000)), "{said:#?}");
}

fn longest(session: &Session) -> Vec<Lots> {
    session.limits().instruments.iter().map(|own| own.long_max).collect()
}

#[test]
fn lower_limits_pull_what_rests_beyond_them_at_once() {
    let limits = spec(3).risk;
    let lower = Input::Command { by: "risk".to_owned(), command: Command::SetLimits(Box::new(limits)) };
    let inputs = then("100 book 10@1000 / 10@1004\n150 tick", vec![(200, lower)], "210 sell 99@900\n220 tick");
    let (session, said) = run(&spec(100), joining(5), &inputs);
    assert_eq!(session.equity(ID).position, Lots(0), "5 lots rested when 3 became the limit: {said:#?}");
}

#[test]
fn limits_for_another_session_stop_nothing_and_unlimit_nothing() {
    let limits = sized(&spec(100).risk, &[]);
    let wrong = Input::Command { by: "operator".to_owned(), command: Command::SetLimits(Box::new(limits)) };
    let inputs =
        then("100 book 10@1000 / 10@1004\n150 tick", vec![(200, wrong)], "210 book 10@1001 / 10@1005\n220 tick");
    let (session, _) = run(&spec(100), joining(5), &inputs);
    assert_eq!((longest(&session).as_slice(), session.orders(ID).len()), (&[Lots(0)][..], 0));
}

#[test]
fn a_session_that_stops_does_not_quote_again() {
    let told = "100 book 10@1000 / 10@1004\n150 tick\n160 stop\n170 resume\n180 book 10@1001 / 10@1005\n190 tick";
    let (session, _) = run(&spec(100), joining(5), &story(told));
    assert_eq!((session.mode(), session.orders(ID).len()), (Mode::Stopped, 0));
}

#[test]
fn a_fill_on_its_way_when_lots_change_is_booked_in_the_lots_it_was_made_in() {
    // 5 lots bought at 1000, heard 10 ms later; meanwhile a lot becomes a tenth. It is 50 of the new ones.
    let mut slow = spec(100);
    slow.desks[0].paper.latency = LatencySpec::constant(0, 0, 10_000);
    let inputs = then(
        "100 book 10@1000 / 10@1004\n150 tick\n200 sell 15@1000",
        vec![(205, market(MarketEventKind::Rules(Box::new(in_lots("0.1")))))],
        "250 tick\n300 book 100@1000 / 100@1004",
    );
    let (session, said) = run(&slow, joining(5), &inputs);
    let mark = session.equity(ID);
    assert_eq!((mark.position, mark.cash.to_string()), (Lots(50), "-5000".to_owned()), "{said:#?}");
    assert_eq!(longest(&session), [Lots(1_000)]);
}

#[test]
fn a_position_the_new_lot_cannot_hold_is_kept_and_not_traded() {
    // 5 lots of 1 are half a lot of 10. No word of the venue but a lot that holds them makes them tradable again.
    let inputs = then(
        "100 book 10@1000 / 10@1004\n150 tick\n200 sell 15@1000\n210 tick",
        vec![
            (220, market(MarketEventKind::Rules(Box::new(in_lots("10"))))),
            (230, market(MarketEventKind::Status(Status::Trading))),
            (240, market(MarketEventKind::Rules(Box::new(in_lots("10"))))),
        ],
        "300 book 10@1000 / 10@1004\n310 tick",
    );
    let (session, _) = run(&spec(100), joining(5), &inputs);
    assert_eq!((session.book_state(ID), session.orders(ID).len()), (BookState::NotTrading, 0));
    assert_eq!((session.equity(ID).position, session.rules(ID).lot), (Lots(5), super::story::rules().lot));
    // Without a position there is nothing to keep: trading goes on, within limits that are no larger.
    let rules = vec![(220, market(MarketEventKind::Rules(Box::new(in_lots("10")))))];
    let inputs = then("100 book 10@1000 / 10@1004\n150 tick", rules, "300 book 10@1000 / 10@1004\n310 tick");
    let (session, _) = run(&spec(105), joining(5), &inputs);
    assert_eq!((session.book_state(ID), session.orders(ID).len()), (BookState::Live, 2));
    assert_eq!(longest(&session), [Lots(10)]);
}

#[test]
fn flattening_ends_in_a_wide_market_and_with_a_position_larger_than_an_order() {
    // The touch is 150 bps below the mid, the collar 200 bps: half a collar beyond the touch would be refused. The
    // venue takes at most 2 lots an order: 5 are sold as 2, 2 and 1.
    let mut wide = spec(100);
    wide.risk.instruments[0].collar_centibps = 20_000;
    wide.desks[0].rules.max_qty = Lots(2);
    let told = "100 book 10@10000 / 10@10004\n150 tick\n160 sell 15@10000\n170 book 99@10000 / 99@10004\n180 sell 101@10000
        190 sell 101@10000\n200 pause\n210 book 99@9850 / 99@10150\n220 flatten\n230 tick\n240 tick\n250 tick\n260 tick";
    let (session, said) = run(&wide, joining(2), &story(told));
    assert!(fills(&said).iter().any(|f| f.starts_with("buy")), "{said:#?}");
    assert_eq!((session.equity(ID).position, session.mode()), (Lots(0), Mode::Paused), "{said:#?}");
}
