//! A session that runs for a month must not grow.
//!
//! The test process is full of other tests, so the session runs in a process of its own: this same test, told by the
//! environment that it is the child. `PAPERMAKER_TEST_INPUTS=10000000` runs it at full length.

use std::process::Command;

use papermaker::config::{Sources, load};
use papermaker::engine::Input;
use papermaker::journal::{Manifest, Options, Store};
use papermaker::market::{Extent, Instrument, Level, MarketEvent, MarketEventKind, PrintFlags, VenueId};
use papermaker::rng::Stream;
use papermaker::run::core::Core;
use papermaker::run::prepare;
use papermaker::units::{LocalTime, Lots, Nanos, Side, Step, Ticks, VenueTime};

use super::story::ID;

const CHILD: &str = "PAPERMAKER_TEST_IS_CHILD";

#[test]
fn memory_stays_flat_however_many_inputs_come() {
    if std::env::var_os(CHILD).is_some() {
        return watch(inputs());
    }
    let me = std::env::current_exe().expect("this test");
    let name = concat!(module_path!(), "::memory_stays_flat_however_many_inputs_come");
    let name = name.split_once("::").expect("a path in a crate").1;
    let child = Command::new(me).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().expect("it starts");
    let said = [child.stdout, child.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    eprintln!("{}", said.lines().find(|line| line.contains("KiB")).unwrap_or(""));
}

fn inputs() -> u64 {
    std::env::var("PAPERMAKER_TEST_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_600_000)
}

/// Resident memory of this process, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("VmRSS: 0 kB");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

/// Records a quoting session; what it holds after a third of the inputs is all it ever holds.
fn watch(inputs: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let step = |text| Step::parse(text).expect("a step");
    let rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001"));
    // No limit on losses: a random walk pays no market maker, and a halted session proves nothing.
    let sets = vec!["risk.loss_max_quote=0".to_owned()];
    let loaded = load(&Sources { sets, ..Sources::default() }).expect("settings");
    let strategy = prepare::strategy_text("avellaneda_stoikov", None).expect("built in");
    let spec = prepare::session_spec(&loaded, vec![rules.expect("rules")], Some(&strategy)).expect("a spec");
    let writer =
        Store::open(folder.path()).create("long", Manifest::new("long", spec.clone(), LocalTime(0)), Options::IMPORT);
    let strategies = prepare::strategies(&spec).expect("a strategy");
    let mut core = Core::new(&spec, strategies, writer.expect("begins"), None, 20_000);

    let (mut draws, mut mid, mut settled) = (Stream::new(1, "walk"), 6_000_000, 0);
    for n in 0..inputs {
        mid += draws.below(21) as i64 - 10;
        core.take(LocalTime(0) + Nanos::from_ms(n as i64 * 10), input(n, mid, &mut draws)).expect("recorded");
        if n == inputs / 3 {
            settled = resident_kib();
        }
    }
    let grown = resident_kib().saturating_sub(settled);
    let fills = core.writer().counts().fills;
    assert!(core.session().seq() == inputs && core.writer().counts().outputs > inputs / 100, "it quotes");
    core.finish().expect("ends");
    println!("{inputs} inputs, {fills} fills: {settled} KiB after a third of them, {grown} KiB more at the end");
    // Allocators keep free pages and sled's cache fills up late: 16 MiB over a million inputs is noise, a leak of 16
    // bytes an input is not.
    assert!(grown < 16_384, "grew by {grown} KiB over {} inputs", inputs * 2 / 3);
}

fn input(n: u64, mid: i64, draws: &mut Stream) -> Input {
    let level = |price, qty| Level { price: Ticks(price), qty: Lots(qty) };
    // Levels stand twenty ticks apart, so that a message reaches all that the walk has left behind.
    let mid = mid - mid % 20;
    let kind = match n % 4 {
        0 if n == 0 => MarketEventKind::Snapshot {
            seq: 1,
            bids: vec![level(1_000_000, 1)],
            asks: vec![level(20_000_000, 1)],
            extent: Extent::All,
        },
        0 => {
            let mut side = |sign: i64| {
                let gone = (-3..1).map(|i| level(mid + sign * i * 20, 0)).collect::<Vec<_>>();
                let there = (1..8).map(|i| level(mid + sign * i * 20, 1 + draws.below(100_000) as i64));
                gone.into_iter().chain(there).collect()
            };
            MarketEventKind::Delta { seq: n, bids: side(-1), asks: side(1) }
        }
        1 => MarketEventKind::Bbo { seq: n, bid: Some(level(mid - 20, 5_000)), ask: Some(level(mid + 20, 5_000)) },
        2 => {
            let taker = if draws.chance(0.5) { Side::Bid } else { Side::Ask };
            let price = Ticks(mid + taker.sign() * (20 + draws.below(400) as i64));
            MarketEventKind::Trade { id: n, taker, price, qty: Lots(1_000), flags: PrintFlags::NONE }
        }
        _ => return Input::Tick,
    };
    Input::Market(MarketEvent { instrument: ID, venue_time: Some(VenueTime(n as i64 * 10_000_000)), kind })
}
