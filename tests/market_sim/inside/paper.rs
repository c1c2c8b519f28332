//! The market that reacts beside the paper exchange's model of one that does not: the same strategy, how different are its
//! fills?
//!
//! Three lives of each seed. *Inside*: orders rest in the book itself. *Again*: the paper exchange over what that session
//! heard, where its own former orders stand in the book as somebody else's. *Apart*: the paper exchange over the same seed's
//! market without us, which is what paper trading on a venue is.

use papermaker::engine::{Input, Output, Session, SessionSpec, Stamped};
use papermaker::exchange::place::Answers;
use papermaker::market::InstrumentId;
use papermaker::order::{Liquidity, ReportKind};
use papermaker::run::prepare;
use papermaker::units::Nanos;

use super::{bitcoin, inside, live, session};

/// What came of a life.
#[derive(Clone, Copy, Debug, Default)]
struct Came {
    fills: f64,
    lots: f64,
    /// Equity at the end, USDT.
    equity: f64,
    /// Earned by the spread before prices moved, USDT.
    spread: f64,
}

fn came(session: &Session, said: impl Iterator<Item = Output>) -> Came {
    let mark = session.equity(InstrumentId(0));
    let usdt = |money: papermaker::units::Money| money.0 as f64 / 1e24;
    let mut came = Came {
        equity: usdt(mark.realised + mark.unrealised - mark.fees),
        spread: usdt(mark.spread),
        ..Came::default()
    };
    for output in said {
        if let Output::Heard(report) = output
            && let ReportKind::Filled(fill) = report.kind
        {
            assert_eq!(fill.liquidity, Liquidity::Maker, "the strategy never crosses");
            came.fills += 1.0;
            came.lots += fill.qty.0 as f64;
        }
    }
    came
}

/// The paper exchange over these inputs.
fn on_paper(spec: &SessionSpec, heard: &[Stamped]) -> Came {
    let mut spec = spec.clone();
    spec.desks.iter_mut().for_each(|desk| desk.answers = Answers::Modelled);
    let (mut session, mut strategies) = (Session::new(&spec), prepare::strategies(&spec).expect("strategies"));
    let mut said = Vec::new();
    heard.iter().for_each(|input| session.step(input, &mut strategies, &mut said));
    came(&session, said.into_iter())
}

#[test]
fn paper_fills_beside_those_of_the_market_that_reacts() {
    let full = std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full");
    let (sim, minutes, seeds) = if full { (bitcoin(), 30, 20) } else { (bitcoin(), 5, 2) };
    let end = Nanos::from_s(60 * minutes);
    for strategy in ["avellaneda-stoikov", "glft", "fixed-spread"] {
        let spec = session(&sim, Some(strategy), &[]);
        let silent = session(&sim, None, &[]);
        let mut sums = [Came::default(); 3];
        for seed in 1..=seeds {
            let mut with = inside(&sim, seed, &spec);
            let told = live(&mut with, end);
            let said = told.iter().flat_map(|(_, said)| said.clone());
            let heard: Vec<Stamped> = told.iter().map(|(input, _)| input.clone()).collect();
            let alone: Vec<Stamped> =
                live(&mut inside(&sim, seed, &silent), end).into_iter().map(|(input, _)| input).collect();
            assert!(alone.iter().all(|input| !matches!(input.input, Input::Report(_))));
            let lives = [came(with.session(), said), on_paper(&spec, &heard), on_paper(&spec, &alone)];
            for (sum, one) in sums.iter_mut().zip(lives) {
                sum.fills += one.fills;
                sum.lots += one.lots;
                sum.equity += one.equity;
                sum.spread += one.spread;
            }
        }
        for (name, Came { fills, lots, equity, spread }) in ["inside", "again", "apart"].iter().zip(sums) {
            let minutes = (seeds * minutes as u64) as f64;
            eprintln!(
                "{strategy:>18} {name}: a minute {:.1} fills, {:.0} lots, spread {:.4}, equity {:+.4} USDT",
                fills / minutes,
                lots / minutes,
                spread / minutes,
                equity / minutes
            );
        }
        let [inside, again, apart] = sums;
        assert!(inside.fills > 20.0 && again.fills > 20.0 && apart.fills > 20.0, "{sums:?}");
        // The same order of magnitude; the numbers themselves are for whoever reads the output.
        for paper in [again, apart] {
            let ratio = paper.lots / inside.lots;
            assert!((0.2..5.0).contains(&ratio), "{strategy}: on paper {ratio} of the lots");
        }
    }
}
