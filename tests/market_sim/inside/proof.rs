//! The same seed is the same session; who sends nothing changes nothing; a recording needs no market.

use papermaker::engine::{Input, Output, Stamped};
use papermaker::journal::{Ending, Manifest, Options, Store};
use papermaker::market::{Book, Extent, InstrumentId, MarketEventKind};
use papermaker::order::{Liquidity, ReportKind};
use papermaker::run::replay::replay;
use papermaker::run::simulate::{BEGINS, Inside, Next};
use papermaker::sim::{World, WorldEventKind};
use papermaker::units::{Lots, Nanos, Side, Ticks};

use super::{TICK, bitcoin, count, inside, live, session};

const BTC: InstrumentId = InstrumentId(0);

/// The public's prints: when they happened there, of which number, how much at what price.
fn prints(told: &[(Stamped, Vec<Output>)]) -> Vec<(i64, u64, Ticks, Lots)> {
    let print = |(input, _): &(Stamped, Vec<Output>)| match &input.input {
        Input::Market(event) => match event.kind {
            MarketEventKind::Trade { id, price, qty, .. } => {
                Some((event.venue_time.expect("a stamp").0 - BEGINS.0, id, price, qty))
            }
            _ => None,
        },
        _ => None,
    };
    told.iter().filter_map(print).collect()
}

#[test]
fn the_same_seed_is_the_same_session_however_far_one_steps_at_a_time() {
    let sim = bitcoin();
    let spec = session(&sim, Some("avellaneda-stoikov"), &[]);
    let ended = |seed: u64, step: Nanos| {
        let mut inside = inside(&sim, seed, &spec);
        let (mut to, end) = (Nanos::ZERO, Nanos::from_s(120));
        while to < end {
            to = (to + step).min(end);
            assert_eq!(inside.advance(to), None);
        }
        (inside.session().digest().digest(), inside.session().state_digest(), inside.world().digest())
    };
    let whole = ended(7, Nanos::from_s(120));
    assert_eq!(whole, ended(7, Nanos::from_s(120)));
    assert_eq!(whole, ended(7, Nanos::from_ms(3)), "steps shorter than any latency");
    assert_eq!(whole, ended(7, Nanos(1_234_567_891)), "steps that fit nothing");
    assert_ne!(whole.0, ended(8, Nanos::from_s(120)).0);
    // Another seed and back: nothing of the first life is left.
    let mut again = inside(&sim, 8, &spec);
    again.advance(Nanos::from_s(30));
    again.reset(7, papermaker::run::prepare::strategies(&spec).expect("strategies"));
    again.advance(Nanos::from_s(120));
    assert_eq!(again.session().digest().digest(), whole.0);
}

#[test]
fn without_any_latency_it_is_the_same_session_too() {
    let none = ["paper.feed_latency_us=0", "paper.entry_latency_us=0", "paper.response_latency_us=0"];
    let sim = bitcoin();
    let spec = session(&sim, Some("avellaneda-stoikov"), &none);
    let ended = |step: Nanos| {
        let mut inside = inside(&sim, 7, &spec);
        (1..=60_000_000_000 / step.0).for_each(|n| assert_eq!(inside.advance(Nanos(n * step.0)), None));
        (inside.session().digest().digest(), inside.world().digest())
    };
    assert_eq!(ended(Nanos::from_s(60)), ended(Nanos::from_ms(20)));
}

#[test]
fn who_sends_nothing_leaves_the_market_as_it_is_without_him_message_for_message() {
    let (sim, end) = (bitcoin(), Nanos::from_s(180));
    // Nobody but the world.
    let (mut alone, mut events) = (World::new(5, &sim), Vec::new());
    let mut book = Book::new();
    let levels = |world: &World, side| world.engine(0).levels(side).collect::<Vec<_>>();
    book.apply_snapshot(0, &levels(&alone, Side::Bid), &levels(&alone, Side::Ask), Extent::All);
    alone.advance(end, &mut events);
    let mut trades = Vec::new();
    for event in &events {
        match event.kind {
            WorldEventKind::Trade { id, price, qty, .. } => trades.push((event.at.0, id, price, qty)),
            WorldEventKind::Level { side, price, qty } => book.set(side, price, qty),
            WorldEventKind::Joined { .. } | WorldEventKind::Left { .. } | WorldEventKind::Metaorder { .. } => {
                panic!("nobody watches orders")
            }
        }
    }
    // A session that only records, and one whose strategy never becomes sure enough to quote.
    let silent = session(&sim, None, &[]);
    let waiting = session(&sim, Some("avellaneda-stoikov"), &["signals.volatility_samples_min=100000"]);
    let lived = [&silent, &waiting].map(|spec| {
        let mut inside = inside(&sim, 5, spec);
        let told = live(&mut inside, end);
        assert_eq!(count(&told, |input| matches!(input, Input::Report(_))), 0);
        let heard: Vec<_> = told.iter().map(|(input, _)| input.clone()).collect();
        (heard, prints(&told), inside.world().digest(), inside.world().exogenous(), inside.world().traffic(0))
    });
    assert!(lived[0] == lived[1], "who says nothing is not there");
    assert!(lived[0].2 == lived[1].2 && lived[0].3 == alone.exogenous() && lived[0].4 == alone.traffic(0));
    // What is on its way at the end has not been heard.
    let heard = &lived[0].1;
    assert!(heard.len() > 100 && trades.len() - heard.len() < 5, "{} of {}", heard.len(), trades.len());
    assert_eq!(heard[..], trades[..heard.len()]);
    // The public's book, from the snapshot and the changes alone, is the book.
    let mut public = Book::new();
    for input in &lived[0].0 {
        if let Input::Market(event) = &input.input {
            match &event.kind {
                MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                    public.apply_snapshot(*seq, bids, asks, *extent)
                }
                MarketEventKind::Delta { seq, bids, asks } => public.apply_delta(*seq, bids, asks),
                _ => {}
            }
        }
    }
    let whole = |book: &Book| Side::BOTH.map(|side| book.levels(side).collect::<Vec<_>>());
    // The last word on depth, at the end itself, is heard after it: compare with the world 100 ms earlier.
    let (mut earlier, mut events) = (World::new(5, &sim), Vec::new());
    let mut before = Book::new();
    before.apply_snapshot(0, &levels(&earlier, Side::Bid), &levels(&earlier, Side::Ask), Extent::All);
    earlier.advance(end - Nanos::from_ms(100), &mut events);
    for event in &events {
        if let WorldEventKind::Level { side, price, qty } = event.kind {
            before.set(side, price, qty);
        }
    }
    assert_eq!(whole(&public), whole(&before));
}

#[test]
fn whatever_we_do_the_fundamental_signal_and_every_draw_stay_the_same() {
    let sim = bitcoin();
    let without = session(&sim, None, &[]);
    let with = session(&sim, Some("avellaneda-stoikov"), &[]);
    let (mut quiet, mut loud) = (inside(&sim, 3, &without), inside(&sim, 3, &with));
    for minute in 1..=4 {
        let to = Nanos::from_s(60 * minute);
        quiet.advance(to);
        loud.advance(to);
        assert_eq!(quiet.world().exogenous(), loud.world().exogenous());
    }
    assert_ne!(quiet.world().update(0), loud.world().update(0), "and yet the market was moved");
}

#[test]
fn every_fill_of_ours_is_a_print_of_the_market_and_every_lot_is_counted() {
    let sim = bitcoin();
    let spec = session(&sim, Some("avellaneda-stoikov"), &[]);
    let mut inside = inside(&sim, 1, &spec);
    let told = live(&mut inside, Nanos::from_s(600));
    let prints = prints(&told);
    let (mut position, mut makers, mut parts) = (0, 0, 0);
    for (input, said) in &told {
        let Input::Report(report) = &input.input else { continue };
        assert!(input.at >= report.happened + Nanos::from_us(5_000), "heard one response latency later");
        assert!(said.iter().any(|output| matches!(output, Output::Heard(heard) if heard.id == report.id)));
        let ReportKind::Filled(fill) = &report.kind else { continue };
        let happened = report.happened.0 - BEGINS.0;
        let is_printed =
            |(at, _, price, qty): &&(i64, u64, Ticks, Lots)| (*at, *price, *qty) == (happened, fill.price, fill.qty);
        assert!(prints.iter().any(|print| is_printed(&print)), "{report:?}");
        position += fill.side.sign() * fill.qty.0;
        makers += usize::from(fill.liquidity == Liquidity::Maker);
        parts += usize::from(fill.remaining > Lots::ZERO);
    }
    assert_eq!(inside.session().equity(BTC).position, Lots(position));
    assert!(makers > 100 && parts > 10, "{makers} fills at our own price, {parts} of a part of an order");
    let kinds = |kind: &dyn Fn(&ReportKind) -> bool| count(&told, |i| matches!(i, Input::Report(r) if kind(&r.kind)));
    // Ten milliseconds are long enough to be late.
    assert!(kinds(&|kind| matches!(kind, ReportKind::CancelRejected(_))) > 0, "a fill won a race");
    assert!(kinds(&|kind| matches!(kind, ReportKind::Rejected(_))) > 0, "the market had moved through our price");
    assert!(kinds(&|kind| matches!(kind, ReportKind::Replaced { .. })) > 0);
}

#[test]
fn a_place_in_line_is_told_as_it_is_and_only_gets_better() {
    let sim = bitcoin();
    let spec = session(&sim, Some("fixed-spread"), &[]);
    let mut inside = inside(&sim, 2, &spec);
    let (mut places, mut joined) = (std::collections::BTreeMap::new(), 0);
    for ms in 1..=120_000 {
        loop {
            match inside.step(Nanos::from_ms(ms)) {
                Next::Reached => break,
                Next::Took => {}
                Next::Asked(_) => panic!("the chair is taken"),
            }
            if let Input::Report(report) = &inside.last().input
                && let ReportKind::Accepted { queue_ahead } = report.kind
            {
                joined += usize::from(queue_ahead > Lots::ZERO);
                // Since then it can have moved up, or be gone.
                if let Some(ahead) = inside.queue_ahead(BTC, report.id) {
                    assert!(ahead <= queue_ahead, "{report:?}: {ahead:?}");
                }
                assert_eq!(inside.session().venue(BTC).queue_ahead(report.id), Some(queue_ahead));
                places.insert(report.id, queue_ahead);
            }
        }
        places.retain(|id, ahead| match inside.queue_ahead(BTC, *id) {
            Some(now) => {
                assert!(now <= *ahead, "{id:?} fell back in its queue");
                *ahead = now;
                true
            }
            None => false,
        });
    }
    assert!(joined > 0, "none stood behind anybody: the test shows nothing");
}

#[test]
fn a_recording_of_it_replays_without_the_market() {
    let sim = bitcoin();
    let spec = session(&sim, Some("glft"), &[]);
    let mut inside = inside(&sim, 11, &spec);
    let here = tempfile::tempdir().expect("a folder");
    let store = Store::open(here.path());
    let manifest = Manifest::new("inside", inside.spec().clone(), BEGINS);
    let mut writer = store.create("inside", manifest, Options::IMPORT).expect("a new session");
    for (input, said) in live(&mut inside, Nanos::from_s(120)) {
        writer.input(&input).expect("appended");
        writer.outputs(input.seq, &said).expect("appended");
    }
    let session = inside.session();
    let (output_digest, state_digest) = (session.digest().digest(), session.state_digest());
    writer.finish(Ending { at: session.now(), output_digest, state_digest }).expect("ended");
    let report = replay(&store, "inside").expect("it can be read");
    assert!(report.identical, "{:?}", report.first_divergence);
    assert_eq!(report.output_digest, output_digest.to_string());
    assert!(session.equity(BTC).cash != papermaker::units::Money::ZERO, "it traded");
}

#[test]
fn several_instruments_live_in_one_session() {
    let sim = papermaker::sim::SimSpec::demo();
    let spec = session(&sim, Some("avellaneda-stoikov"), &[]);
    let mut inside = inside(&sim, 4, &spec);
    let told = live(&mut inside, Nanos::from_s(120));
    assert!(told.is_sorted_by_key(|(input, _)| (input.at, input.seq)));
    for id in [InstrumentId(0), InstrumentId(1)] {
        let fills = count(&told, |input| match input {
            Input::Report(report) => report.instrument == id && matches!(report.kind, ReportKind::Filled(_)),
            _ => false,
        });
        assert!(fills > 0, "{id:?} was never filled");
    }
}

#[test]
fn what_a_market_does_not_list_cannot_be_traded_there() {
    let (sim, rmsc) = (bitcoin(), papermaker::sim::SimSpec::rmsc04());
    let spec = session(&sim, None, &[]);
    let refusal = |sim: &_, spec: &_| match Inside::new(sim, 1, spec, vec![None], TICK) {
        Ok(_) => panic!("it lives"),
        Err(why) => why.to_string(),
    };
    assert!(refusal(&rmsc, &spec).contains("does not list binance-spot:BTCUSDT"), "{}", refusal(&rmsc, &spec));
    let mut other = spec.clone();
    other.desks[0].rules.min_qty = Lots(5_000);
    assert!(refusal(&sim, &other).contains("rules are not those"), "{}", refusal(&sim, &other));
    assert!(Inside::new(&sim, 1, &spec, vec![None], Nanos::ZERO).is_err());
}
