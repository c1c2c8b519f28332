//! Which of two queues is gone first, exactly and in the matching engine.

use papermaker::exchange::matching::{Engine, Incoming, Ticket};
use papermaker::order::OrderKind;
use papermaker::rng::Stream;
use papermaker::units::{Lots, Side, Ticks};

use crate::support::full_size;

/// R. Cont, S. Stoikov & R. Talreja, *A Stochastic Model for Order Book Dynamics*, Operations Research 58 (2010), the numbers
/// of Sky Perfect one tick from the other side: orders of one unit join each best queue at λ a second, are taken at μ,
/// and leave at θ each.
const LIMITS: f64 = 1.85;
const MARKETS: f64 = 0.94;
const CANCELS: f64 = 0.71;

/// Orders a queue holds at most in the exact answer.
const QUEUE_MAX: usize = 40;

/// `P(the ask is gone first | b, a)`, `[b - 1][a - 1]`: the balance of every state, swept until nothing moves.
fn exact() -> Vec<Vec<f64>> {
    let mut up = vec![vec![0.5; QUEUE_MAX]; QUEUE_MAX];
    loop {
        let mut moved: f64 = 0.0;
        for b in 1..=QUEUE_MAX {
            for a in 1..=QUEUE_MAX {
                let joins = |queue: usize| if queue < QUEUE_MAX { LIMITS } else { 0.0 };
                let leaves = |queue: usize| MARKETS + CANCELS * queue as f64;
                let at = |b: usize, a: usize| match (b, a) {
                    (0, _) => 0.0,
                    (_, 0) => 1.0,
                    (b, a) => up[b.min(QUEUE_MAX) - 1][a.min(QUEUE_MAX) - 1],
                };
                let flow = joins(b) * at(b + 1, a)
                    + joins(a) * at(b, a + 1)
                    + leaves(b) * at(b - 1, a)
                    + leaves(a) * at(b, a - 1);
                let now = flow / (joins(b) + joins(a) + leaves(b) + leaves(a));
                moved = moved.max((now - up[b - 1][a - 1]).abs());
                up[b - 1][a - 1] = now;
            }
        }
        if moved < 1e-14 {
            return up;
        }
    }
}

/// Whether the ask went first in one race of the matching engine, which is empty before and after.
fn race(engine: &mut Engine, bids: usize, asks: usize, stream: &mut Stream) -> bool {
    const PRICES: [Ticks; 2] = [Ticks(1_000), Ticks(1_001)];
    let mut records = Vec::new();
    let mut queues: [Vec<Ticket>; 2] = [Vec::new(), Vec::new()];
    let rest = |engine: &mut Engine, side: usize, records: &mut Vec<_>| {
        let order = Incoming::new(Side::BOTH[side], OrderKind::PostOnly, PRICES[side], Lots(1));
        engine.submit(order, records).expect("it rests a tick apart")
    };
    for (side, count) in [bids, asks].into_iter().enumerate() {
        (0..count).for_each(|_| queues[side].push(rest(engine, side, &mut records)));
    }
    loop {
        records.clear();
        let leave = |queue: &Vec<Ticket>| CANCELS * queue.len() as f64;
        let rates = [LIMITS, LIMITS, MARKETS, MARKETS, leave(&queues[0]), leave(&queues[1])];
        let mut draw = stream.uniform() * rates.iter().sum::<f64>();
        let event = rates
            .iter()
            .position(|rate| {
                draw -= rate;
                draw < 0.0
            })
            .unwrap_or(5);
        let side = event % 2;
        match event {
            0 | 1 => queues[side].push(rest(engine, side, &mut records)),
            2 | 3 => {
                // A market order of the other side takes the oldest.
                let order = Incoming::new(Side::BOTH[1 - side], OrderKind::Market, PRICES[side], Lots(1));
                engine.submit(order, &mut records).expect("somebody rests there");
                queues[side].retain(|ticket| engine.order(*ticket).is_some());
            }
            _ => {
                let index = stream.below(queues[side].len() as u64) as usize;
                let ticket = queues[side].swap_remove(index);
                engine.cancel(ticket, &mut records).expect("it rests");
            }
        }
        match Side::BOTH.map(|side| engine.best(side).is_some()) {
            [true, true] => {}
            [_, ask] => {
                queues.into_iter().flatten().for_each(|ticket| {
                    engine.cancel(ticket, &mut records).expect("it rests");
                });
                return !ask;
            }
        }
    }
}

#[test]
fn the_race_of_two_queues_is_exact_and_the_engine_runs_it() {
    // quant/TARGETS.md §6.4 and s9_abm.py, a sparse solve of the same states.
    let golden = [
        (1, 1, 0.5),
        (1, 2, 0.335_173),
        (1, 3, 0.259_018),
        (1, 4, 0.215_789),
        (1, 5, 0.187_823),
        (2, 1, 0.664_827),
        (3, 1, 0.740_982),
        (5, 1, 0.812_177),
        (2, 3, 0.406_887),
        (3, 5, 0.390_594),
    ];
    let exact = exact();
    let (mut stream, mut engine) = (Stream::new(1, "test.race"), Engine::new());
    let races = if full_size() { 200_000 } else { 4_000 };
    for (b, a, up) in golden {
        assert!((exact[b - 1][a - 1] - up).abs() < 6e-7, "({b}, {a}): {}, not {up}", exact[b - 1][a - 1]);
        let won = (0..races).filter(|_| race(&mut engine, b, a, &mut stream)).count() as f64 / f64::from(races);
        let error = (up * (1.0 - up) / f64::from(races)).sqrt();
        assert!((won - up).abs() < 4.0 * error, "({b}, {a}): {won} of the engine's races, not {up} ± {error}");
    }
}
