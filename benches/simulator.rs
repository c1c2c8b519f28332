//! Messages a second of whole markets, and `bourse-de` on its own kind of agents in the same run.
//!
//! `taskset -c 1 cargo bench --no-default-features --bench simulator`. All is CPU time of the one thread there is; runs
//! alternate, the figures are medians. `PAPERMAKER_BENCH_ROUNDS` (7) says how often; a word (`agenda`, `market`,
//! `bourse`) runs only that. What a message is stands at `papermaker::sim::Traffic`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use bourse_de::agents::{Agent, AgentSet, RandomAgents};
use bourse_de::types::Status;
use bourse_de::{Env, sim_runner};
use papermaker::rng::Stream;
use papermaker::sim::{Agenda, SimSpec, World};
use papermaker::units::Nanos;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |word: &str| words.is_empty() || words.iter().any(|w| w == word);
    let rounds = std::env::var("PAPERMAKER_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    if wanted("agenda") {
        agendas(rounds);
    }
    if wanted("market") {
        markets(rounds);
    }
    if wanted("bourse") {
        bourse(rounds);
    }
}

/// The hold model of a market: 1,100 timers; each one taken out is set again, and brings two messages a few
/// milliseconds later, which bring nothing.
fn agendas(rounds: usize) {
    const TAKEN: usize = 3_000_000;
    let mut stream = Stream::new(1, "agenda");
    let waits: Vec<i64> = (0..1 << 16).map(|_| (stream.exponential(60.0) * 1e9) as i64).collect();
    let latencies: Vec<i64> = (0..1 << 16).map(|_| 2_000_000 + stream.below(2_000_000) as i64).collect();
    let (mut ours, mut heap, mut sums) = (Vec::new(), Vec::new(), (0i64, 0i64));
    for _ in 0..rounds {
        ours.push(seconds(|| {
            let mut agenda = Agenda::default();
            (0..1_100u64).for_each(|who| agenda.push(Nanos(waits[who as usize]), [who, 0]));
            for i in 0..TAKEN {
                let (at, [who, what]) = agenda.pop(Nanos(i64::MAX)).expect("timers are set again");
                sums.0 = sums.0.wrapping_add(at.0 ^ who as i64);
                if what == 0 {
                    agenda.push(Nanos(at.0 + waits[i % waits.len()]), [who, 0]);
                    agenda.push(Nanos(at.0 + latencies[i % waits.len()]), [who, 1]);
                    agenda.push(Nanos(at.0 + 2 * latencies[i % waits.len()]), [who, 2]);
                }
            }
        }));
        heap.push(seconds(|| {
            let (mut heap, mut number) = (BinaryHeap::new(), 0u64);
            let mut push = |heap: &mut BinaryHeap<_>, at: i64, what: [u64; 2]| {
                number += 1;
                heap.push(Reverse((at, number, what)));
            };
            (0..1_100u64).for_each(|who| push(&mut heap, waits[who as usize], [who, 0]));
            for i in 0..TAKEN {
                let Reverse((at, _, [who, what])) = heap.pop().expect("timers are set again");
                sums.1 = sums.1.wrapping_add(at ^ who as i64);
                if what == 0 {
                    push(&mut heap, at + waits[i % waits.len()], [who, 0]);
                    push(&mut heap, at + latencies[i % waits.len()], [who, 1]);
                    push(&mut heap, at + 2 * latencies[i % waits.len()], [who, 2]);
                }
            }
        }));
    }
    assert_eq!(sums.0, sums.1, "both take out the same");
    let per_s = |times: Vec<f64>| TAKEN as f64 / median(times) / 1e6;
    let (ours, heap) = (per_s(ours), per_s(heap));
    println!("agenda: {ours:.1} M/s; std's BinaryHeap by (time, number): {heap:.1} M/s; ratio {:.2}", ours / heap);
}

/// Whole markets, the world's news included.
fn markets(rounds: usize) {
    for (name, spec, hours) in [("rmsc04", SimSpec::rmsc04(), 65), ("demo", SimSpec::demo(), 1)] {
        let (mut rates, mut told) = (Vec::new(), String::new());
        for round in 0..rounds {
            let (mut world, mut events, mut trades) = (World::new(round as u64, &spec), Vec::new(), 0);
            let passed = seconds(|| {
                for minute in 1..=60 * hours {
                    world.advance(Nanos::from_s(60 * minute), &mut events);
                    trades += black_box(&events).len();
                    events.clear();
                }
            });
            let traffic: Vec<_> = (0..spec.market.len() as u16).map(|symbol| world.traffic(symbol)).collect();
            let sum = |of: fn(&papermaker::sim::Traffic) -> u64| traffic.iter().map(of).sum::<u64>();
            let messages = sum(|t| t.messages());
            rates.push(messages as f64 / passed / 1e6);
            told = format!(
                "{messages} messages ({} wake-ups, {} orders, {} cancellations, {} notices) in {hours} h of {} market(s), \
                 {passed:.2} s; {:.2} M order messages/s",
                sum(|t| t.wakes),
                sum(|t| t.orders),
                sum(|t| t.cancels),
                sum(|t| t.notices),
                spec.market.len(),
                sum(|t| t.orders + t.cancels) as f64 / passed / 1e6,
            );
        }
        let (low, high) = rates.iter().fold((f64::MAX, 0f64), |(l, h), r| (l.min(*r), h.max(*r)));
        println!("{name}: {:.1} M messages/s ({low:.1} to {high:.1}); the last run: {told}", median(rates));
    }
}

/// Their agents.
struct Theirs([RandomAgents; 2]);

impl AgentSet for Theirs {
    fn update<R: rand::RngCore>(&mut self, env: &mut Env, rng: &mut R) {
        self.0.iter_mut().for_each(|set| set.update(env, rng));
    }
}

/// The 200 and 200 agents of their own bench. Ours act in step on the same prices, quantities and activities.
const OURS: &str = r#"
    warm_up_s = 0
    [[market]]
    base = "RND"
    quote = "USD"
    tick_quote = "1"
    lot_base = "1"
    start_ticks = 100
    value = { volatility_bps = 0.0, pull_back_s = 1.0, step_s = 60.0 }
    rescue = { depth_ticks = 20, lots = 15 }
    [[market.random_trader]]
    name = "a"
    count = 200
    step_s = 1.0
    activity = 0.8
    from_ticks = 80
    spacing_ticks = 2
    prices = 20
    min_lots = 10
    max_lots = 19
    [[market.random_trader]]
    name = "b"
    count = 200
    step_s = 1.0
    activity = 0.2
    from_ticks = 20
    spacing_ticks = 2
    prices = 80
    min_lots = 50
    max_lots = 69
"#;

fn bourse(rounds: usize) {
    const STEPS: u64 = 5_000;
    let spec = SimSpec::from_toml(OURS).expect("checked");
    let (mut ours, mut theirs, mut last) = (Vec::new(), Vec::new(), [0; 2]);
    for round in 0..rounds as u64 {
        let mut world = World::new(round, &spec);
        let passed = seconds(|| {
            let mut events = Vec::new();
            for step in 1..=STEPS as i64 {
                world.advance(Nanos::from_s(step), &mut events);
                black_box(&events);
                events.clear();
            }
        });
        let traffic = world.traffic(0);
        last[0] = traffic.orders + traffic.cancels;
        ours.push(last[0] as f64 / passed / 1e6);

        let sets =
            [RandomAgents::new(200, (40, 60), (10, 20), 2, 0.8), RandomAgents::new(200, (10, 90), (50, 70), 2, 0.2)];
        let (mut env, mut agents) = (Env::new(0, 1, 1_000_000, true), Theirs(sets));
        let passed = seconds(|| sim_runner(&mut env, &mut agents, 101 + round, STEPS, false));
        // Cancellations of what traded within the same step are not in it; they are few.
        let orders = env.get_orders();
        last[1] = (orders.len() + orders.iter().filter(|o| o.status == Status::Cancelled).count()) as u64;
        theirs.push(last[1] as f64 / passed / 1e6);
    }
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
    println!(
        "random agents: ours {:.1} M instructions/s ({} in {STEPS} steps), bourse-de {:.1} ({}); ratio {:.2}",
        median(ours),
        last[0],
        median(theirs),
        last[1],
        median(ratios)
    );
}

/// Time this thread had the core: others may want it too.
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
