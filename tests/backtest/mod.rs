//! Backtests of recorded storms: what is kept, what is left out, and that nothing depends on threads.

use std::path::{Path, PathBuf};

use papermaker::config::Sources;
use papermaker::engine::{Session, SessionSpec, Stamped};
use papermaker::journal::{Ending, Manifest, Options, Store};
use papermaker::metrics::cross_validation::Criterion;
use papermaker::run::backtest::{Ask, Backtest, Settings, Source, Unwatched, backtest};
use papermaker::run::prepare;
use papermaker::units::{LocalTime, Nanos};

use crate::engine::invariants::storm;
use crate::engine::story::{spec, story};

const FIXED: &str = "kind = \"fixed-spread\"\nhalf_spread_ticks = 1\norder_amount_base = \"5\"\n";

/// Records a session of this spec in `folder/NAME`; its folder.
pub fn record(folder: &Path, name: &str, spec: &SessionSpec, inputs: &[Stamped]) -> String {
    let store = Store::open(folder);
    let mut writer =
        store.create(name, Manifest::new(name, spec.clone(), inputs[0].at), Options::LIVE).expect("a new session");
    let (mut session, mut said) = (Session::new(spec), Vec::new());
    let mut strategies = prepare::strategies(spec).expect("it is a strategy");
    for input in inputs {
        writer.input(input).expect("appended");
        session.step(input, &mut strategies, &mut said);
        writer.outputs(input.seq, &said).expect("appended");
        said.clear();
    }
    let ending =
        Ending { at: session.now(), output_digest: session.digest().digest(), state_digest: session.state_digest() };
    writer.finish(ending).expect("ended");
    folder.join(name).display().to_string()
}

fn quoting() -> SessionSpec {
    let mut spec = spec(100);
    spec.desks[0].strategy = Some(FIXED.to_owned());
    spec
}

/// So many storms, each with pauses, halts and flattenings of operators.
fn storms(folder: &Path, count: u64, length: u64) -> Vec<Source> {
    let one = |seed: u64| {
        // One after the other in time.
        let shift = Nanos::from_s(seed as i64 * 100_000);
        let inputs: Vec<Stamped> = storm(seed, length).into_iter().map(|i| Stamped { at: i.at + shift, ..i }).collect();
        Source::Session(record(folder, &format!("storm-{seed}"), &quoting(), &inputs))
    };
    (0..count).map(one).collect()
}

/// Writes a strategy; its path.
fn strategy(folder: &Path, name: &str, ticks: u32) -> String {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, FIXED.replace("ticks = 1", &format!("ticks = {ticks}"))).expect("written");
    file.display().to_string()
}

fn ask(store: PathBuf, sources: Vec<Source>, strategies: Vec<String>) -> Ask {
    let sets = ["risk.position_max_base=100", "risk.order_qty_max_base=1000", "risk.order_notional_max_quote=1e9"];
    let more = ["risk.collar_bps=5000", "risk.loss_max_quote=0", "paper.queue_model=risk-averse"];
    Ask {
        store,
        sources,
        strategies,
        texts: Vec::new(),
        configuration: Sources {
            sets: sets.iter().chain(&more).map(|s| (*s).to_owned()).collect(),
            ..Sources::default()
        },
        settings: Settings::InForce,
        seed: None,
        sweep: None,
        walk_forward: None,
        cross_validate: None,
        criterion: Criterion::Sharpe,
        purge: None,
        embargo: Some(Nanos::ZERO),
        resamples: 50,
        threads: 2,
        now: LocalTime(1_000),
    }
}

fn run(ask: &Ask) -> Backtest {
    backtest(ask, &Unwatched).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn as_recorded_a_backtest_is_the_recording() {
    let here = tempfile::tempdir().expect("a folder");
    let sources = storms(here.path(), 2, 1_500);
    let as_recorded = Ask { settings: Settings::AsRecorded, ..ask(here.path().into(), sources, Vec::new()) };
    let found = run(&as_recorded);
    assert_eq!(found.strategies[0].name, "recorded");
    for own in &found.strategies[0].runs {
        assert_eq!(own.is_as_recorded, Some(true), "{}", own.recording);
        let store = Store::open(here.path());
        let manifest = store.manifest(&own.recording).expect("it was recorded");
        assert_eq!(Some(own.output_digest.clone()), manifest.output_digest.map(|d| d.to_string()));
        assert_eq!(own.summary.instruments[0].trading.num_trades, manifest.counts.fills);
    }
    assert!(found.strategies[0].score.fills > 20, "a quiet storm proves nothing");
    // The same strategy by its text is the same session; another is not.
    let same = here.path().join("same.toml");
    std::fs::write(&same, FIXED).expect("written");
    let strategies = vec![same.display().to_string(), strategy(here.path(), "wide", 3)];
    let found = run(&Ask { strategies, ..as_recorded });
    let is = |n: usize| found.strategies[n].runs.iter().map(|run| run.is_as_recorded).collect::<Vec<_>>();
    assert_eq!((is(0), is(1)), (vec![Some(true); 2], vec![Some(false); 2]));
}

#[test]
fn what_operators_did_that_day_is_left_out_unless_asked_for() {
    // Halted before anybody trades. Without the halt we buy 5 at 1000, behind 10, of the 15 sold.
    let told = "100 book 10@1000 / 10@1004\n120 tick\n150 halt\n200 sell 15@1000\n300 tick\n6000 tick";
    let here = tempfile::tempdir().expect("a folder");
    let mut halted = quoting();
    halted.desks[0].strategy = Some(FIXED.replace("ticks = 1", "ticks = 2"));
    let source = Source::Session(record(here.path(), "halted", &halted, &story(told)));
    let no_latency = ["paper.feed_latency_us=0", "paper.entry_latency_us=0", "paper.response_latency_us=0"];
    let mut asked = ask(here.path().into(), vec![source], vec!["recorded".to_owned()]);
    asked.configuration.sets.extend(no_latency.map(str::to_owned));
    let left_out = run(&asked);
    let kept = run(&Ask { settings: Settings::AsRecorded, ..asked });
    assert_eq!((left_out.strategies[0].score.fills, kept.strategies[0].score.fills), (1, 0));
    assert_eq!(kept.strategies[0].runs[0].is_as_recorded, Some(true));
}

#[test]
fn the_answer_is_the_same_whatever_the_number_of_threads() {
    let here = tempfile::tempdir().expect("a folder");
    let sources = storms(here.path(), 3, 600);
    let strategies = vec![strategy(here.path(), "near", 1), strategy(here.path(), "far", 2)];
    let log = here.path().join("log");
    let asked = Ask {
        sweep: Some("[strategy]\nmin_spread_bps = [0.0, 20.0]\n[paper]\nentry_latency_us = [0, 5000]".to_owned()),
        walk_forward: Some(2),
        cross_validate: Some((6, 2)),
        ..ask(log.clone(), sources, strategies)
    };
    let answers = [1, 2, 7].map(|threads| {
        // Every time as if it were the first.
        let _ = std::fs::remove_dir_all(&log);
        serde_json::to_string(&run(&Ask { threads, ..asked.clone() })).expect("plain data")
    });
    assert!(answers[0].len() > 10_000);
    assert!(answers[0] == answers[1] && answers[1] == answers[2], "the number of threads shows");
}

#[test]
fn totals_are_the_sums_of_their_runs_and_pairs_their_differences() {
    let here = tempfile::tempdir().expect("a folder");
    let sources = storms(here.path(), 3, 800);
    let strategies = vec![strategy(here.path(), "near", 1), strategy(here.path(), "far", 2)];
    let found = run(&ask(here.path().into(), sources, strategies));
    let names: Vec<&str> = found.recordings.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["storm-0", "storm-1", "storm-2"]);
    for contender in &found.strategies {
        let its = || contender.runs.iter().map(|run| &run.summary.instruments[0]);
        let near = |found: Option<f64>, sum: f64| assert!((found.expect("one currency") - sum).abs() < 1e-9);
        near(contender.score.pnl, its().map(|it| it.attribution.pnl.to_f64()).sum());
        near(contender.score.fees, its().map(|it| it.attribution.fees.to_f64()).sum());
        assert_eq!(contender.score.fills, its().map(|it| it.trading.num_trades).sum::<u64>());
        // The interval is of the very profit that is told.
        near(contender.score.ci95.pnl.map(|i| i.value), contender.score.pnl.expect("a profit"));
        let markouts = &contender.score.markouts[0];
        assert_eq!(markouts.fills + markouts.missing, contender.score.fills);
    }
    let [near, far] = [0, 1].map(|n| &found.strategies[n].score);
    let [pair] = found.pairs.as_slice() else { panic!("two strategies are one pair") };
    assert_eq!((pair.first.as_str(), pair.second.as_str()), ("near", "far"));
    assert_eq!(pair.difference.fills, near.fills as i64 - far.fills as i64);
    let difference = near.pnl.unwrap() - far.pnl.unwrap();
    assert!((pair.difference.ci95.pnl.unwrap().difference.value - difference).abs() < 1e-9);
}

#[test]
fn every_trial_counts_once() {
    let here = tempfile::tempdir().expect("a folder");
    let sources = storms(here.path(), 2, 400);
    let near = strategy(here.path(), "near", 1);
    let asked = ask(here.path().into(), sources.clone(), vec![near]);
    let swept = Ask { sweep: Some("[strategy]\nhalf_spread_ticks = [1, 2, 3]".to_owned()), ..asked.clone() };
    let counts = |found: &Backtest| (found.trials.distinct, found.trials.new);
    assert_eq!(counts(&run(&asked)), (1, 1));
    // The one in the sweep that is as the file says is another text, and so another trial: doubt is cheap.
    assert_eq!(counts(&run(&swept)), (4, 3));
    assert_eq!(counts(&run(&swept)), (4, 0));
    // Over one of the two recordings they count too, with another seed anew.
    let one = Ask { sources: sources[1..].to_vec(), ..swept.clone() };
    assert_eq!(counts(&run(&one)), (4, 0));
    assert_eq!(counts(&run(&Ask { seed: Some(9), ..one })), (7, 3));
    let names: Vec<String> = run(&swept).strategies.into_iter().map(|s| s.name).collect();
    assert_eq!(names, [1, 2, 3].map(|ticks| format!("near half_spread_ticks={ticks}")));
}

#[test]
fn what_was_best_before_is_judged_by_what_came_after() {
    let here = tempfile::tempdir().expect("a folder");
    let sources = storms(here.path(), 3, 800);
    let near = strategy(here.path(), "near", 1);
    let asked = Ask {
        sweep: Some("[strategy]\nhalf_spread_ticks = { from = 1, to = 4, step = 1 }".to_owned()),
        walk_forward: Some(3),
        cross_validate: Some((6, 2)),
        criterion: Criterion::Pnl,
        purge: Some(Nanos::from_s(2)),
        ..ask(here.path().into(), sources, vec![near])
    };
    let found = run(&asked);
    let walk = found.walk_forward.as_ref().expect("asked for");
    assert_eq!((walk.folds.len(), walk.chosen_by, walk.gap_s), (3, "pnl", 2.0));
    for fold in &walk.folds {
        assert!(fold.train[1] + 2 <= fold.test[0] && fold.test[0] < fold.test[1], "{fold:?}");
        assert!(fold.chosen.starts_with("near half_spread_ticks=") && fold.rank <= 4, "{fold:?}");
        assert!((fold.out_of_sample.expect("a profit") - fold.pnl).abs() < 1e-9, "chosen by profit, judged by it");
    }
    let sum: f64 = walk.folds.iter().map(|fold| fold.pnl).sum();
    assert!((walk.pnl_out_of_sample - sum).abs() < 1e-9);
    let cv = found.cross_validation.as_ref().expect("asked for");
    assert_eq!((cv.splits, cv.path_sharpes.len(), cv.path_pnls.len()), (15, 5, 5));
    assert!(found.overfitting.as_ref().is_some_and(|o| (0.0..=1.0).contains(&o.probability)));
    // A gap longer than the past leaves nothing to learn from, and that is said.
    let too_long = Ask { embargo: None, ..asked.clone() };
    let found = run(&too_long);
    assert!(found.walk_forward.is_none() && found.cross_validation.is_none(), "the estimators look back on 300 s");
    let said = found.notes.join("\n");
    assert!(said.contains("--walk-forward: ") && said.contains("--cpcv: ") && said.contains("--embargo"), "{said}");
    let alone = Ask { sweep: None, ..asked };
    assert!(backtest(&alone, &Unwatched).expect_err("one strategy").to_string().contains("nothing to choose from"));
}

#[test]
fn a_question_that_makes_no_sense_is_refused_before_anything_runs() {
    let here = tempfile::tempdir().expect("a folder");
    let sources = storms(here.path(), 1, 50);
    let near = strategy(here.path(), "near", 1);
    let asked = ask(here.path().into(), sources.clone(), vec![near.clone()]);
    let refused = |ask: Ask, words: &[&str]| {
        let said = backtest(&ask, &Unwatched).expect_err("it makes no sense").to_string();
        words.iter().for_each(|word| assert!(said.contains(word), "{word:?} is not in {said}"));
    };
    refused(Ask { sources: Vec::new(), ..asked.clone() }, &["nothing to run over"]);
    refused(Ask { sources: [sources.clone(), sources].concat(), ..asked.clone() }, &["storm-0", "count twice"]);
    refused(Ask { strategies: vec![near.clone(), near], ..asked.clone() }, &["named twice"]);
    refused(Ask { strategies: vec!["martingale".to_owned()], ..asked.clone() }, &["martingale"]);
    refused(
        Ask { sweep: Some("[strategy]\nhalf_spread_tick = [1]".to_owned()), ..asked.clone() },
        &["near half_spread_tick=1", "did you mean half_spread_ticks"],
    );
    refused(
        Ask { sweep: Some("[paper]\nqueue_model = [\"crystal-ball\"]".to_owned()), ..asked.clone() },
        &["near paper.queue_model=crystal-ball", "queue_model"],
    );
    refused(
        Ask {
            sweep: Some("[paper]\nentry_latency_us = [1]".to_owned()),
            settings: Settings::AsRecorded,
            ..asked.clone()
        },
        &["as recorded"],
    );
    assert!(!here.path().join("trials.jsonl").exists(), "a trial that was not run is none");
}
