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
    let layers: Vec<Layer> = layers.collect();
    #[cfg(feature = "learn")]
    by_burn(c, &layers, &some(8));
    let network = Mlp::new(layers).expect("layers that fit");
    let (input, mut work, mut output) = (some(8), vec![0.0; network.work_len()], [0.0; 2]);
    c.bench_function("policy/forward 8-64-64-2", |b| {
        b.iter(|| {
            network.forward(std::hint::black_box(&input), &mut work, &mut output);
            output
        });
    });
}

/// The same observation through the same network as burn runs it, answers read back.
#[cfg(feature = "learn")]
fn by_burn(c: &mut Criterion, layers: &[Layer], input: &[f32]) {
    use burn::tensor::{Device, Tensor, TensorData};

    let device = Device::flex();
    let actor = papermaker::learn::net::Actor::of(layers, &device);
    c.bench_function("policy/forward 8-64-64-2 by burn", |b| {
        b.iter(|| {
            let seen = Tensor::from_data(TensorData::new(std::hint::black_box(input).to_vec(), [1, 8]), &device);
            actor.forward(seen).into_data()
        });
    });
}
