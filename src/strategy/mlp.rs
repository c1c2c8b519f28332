//! A trained policy's network, run in plain Rust.
//!
//! A multilayer perceptron: tanh (or, of a policy that was trained elsewhere, a rectifier) after every layer but the last. What it says decides what is quoted, so a replay on
//! another machine must hear the same bits: every output starts at its bias and adds `input · weight` from the first
//! input to the last, in single precision, multiplication and addition rounded apart, on whatever instructions the
//! machine has. Training happens elsewhere (`learn`, on burn); a file of weights is all that crosses over.
//!
//! The file is safetensors with `layers.N.weight` of shape `[inputs, outputs]` and `layers.N.bias` of shape
//! `[outputs]`, N from 0. PyTorch keeps weights the other way round, and a square matrix does not tell, so the file
//! must say in its metadata that it was written for us: [`METADATA`], or [`RECTIFIED`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::weights::{Tensor, Weights};
use crate::numeric;

pub use super::weights::WeightsError;

/// Key and value a file of weights carries in its metadata: which network, and which way its matrices lie.
pub const METADATA: (&str, &str) = ("network", "tanh perceptron, weights inputs x outputs");

/// The same of a network of rectifiers.
pub const RECTIFIED: &str = "relu perceptron, weights inputs x outputs";

/// What stands after every layer but the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(0, x)`.
    Relu,
}

impl Activation {
    fn apply(self, all: &mut [f32]) {
        match self {
            Activation::Tanh => all.iter_mut().for_each(|y| *y = numeric::tanh_f32(*y)),
            // Not `max`: what is not a number has to stay visible.
            Activation::Relu => all.iter_mut().for_each(|y| *y = if *y < 0.0 { 0.0 } else { *y }),
        }
    }

    fn metadata(self) -> &'static str {
        match self {
            Activation::Tanh => METADATA.1,
            Activation::Relu => RECTIFIED,
        }
    }
}

/// One layer as given: `output = bias + input · weight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// How many numbers go in.
    pub inputs: usize,
    /// `[inputs][outputs]`: the first input's weights, one per output, then the second's.
    pub weight: Vec<f32>,
    /// One per output.
    pub bias: Vec<f32>,
}

impl Layer {
    /// Some outputs at a time, so that their sums stay in registers while the inputs go by.
    fn apply(&self, from: &[f32], to: &mut [f32]) {
        assert_eq!(to.len(), self.bias.len(), "a number per output");
        let mut first = 0;
        while first < to.len() {
            first += match to.len() - first {
                32.. => self.outputs::<32>(first, from, to),
                8.. => self.outputs::<8>(first, from, to),
                2.. => self.outputs::<2>(first, from, to),
                _ => self.outputs::<1>(first, from, to),
            };
        }
    }

    /// `N` outputs from the `first` on; says how many. Each sum runs in the order of the inputs, whatever `N` is: neighbours share a
    /// vector instruction, and no sum is reordered.
    fn outputs<const N: usize>(&self, first: usize, from: &[f32], to: &mut [f32]) -> usize {
        let these = first..first + N;
        let mut sums = [0f32; N];
        sums.copy_from_slice(&self.bias[these.clone()]);
        for (x, row) in from.iter().zip(self.weight.chunks_exact(self.bias.len())) {
            let row: &[f32; N] = row[these.clone()].try_into().expect("N of them");
            for (sum, w) in sums.iter_mut().zip(row) {
                *sum += x * w;
            }
        }
        to[these].copy_from_slice(&sums);
        N
    }
}

/// A multilayer perceptron whose layers fit together and whose weights are finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(Activation, Vec<Layer>)", into = "(Activation, Vec<Layer>)")]
pub struct Mlp {
    layers: Vec<Layer>,
    hidden: Activation,
    widest: usize,
}

impl Mlp {
    /// The network of these layers, first to last, with tanh between them.
    pub fn new(layers: Vec<Layer>) -> Result<Self, WeightsError> {
        Self::with(Activation::Tanh, layers)
    }

    /// The network of these layers, first to last.
    pub fn with(hidden: Activation, layers: Vec<Layer>) -> Result<Self, WeightsError> {
        let mut before = None;
        for (n, Layer { inputs, weight, bias }) in layers.iter().enumerate() {
            let outputs = bias.len();
            let fault = if *inputs == 0 || outputs == 0 {
                Some(format!("{inputs} inputs and {outputs} outputs; it needs one of each at least"))
            } else if inputs.checked_mul(outputs) != Some(weight.len()) {
                Some(format!("{} weights for {inputs} inputs and {outputs} outputs", weight.len()))
            } else if weight.iter().chain(bias).any(|w| !w.is_finite()) {
                Some("a weight or a bias is not finite".to_owned())
            } else {
                before.filter(|before| before != inputs).map(|b| format!("{inputs} inputs; the layer before gives {b}"))
            };
            if let Some(why) = fault {
                return Err(WeightsError::Layer { layer: n, why });
            }
            before = Some(outputs);
        }
        let widest = layers.iter().map(|layer| layer.inputs).max().ok_or(WeightsError::Empty)?;
        Ok(Self { layers, hidden, widest })
    }

    /// The network in the bytes of a safetensors file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        Self::from_weights(Weights::read(bytes)?)
    }

    /// The network in these tensors, and nothing else in them.
    pub(super) fn from_weights(weights: Weights) -> Result<Self, WeightsError> {
        let Weights { metadata, mut tensors } = weights;
        let (key, expected) = METADATA;
        let kind = metadata.get(key);
        let hidden = match kind.map(String::as_str) {
            Some(kind) if kind == expected => Activation::Tanh,
            Some(RECTIFIED) => Activation::Relu,
            other => {
                let found = other.map_or("absent".to_owned(), |kind| format!("{kind:?}"));
                return Err(WeightsError::Kind { key, found, expected });
            }
        };
        let mut layers = Vec::new();
        loop {
            let n = layers.len();
            let (weight_name, bias_name) = (format!("layers.{n}.weight"), format!("layers.{n}.bias"));
            let Some(weight) = tensors.remove(&weight_name) else { break };
            let [inputs, outputs] = weight.shape[..] else {
                return Err(weight.refused(&weight_name, "is not inputs by outputs"));
            };
            let bias: Tensor = tensors
                .remove(&bias_name)
                .ok_or_else(|| weight.refused(&weight_name, &format!("has no {bias_name} beside it")))?;
            if bias.shape != [outputs] {
                return Err(bias.refused(&bias_name, &format!("is not one number for each of {outputs} outputs")));
            }
            let Ok(inputs) = usize::try_from(inputs) else {
                return Err(weight.refused(&weight_name, "has more inputs than this machine can count"));
            };
            layers.push(Layer { inputs, weight: weight.values, bias: bias.values });
        }
        if let Some((name, stranger)) = tensors.first_key_value() {
            return Err(stranger.refused(name, &format!("belongs to none of the {} layers", layers.len())));
        }
        Self::with(hidden, layers)
    }

    /// As a safetensors file. One network has one file.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let metadata = BTreeMap::from([(METADATA.0.to_owned(), self.hidden.metadata().to_owned())]);
        let mut tensors = BTreeMap::new();
        for (n, Layer { inputs, weight, bias }) in self.layers.iter().enumerate() {
            let (inputs, outputs) = (*inputs as u64, bias.len() as u64);
            let weight = Tensor { shape: vec![inputs, outputs], values: weight.clone() };
            tensors.insert(format!("layers.{n}.weight"), weight);
            tensors.insert(format!("layers.{n}.bias"), Tensor { shape: vec![outputs], values: bias.clone() });
        }
        Weights { metadata, tensors }.write()
    }

    /// How many numbers it looks at.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// How many numbers it answers with.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].bias.len()
    }

    /// How long the work space of [`forward`](Self::forward) is.
    pub fn work_len(&self) -> usize {
        2 * self.widest
    }

    /// What the network makes of `input`, into `output`. Allocates nothing; `work` is overwritten.
    ///
    /// Finite inputs give finite outputs unless a sum passes the range of single precision (3e38); an input that is
    /// not a number makes every output not a number.
    ///
    /// * `input`: `[inputs]` · `work`: `[work_len]` · `output`: `[outputs]`
    ///
    /// Panics if a length is another.
    pub fn forward(&self, input: &[f32], work: &mut [f32], output: &mut [f32]) {
        assert_eq!(input.len(), self.inputs(), "the network's inputs");
        assert_eq!(work.len(), self.work_len(), "the network's work space");
        let (last, hidden) = self.layers.split_last().expect("a network has a layer");
        let (mut here, mut next) = work.split_at_mut(self.widest);
        here[..input.len()].copy_from_slice(input);
        for layer in hidden {
            let reached = &mut next[..layer.bias.len()];
            layer.apply(&here[..layer.inputs], reached);
            self.hidden.apply(reached);
            std::mem::swap(&mut here, &mut next);
        }
        last.apply(&here[..last.inputs], output);
    }
}

impl TryFrom<(Activation, Vec<Layer>)> for Mlp {
    type Error = WeightsError;

    fn try_from((hidden, layers): (Activation, Vec<Layer>)) -> Result<Self, WeightsError> {
        Self::with(hidden, layers)
    }
}

impl From<Mlp> for (Activation, Vec<Layer>) {
    fn from(network: Mlp) -> Self {
        (network.hidden, network.layers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Stream;

    fn answer(network: &Mlp, input: &[f32]) -> Vec<f32> {
        let mut work = vec![f32::NAN; network.work_len()];
        let mut output = vec![f32::NAN; network.outputs()];
        network.forward(input, &mut work, &mut output);
        output
    }

    fn layer(inputs: usize, weight: &[f32], bias: &[f32]) -> Layer {
        Layer { inputs, weight: weight.to_vec(), bias: bias.to_vec() }
    }

    /// Two inputs, three hidden, one output.
    fn tiny() -> Vec<Layer> {
        vec![layer(2, &[1.0, 0.0, 0.5, 0.0, 1.0, -0.5], &[0.0, 0.5, 0.0]), layer(3, &[2.0, -4.0, 8.0], &[0.25])]
    }

    /// The layers as a file, tensor after tensor.
    fn file(layers: &[(&str, Vec<usize>, &[f32])], metadata: &str) -> Vec<u8> {
        let mut header = format!(r#"{{"__metadata__":{metadata}"#);
        let mut data = Vec::new();
        for (name, shape, values) in layers {
            let begin = data.len();
            data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            let end = data.len();
            header += &format!(r#","{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#);
        }
        header += "}";
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data[..]].concat()
    }

    fn ours() -> String {
        let (key, value) = METADATA;
        format!(r#"{{"{key}":"{value}"}}"#)
    }

    #[test]
    fn a_network_does_the_arithmetic_done_by_hand() {
        // Input (1, -0.5). Hidden sums: 0 + 1·1 + -0.5·0 = 1; 0.5 + 1·0 + -0.5·1 = 0; 0 + 1·0.5 + -0.5·-0.5 = 0.75.
        // tanh: 0.7615942, 0, 0.6351490. Out: 0.25 + 2·0.7615942 - 4·0 + 8·0.6351490 = 6.8543804.
        let network = Mlp::new(tiny()).unwrap();
        assert_eq!((network.inputs(), network.outputs(), network.work_len()), (2, 1, 6));
        let out = answer(&network, &[1.0, -0.5]);
        assert!((out[0] - 6.854_380_4).abs() < 3e-6, "{out:?}");
    }

    #[test]
    fn rectifiers_cut_below_zero_and_are_said_in_the_file() {
        // Hidden sums as above: 1, 0 and 0.75, with the input turned round -1, 1 and -0.75. 0.25 + 2·1 + 8·0.75 = 8.25 and
        // 0.25 - 4·1 = -3.75.
        let network = Mlp::with(Activation::Relu, tiny()).unwrap();
        assert_eq!(answer(&network, &[1.0, -0.5]), [8.25]);
        assert_eq!(answer(&network, &[-1.0, 0.5]), [-3.75]);
        assert!(answer(&network, &[f32::NAN, 0.5])[0].is_nan());
        for network in [network, Mlp::new(tiny()).unwrap()] {
            let written = network.to_safetensors();
            assert_eq!(Mlp::from_safetensors(&written).unwrap(), network);
            assert_eq!(written, Mlp::from_safetensors(&written).unwrap().to_safetensors());
        }
    }

    #[test]
    fn one_layer_is_a_straight_line() {
        // (3, 5) · [[1, 10], [100, 1000]] + (1, 2) = (1 + 3 + 500, 2 + 30 + 5000), exactly.
        let network = Mlp::new(vec![layer(2, &[1.0, 10.0, 100.0, 1000.0], &[1.0, 2.0])]).unwrap();
        assert_eq!(answer(&network, &[3.0, 5.0]), [504.0, 5032.0]);
    }

    #[test]
    fn a_sum_runs_from_the_bias_over_the_inputs_in_order() {
        // In single precision 1 is lost beside 2²⁵: (1 + 2²⁵) - 2²⁵ = 0, while (2²⁵ - 2²⁵) + 1 = 1.
        let big = 33_554_432.0;
        let first_big = Mlp::new(vec![layer(3, &[big, -big, 1.0], &[0.0])]).unwrap();
        assert_eq!(answer(&first_big, &[1.0, 1.0, 1.0]), [1.0]);
        let bias_first = Mlp::new(vec![layer(2, &[big, -big], &[1.0])]).unwrap();
        assert_eq!(answer(&bias_first, &[1.0, 1.0]), [0.0]);
        // Rounded apart: (1 + 2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴, of which a product keeps 1 + 2⁻¹¹; a fused one would leave 2⁻²⁴.
        let x = 1.0 + 1.0 / 4096.0;
        let fused_shows = Mlp::new(vec![layer(1, &[x], &[-(1.0 + 1.0 / 2048.0)])]).unwrap();
        assert_eq!(answer(&fused_shows, &[x]), [0.0]);
    }

    #[test]
    fn however_many_outputs_every_sum_runs_as_said() {
        let mut draws = Stream::new(9, "test.mlp");
        let mut some = |n: usize| (0..n).map(|_| draws.normal() as f32).collect::<Vec<f32>>();
        for outputs in 1..=83 {
            let (weight, bias, input) = (some(5 * outputs), some(outputs), some(5));
            let said = answer(&Mlp::new(vec![layer(5, &weight, &bias)]).unwrap(), &input);
            for (o, said) in said.into_iter().enumerate() {
                let sum = input.iter().enumerate().fold(bias[o], |sum, (i, x)| sum + x * weight[i * outputs + o]);
                assert_eq!(said.to_bits(), sum.to_bits(), "output {o} of {outputs}");
            }
        }
    }

    #[test]
    fn the_bits_are_those_of_every_other_machine() {
        // Weights and inputs from the portable generator; the expected bits were written down on x86-64.
        let mut draws = Stream::new(7, "test.mlp");
        let mut some = |n: usize| (0..n).map(|_| draws.normal() as f32 * 0.25).collect::<Vec<f32>>();
        let widths = [8, 64, 64, 2];
        let layers = widths.windows(2).map(|w| Layer { inputs: w[0], weight: some(w[0] * w[1]), bias: some(w[1]) });
        let network = Mlp::new(layers.collect()).unwrap();
        let out = answer(&network, &some(8));
        assert_eq!(out.iter().map(|y| y.to_bits()).collect::<Vec<_>>(), [0xbec4_a03c, 0xbdf4_05ee], "{out:?}");
    }

    #[test]
    fn layers_that_do_not_fit_are_refused_by_number() {
        let complaint = |layers| Mlp::new(layers).unwrap_err().to_string();
        let mut narrow = tiny();
        narrow[1] = layer(2, &[2.0, -4.0], &[0.25]);
        assert_eq!(complaint(narrow), "layer 1: 2 inputs; the layer before gives 3");
        assert_eq!(complaint(vec![layer(2, &[1.0; 3], &[0.0; 2])]), "layer 0: 3 weights for 2 inputs and 2 outputs");
        assert!(complaint(vec![layer(0, &[], &[1.0])]).starts_with("layer 0: 0 inputs and 1 outputs"));
        assert_eq!(complaint(vec![layer(1, &[f32::NAN], &[1.0])]), "layer 0: a weight or a bias is not finite");
        assert!(complaint(Vec::new()).starts_with("a network needs at least one layer"));
    }

    #[test]
    fn a_network_survives_a_checkpoint_and_a_bad_one_does_not() {
        let network = Mlp::new(tiny()).unwrap();
        let bytes = postcard::to_stdvec(&network).unwrap();
        assert_eq!(postcard::from_bytes::<Mlp>(&bytes).unwrap(), network);
        let bad = postcard::to_stdvec(&(Activation::Tanh, vec![layer(2, &[1.0], &[1.0])])).unwrap();
        assert!(postcard::from_bytes::<Mlp>(&bad).is_err());
    }

    #[test]
    fn a_file_is_the_network_it_was_written_from() {
        let layers = tiny();
        let tensors = [
            ("layers.1.bias", vec![1], &layers[1].bias[..]),
            ("layers.0.weight", vec![2, 3], &layers[0].weight[..]),
            ("layers.0.bias", vec![3], &layers[0].bias[..]),
            ("layers.1.weight", vec![3, 1], &layers[1].weight[..]),
        ];
        assert_eq!(Mlp::from_safetensors(&file(&tensors, &ours())).unwrap(), Mlp::new(layers.clone()).unwrap());

        let complaint = |tensors: &[(&str, Vec<usize>, &[f32])]| {
            Mlp::from_safetensors(&file(tensors, &ours())).expect_err("refused").to_string()
        };
        assert_eq!(complaint(&tensors[1..]), "tensor layers.1.weight (F32 [3, 1]) has no layers.1.bias beside it");
        assert_eq!(complaint(&tensors[..3]), "tensor layers.1.bias (F32 [1]) belongs to none of the 1 layers");
        assert!(complaint(&[]).starts_with("a network needs at least one layer"));
        let mut turned = tensors.clone();
        turned[1].1 = vec![3, 2];
        assert_eq!(complaint(&turned), "tensor layers.0.bias (F32 [3]) is not one number for each of 2 outputs");
        turned[1].1 = vec![6];
        assert_eq!(complaint(&turned), "tensor layers.0.weight (F32 [6]) is not inputs by outputs");

        let foreign = Mlp::from_safetensors(&file(&tensors, r#"{"format":"pt"}"#)).unwrap_err().to_string();
        assert!(foreign.contains("metadata `network` is absent, must be \"tanh perceptron"), "{foreign}");
    }

    proptest! {
        #[test]
        fn no_shapes_in_a_file_make_it_panic(
            shapes in proptest::collection::vec(proptest::collection::vec(0usize..4, 0..4), 4),
        ) {
            let values: Vec<Vec<f32>> = shapes.iter().map(|s| vec![0.5; s.iter().product()]).collect();
            let names = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"];
            let tensors: Vec<_> =
                names.iter().zip(&shapes).zip(&values).map(|((name, s), v)| (*name, s.clone(), &v[..])).collect();
            if let Ok(network) = Mlp::from_safetensors(&file(&tensors, &ours())) {
                let out = answer(&network, &vec![1.0; network.inputs()]);
                prop_assert!(out.iter().all(|y| y.is_finite()));
            }
        }

        #[test]
        fn hidden_layers_keep_any_finite_input_finite(a in any::<f32>(), b in any::<f32>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            let out = answer(&Mlp::new(tiny()).unwrap(), &[a, b]);
            // tanh is within ±1: |out| ≤ 0.25 + 2 + 4 + 8.
            prop_assert!(out[0].abs() <= 14.25, "{out:?}");
        }
    }
}
