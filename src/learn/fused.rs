//! A perceptron forwards and backwards over a batch, without a graph.
//!
//! The same network as [`net::Actor`], as loops over [`kernel`]: the rows of a batch go
//! through all layers while they are in the processor's cache, and back again. Its weights are one row of numbers, a
//! [`Plan`] says which is which, so an optimiser has one parameter to move ([`flat`](super::flat)). Slopes are by hand
//! (Rumelhart, Hinton & Williams, *Learning representations by back-propagating errors*, Nature 323 (1986)); tests hold
//! them to differences and to what burn's autodiff makes of the same network.

use std::ops::Range;

use aligned_vec::{AVec, avec};

use super::away::Away;
use super::kernel::{self, Left, PAD, Start, Vectors, padded};
use super::net;
use crate::rng::Stream;
use crate::strategy::mlp::Layer;

/// What stands between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bend {
    /// Hyperbolic tangent, what live policies have.
    Tanh,
    /// The number or zero.
    Relu,
}

/// Where each layer's numbers lie in one flat row.
///
/// Hidden layers are `[inputs][outputs]`, rows padded with zeros to whole vectors; the last is `[outputs][inputs]`,
/// padded likewise, because it has few outputs. A padded number has no slope, so it stays zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    widths: Vec<usize>,
    /// Of each layer: where its weights begin, where its bias begins.
    spots: Vec<(usize, usize)>,
    len: usize,
}

impl Plan {
    /// The plan of a network of these widths, observation first. Panics on fewer than three: a hidden layer it needs.
    pub fn new(widths: &[usize]) -> Self {
        assert!(widths.len() >= 3 && !widths.contains(&0), "a network needs three widths or more, not {widths:?}");
        let mut len = 0;
        let last = widths.len() - 2;
        let spot = |(n, pair): (usize, &[usize])| {
            let weight = len;
            let size = if n == last { pair[1] * padded(pair[0]) } else { pair[0] * padded(pair[1]) };
            len += size + padded(pair[1]);
            (weight, weight + size)
        };
        let spots = widths.windows(2).enumerate().map(spot).collect();
        Self { widths: widths.to_vec(), spots, len }
    }

    /// How many numbers the flat row has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// It never is: a network has weights.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Numbers in one observation.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Numbers in one answer.
    pub fn outputs(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    fn layers_len(&self) -> usize {
        self.spots.len()
    }

    /// Weights and bias of layer `n` in `flat`; the bias unpadded for the last.
    fn parts<'a>(&self, flat: &'a [f32], n: usize) -> (&'a [f32], &'a [f32]) {
        let ((weight, bias), outputs) = (self.spots[n], self.widths[n + 1]);
        let len = if n + 1 == self.layers_len() { outputs } else { padded(outputs) };
        (&flat[weight..bias], &flat[bias..bias + len])
    }

    fn parts_mut<'a>(&self, flat: &'a mut [f32], n: usize) -> (&'a mut [f32], &'a mut [f32]) {
        let ((weight, bias), outputs) = (self.spots[n], self.widths[n + 1]);
        let len = if n + 1 == self.layers_len() { outputs } else { padded(outputs) };
        let (weights, rest) = flat[weight..].split_at_mut(bias - weight);
        (weights, &mut rest[..len])
    }

    /// Where in layer `n`'s weights the one from `input` to `output` is.
    fn place(&self, n: usize, input: usize, output: usize) -> usize {
        match n + 1 == self.layers_len() {
            true => output * padded(self.widths[n]) + input,
            false => input * padded(self.widths[n + 1]) + output,
        }
    }

    /// A fresh network: orthogonal weights, the last layer's `last_gain` long, biases of zero.
    pub fn fresh(&self, last_gain: f64, stream: &mut Stream) -> Vec<f32> {
        let layer = |n: usize| {
            let (inputs, outputs) = (self.widths[n], self.widths[n + 1]);
            let gain = if n + 1 == self.layers_len() { last_gain } else { net::HIDDEN_GAIN };
            Layer { inputs, weight: net::orthogonal(inputs, outputs, gain, stream), bias: vec![0.0; outputs] }
        };
        let layers: Vec<Layer> = (0..self.layers_len()).map(layer).collect();
        self.flat(&layers)
    }

    /// Makes a fresh network's first layer `bends` times as steep, with biases drawn evenly between ± that, so that its neurons bend in
    /// many places instead of all at 0; 1 leaves it as it is. Few inputs of a few values each are told apart faster (Rahimi & Recht,
    /// *Random features for large-scale kernel machines*, NIPS 2007: neurons with random phases, steeper ones for finer detail).
    pub fn bend_more(&self, bends: f64, flat: &mut [f32], stream: &mut Stream) {
        if bends == 1.0 {
            return;
        }
        let outputs = self.widths[1];
        let (weights, bias) = self.parts_mut(flat, 0);
        weights.iter_mut().for_each(|w| *w *= bends as f32);
        bias[..outputs].iter_mut().for_each(|b| *b = (bends * (2.0 * stream.uniform() - 1.0)) as f32);
    }

    /// The layers as one row. Panics if they are of other widths.
    pub fn flat(&self, layers: &[Layer]) -> Vec<f32> {
        assert_eq!(layers.len(), self.layers_len(), "layers");
        let mut flat = vec![0.0; self.len];
        for (n, layer) in layers.iter().enumerate() {
            let (inputs, outputs) = (self.widths[n], self.widths[n + 1]);
            assert_eq!((layer.inputs, layer.bias.len()), (inputs, outputs), "widths of layer {n}");
            let (weights, bias) = self.parts_mut(&mut flat, n);
            bias[..outputs].copy_from_slice(&layer.bias);
            for (i, o) in (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o))) {
                weights[self.place(n, i, o)] = layer.weight[i * outputs + o];
            }
        }
        flat
    }

    /// The row as layers, for [`Mlp`](crate::strategy::mlp::Mlp) and [`Actor`](super::net::Actor).
    pub fn layers(&self, flat: &[f32]) -> Vec<Layer> {
        assert_eq!(flat.len(), self.len, "a row of this plan");
        let layer = |n: usize| {
            let (inputs, outputs) = (self.widths[n], self.widths[n + 1]);
            let (weights, bias) = self.parts(flat, n);
            let pairs = (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o)));
            let weight = pairs.map(|(i, o)| weights[self.place(n, i, o)]).collect();
            Layer { inputs, weight, bias: bias[..outputs].to_vec() }
        };
        (0..self.layers_len()).map(layer).collect()
    }
}

/// Rows that go through all layers before the next do: few enough that what they leave behind stays in the processor's cache.
const TILE: usize = 64;

/// One batch on its way through a network, and the room for it.
///
/// Fill [`inputs`](Self::inputs), call [`forward`](Self::forward), read [`outputs`](Self::outputs), fill
/// [`output_slopes`](Self::output_slopes), call [`backward`](Self::backward).
#[derive(Clone, Debug)]
pub struct Pass {
    plan: Plan,
    bend: Bend,
    norm: bool,
    vectors: Vectors,
    rows: usize,
    inputs: Vec<f32>,
    /// What each hidden layer answered, `[rows][padded]`.
    hidden: Vec<AVec<f32>>,
    /// The same before the bend, if layers are normalised; and one over how far they were spread, `[rows]`.
    normed: Vec<(AVec<f32>, Vec<f32>)>,
    outputs: Vec<f32>,
    output_slopes: Vec<f32>,
    /// Slopes of one tile on their way back, and where they go to next.
    slopes: (AVec<f32>, AVec<f32>),
    /// `[rows][padded inputs]`, where they come out.
    input_slopes: AVec<f32>,
    /// Weights of hidden layers, `[outputs][padded inputs]`.
    turned: Vec<AVec<f32>>,
    /// Where it goes instead of through the loops here.
    away: Option<Away>,
}

impl Pass {
    /// Room for batches of up to `rows`. With `norm`, what a hidden layer adds up to is shifted and scaled to mean 0
    /// and variance 1 before the bend (Ba, Kiros & Hinton, *Layer normalization*, 2016, without gain and bias).
    pub fn new(widths: &[usize], bend: Bend, norm: bool, rows: usize, vectors: Vectors) -> Self {
        let plan = Plan::new(widths);
        let middle = &widths[1..widths.len() - 1];
        let widest = widths.iter().map(|w| padded(*w)).max().expect("three widths");
        let hidden: Vec<AVec<f32>> = middle.iter().map(|w| avec![0.0; rows * padded(*w)]).collect();
        let normed = if norm { hidden.iter().map(|h| (h.clone(), vec![0.0; rows])).collect() } else { Vec::new() };
        let turned = widths.windows(2).take(middle.len()).map(|w| avec![0.0; w[1] * padded(w[0])]).collect();
        Self {
            bend,
            norm,
            vectors,
            rows,
            inputs: vec![0.0; rows * plan.inputs()],
            hidden,
            normed,
            outputs: vec![0.0; rows * plan.outputs()],
            output_slopes: vec![0.0; rows * plan.outputs()],
            slopes: (avec![0.0; TILE * widest], avec![0.0; TILE * widest]),
            input_slopes: avec![0.0; rows * padded(plan.inputs())],
            turned,
            away: None,
            plan,
        }
    }

    /// The same through another device; through the loops here if there is none.
    pub fn on(mut self, away: &Option<Away>) -> Self {
        self.away.clone_from(away);
        self
    }

    /// Where the network's numbers lie.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many rows fit.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `[rows][inputs]`, to be filled before [`forward`](Self::forward).
    pub fn inputs(&mut self, rows: usize) -> &mut [f32] {
        &mut self.inputs[..rows * self.plan.inputs()]
    }

    /// `[rows][outputs]`, what the network said last.
    pub fn outputs(&self, rows: usize) -> &[f32] {
        &self.outputs[..rows * self.plan.outputs()]
    }

    /// `[rows][outputs]`: what was said, and where to leave how the loss changes with it.
    pub fn output_slopes(&mut self, rows: usize) -> (&[f32], &mut [f32]) {
        let len = rows * self.plan.outputs();
        (&self.outputs[..len], &mut self.output_slopes[..len])
    }

    /// `[rows][padded inputs]`: how the loss changes with the inputs, after a [`backward`](Self::backward) that was
    /// asked for it.
    pub fn input_slopes(&self, rows: usize) -> &[f32] {
        &self.input_slopes[..rows * padded(self.plan.inputs())]
    }

    /// What the network of these weights makes of the first `rows` of the inputs.
    pub fn forward(&mut self, weights: &[f32], rows: usize) {
        assert_eq!(weights.len(), self.plan.len, "weights of this plan");
        if let Some(away) = &mut self.away {
            let (inputs, outputs) = (rows * self.plan.inputs(), rows * self.plan.outputs());
            let network = (&self.plan, self.bend, self.norm);
            return away.forward(network, weights, &self.inputs[..inputs], &mut self.outputs[..outputs]);
        }
        for from in (0..rows).step_by(TILE) {
            self.tile_forward(weights, from..rows.min(from + TILE));
        }
    }

    fn tile_forward(&mut self, weights: &[f32], rows: Range<usize>) {
        let (v, last) = (self.vectors, self.plan.layers_len() - 1);
        let of = |width: usize| rows.start * width..rows.end * width;
        for n in 0..last {
            let (weight, bias) = self.plan.parts(weights, n);
            let (before, here) = self.hidden.split_at_mut(n);
            let left = match before.last() {
                None => {
                    let width = self.plan.inputs();
                    Left { values: &self.inputs[of(width)], row: width, column: 1 }
                }
                Some(seen) => {
                    let width = padded(self.plan.widths[n]);
                    Left { values: &seen[of(width)], row: width, column: 1 }
                }
            };
            let (width, columns) = (self.plan.widths[n + 1], bias.len());
            let here = &mut here[0][of(columns)];
            kernel::product(v, left, weight, here, columns, Start::Row(bias));
            if self.norm {
                let (normed, spread) = &mut self.normed[n];
                normalise(here, width, columns, &mut spread[rows.clone()]);
                normed[of(columns)].copy_from_slice(here);
            }
            match self.bend {
                Bend::Tanh => kernel::tanh(v, here),
                Bend::Relu => kernel::relu(v, here),
            }
        }
        let (weight, bias) = self.plan.parts(weights, last);
        let inner = padded(self.plan.widths[last]);
        let outputs = &mut self.outputs[of(self.plan.outputs())];
        kernel::dots(v, &self.hidden[last - 1][of(inner)], inner, weight, bias, outputs);
    }

    /// What the network makes of `observations`, as many as there are, into `into`.
    pub fn answer(&mut self, weights: &[f32], observations: &[f32], into: &mut [f32]) {
        let (see, out, room) = (self.plan.inputs(), self.plan.outputs(), self.rows);
        for (observations, into) in observations.chunks(room * see).zip(into.chunks_mut(room * out)) {
            let rows = observations.len() / see;
            self.inputs(rows).copy_from_slice(observations);
            self.forward(weights, rows);
            into.copy_from_slice(self.outputs(rows));
        }
    }

    /// Makes ready for [`backward`](Self::backward) through these weights; once per change of them.
    pub fn turn(&mut self, weights: &[f32]) {
        if self.away.is_some() {
            return;
        }
        for n in 0..self.turned.len() {
            let (weight, bias) = self.plan.parts(weights, n);
            let (inputs, outputs) = (self.plan.widths[n], self.plan.widths[n + 1]);
            let room = padded(inputs);
            transpose_some(self.vectors, weight, bias.len(), outputs, &mut self.turned[n], room);
        }
    }

    /// From the slopes of the outputs of the last [`forward`](Self::forward): adds those of the weights onto `onto`, if
    /// there is such, and finds those of the inputs, if they are wanted. The weights are those of the last
    /// [`turn`](Self::turn).
    pub fn backward(&mut self, weights: &[f32], rows: usize, mut onto: Option<&mut [f32]>, inputs_too: bool) {
        if let Some(away) = &mut self.away {
            let by_input = &mut self.input_slopes[..rows * padded(self.plan.inputs())];
            return away.backward(&self.plan, &self.output_slopes[..rows * self.plan.outputs()], onto, by_input);
        }
        for from in (0..rows).step_by(TILE) {
            self.tile_backward(weights, from..rows.min(from + TILE), onto.as_deref_mut(), inputs_too);
        }
    }

    fn tile_backward(&mut self, weights: &[f32], rows: Range<usize>, mut onto: Option<&mut [f32]>, inputs_too: bool) {
        let (v, last) = (self.vectors, self.plan.layers_len() - 1);
        let (outputs, count) = (self.plan.outputs(), rows.len());
        let of = |width: usize| rows.start * width..rows.end * width;
        let inner = padded(self.plan.widths[last]);
        let d = &self.output_slopes[of(outputs)];
        let seen = &self.hidden[last - 1][of(inner)];
        if let Some(onto) = onto.as_deref_mut() {
            let (weight, bias) = self.plan.parts_mut(onto, last);
            kernel::product(v, Left { values: d, row: 1, column: outputs }, seen, weight, inner, Start::Kept);
            kernel::add_rows(v, d, bias);
        }
        let (weight, _) = self.plan.parts(weights, last);
        let back = &mut self.slopes.0[..count * inner];
        kernel::product(v, Left { values: d, row: outputs, column: 1 }, weight, back, inner, Start::Zero);

        for n in (0..last).rev() {
            let (width, columns) = (self.plan.widths[n + 1], padded(self.plan.widths[n + 1]));
            let d = &mut self.slopes.0[..count * columns];
            let answers = &self.hidden[n][of(columns)];
            match self.bend {
                Bend::Tanh => kernel::tanh_back(v, d, answers),
                Bend::Relu => kernel::relu_back(v, d, answers),
            }
            if self.norm {
                let (normed, spread) = &self.normed[n];
                normalise_back(d, &normed[of(columns)], width, columns, &spread[rows.clone()]);
            }
            let (inputs, before) = (self.plan.widths[n], padded(self.plan.widths[n]));
            if let Some(onto) = onto.as_deref_mut() {
                let (weight, bias) = self.plan.parts_mut(onto, n);
                kernel::add_rows(v, d, bias);
                let (values, column) =
                    if n == 0 { (&self.inputs[of(inputs)], inputs) } else { (&self.hidden[n - 1][of(before)], before) };
                kernel::product(v, Left { values, row: 1, column }, d, weight, columns, Start::Kept);
            }
            let left = Left { values: d, row: columns, column: 1 };
            if n > 0 {
                let next = &mut self.slopes.1[..count * before];
                kernel::product(v, left, &self.turned[n], next, before, Start::Zero);
                std::mem::swap(&mut self.slopes.0, &mut self.slopes.1);
            } else if inputs_too {
                let next = &mut self.input_slopes[of(before)];
                kernel::product(v, left, &self.turned[n], next, before, Start::Zero);
            }
        }
    }
}

/// Turns `[_][columns]`, of which the first `used` columns count, into `[used][room]`.
fn transpose_some(v: Vectors, from: &[f32], columns: usize, used: usize, to: &mut [f32], room: usize) {
    if used == columns {
        return kernel::transpose(v, from, columns, to, room);
    }
    for (row, values) in from.chunks_exact(columns).enumerate() {
        (0..used).for_each(|column| to[column * room + row] = values[column]);
    }
}

/// Each row to mean 0 and variance 1 over its first `width` numbers; one over the spread is kept.
fn normalise(rows: &mut [f32], width: usize, columns: usize, spread: &mut [f32]) {
    for (row, spread) in rows.chunks_exact_mut(columns).zip(spread) {
        let row = &mut row[..width];
        let mean = sum(row) / width as f32;
        row.iter_mut().for_each(|x| *x -= mean);
        *spread = 1.0 / (dot(row, row) / width as f32 + 1e-5).sqrt();
        row.iter_mut().for_each(|x| *x *= *spread);
    }
}

/// Slopes behind [`normalise`] to slopes before it: `(d - mean d - x·mean(d·x)) / spread`.
fn normalise_back(slopes: &mut [f32], normed: &[f32], width: usize, columns: usize, spread: &[f32]) {
    for ((d, x), spread) in slopes.chunks_exact_mut(columns).zip(normed.chunks_exact(columns)).zip(spread) {
        let (d, x) = (&mut d[..width], &x[..width]);
        let (shift, tilt) = (sum(d) / width as f32, dot(d, x) / width as f32);
        d.iter_mut().zip(x).for_each(|(d, x)| *d = (*d - shift - x * tilt) * spread);
    }
}

fn sum(xs: &[f32]) -> f32 {
    let mut sums = [0f32; PAD];
    for part in xs.chunks(PAD) {
        sums.iter_mut().zip(part).for_each(|(s, x)| *s += x);
    }
    sums.iter().sum()
}

fn dot(xs: &[f32], ys: &[f32]) -> f32 {
    let mut sums = [0f32; PAD];
    for (xs, ys) in xs.chunks(PAD).zip(ys.chunks(PAD)) {
        sums.iter_mut().zip(xs.iter().zip(ys)).for_each(|(s, (x, y))| *s += x * y);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;

    const SHAPES: [&[usize]; 4] = [&[4, 64, 64, 2], &[3, 20, 1], &[7, 48, 33, 16, 3], &[6, 96, 80, 1]];

    fn some(n: usize, scale: f64, draws: &mut Stream) -> Vec<f32> {
        (0..n).map(|_| (scale * draws.normal()) as f32).collect()
    }

    /// `Σ c·output` over a batch, its slopes by weight and by input.
    fn slopes(pass: &mut Pass, flat: &[f32], inputs: &[f32], toll: &[f32]) -> (f64, Vec<f32>, Vec<f32>) {
        let rows = inputs.len() / pass.plan().inputs();
        pass.inputs(rows).copy_from_slice(inputs);
        pass.forward(flat, rows);
        let loss = pass.outputs(rows).iter().zip(toll).map(|(y, c)| f64::from(*y) * f64::from(*c)).sum();
        pass.output_slopes(rows).1.copy_from_slice(toll);
        let mut onto = vec![0.0; flat.len()];
        pass.turn(flat);
        pass.backward(flat, rows, Some(&mut onto), true);
        let (inputs, room) = (pass.plan().inputs(), padded(pass.plan().inputs()));
        let by_input = pass.input_slopes(rows).chunks(room).flat_map(|row| row[..inputs].to_vec()).collect();
        (loss, onto, by_input)
    }

    #[test]
    fn slopes_are_what_burn_finds() {
        for (widths, v) in SHAPES.iter().flat_map(|w| Vectors::all().into_iter().map(move |v| (*w, v))) {
            let mut draws = Stream::new(3, "test.fused");
            let rows = 37;
            let mut pass = Pass::new(widths, Bend::Tanh, false, rows, v);
            let flat = pass.plan().fresh(1.0, &mut draws);
            let flat = pass.plan().flat(&{
                let mut layers = pass.plan().layers(&flat);
                layers.iter_mut().for_each(|l| l.bias = some(l.bias.len(), 0.2, &mut draws));
                layers
            });
            let inputs = some(rows * widths[0], 1.0, &mut draws);
            let toll = some(rows * pass.plan().outputs(), 0.2, &mut draws);
            let (_, onto, by_input) = slopes(&mut pass, &flat, &inputs, &toll);

            let device = Device::flex().autodiff();
            let actor = net::Actor::of(&pass.plan().layers(&flat), &device);
            let batch = Tensor::<2>::from_data(TensorData::new(inputs, [rows, widths[0]]), &device).require_grad();
            let out = actor.forward(batch.clone());
            let said: Vec<f32> = out.clone().into_data().try_into_vec().expect("single precision");
            for (own, burn) in pass.outputs(rows).iter().zip(&said) {
                assert!((own - burn).abs() < 1e-5, "{widths:?} {v:?}: {own}, burn {burn}");
            }
            let toll = Tensor::from_data(TensorData::new(toll, [rows, pass.plan().outputs()]), &device);
            let gradients = (out * toll).sum().backward();
            let burns = actor.slopes(&gradients);
            for (n, (own, burn)) in pass.plan().layers(&onto).iter().zip(&burns).enumerate() {
                let pairs = own.weight.iter().chain(&own.bias).zip(burn.weight.iter().chain(&burn.bias));
                for (own, burn) in pairs {
                    assert!(
                        (own - burn).abs() < 1e-5 * (1.0 + burn.abs()),
                        "{widths:?} {v:?} layer {n}: {own}, {burn}"
                    );
                }
            }
            let burns: Vec<f32> = batch.grad(&gradients).expect("tracked").into_data().try_into_vec().expect("f32");
            for (own, burn) in by_input.iter().zip(&burns) {
                assert!((own - burn).abs() < 1e-5, "{widths:?} {v:?} input: {own}, {burn}");
            }
        }
    }

    #[test]
    fn slopes_are_what_differences_say() {
        // A step of 2⁻⁷ either way along a random direction: the loss changes by slope · direction up to the third
        // derivative's share, h² = 6e-5 of it.
        for (bend, norm) in [(Bend::Tanh, false), (Bend::Tanh, true), (Bend::Relu, true)] {
            let mut draws = Stream::new(5, "test.differences");
            let rows = 5;
            let mut pass = Pass::new(&[4, 32, 24, 2], bend, norm, rows, Vectors::best());
            let flat = pass.plan().fresh(1.0, &mut draws);
            let inputs = some(rows * 4, 1.0, &mut draws);
            let toll = some(rows * 2, 1.0, &mut draws);
            let (_, onto, by_input) = slopes(&mut pass, &flat, &inputs, &toll);
            let mut off = Vec::new();
            for _ in 0..20 {
                let layers = pass.plan().layers(&flat);
                let direction: Vec<Layer> = layers
                    .iter()
                    .map(|l| Layer {
                        inputs: l.inputs,
                        weight: some(l.weight.len(), 0.1, &mut draws),
                        bias: some(l.bias.len(), 0.1, &mut draws),
                    })
                    .collect();
                let direction = pass.plan().flat(&direction);
                let h = if bend == Bend::Relu { 1.0 / 1024.0 } else { 1.0 / 128.0 };
                let mut moved = |h: f32| {
                    let there: Vec<f32> = flat.iter().zip(&direction).map(|(w, d)| w + h * d).collect();
                    slopes(&mut pass, &there, &inputs, &toll).0
                };
                let found = (moved(h) - moved(-h)) / f64::from(2.0 * h);
                let own: f64 = onto.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
                off.push((found - own).abs());
            }
            // A relu has kinks, and a step over one finds a mean of two slopes: there the middle of twenty must be right.
            off.sort_by(f64::total_cmp);
            let worst = if bend == Bend::Relu { off[10] } else { off[19] };
            assert!(worst < 2e-3, "{bend:?}, normed {norm}: off by {worst}");
            let direction = some(inputs.len(), 1.0, &mut draws);
            let mut moved = |h: f32| {
                let there: Vec<f32> = inputs.iter().zip(&direction).map(|(x, d)| x + h * d).collect();
                slopes(&mut pass, &flat, &there, &toll).0
            };
            let h = 1.0 / 512.0;
            let found = (moved(h) - moved(-h)) / f64::from(2.0 * h);
            let own: f64 = by_input.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            assert!((found - own).abs() < 5e-3 * (1.0 + own.abs()), "{bend:?}, normed {norm}: {found}, {own}");
        }
    }

    #[test]
    fn a_row_is_its_layers() {
        for widths in SHAPES {
            let plan = Plan::new(widths);
            let flat = plan.fresh(1.0, &mut Stream::new(1, "test.plan"));
            assert_eq!(plan.flat(&plan.layers(&flat)), flat);
        }
    }

    #[test]
    fn a_first_layer_bends_in_many_places_if_asked() {
        let plan = Plan::new(&[3, 20, 5, 2]);
        let fresh = plan.fresh(1.0, &mut Stream::new(1, "test.plan"));
        let mut bent = fresh.clone();
        plan.bend_more(1.0, &mut bent, &mut Stream::new(2, "test.plan"));
        assert_eq!(bent, fresh, "once as steep is as it was");
        plan.bend_more(3.0, &mut bent, &mut Stream::new(2, "test.plan"));
        let (before, after) = (plan.layers(&fresh), plan.layers(&bent));
        assert_eq!(after[1..], before[1..], "the other layers stay");
        for (was, is) in before[0].weight.iter().zip(&after[0].weight) {
            assert_eq!(*is, 3.0 * was);
        }
        let bias = &after[0].bias;
        assert!(bias.iter().all(|b| b.abs() <= 3.0) && bias.iter().any(|b| *b < -1.0) && bias.iter().any(|b| *b > 1.0));
        assert_eq!(plan.flat(&after), bent, "what is padding stays zero");
    }
}
