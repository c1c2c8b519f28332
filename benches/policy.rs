//! A decision of a learned policy: one observation through the network.

use criterion::Criterion;
use papermaker::rng::Stream;
use papermaker::strategy::mlp::{Layer, Mlp};

/// Group `policy/…`.
pub fn forward(c: &mut Criterion) {
    let mut draws = Stream::new(7, "bench.policy");
    let mut some = |n: usize| (0..n).map(|_| draws.normal() as f32 * 0.25).collect::<Vec<f32>>();
    let widths = [8, 64, 64, 2];
    let layers = widths.windows(2).map(|w| Layer { inputs: w[0], weight: some(w[0] * w[1]), bias: some(w[1]) });
    let network = Mlp::new(layers.collect()).expect("layers that fit");
    let (input, mut work, mut output) = (some(8), vec![0.0; network.work_len()], [0.0; 2]);
    c.bench_function("policy/forward 8-64-64-2", |b| {
        b.iter(|| {
            network.forward(std::hint::black_box(&input), &mut work, &mut output);
            output
        });
    });
}
