//! The network that is trained.
//!
//! The same perceptron as [`strategy::mlp`](crate::strategy::mlp), as a burn module that gradients flow through. It
//! starts orthogonal: a layer that neither stretches nor flattens what it sees (Saxe, McClelland & Ganguli, *Exact
//! solutions to the nonlinear dynamics of learning in deep linear neural networks*, ICLR 2014), except the last,
//! whose weights are a hundred times smaller, so that an untrained policy does nearly the same everywhere (Andrychowicz
//! et al., *What matters for on-policy deep actor-critic methods?*, ICLR 2021, section 3.2).

use std::f64::consts::SQRT_2;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use crate::numeric;
use crate::rng::Stream;
use crate::strategy::mlp::Layer;

/// How much a hidden layer stretches lengths at the start.
pub const HIDDEN_GAIN: f64 = SQRT_2;

/// How much the last layer does.
pub const OUTPUT_GAIN: f64 = 0.01;

/// Observations in, the policy's numbers out; tanh after every layer but the last.
#[derive(Module, Debug)]
pub struct Actor {
    layers: Vec<Linear>,
}

impl Actor {
    /// An untrained network of these widths, observation first: `[8, 64, 64, 2]` sees 8 numbers and answers with 2.
    ///
    /// Weights are drawn orthogonal, biases are zero. The draws come from `stream`, not from burn's generator, which is
    /// one for the whole process: the same stream gives the same network whatever else is going on.
    ///
    /// Panics on fewer than two widths, or on a width of zero.
    pub fn new(widths: &[usize], stream: &mut Stream, device: &Device) -> Self {
        assert!(widths.len() >= 2 && !widths.contains(&0), "a network needs two widths or more, not {widths:?}");
        let last = widths.len() - 2;
        let layer = |(n, pair): (usize, &[usize])| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let gain = if n == last { OUTPUT_GAIN } else { HIDDEN_GAIN };
            let weight = TensorData::new(orthogonal(inputs, outputs, gain, stream), [inputs, outputs]);
            let bias = TensorData::new(vec![0f32; outputs], [outputs]);
            Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
        };
        Self { layers: widths.windows(2).enumerate().map(layer).collect() }
    }

    /// The network of these layers, first to last.
    pub fn of(layers: &[Layer], device: &Device) -> Self {
        let layer = |Layer { inputs, weight, bias }: &Layer| Linear {
            weight: Param::from_data(TensorData::new(weight.clone(), [*inputs, bias.len()]), device),
            bias: Some(Param::from_data(TensorData::new(bias.clone(), [bias.len()]), device)),
        };
        Self { layers: layers.iter().map(layer).collect() }
    }

    /// The policy's numbers for a batch.
    ///
    /// * `observations`: `[batch, inputs]` · answer: `[batch, outputs]`
    pub fn forward(&self, observations: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a network has a layer");
        last.forward(hidden.iter().fold(observations, |seen, layer| layer.forward(seen).tanh()))
    }

    /// What autodiff found for each layer, in the shape of a layer.
    #[cfg(test)]
    pub(super) fn slopes(&self, gradients: &burn::tensor::Gradients) -> Vec<Layer> {
        let values = |slope: TensorData| slope.try_into_vec().expect("single precision");
        let layer = |layer: &Linear| {
            let bias = layer.bias.as_ref().expect("every layer has one");
            Layer {
                inputs: layer.weight.dims()[0],
                weight: values(layer.weight.val().grad(gradients).expect("part of the graph").into_data()),
                bias: values(bias.val().grad(gradients).expect("part of the graph").into_data()),
            }
        };
        self.layers.iter().map(layer).collect()
    }
}

/// A random `[inputs][outputs]` matrix whose columns (rows, if it is wider than tall) are at right angles and `gain`
/// long: normal draws, made orthogonal one after the other by Gram and Schmidt, uniform over all such matrices.
pub(super) fn orthogonal(inputs: usize, outputs: usize, gain: f64, stream: &mut Stream) -> Vec<f32> {
    let (long, few) = (inputs.max(outputs), inputs.min(outputs));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(few);
    for _ in 0..few {
        let mut fresh: Vec<f64> = (0..long).map(|_| stream.normal()).collect();
        for known in &basis {
            let shadow = dot(&fresh, known);
            fresh.iter_mut().zip(known).for_each(|(f, k)| *f -= shadow * k);
        }
        let length = numeric::sqrt(dot(&fresh, &fresh));
        fresh.iter_mut().for_each(|f| *f /= length);
        basis.push(fresh);
    }
    let at = |i: usize, o: usize| if inputs >= outputs { basis[o][i] } else { basis[i][o] };
    (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o))).map(|(i, o)| (gain * at(i, o)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_layer_turns_without_stretching() {
        for (inputs, outputs) in [(8, 64), (64, 8), (64, 64), (1, 1)] {
            let w = orthogonal(inputs, outputs, 2.0, &mut Stream::new(1, "test.orthogonal"));
            // WᵀW (or WWᵀ when wider than tall) is gain² = 4 on the diagonal and 0 off it.
            let (long, few) = (inputs.max(outputs), inputs.min(outputs));
            let at = |k: usize, of: usize| {
                f64::from(if inputs >= outputs { w[k * outputs + of] } else { w[of * outputs + k] })
            };
            for (a, b) in (0..few).flat_map(|a| (0..few).map(move |b| (a, b))) {
                let dot: f64 = (0..long).map(|k| at(k, a) * at(k, b)).sum();
                let expected = if a == b { 4.0 } else { 0.0 };
                assert!((dot - expected).abs() < 1e-5, "{inputs}x{outputs}: {a}·{b} = {dot}");
            }
        }
    }

    #[test]
    fn a_seed_is_a_network() {
        let answer = |seed| {
            let device = Device::flex();
            let actor = Actor::new(&[3, 16, 2], &mut Stream::new(seed, "learn.actor"), &device);
            actor.forward(Tensor::from_floats([[0.5, -1.0, 2.0]], &device)).into_data()
        };
        assert_eq!(answer(1), answer(1));
        assert_ne!(answer(1), answer(2));
    }

    #[test]
    fn an_untrained_policy_does_nearly_nothing() {
        // Sixteen hidden numbers within ±1 are a vector no longer than 4; a gain of 0.01 leaves 0.04.
        let device = Device::flex();
        let actor = Actor::new(&[3, 16, 2], &mut Stream::new(5, "learn.actor"), &device);
        let out = actor.forward(Tensor::from_floats([[100.0, -100.0, 100.0], [0.0, 0.0, 0.0]], &device));
        let out: Vec<f32> = out.into_data().try_into_vec().expect("single precision");
        assert!(out.iter().all(|y| y.abs() <= 0.04), "{out:?}");
        assert_eq!(out[2..], [0.0, 0.0], "no bias, and tanh 0 = 0");
    }

    #[test]
    fn a_gradient_reaches_every_layer() {
        let device = Device::flex().autodiff();
        let actor = Actor::new(&[3, 16, 16, 2], &mut Stream::new(3, "learn.actor"), &device);
        let loss = actor.forward(Tensor::from_floats([[0.5, -1.0, 2.0]], &device)).sum();
        let gradients = loss.backward();
        for layer in &actor.layers {
            let slope = layer.weight.val().grad(&gradients).expect("part of the graph");
            assert!(slope.abs().sum().into_scalar::<f32>() > 0.0);
        }
    }
}
