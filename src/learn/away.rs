//! A network's way through another device: burn's tensors and autodiff in place of the loops of [`fused`](super::fused).
//!
//! Weights go over with every batch and slopes come back, so a device pays for wide networks and large batches only; the loops are
//! faster for the small networks that quote. Which device there is to go to is a feature of the build (`cuda`, `wgpu`); burn's own
//! processor backend, `flex`, is always there and is what tests go to. Only the loops promise the same bits on every run.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::fused::{Bend, Plan};
use super::kernel::padded;
use crate::strategy::mlp::Layer;

/// Where networks are stepped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Our own loops, on this processor: the same bits on every run.
    #[default]
    Cpu,
    /// burn's tensors, on this processor.
    Flex,
    /// burn's tensors on an NVIDIA card (feature `cuda`).
    Cuda,
    /// burn's tensors on whatever card Vulkan, Metal or DirectX 12 reach (feature `wgpu`).
    Wgpu,
}

impl Place {
    /// The way there; `None` to our own loops. Errors if this build does not know the place.
    pub fn away(self) -> Result<Option<Away>, String> {
        let device = match self {
            Place::Cpu => return Ok(None),
            Place::Flex => Device::flex(),
            #[cfg(feature = "cuda")]
            Place::Cuda => Device::cuda(0),
            #[cfg(feature = "wgpu")]
            Place::Wgpu => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            #[cfg(not(feature = "cuda"))]
            Place::Cuda => return Err(missing("cuda")),
            #[cfg(not(feature = "wgpu"))]
            Place::Wgpu => return Err(missing("wgpu")),
        };
        Ok(Some(Away { device: device.autodiff(), graph: None }))
    }
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn missing(feature: &str) -> String {
    format!("device = \"{feature}\": this program was built without it; `cargo build --release --features {feature}`")
}

/// The way to a device, and what was last sent there.
#[derive(Debug)]
pub struct Away {
    device: Device,
    graph: Option<Graph>,
}

/// One batch there, and how its outputs came about.
#[derive(Debug)]
struct Graph {
    inputs: Tensor<2>,
    layers: Vec<(Tensor<2>, Tensor<1>)>,
    outputs: Tensor<2>,
}

impl Clone for Away {
    fn clone(&self) -> Self {
        Self { device: self.device.clone(), graph: None }
    }
}

impl Away {
    /// What the network of these weights makes of `inputs`, `[rows][inputs]`, into `outputs`, `[rows][outputs]`.
    pub(super) fn forward(
        &mut self,
        (plan, bend, norm): (&Plan, Bend, bool),
        weights: &[f32],
        inputs: &[f32],
        outputs: &mut [f32],
    ) {
        let matrix = |values: Vec<f32>, columns: usize| {
            let rows = values.len() / columns;
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &self.device).require_grad()
        };
        let inputs = matrix(inputs.to_vec(), plan.inputs());
        let layer = |Layer { weight, bias, .. }: Layer| {
            let columns = bias.len();
            let bias = Tensor::<1>::from_data(TensorData::new(bias, [columns]), &self.device).require_grad();
            (matrix(weight, columns), bias)
        };
        let layers: Vec<_> = plan.layers(weights).into_iter().map(layer).collect();
        let mut seen = inputs.clone();
        for (n, (weight, bias)) in layers.iter().enumerate() {
            seen = seen.matmul(weight.clone()) + bias.clone().unsqueeze::<2>();
            if n + 1 < layers.len() {
                if norm {
                    seen = seen.clone() - seen.mean_dim(1);
                    seen = seen.clone() / (seen.clone() * seen).mean_dim(1).add_scalar(1e-5).sqrt();
                }
                seen = match bend {
                    Bend::Tanh => seen.tanh(),
                    Bend::Relu => relu(seen),
                };
            }
        }
        outputs.copy_from_slice(&numbers(seen.clone()));
        self.graph = Some(Graph { inputs, layers, outputs: seen });
    }

    /// From the slopes of the last outputs: adds those of the weights onto `onto`, if there is such, and leaves those of the
    /// inputs in `by_input`, `[rows][padded inputs]`. Panics unless something was sent there since.
    pub(super) fn backward(&mut self, plan: &Plan, slopes: &[f32], onto: Option<&mut [f32]>, by_input: &mut [f32]) {
        let Graph { inputs, layers, outputs } = self.graph.take().expect("a batch on its way");
        let slopes = TensorData::new(slopes.to_vec(), outputs.dims());
        let slopes = Tensor::<2>::from_data(slopes, &self.device);
        let gradients = (outputs * slopes).sum().backward();
        if let Some(onto) = onto {
            let layer = |(weight, bias): &(Tensor<2>, Tensor<1>)| Layer {
                inputs: weight.dims()[0],
                weight: numbers(weight.grad(&gradients).expect("part of the graph")),
                bias: numbers(bias.grad(&gradients).expect("part of the graph")),
            };
            let layers: Vec<Layer> = layers.iter().map(layer).collect();
            onto.iter_mut().zip(plan.flat(&layers)).for_each(|(sum, slope)| *sum += slope);
        }
        let found = numbers(inputs.grad(&gradients).expect("part of the graph"));
        let rows = by_input.chunks_exact_mut(padded(plan.inputs())).zip(found.chunks_exact(plan.inputs()));
        rows.for_each(|(row, found)| row[..found.len()].copy_from_slice(found));
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("single precision")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::fused::Pass;
    use crate::learn::kernel::Vectors;
    use crate::rng::Stream;

    /// Outputs, slopes of weights, slopes of inputs.
    fn there_and_back(mut pass: Pass, inputs: &[f32], toll: &[f32], flat: &[f32]) -> [Vec<f32>; 3] {
        let rows = toll.len() / pass.plan().outputs();
        pass.inputs(rows).copy_from_slice(inputs);
        pass.forward(flat, rows);
        let outputs = pass.outputs(rows).to_vec();
        pass.output_slopes(rows).1.copy_from_slice(toll);
        // What is there is added to.
        let mut onto = vec![0.5; flat.len()];
        pass.turn(flat);
        pass.backward(flat, rows, Some(&mut onto), true);
        let (see, room) = (pass.plan().inputs(), padded(pass.plan().inputs()));
        let by_input = pass.input_slopes(rows).chunks(room).flat_map(|row| row[..see].to_vec()).collect();
        [outputs, onto, by_input]
    }

    /// Every place this build knows and this machine has; a card is asked for by `PAPERMAKER_TEST_DEVICE=cuda` or `wgpu`.
    fn places() -> Vec<Place> {
        let asked = std::env::var("PAPERMAKER_TEST_DEVICE").unwrap_or_default();
        let mut places = vec![Place::Flex];
        match asked.as_str() {
            "" => {}
            "cuda" => places.push(Place::Cuda),
            "wgpu" => places.push(Place::Wgpu),
            other => panic!("PAPERMAKER_TEST_DEVICE={other}: cuda or wgpu"),
        }
        places
    }

    #[test]
    fn another_device_finds_what_the_loops_find() {
        let rows = 37;
        for (place, bend, norm) in places().into_iter().flat_map(|place| {
            [
                (place, Bend::Tanh, false),
                (place, Bend::Relu, false),
                (place, Bend::Relu, true),
                (place, Bend::Tanh, true),
            ]
        }) {
            for widths in [&[4, 64, 64, 2][..], &[3, 20, 1], &[7, 48, 33, 16, 3]] {
                let mut draws = Stream::new(7, "test.away");
                let near = Pass::new(widths, bend, norm, rows, Vectors::best());
                let flat = near.plan().fresh(1.0, &mut draws);
                let mut some = |n: usize| (0..n).map(|_| draws.normal() as f32).collect::<Vec<_>>();
                let (inputs, toll) = (some(rows * widths[0]), some(rows * widths[widths.len() - 1]));
                let far = near.clone().on(&place.away().expect("a place that there is"));
                let ours = there_and_back(near, &inputs, &toll, &flat);
                let theirs = there_and_back(far, &inputs, &toll, &flat);
                for (what, (ours, theirs)) in ["outputs", "weights", "inputs"].iter().zip(ours.iter().zip(&theirs)) {
                    assert_eq!(ours.len(), theirs.len());
                    let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f32::max);
                    assert!(off < 2e-4, "{place:?} {bend:?} norm {norm} {widths:?}: {what} differ by {off}");
                }
            }
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_a_device_says_how_to_build_one() {
        let said = Place::Cuda.away().expect_err("not built in");
        assert!(said.contains("device = \"cuda\"") && said.contains("--features cuda"), "{said}");
    }
}
