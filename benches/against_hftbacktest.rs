//! Rows a second and fills against the hftbacktest crate: the same rows, the same maker, the same queue and latencies.
//!
//! They begin with their array in memory and their fastest depth, we with a session on disk. Runs alternate on one core:
//! `taskset -c 1 cargo bench --no-default-features --bench against_hftbacktest`. `PAPERMAKER_BENCH_ROWS` (8000000)
//! says how many rows the recordings are repeated to, `PAPERMAKER_BENCH_ROUNDS` (7) how often each side runs. A word
//! (`usdm`, `grid`) runs only what has it in its name.
//!
//! `… --bench against_hftbacktest -- fills` counts the fills that both, or only one of them, have; with `list` it says each.

#[path = "../tests/support/peer/mod.rs"]
mod peer;

use hftbacktest::backtest::ExchangeKind;
use papermaker::journal::Store;
use peer::{Fill, Maker, Market, Queue, Ran, differences, ours, theirs};

const TWO_SIDED: Maker = Maker { levels: 1, half_spread: 20, grid: 1, skew: 2, queue: Queue::Power3 };
const NARROW_GRID: Maker = Maker { levels: 10, half_spread: 20, grid: 10, skew: 2, queue: Queue::Power3 };

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let has = |word: &str| words.iter().any(|w| w == word);
    if has("fills") {
        return fills(has("list"));
    }
    let (rows, rounds) = (number("PAPERMAKER_BENCH_ROWS", 8_000_000), number("PAPERMAKER_BENCH_ROUNDS", 7));
    println!(
        "| market, maker | rows | bytes a row on disk | ours, M rows/s | theirs, M rows/s | ratio | fills: ours, theirs |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, quotes) in [("usdm", false), ("spot", false), ("usdm", true), ("spot", true)] {
        let label = |what: &str| format!("{name}{}, {what}", if quotes { " with best quotes" } else { "" });
        let wanted = |what: &str| words.iter().all(|word| label(what).contains(word));
        if !["two-sided", "grid", "narrow grid"].into_iter().any(wanted) {
            continue;
        }
        let Some(market) = Market::of(name, quotes) else { continue };
        // The numbers of their grid example: 0.05 % from the mid and from each other, skewed by a tenth of that a lot.
        let step = market.begins_at() / 2_000;
        let grid = Maker { levels: 10, half_spread: step, grid: step, skew: step / 10, queue: Queue::Power3 };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(folder.path());
        // Size on one round only: the repetition would be found by the compressor.
        let once = market.record(&store, "once", 1, &TWO_SIDED);
        let bytes = store.summary("once").bytes as f64 / once as f64;
        let times = rows.div_ceil(once) as usize;
        let all = market.record(&store, "all", times, &TWO_SIDED);
        let array = market.array(times);
        assert_eq!(array.len() as u64, all, "both hear the same rows");
        for (what, maker) in [("two-sided", TWO_SIDED), ("grid", grid), ("narrow grid", NARROW_GRID)] {
            if !wanted(what) {
                continue;
            }
            let (mut us, mut them, mut filled) = (Vec::new(), Vec::new(), (0, 0));
            for _ in 0..rounds {
                us.push(seconds(|| filled.0 = ours(&store, "all", &market.spec(&maker), &maker).fills.len()));
                them.push(seconds(|| {
                    let exchange = ExchangeKind::NoPartialFillExchange;
                    filled.1 = theirs(&market, &array, &maker, exchange).fills.len();
                }));
            }
            let [us, them] = [us, them].map(|times| all as f64 / median(times) / 1e6);
            let (label, ratio) = (label(what), us / them);
            println!(
                "| {label} | {all} | {bytes:.2} | {us:.1} | {them:.1} | {ratio:.2} | {}, {} |",
                filled.0, filled.1
            );
        }
    }
}

/// What both say of the same orders, as heard and with the reasons to differ taken away one by one. Without skew, so that
/// a fill that only one of them has changes no later quote.
fn fills(list: bool) {
    println!("| market | maker | queue | rows | both | only ours | only theirs |");
    println!("|---|---|---|---|---|---|---|");
    for name in ["usdm", "spot"] {
        let Some(heard) = Market::of(name, false) else { continue };
        let ways = [
            ("within the snapshot's reach", heard.clone().with_horizon()),
            ("as heard", heard.clone()),
            ("unstamped", heard.clone().unstamped()),
            ("ample prints", heard.clone().with_ample_prints()),
            ("unstamped, ample prints", heard.unstamped().with_ample_prints()),
        ];
        for (levels, half_spread, grid) in [(1, 1, 1), (1, 20, 1), (5, 1, 5), (10, 20, 10)] {
            for queue in [Queue::RiskAverse, Queue::Power3] {
                for (way, market) in &ways {
                    let maker = Maker { levels, half_spread, grid, skew: 0, queue };
                    let (us, them) = both(market, &maker);
                    let (only_us, only_them) = differences(&us.fills, &them.fills);
                    let both = us.fills.len() - only_us.len();
                    println!(
                        "| {name} | {levels} a side, {half_spread} ticks away | {queue:?} | {way} | {both} | {} | {} |",
                        only_us.len(),
                        only_them.len()
                    );
                    if list {
                        say("both", us.fills.iter().filter(|fill| !only_us.contains(fill)));
                        say("ours", only_us.iter());
                        say("theirs", only_them.iter());
                    }
                }
            }
        }
    }
}

fn both(market: &Market, maker: &Maker) -> (Ran, Ran) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path());
    market.record(&store, "once", 1, maker);
    let us = ours(&store, "once", &market.spec(maker), maker);
    (us, theirs(market, &market.array(1), maker, ExchangeKind::NoPartialFillExchange))
}

fn say<'a>(whose: &str, fills: impl Iterator<Item = &'a Fill>) {
    fills.for_each(|fill| println!("{whose} {} {} {} {}", fill.at, fill.side.word(), fill.price, fill.qty));
}

/// Time this thread, the only one that works in either program, had the core: others may want it too.
fn seconds(run: impl FnOnce()) -> f64 {
    let on_core = || -> f64 {
        let text =
            std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts nanoseconds on the core");
        text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number")
    };
    let begin = on_core();
    run();
    (on_core() - begin) / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
