//! Orders a second against the crates matchcore and bourse-book: the same stream of limit, cancel and market orders.
//!
//! Rounds alternate on one core: `taskset -c 1 cargo bench --no-default-features --bench against_matching`.
//! `PAPERMAKER_BENCH_ORDERS` (2000000) says how long the stream is, `PAPERMAKER_BENCH_ROUNDS` (9) how often each engine
//! works through it. Before anything is timed all engines must have made the same trades and hold the same book.
//!
//! Ours runs three times: `ours` keeps every record of a command for its caller, who reads them; `ours-trades` adds trades
//! up as they happen; `ours-unheard` does not listen. `nothing` only reads the stream. The name of one of them as an
//! argument runs it alone and once, for callgrind.

mod against_matching {
    pub mod counting;
    pub mod engines;
    pub mod stream;
}

use against_matching::counting;
use against_matching::engines::{Bourse, Contender, Matchcore, Nothing, Ours, Recorded, Tallied, Unheard};
use against_matching::stream::{Order, stream};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let (orders, rounds) = (number("PAPERMAKER_BENCH_ORDERS", 2_000_000), number("PAPERMAKER_BENCH_ROUNDS", 9));
    let orders = stream(orders as usize);
    if let Some(word) = words.first() {
        let mut engine = contenders().into_iter().find(|(name, _)| name == word);
        let (_, make) = engine.as_mut().expect("the name of an engine");
        make().work(&orders);
        return;
    }
    let truth = {
        let mut ours = Ours::<Tallied>::default();
        ours.work(&orders);
        ours.end()
    };
    let limits = orders.iter().filter(|order| matches!(order, Order::Limit { .. })).count();
    let cancels = orders.iter().filter(|order| matches!(order, Order::Cancel { .. })).count();
    println!("matchcore pays up to {} for an order with a limit of 100", Matchcore::pays_up_to());
    println!(
        "{} orders, {limits} of them limit and {cancels} cancellations; {} trades of {} lots, {} levels at the end",
        orders.len(),
        truth.trades,
        truth.lots,
        truth.book.len()
    );
    for (name, make) in contenders().iter().filter(|(name, _)| *name != "nothing") {
        let mut engine = make();
        engine.work(&orders);
        let end = engine.end();
        assert_eq!(end.book, truth.book, "{name} holds another book than ours");
        if !name.contains("unheard") {
            let sums = |e: &against_matching::engines::End| (e.trades, e.lots, e.value);
            assert_eq!(sums(&end), sums(&truth), "{name} made other trades than ours");
        }
    }
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); contenders().len()];
    let mut allocations = vec![0; contenders().len()];
    for _ in 0..rounds {
        for (i, (_, make)) in contenders().iter().enumerate() {
            let mut engine = make();
            // A quarter first: what an engine needs to grow to the market's size is not counted, and not timed.
            let (warm_up, steady) = orders.split_at(orders.len() / 4);
            engine.work(warm_up);
            let (before, begin) = (counting::allocations(), on_core());
            engine.work(steady);
            let took = on_core() - begin;
            allocations[i] = counting::allocations() - before;
            seconds[i].push(took / steady.len() as f64);
        }
    }
    println!(
        "| engine | M orders/s, least | median | most | ns an order | ratio to matchcore | to bourse-book | allocations |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let of = |name: &str| contenders().iter().position(|(n, _)| n.starts_with(name)).expect("a contender");
    for (i, (name, _)) in contenders().iter().enumerate() {
        let ratio = |to: usize| median(seconds[i].iter().zip(&seconds[to]).map(|(us, them)| them / us).collect());
        let ns = median(seconds[i].clone()) * 1e9;
        let (most, least) = seconds[i].iter().fold((f64::MAX, 0.0f64), |(a, b), s| (a.min(*s), b.max(*s)));
        println!(
            "| {name} | {:.1} | {:.1} | {:.1} | {ns:.1} | {:.2} | {:.2} | {} |",
            1e-6 / least,
            1e3 / ns,
            1e-6 / most,
            ratio(of("matchcore")),
            ratio(of("bourse")),
            allocations[i]
        );
    }
    for (i, (name, _)) in contenders().iter().enumerate() {
        assert!(!name.starts_with("ours") || allocations[i] == 0, "{name} allocates {} times", allocations[i]);
    }
}

type Make = fn() -> Box<dyn Contender>;

fn contenders() -> [(&'static str, Make); 6] {
    [
        ("ours", || Box::<Ours<Recorded>>::default()),
        ("ours-trades", || Box::<Ours<Tallied>>::default()),
        ("ours-unheard", || Box::<Ours<Unheard>>::default()),
        ("matchcore", || Box::<Matchcore>::default()),
        ("bourse-book", || Box::<Bourse>::default()),
        ("nothing", || Box::<Nothing>::default()),
    ]
}

/// Seconds this thread, the only one that works, had the core: others may want it too.
fn on_core() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
