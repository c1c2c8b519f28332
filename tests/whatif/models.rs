//! Live over sockets, then again from what was recorded: the same fills, whatever the fill model and the latency model.
//!
//! One simulated exchange, a program of its own, and against it as many bots at once as there are pairs of models. By
//! default every model meets at least one of the other kind; `PAPERMAKER_TEST_SIZE=full` is every pair.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use papermaker::engine::Output;
use papermaker::exchange::latency::{LatencySpec, Measured, Way};
use papermaker::exchange::queue::QueueModel;
use papermaker::journal::{Reader, Store};
use papermaker::order::{Report, ReportKind};
use papermaker::run::rerun::rerun;

use crate::storms::BOLD;
use crate::support::bot::Bot;
use crate::support::full_size;

const QUEUES: [&str; 8] = ["risk-averse", "power", "power2", "power3", "log", "log2", "optimistic", "fifo"];
const LATENCIES: [&str; 4] = ["constant", "lognormal", "feed", "measured"];
/// Bots at a time.
const AT_ONCE: usize = 8;

/// `papermaker exchange` on a port of its own. Killed when dropped.
struct Exchange {
    child: Child,
    at: String,
}

impl Exchange {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_papermaker"))
            .args(["exchange", "--listen", "127.0.0.1:0", "--seed", "7", "--set", "simulator.market_rate_per_s=20"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let at = said.map(|line| line.expect("text")).find_map(|line| {
            let (_, rest) = line.split_once("ws://")?;
            Some(rest.split('/').next()?.to_owned())
        });
        Self { child, at: at.expect("it says where it listens") }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pairs to try: every queue with one latency in turn, or all with all.
fn pairs() -> Vec<(&'static str, &'static str)> {
    let every = QUEUES.iter().flat_map(|queue| LATENCIES.map(|latency| (*queue, latency)));
    let in_turn = QUEUES.iter().zip(LATENCIES.iter().cycle()).map(|(queue, latency)| (*queue, *latency));
    if full_size() { every.collect() } else { in_turn.collect() }
}

/// Sessions recorded live, each under `store/` of a folder of its own.
fn recorded(pairs: &[(&'static str, &'static str)]) -> Vec<(tempfile::TempDir, String)> {
    let home = tempfile::tempdir().expect("a folder");
    let exchange = Exchange::start(home.path());
    let mut all = Vec::new();
    for some in pairs.chunks(AT_ONCE) {
        let bots: Vec<_> = some.iter().map(|(queue, latency)| live(&exchange, queue, latency)).collect();
        for (here, name, mut bot) in bots {
            assert_eq!(bot.end().code(), Some(0), "{name}\n{}", bot.log());
            all.push((here, name));
        }
    }
    all
}

fn live(exchange: &Exchange, queue: &str, latency: &str) -> (tempfile::TempDir, String, Bot) {
    let here = tempfile::tempdir().expect("a folder");
    let rows = "sent,matched,acknowledged\n0,300000,500000\n5000000000,5000900000,5001000000\n";
    std::fs::write(here.path().join("measured.csv"), rows).expect("measurements");
    // A few ticks behind the best price and slow to move: orders that wait in line, so that the line matters.
    let waiting = "kind = \"fixed-spread\"\norder_amount_base = \"0.001\"\nhalf_spread_ticks = 5\n";
    std::fs::write(here.path().join("waiting.toml"), waiting).expect("a strategy");
    let name = format!("{queue}-{latency}");
    let at = &exchange.at;
    let sets = [
        format!("venues.binance-spot.ws_url=ws://{at}"),
        format!("venues.binance-spot.rest_url=http://{at}"),
        format!("paper.queue_model={queue}"),
        format!("paper.latency_model={latency}"),
        "paper.latency_file=measured.csv".to_owned(),
        "session.checkpoint_inputs=1000".to_owned(),
        "quoting.refresh_tolerance_bps=0.1".to_owned(),
    ];
    let mut args = vec!["--profile", "live", "--for", "6s", "--no-dashboard", "--strategy", "waiting.toml"];
    args.extend(&BOLD[2..]);
    sets.iter().for_each(|set| args.extend(["--set", set.as_str()]));
    let bot = Bot::start(here.path(), &name, &args);
    (here, name, bot)
}

fn fills(said: &[Output]) -> impl Iterator<Item = &Report> {
    said.iter().filter_map(|output| match output {
        Output::Heard(report) if matches!(report.kind, ReportKind::Filled(_)) => Some(report),
        _ => None,
    })
}

#[test]
fn a_session_over_sockets_and_the_rerun_of_its_recording_fill_alike_under_every_model() {
    let all = recorded(&pairs());
    let mut traded = 0;
    for (here, name) in &all {
        let store = Store::open(here.path().join("store"));
        let mut reader = store.reader(name).expect("a recording");
        let manifest = reader.manifest().clone();
        let mut live = Vec::new();
        let (mut input, mut said) = (Reader::blank(), Vec::new());
        while reader.next_step(&mut input, &mut said).expect("readable") {
            live.extend(fills(&said).map(|fill| (input.seq, fill.clone())));
        }
        reader.rewind().expect("from its beginning");
        let mut again = Vec::new();
        let ended = rerun(&mut reader, &manifest.spec, |_, input, said| {
            again.extend(fills(said).map(|fill| (input.seq, fill.clone())));
            true
        });
        assert_eq!(live, again, "{name}: fill by fill");
        assert_eq!(Some(ended.expect("it runs").output_digest()), manifest.output_digest, "{name}: everything said");
        assert!(manifest.counts.inputs > 100, "{name}: {:?}", manifest.counts);
        traded += live.len();
    }
    assert!(traded > all.len(), "{traded} fills in {} sessions prove nothing", all.len());

    // Three of these markets, under every model, twice.
    let mut digests = Vec::new();
    for (here, name) in all.iter().take(3) {
        let mut reader = Store::open(here.path().join("store")).reader(name).expect("a recording");
        let spec = reader.manifest().spec.clone();
        for (queue, latency) in every_queue().iter().flat_map(|queue| every_latency().map(|latency| (queue, latency))) {
            let mut spec = spec.clone();
            (spec.desks[0].paper.queue, spec.desks[0].paper.latency) = (*queue, latency.clone());
            let mut digest = || {
                reader.rewind().expect("from its beginning");
                rerun(&mut reader, &spec, |_, _, _| true).expect("it runs").output_digest().to_string()
            };
            let [first, second] = [digest(), digest()];
            assert_eq!(first, second, "{name}: {queue:?}, {latency:?}");
            digests.push(first);
        }
    }
    digests.sort_unstable();
    digests.dedup();
    assert!(digests.len() > 6, "{} different endings of three markets: the models say nothing", digests.len());
}

#[test]
fn every_queue_model_fills_what_a_hand_says() {
    // Six of sixteen cancel, 10 ahead and 6 behind: 10 - 6·(1 - p) are ahead, and of the 8 sold the rest is ours, in whole
    // lots. p = 1 · 36/136 · 36/256 · 1 - (10/16)² · ln 7/(ln 7 + ln 11) · ln 7/ln 17 · 0, so ahead are
    // 10 · 5.59 · 4.84 · 7.66 · 6.69 · 8.12 · 4. Nobody tells order by order: fifo is risk-averse here.
    let here = tempfile::tempdir().expect("a folder");
    super::record(here.path(), &super::quoting(), &crate::engine::story::story(super::SIX_CANCEL), false);
    let mut reader = Store::open(here.path().join("store")).reader("told").expect("a recording");
    let bought = every_queue().map(|queue| {
        let mut spec = super::quoting();
        spec.desks[0].paper.queue = queue;
        reader.rewind().expect("from its beginning");
        let ended = rerun(&mut reader, &spec, |_, _, _| true).expect("it runs");
        ended.session.equity(crate::engine::story::ID).position.0
    });
    assert_eq!(bought, [0, 2, 3, 0, 1, 0, 4, 0]);
}

fn every_queue() -> [QueueModel; 8] {
    let n = 2.0;
    [
        QueueModel::RiskAverse,
        QueueModel::Power { n },
        QueueModel::Power2 { n },
        QueueModel::Power3 { n },
        QueueModel::Log,
        QueueModel::Log2,
        QueueModel::Optimistic,
        QueueModel::Fifo,
    ]
}

fn every_latency() -> [LatencySpec; 4] {
    let all = |way, response| LatencySpec {
        place: way,
        cancel: way,
        replace: way,
        response,
        ..LatencySpec::constant(200, 0, 0)
    };
    let rows = Measured::parse("sent,matched,acknowledged\n0,3000000,5000000\n900000000,901000000,905000000\n");
    let measured = LatencySpec { measured: rows.expect("rows"), ..all(Way::Measured, Way::Measured) };
    let feed = Way::Feed { factor: 1.0, us: 100 };
    let constant = Way::Constant { us: 2_000 };
    [all(constant, constant), all(Way::Lognormal { us: 2_000, sigma: 0.5 }, constant), all(feed, feed), measured]
}
