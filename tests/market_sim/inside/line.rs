//! A bad line: what is lost is noticed, and no book is believed that is not the market's.

use std::collections::HashMap;

use papermaker::engine::Input;
use papermaker::env::inside::Line;
use papermaker::market::{InstrumentId, Level, MarketEventKind};
use papermaker::run::simulate::Next;
use papermaker::units::{Nanos, Side};

use super::{bitcoin, count, inside, live, session};

type Sides = [Vec<Level>; 2];

/// The book after every change a session without a strategy heard of, by update; and its inputs.
fn heard(line: Line, until: Nanos) -> (HashMap<u64, Sides>, Vec<papermaker::engine::Stamped>) {
    let sim = bitcoin();
    let mut inside = inside(&sim, 3, &session(&sim, None, &[]));
    inside.through(line);
    let (mut books, mut inputs) = (HashMap::new(), Vec::new());
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
    let told = live(&mut quoting, Nanos::from_s(60));
    let gaps = count(
        &told,
        |input| matches!(input, Input::Market(event) if matches!(event.kind, MarketEventKind::Gap { .. })),
    );
    assert!(gaps > 5, "{gaps}");
    // From a gap to the next whole book nothing new is sent.
    let mut is_known = true;
    for (input, said) in &told {
        if let Input::Market(event) = &input.input {
            match event.kind {
                MarketEventKind::Gap { .. } => is_known = false,
                MarketEventKind::Snapshot { .. } => is_known = true,
                _ => {}
            }
        }
        let placed = said.iter().filter(|output| is_place(output)).count();
        assert!(is_known || placed == 0, "input {}: {said:?}", input.seq);
    }
    let placed = told.iter().flat_map(|(_, said)| said).filter(|output| is_place(output)).count();
    assert!(placed > 10, "it quotes in between: {placed}");
}

fn is_place(output: &papermaker::engine::Output) -> bool {
    use papermaker::engine::Output;
    use papermaker::order::Request;
    matches!(output, Output::Sent(Request::Place { .. } | Request::Replace { .. }))
}
