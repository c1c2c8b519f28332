//! A rerun of a long recording holds no more than a rerun of a short one.
//!
//! The session is synthetic and written through the journal's own writer; the rerun, with all its metrics, runs in a
//! process of its own, whose peak is read from `/proc`. `PAPERMAKER_TEST_EVENTS=100000000` is the full length;
//! `tests/README.md` has what that came to.

use std::path::Path;
use std::process::Command;

use papermaker::config::{Sources, load};
use papermaker::engine::{Input, Stamped};
use papermaker::journal::{Ending, Manifest, Options, Store};
use papermaker::market::{Extent, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind, PrintFlags, VenueId};
use papermaker::metrics::{Account, Plan};
use papermaker::rng::Stream;
use papermaker::run::prepare;
use papermaker::run::rerun::rerun;
use papermaker::units::{LocalTime, Lots, Nanos, Side, Step, Ticks, VenueTime};

const CHILD: &str = "PAPERMAKER_TEST_RERUN_OF";
/// What a rerun may hold, however long the recording.
const MOST_KIB: u64 = 300 << 10;

#[test]
fn a_rerun_of_a_long_recording_stays_below_300_mb() {
    if let Some(store) = std::env::var_os(CHILD) {
        return watch(Path::new(&store));
    }
    let events = std::env::var("PAPERMAKER_TEST_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let here = tempfile::tempdir().expect("a folder");
    write(here.path(), events);
    let me = std::env::current_exe().expect("this test");
    let name = concat!(module_path!(), "::a_rerun_of_a_long_recording_stays_below_300_mb");
    let name = name.split_once("::").expect("a path in a crate").1;
    let child = Command::new(me).args([name, "--exact", "--nocapture"]).env(CHILD, here.path()).output();
    let child = child.expect("it starts");
    let said = [child.stdout, child.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    eprintln!("{}", said.lines().find(|line| line.contains("KiB")).unwrap_or(""));
}

/// A line of this process's status, KiB.
fn status_kib(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|found| found.starts_with(line)).expect("the kernel says it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

/// Reruns it with its metrics and says what that took.
fn watch(store: &Path) {
    let mut reader = Store::open(store).reader("long").expect("a recording");
    let spec = reader.manifest().spec.clone();
    let mut account = Account::new(spec.desks.iter().map(|desk| desk.rules.clone()), Nanos::from_s(1));
    let ended = rerun(&mut reader, &spec, |_, input, said| {
        account.step(input, said);
        true
    });
    let ended = ended.expect("it runs");
    let summary = account.finish(&Plan { resamples: 200, ..Plan::default() });
    let fills = summary.instruments[0].trading.num_trades;
    let (peak, inputs) = (status_kib("VmHWM:"), ended.inputs);
    println!("{inputs} inputs, {fills} fills: at most {peak} KiB resident");
    assert!(fills > inputs / 100_000, "{fills} fills: it hardly quotes");
    assert!(peak < MOST_KIB, "{peak} KiB over {inputs} inputs, {MOST_KIB} are allowed");
}

/// A market of `events` inputs, written as an import writes one: inputs alone, nothing said to them.
fn write(store: &Path, events: u64) {
    let step = |text| Step::parse(text).expect("a step");
    let rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001"));
    let sets = vec!["risk.loss_max_quote=0".to_owned()];
    let loaded = load(&Sources { sets, ..Sources::default() }).expect("settings");
    let strategy = prepare::strategy_text("avellaneda_stoikov", None).expect("built in");
    let spec = prepare::session_spec(&loaded, vec![rules.expect("rules")], Some(&strategy)).expect("a spec");
    let mut writer = Store::open(store)
        .create("long", Manifest::new("long", spec, LocalTime(0)), Options::IMPORT)
        .expect("a new session");
    let (mut draws, mut mid) = (Stream::new(1, "walk"), 6_000_000);
    let at = |n: u64| LocalTime(0) + Nanos::from_us(n as i64 * 500);
    for n in 0..events {
        mid += draws.below(5) as i64 - 2;
        let input = input(n, mid, &mut draws);
        writer.input(&Stamped { seq: n + 1, at: at(n), input }).expect("written");
    }
    let nothing = papermaker::digest::Chain::default().digest();
    writer.finish(Ending { at: at(events), output_digest: nothing, state_digest: nothing }).expect("ended");
}

/// Every hundredth moment is a print, the others a change of two levels of a book of forty.
fn input(n: u64, mid: i64, draws: &mut Stream) -> Input {
    let level = |price: i64, qty: i64| Level { price: Ticks(price), qty: Lots(qty) };
    let price = |side: i64, rank: i64| mid - mid.rem_euclid(20) + side * (rank + 1) * 20;
    let kind = if n.is_multiple_of(10_000) {
        let side = |sign: i64| (0..20).map(|rank| level(price(sign, rank), 1_000 + rank * 10)).collect();
        MarketEventKind::Snapshot { seq: n + 1, bids: side(-1), asks: side(1), extent: Extent::All }
    } else if n % 100 == 99 {
        let taker = if draws.chance(0.5) { Side::Bid } else { Side::Ask };
        let far = Ticks(price(taker.sign(), draws.below(3) as i64));
        MarketEventKind::Trade { id: n, taker, price: far, qty: Lots(1_500), flags: PrintFlags::NONE }
    } else {
        let mut one = |sign: i64| {
            let passed = level(price(sign, -2), 0);
            vec![passed, level(price(sign, draws.below(20) as i64), 1 + draws.below(100_000) as i64)]
        };
        MarketEventKind::Delta { seq: n + 1, bids: one(-1), asks: one(1) }
    };
    let venue_time = Some(VenueTime(n as i64 * 500_000));
    Input::Market(MarketEvent { instrument: InstrumentId(0), venue_time, kind })
}
