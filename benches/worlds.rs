//! Model worlds: one step of 4,096 copies, actions ready.

use criterion::{BenchmarkId, Criterion, Throughput};
use papermaker::env::model::{Base, Copies, Fills, Knowledge, Model, Quoting, Seat, Worlds};
use papermaker::env::{Came, Ended, Environments};
use papermaker::rng::Stream;

const COPIES: usize = 4096;

/// Group `worlds/…`; a hundred steps an iteration.
pub fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("worlds");
    group.throughput(Throughput::Elements(COPIES as u64 * 100));
    let p1 = Seat::new(Model::P1);
    let cjp = Quoting::Residual { base: Base::Cjp, reach: 2.0 };
    let between = Worlds::Between { a: [0.5, 2.0], k: [0.5, 2.0] };
    let glft = Quoting::Residual { base: Base::Glft, reach: 2.0 };
    for (name, seat) in [
        ("P1", p1),
        ("P1 Poisson", Seat { model: Model::P1.filled(Fills::Poisson), ..p1 }),
        ("P1 residual on CJP", Seat { quoting: cjp, ..p1 }),
        ("drift", Seat { model: Model::drifting(10.0), ..p1 }),
        ("25 worlds", Seat { worlds: between, knowledge: Knowledge::Exact, quoting: glft, ..p1 }),
    ] {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            let mut copies = Copies::new(seat, COPIES, 7).expect("a seat");
            let len = copies.observation_len();
            let mut draws = Stream::new(7, "bench.worlds");
            let actions: Vec<f32> = (0..2 * COPIES).map(|_| draws.uniform() as f32 * 0.2 - 0.1).collect();
            let (mut observations, mut finals) = (vec![0.0; len * COPIES], vec![0.0; len * COPIES]);
            let (mut rewards, mut ended) = (vec![0.0; COPIES], vec![Ended::No; COPIES]);
            copies.reset(&mut observations);
            b.iter(|| {
                for _ in 0..100 {
                    copies.step(
                        std::hint::black_box(&actions),
                        Came {
                            observations: &mut observations,
                            rewards: &mut rewards,
                            ended: &mut ended,
                            finals: &mut finals,
                        },
                    );
                }
                rewards[0]
            });
        });
    }
    group.finish();
}
