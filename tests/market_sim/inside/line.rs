//! A bad line: what is lost is noticed, and no book is believed that is not the market's.

use std::collections::BTreeMap;

use papermaker::engine::{Input, Output};
use papermaker::env::inside::Line;
use papermaker::market::{InstrumentId, Level, MarketEventKind};
use papermaker::order::{OrderState, Request};
use papermaker::run::simulate::Next;
use papermaker::units::{Nanos, Side};

use super::{bitcoin, inside, session};

type Sides = [Vec<Level>; 2];

/// The book after every change a session without a strategy heard of, by update; and its inputs.
fn heard(line: Line, until: Nanos) -> (BTreeMap<u64, Sides>, Vec<papermaker::engine::Stamped>) {
    let sim = bitcoin();
    let mut inside = inside(&sim, 3, &session(&sim, None, &[]));
    inside.through(line);
    let (mut books, mut inputs) = (BTreeMap::new(), Vec::new());
    while inside.step(until) == Next::Took {
        inputs.push(inside.last().clone());
        let Input::Market(event) = &inside.last().input else { continue };
        if let MarketEventKind::Delta { seq, .. } | MarketEventKind::Snapshot { seq, .. } = event.kind {
            let book = inside.session().book(InstrumentId(0));
            let side = |side| book.levels(side).collect::<Vec<Level>>();
            books.insert(seq, [side(Side::Bid), side(Side::Ask)]);
        }
    }
    (books, inputs)
}

#[test]
fn a_book_that_is_told_over_a_bad_line_is_the_markets_or_none() {
    let until = Nanos::from_s(90);
    let (truth, clean) = heard(Line::default(), until);
    let line = Line { loss: 0.03, stalls_per_s: 0.1, stall_s: 0.7, seed: 5 };
    let (told, inputs) = heard(line, until);
    let of = |inputs: &[papermaker::engine::Stamped], which: fn(&MarketEventKind) -> bool| {
        inputs.iter().filter(|i| matches!(&i.input, Input::Market(event) if which(&event.kind))).count()
    };
    let gaps = of(&inputs, |kind| matches!(kind, MarketEventKind::Gap { .. }));
    let fetched = of(&inputs, |kind| matches!(kind, MarketEventKind::Snapshot { .. }));
    // Of some 900 changes 27 are lost; each costs the three or four of the fetch besides.
    assert!((8..60).contains(&gaps) && (gaps..=gaps + 1).contains(&fetched), "{gaps} gaps, {fetched} books");
    assert!(told.len() < truth.len() && told.len() > truth.len() / 2, "{} of {}", told.len(), truth.len());
    for (seq, book) in &told {
        assert!(truth.get(seq) == Some(book), "the book at update {seq} is not the market's");
    }
    // Prints are lost too, and what a stall held back comes at its end: never out of order.
    let prints = |inputs| of(inputs, |kind| matches!(kind, MarketEventKind::Trade { .. })) as f64;
    let share = 1.0 - prints(&inputs) / prints(&clean);
    assert!((0.005..0.08).contains(&share), "{share} of the prints were lost");
    assert!(inputs.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(heard(line, until).1, inputs, "the same seed loses the same");
}

#[test]
fn nothing_of_ours_rests_while_the_book_is_unknown() {
    let sim = bitcoin();
    let mut quoting = inside(&sim, 3, &session(&sim, Some("glft"), &[]));
    quoting.through(Line { loss: 0.05, seed: 2, ..Line::default() });
    let (mut is_known, mut gaps, mut pulled, mut placed) = (true, 0, 0, 0);
    while quoting.step(Nanos::from_s(60)) == Next::Took {
        let mut is_gap = false;
        if let Input::Market(event) = &quoting.last().input {
            is_gap = matches!(event.kind, MarketEventKind::Gap { .. });
            is_known &= !is_gap;
            is_known |= matches!(event.kind, MarketEventKind::Snapshot { .. });
        }
        let sent = |which: fn(&Request) -> bool| {
            quoting.said().iter().filter(|said| matches!(said, Output::Sent(request) if which(request))).count()
        };
        let new = sent(|request| matches!(request, Request::Place { .. } | Request::Replace { .. }));
        assert!(is_known || new == 0, "input {}: {:?}", quoting.last().seq, quoting.said());
        if is_gap {
            // With the gap everything that rests is taken back, and from there to the next whole book nothing is sent.
            gaps += 1;
            pulled += sent(|request| matches!(request, Request::Cancel { .. }));
            let orders = quoting.session().orders(InstrumentId(0));
            assert!(orders.iter().all(|order| order.state != OrderState::Working), "{orders:?}");
        }
        placed += new;
    }
    assert!(gaps > 5 && pulled > 5 && placed > 10, "{gaps} gaps, {pulled} taken back, {placed} sent");
}
