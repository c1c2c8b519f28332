//! Limits that change at awkward moments: always between two inputs, whole, and obeyed with the input that brought them.

use papermaker::engine::{Command, Input, Output, SessionSpec, Stamped};
use papermaker::exchange::latency::LatencySpec;
use papermaker::order::{OrderState, ReportKind, Request};
use papermaker::risk::{MarkoutLimit, RiskLimits, RiskState};
use papermaker::units::{LocalTime, Lots, Nanos, Side};

use super::{LONG_FIVE, Told, money, tell_inputs, tight};
use crate::engine::story::{ID, story};

/// A story with reloads in it: `MS reload N` puts the N-th limits in force.
fn reloading(spec: &SessionSpec, text: &str, limits: &[RiskLimits]) -> Told {
    let line = |(seq, line): (u64, &str)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [ms, "reload", which] = words[..] else {
            return Stamped { seq, ..story(line).remove(0) };
        };
        let limits = limits[which.parse::<usize>().expect("a number")].clone();
        let command = Command::SetLimits(Box::new(limits));
        let at = LocalTime(0) + Nanos::from_ms(ms.parse().expect("milliseconds"));
        Stamped { seq, at, input: Input::Command { by: "config/risk.toml".to_owned(), command } }
    };
    let inputs: Vec<Stamped> = (1..).zip(text.lines().map(str::trim).filter(|l| !l.is_empty())).map(line).collect();
    tell_inputs(spec, &inputs)
}

fn with(spec: &SessionSpec, set: impl FnOnce(&mut RiskLimits)) -> RiskLimits {
    let mut limits = spec.risk.clone();
    set(&mut limits);
    limits
}

impl Told {
    /// Sides cancelled with an input.
    fn cancelled_at(&self, seq: u64) -> usize {
        self.said.iter().filter(|(n, o)| *n == seq && matches!(o, Output::Sent(Request::Cancel { .. }))).count()
    }
}

#[test]
fn a_loss_that_is_beyond_the_new_limit_halts_with_the_reload_itself() {
    // 5 bought at 1000, the mid at 900: 500 lost, of which nobody minded. Then 400 is the limit. The strategy is due to
    // decide with that very input (a print has just come); nothing of it is sent.
    let spec = tight(|_| ());
    let limits = [with(&spec, |l| l.book.loss_max = Some(money(400)))];
    let text = format!("{LONG_FIVE}\n200 book 10@899 / 10@901\n210 tick\n220 reload 0");
    let told = reloading(&spec, &text, &limits);
    told.says(&[("book", "halted", "LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote")]);
    assert!(told.resting().is_empty(), "{:#?}", told.said);
    assert_eq!(told.cancelled_at(7), 1, "with the reload, not with the next price");
}

#[test]
fn what_rests_and_could_not_be_sent_any_more_leaves_with_the_reload() {
    // 5 bid at 1000 and 5 offered at 1004 rest; the mid is 1002.
    let spec = tight(|_| ());
    let rows: [(&str, RiskLimits, usize); 8] = [
        ("order size", with(&spec, |l| l.instruments[0].order_qty_max = Lots(4)), 2),
        ("order worth, 5020 for the offer", with(&spec, |l| l.instruments[0].order_notional_max = money(5_010)), 1),
        ("open orders", with(&spec, |l| l.instruments[0].open_orders_max = 1), 1),
        ("collar, 19.96 bps away", with(&spec, |l| l.instruments[0].collar_centibps = 1_900), 2),
        ("own spread, 39.92 bps", with(&spec, |l| l.instruments[0].spread_min_centibps = 4_000), 1),
        ("position", with(&spec, |l| l.instruments[0].long_max = Lots(4)), 1),
        ("exposure, 5010 a side", with(&spec, |l| l.book.exposure.gross_max = Some(money(5_000))), 2),
        ("nothing new", with(&spec, |_| ()), 0),
    ];
    for (what, limits, leave) in rows {
        let told = reloading(&spec, "100 book 10@1000 / 10@1004\n150 tick\n200 reload 0", &[limits]);
        let asked = told.cancelled_at(3);
        assert_eq!((asked, told.resting().len()), (leave, 2 - leave), "{what}: {:#?}", told.said);
    }
}

/// Requests take 20 ms to the venue, its word on orders as long back; its news comes at once.
fn slow(set: impl FnOnce(&mut SessionSpec)) -> SessionSpec {
    tight(|spec| {
        spec.desks[0].paper.latency = LatencySpec::constant(0, 20_000, 20_000);
        set(spec);
    })
}

#[test]
fn an_order_on_its_way_counts_against_the_new_limit_before_the_venue_has_said_a_word() {
    // Sent at 150, at the venue at 170, heard of at 190. The reload at 160 allows 3: both sides leave at once, though the
    // venue has not acknowledged them, and are gone in the end without a trade.
    let spec = slow(|_| ());
    let limits = [with(&spec, |l| (l.instruments[0].long_max, l.instruments[0].short_max) = (Lots(3), Lots(3)))];
    let told = reloading(&spec, "100 book 10@1000 / 10@1004\n160 reload 0\n165 tick\n300 tick\n400 tick", &limits);
    assert_eq!(told.cancelled_at(2), 2, "{:#?}", told.said);
    assert!(told.session.all_orders().all(|o| o.remaining <= Lots(3)), "what came after is within the limit");
}

#[test]
fn a_fill_not_heard_of_yet_cannot_be_taken_back_but_nothing_follows_it() {
    // The bid is filled at the venue at 300 and we hear of it at 320; between the two the limit becomes 3. Then
    // we hold 5: more than may be held, by the venue's doing, and only what reduces it rests from then on.
    let spec = slow(|_| ());
    let limits = [with(&spec, |l| (l.instruments[0].long_max, l.instruments[0].short_max) = (Lots(3), Lots(3)))];
    let text = "100 book 10@1000 / 10@1004\n200 tick\n300 sell 15@1000\n305 reload 0\n310 tick\n400 tick\n\
                500 book 10@1000 / 10@1004\n600 tick\n700 tick";
    let told = reloading(&spec, text, &limits);
    let is_fill = |o: &Output| matches!(o, Output::Heard(r) if matches!(r.kind, ReportKind::Filled(_)));
    let heard = told.said.iter().find(|(_, o)| is_fill(o)).map(|(seq, _)| *seq);
    assert!(heard > Some(4), "heard of after the reload: {heard:?}");
    assert_eq!(told.session.equity(ID).position, Lots(5));
    assert!(!told.placed_since(4, Side::Bid), "{:#?}", told.said);
    assert!(told.resting().iter().all(|(side, qty)| *side == Side::Ask && *qty <= 8), "{:?}", told.resting());
}

#[test]
fn a_reload_while_the_connection_is_lost_is_in_force_when_it_is_back() {
    let spec = tight(|_| ());
    let limits = [with(&spec, |l| l.instruments[0].long_max = Lots(2)), spec.risk.clone()];
    let lost = "100 book 10@1000 / 10@1004\n150 tick\n200 lost\n210 reload 0\n220 tick";
    let told = reloading(&spec, lost, &limits);
    assert_eq!((told.session.limits(), told.resting().len()), (&limits[0], 0));
    let told = reloading(&spec, &format!("{lost}\n300 book 10@1000 / 10@1004\n310 tick"), &limits);
    assert_eq!(told.resting(), [(Side::Bid, 2), (Side::Ask, 5)]);
    // Raised again while the connection is lost a second time.
    let again =
        format!("{lost}\n300 book 10@1000 / 10@1004\n310 tick\n320 lost\n330 reload 1\n340 book 10@1000 / 10@1004");
    assert_eq!(reloading(&spec, &format!("{again}\n350 tick"), &limits).resting(), [(Side::Bid, 5), (Side::Ask, 5)]);
}

#[test]
fn a_reload_does_not_end_a_halt_nor_a_reducing_state() {
    let spec = tight(|spec| spec.risk.book.loss_max = Some(money(400)));
    let limits = [with(&spec, |l| l.book.loss_max = None), spec.risk.clone()];
    // By a loss: the limit is lifted, and still an operator has to say resume.
    let fell =
        format!("{LONG_FIVE}\n200 book 10@899 / 10@901\n210 tick\n220 reload 0\n230 tick\n9000 book 10@899 / 10@901");
    let halted = ("book", "halted", "LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote");
    let told = reloading(&spec, &fell, &limits);
    told.says(&[halted]);
    assert!(told.resting().is_empty());
    let told = reloading(&spec, &format!("{fell}\n9010 resume\n9020 tick"), &limits);
    told.says(&[halted, ("book", "active", "resumed")]);
    // Lifted and put back before anybody resumed: it holds as before.
    let told = reloading(&spec, &format!("{fell}\n9010 reload 1\n9020 resume\n9030 tick"), &limits);
    told.says(&[halted, ("book", "halted", "RESUME_REFUSED LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote")]);
    // By an operator, either state.
    for (word, state) in [("halt", RiskState::Halted), ("reduce", RiskState::Reducing)] {
        let text = format!("{LONG_FIVE}\n200 {word}\n210 reload 0\n220 tick\n230 book 10@1000 / 10@1004\n240 tick");
        let told = reloading(&spec, &text, &limits);
        assert_eq!(told.session.risk_state(), state);
        let rests: &[(Side, i64)] = if word == "halt" { &[] } else { &[(Side::Ask, 5)] };
        assert_eq!(told.resting(), rests, "{word}");
    }
}

#[test]
fn who_is_halted_is_not_let_out_by_asking_for_less() {
    // `reduce` after `halt` would let orders rest again: only `resume` does.
    let told = reloading(
        &tight(|_| ()),
        &format!("{LONG_FIVE}\n200 halt\n210 reduce\n220 book 10@1000 / 10@1004\n230 tick"),
        &[],
    );
    assert_eq!((told.session.risk_state(), told.resting().len()), (RiskState::Halted, 0));
}

#[test]
fn flattening_goes_on_under_limits_lowered_below_what_is_held() {
    // 5 held, of which 1 may be held and 2 sent at once: it goes in 2, 2 and 1.
    let spec = tight(|_| ());
    let limits = [with(&spec, |l| {
        (l.instruments[0].long_max, l.instruments[0].order_qty_max) = (Lots(1), Lots(2));
    })];
    let ticks: String = (22..40).map(|n| format!("\n{}0 tick", n)).collect();
    let told = reloading(&spec, &format!("{LONG_FIVE}\n200 flatten\n210 reload 0{ticks}"), &limits);
    assert_eq!(told.session.equity(ID).position, Lots::ZERO);
    let told = reloading(&spec, &format!("{LONG_FIVE}\n200 halt\n205 reload 0\n210 flatten{ticks}"), &limits);
    assert_eq!((told.session.equity(ID).position, told.session.risk_state()), (Lots::ZERO, RiskState::Halted));
    let sizes: Vec<i64> = told
        .said
        .iter()
        .filter_map(|(seq, o)| match o {
            Output::Sent(Request::Place { qty, .. }) if *seq > 6 => Some(qty.0),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn limits_below_what_is_held_let_it_shrink_and_raised_again_let_it_grow() {
    let spec =
        tight(|spec| (spec.risk.instruments[0].long_max, spec.risk.instruments[0].short_max) = (Lots(20), Lots(5)));
    let limits = [with(&spec, |l| l.instruments[0].long_max = Lots(2)), spec.risk.clone()];
    let text = format!("{LONG_FIVE}\n200 reload 0\n210 book 10@1000 / 10@1004\n220 tick");
    let told = reloading(&spec, &text, &limits);
    // 5 held of 2: nothing is bought. All 5 may be sold, and not into more of a short than 5.
    assert_eq!(told.resting(), [(Side::Ask, 5)], "{:#?}", told.said);
    let told = reloading(&spec, &format!("{text}\n300 reload 1\n310 book 10@1000 / 10@1004\n320 tick"), &limits);
    assert_eq!(told.resting(), [(Side::Ask, 5), (Side::Bid, 5)]);
}

#[test]
fn no_reload_touches_an_estimate_a_queue_or_the_days_tally() {
    // The same market with and without reloads of limits that never bind: all but the limits is the same.
    let spec = tight(|spec| spec.risk.instruments[0].markout = Some(picky(40)));
    let limits = [with(&spec, |l| l.instruments[0].markout = Some(picky(50))), spec.risk.clone()];
    let book = |n: i64| format!("{} book 10@{} / 10@{}", n * 700, 1_000 + n % 3, 1_004 + n % 3);
    let trade = |n: i64| format!("{} sell 11@{}", n * 700 + 10, 1_000 + n % 3);
    let (mut plain, mut reloaded) = (String::new(), String::new());
    for n in 1..40 {
        let both = format!("{}\n{}\n", book(n), trade(n));
        plain += &format!("{both}{} tick\n", n * 700 + 20);
        // In place of a tick: as many inputs, at the same times.
        reloaded += &format!(
            "{both}{} {}\n",
            n * 700 + 20,
            if n == 39 { "tick".to_owned() } else { format!("reload {}", n % 2) }
        );
    }
    let (plain, reloaded) = (reloading(&spec, &plain, &limits), reloading(&spec, &reloaded, &limits));
    let (a, b) = (&plain.session, &reloaded.session);
    assert_eq!(b.limits(), &limits[0]);
    assert!(a.equity(ID).position != Lots::ZERO, "something was traded");
    assert_eq!(a.equity(ID), b.equity(ID));
    assert_eq!(a.breakers(), b.breakers(), "markouts, ages, tops and the day's tally");
    assert_eq!(a.signals(ID).volatility(), b.signals(ID).volatility());
    assert_eq!(a.signals(ID).volatility_samples(), b.signals(ID).volatility_samples());
    assert_eq!(a.orders(ID), b.orders(ID), "places in line are kept");
    assert!(a.orders(ID).iter().any(|o| o.state == OrderState::Working));
}

fn picky(loss_max_bps: u32) -> MarkoutLimit {
    MarkoutLimit { horizon: Nanos::from_ms(500), fills: 3, loss_max_centibps: loss_max_bps * 100 }
}

#[test]
fn a_breaker_that_was_off_begins_without_the_past() {
    // A fill while the breaker was on, then it is off for a minute in which the market falls by 10 %: what the fill would
    // be worth now is no markout. The next fill is.
    let strict = MarkoutLimit { horizon: Nanos::from_ms(100), fills: 1, loss_max_centibps: 1_000 };
    let spec = tight(|spec| spec.risk.instruments[0].markout = Some(strict));
    let limits = [with(&spec, |l| l.instruments[0].markout = None), spec.risk.clone()];
    let text = format!(
        "{LONG_FIVE}\n180 reload 0\n60000 book 10@900 / 10@904\n60010 reload 1\n60020 book 10@900 / 10@904\n60030 tick"
    );
    reloading(&spec, &text, &limits).says(&[]);
}
