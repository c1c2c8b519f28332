//! The zero-intelligence book, in the matching engine alone.

use papermaker::exchange::matching::{Engine, Incoming, Record, Ticket};
use papermaker::numeric;
use papermaker::order::OrderKind;
use papermaker::rng::Stream;
use papermaker::units::{Lots, Side, Ticks};

use crate::support::full_size;

/// Conventions of quant/scripts/s11_zi.c: unit orders; limits uniform on the 600 ticks before the opposite best, α = 1 per
/// unit of price (ten ticks) and time a side; market orders μ = 10, both sides together; each order is cancelled at δ.
struct Flow {
    engine: Engine,
    tickets: Vec<Ticket>,
    stream: Stream,
    delta: f64,
    records: Vec<Record>,
}

const WINDOW: u64 = 600;
const TICKS_PER_UNIT: f64 = 10.0;
/// α · 60 units
const LIMITS: f64 = 60.0;
const MARKETS: f64 = 10.0;

impl Flow {
    fn new(delta: f64, seed: u64) -> Self {
        let stream = Stream::new(seed, "test.zero-intelligence");
        let mut flow = Self { engine: Engine::new(), tickets: Vec::new(), stream, delta, records: Vec::new() };
        flow.rest(Side::Bid, Ticks(999_999));
        flow.rest(Side::Ask, Ticks(1_000_001));
        flow
    }

    fn rest(&mut self, side: Side, price: Ticks) {
        let order = Incoming::new(side, OrderKind::PostOnly, price, Lots(1));
        self.tickets.push(self.engine.submit(order, &mut self.records).expect("it never crosses"));
    }

    fn best(&self, side: Side) -> Ticks {
        self.engine.best(side).expect("fifty orders a side are not gone at once").price
    }

    /// Time until the next event, in units.
    fn wait(&mut self) -> f64 {
        let rate = 2.0 * LIMITS + MARKETS + self.delta * self.tickets.len() as f64;
        self.stream.exponential(1.0 / rate)
    }

    fn happen(&mut self) {
        let rate = 2.0 * LIMITS + MARKETS + self.delta * self.tickets.len() as f64;
        let draw = self.stream.uniform() * rate;
        self.records.clear();
        let side = if self.stream.chance(0.5) { Side::Bid } else { Side::Ask };
        // The last price of a side never goes: nobody would know where to place the next order.
        if draw < 2.0 * LIMITS {
            let away = 1 + self.stream.below(WINDOW) as i64;
            self.rest(side, Ticks(self.best(side.opposite()).0 - side.sign() * away));
        } else if draw < 2.0 * LIMITS + MARKETS {
            if self.engine.levels(side.opposite()).nth(1).is_none() {
                return;
            }
            let order = Incoming::new(side, OrderKind::Market, Ticks(1), Lots(1));
            self.engine.submit(order, &mut self.records).expect("somebody rests");
            for record in &self.records {
                if let Record::Trade { maker, .. } = record {
                    self.tickets.retain(|ticket| ticket != maker);
                }
            }
        } else {
            let index = self.stream.below(self.tickets.len() as u64) as usize;
            let (side, ..) = self.engine.order(self.tickets[index]).expect("it rests");
            if self.engine.levels(side).nth(1).is_none() {
                return;
            }
            let ticket = self.tickets.swap_remove(index);
            self.engine.cancel(ticket, &mut self.records).expect("it rests");
        }
    }
}

/// Mean and standard error of twenty batches.
fn batches(values: &[f64]) -> (f64, f64) {
    let size = values.len() / 20;
    let means: Vec<f64> = values.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64).collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let variance = means.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>() / (means.len() - 1) as f64;
    (mean, (variance / means.len() as f64).sqrt())
}

#[test]
fn its_spread_and_its_wandering_are_those_of_the_reference_program() {
    // quant/TARGETS.md §6.4: mean spread 3.823 ± .006 and 2.495 ± .007, variance of the mid over a unit of time 25.67 ± .12 and
    // 4.19 ± .05. Ours come with the error of twenty batches; four of both errors together are allowed.
    let units = if full_size() { 200_000 } else { 4_000 };
    for (delta, spread, variance) in [(1.0, (3.823, 0.006), (25.67, 0.12)), (0.1, (2.495, 0.007), (4.19, 0.05))] {
        let mut flow = Flow::new(delta, 7);
        let (mut now, burn) = (0.0, 100.0);
        let (mut last_mid, mut squares, mut spreads) = (None, Vec::new(), Vec::new());
        let mut open = 0.0;
        let mut next = burn;
        while squares.len() < units {
            let until = now + flow.wait();
            let (bid, ask) = (flow.best(Side::Bid).0 as f64, flow.best(Side::Ask).0 as f64);
            while next < until {
                // The spread, weighted by time, unit by unit.
                spreads.push(open + (next - now) * (ask - bid) / TICKS_PER_UNIT);
                open = 0.0;
                let mid = (bid + ask) / 2.0 / TICKS_PER_UNIT;
                if let Some(last) = last_mid.replace(mid) {
                    let moved: f64 = mid - last;
                    squares.push(moved * moved);
                }
                now = next;
                next += 1.0;
            }
            open += (until - now) * (ask - bid) / TICKS_PER_UNIT;
            now = until;
            flow.happen();
        }
        // The first piece holds the time before the burn was over.
        for (name, values, (target, error)) in [("spread", &spreads[1..], spread), ("variance", &squares[..], variance)]
        {
            let (mean, ours) = batches(values);
            let allowed = 4.0 * numeric::sqrt(ours * ours + error * error);
            eprintln!(
                "zero-intelligence book, δ = {delta}: {name} {mean:.3} ± {ours:.3}, reference {target} ± {error}"
            );
            assert!(
                (mean - target).abs() < allowed,
                "δ = {delta}: {name} {mean} ± {ours}, reference {target} ± {error}"
            );
            assert!(ours < 0.1 * target, "δ = {delta}: {name} {mean} ± {ours} says nothing");
        }
    }
}
