//! The core at work: bytes in to order out, recording, and replay from the store, with Avellaneda-Stoikov quoting.

use std::cell::OnceCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use papermaker::config::{Sources, load};
use papermaker::engine::{Input, Output, Session, SessionSpec, Stamped};
use papermaker::journal::{Manifest, Options, Store};
use papermaker::market::{FeedEvent, MarketEvent, MarketEventKind, VenueId};
use papermaker::risk::RiskState;
use papermaker::run::core::Core;
use papermaker::run::{prepare, replay};
use papermaker::units::{LocalTime, Nanos};
use papermaker::wire::{Protocol, Said};

use super::tape::{BTC, TAPE, levels};

/// Group `order`: what a frame costs that makes us send.
pub fn order(c: &mut Criterion) {
    let mut group = c.benchmark_group("order");
    group.sample_size(10);
    group.bench_function(format!("bytes_to_order/{}", name()), |b| {
        let mut said_once = false;
        b.iter_custom(|iters| {
            let mut times = frames_that_send();
            times.sort_unstable();
            let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
            if !std::mem::replace(&mut said_once, true) {
                let n = times.len();
                eprintln!(
                    "order: {n} frames made us send; {:?} median, {:?} p90, {:?} p99",
                    at(0.5),
                    at(0.9),
                    at(0.99)
                );
            }
            at(0.5) * u32::try_from(iters).expect("few")
        });
    });
    group.finish();
}

/// Every frame of the tape through the conversation and the session, deciding on every piece of news; how long those
/// took that ended in an order.
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn frames_that_send() -> Vec<Duration> {
    let mut spec = spec(true);
    spec.desks[BTC.index()].quoting.decide_every = Nanos::ZERO;
    let mut strategies = prepare::strategies(&spec).expect("a strategy");
    let mut session = Session::new(&spec);
    let (mut said, mut out, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut venue = TAPE.conversation(&mut said);
    let mut input = Stamped { seq: 0, at: LocalTime(0), input: Input::Tick };
    for (at, frame) in &TAPE.frames {
        let started = Instant::now();
        venue.on_text(frame.as_bytes(), *at, &mut said);
        for said in said.drain(..) {
            input.seq += 1;
            input.at = *at;
            input.input = match said {
                Said::Market(event) => Input::Market(event),
                Said::Feed { instrument, kind } => Input::Feed(FeedEvent {
                    venue: VenueId::BinanceSpot,
                    connection: 0,
                    instrument,
                    generation: 1,
                    kind,
                }),
                Said::Do(_) => continue,
            };
            session.step(&input, &mut strategies, &mut out);
        }
        let took = started.elapsed();
        if out.drain(..).any(|output| matches!(output, Output::Sent(_))) {
            times.push(took);
        }
    }
    times
}

/// Group `session`: the recording loop, and replay of what it recorded.
pub fn session(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path());
    let mut group = c.benchmark_group("session");
    group.sample_size(10);

    let mut n = 0;
    group.throughput(Throughput::Elements(TAPE.inputs.len() as u64));
    group.bench_function(format!("core_take/{}", name()), |b| {
        b.iter(|| {
            n += 1;
            let id = format!("take-{n}");
            let manifest = record(&store, &id, 1, |_| true, true);
            store.delete(&id).expect("just recorded");
            manifest.counts.inputs
        });
    });

    let tiles = tiles();
    for (what, keep, quoting) in [
        ("everything", everything as fn(&Input) -> bool, true),
        ("depth_and_trades", no_best_quotes, true),
        ("everything_unquoted", everything, false),
    ] {
        let recorded = OnceCell::new();
        let inputs = TAPE.tiled(tiles).filter(|(_, input)| keep(input));
        group.throughput(Throughput::Elements(inputs.map(|(_, input)| levels(&input)).sum()));
        group.bench_function(format!("replay/{what}/{}", name()), |b| {
            recorded.get_or_init(|| {
                record(&store, what, tiles, keep, quoting);
                describe(&store, what);
            });
            b.iter(|| {
                let report = replay::replay(&store, what).expect("a recording");
                assert!(report.identical, "{:?}", report.first_divergence);
                black_box(report)
            });
        });
    }
    group.finish();
}

fn everything(_: &Input) -> bool {
    true
}

/// Without the best bid and offer channel, a quarter of a million quotes an hour.
fn no_best_quotes(input: &Input) -> bool {
    !matches!(input, Input::Market(MarketEvent { kind: MarketEventKind::Bbo { .. }, .. }))
}

fn name() -> &'static str {
    TAPE.name
}

/// How often the recording is repeated: ten minutes each.
fn tiles() -> usize {
    std::env::var("PAPERMAKER_BENCH_TILES").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

/// The settings of `config/`, without the limit on losses: fees alone would end a day of it.
fn spec(quoting: bool) -> SessionSpec {
    let sets = vec!["risk.loss_max_quote=0".to_owned()];
    let loaded = load(&Sources { sets, ..Sources::default() }).expect("settings");
    let strategy = prepare::strategy_text(&loaded.settings.strategy.file, None).expect("the built-in strategy");
    let strategy = quoting.then_some(strategy.as_str());
    prepare::session_spec(&loaded, vec![TAPE.rules.clone()], strategy).expect("a spec")
}

fn record(store: &Store, id: &str, tiles: usize, keep: fn(&Input) -> bool, quoting: bool) -> Manifest {
    let spec = spec(quoting);
    let manifest = Manifest::new(id, spec.clone(), TAPE.inputs[0].0);
    // Blocks as a fast market would fill them, not one per 100 ms of recorded time.
    let writer = store.create(id, manifest, Options { block_age: None, ..Options::LIVE }).expect("begins");
    let strategies = prepare::strategies(&spec).expect("a strategy");
    let mut core = Core::new(&spec, strategies, writer, None, 100_000);
    for (at, input) in TAPE.tiled(tiles).filter(|(_, input)| keep(input)) {
        core.take(at, input).expect("recorded");
    }
    assert_eq!(core.session().risk_state(), RiskState::Active, "it must trade to the end");
    core.finish().expect("ends").1
}

/// Says what a session held and how fast the first replay of it was.
fn describe(store: &Store, id: &str) {
    let counts = store.manifest(id).expect("recorded").counts;
    let report = replay::replay(store, id).expect("a recording");
    eprintln!(
        "{id}: {} inputs with {} levels, {} trades, {} outputs, {} fills, {} checkpoints; {:.1} M levels/s, {:.2} M \
         inputs/s, digest {}",
        counts.inputs,
        counts.levels,
        counts.trades,
        counts.outputs,
        counts.fills,
        counts.checkpoints,
        report.level_updates_per_s / 1e6,
        report.inputs_per_s / 1e6,
        &report.output_digest[..12],
    );
}
