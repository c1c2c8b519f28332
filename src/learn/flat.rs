//! All weights of a learner as one parameter of burn.
//!
//! burn keeps them ([`Flat`] is a module, its record is the checkpoint), and moves them ([`FlatAdam`] is one of its
//! optimisers, its state a record too). One flat parameter costs one step of the optimiser instead of one per layer.

use aligned_vec::AVec;
use burn::module::{Module, Param, ParamId};
use burn::optim::{AdaptiveMomentumState, GradientsParams, ModuleOptimizer, Optimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor, TensorData};

use super::kernel::{self, AdamStep, Vectors};

/// One row of numbers that gradients move.
#[derive(Module, Debug)]
pub struct Flat {
    values: Param<Tensor<1>>,
}

/// Adam in one pass over memory (Kingma & Ba, ICLR 2015), with the usual decays 0.9 and 0.999.
#[derive(Clone, Debug)]
pub struct FlatAdam {
    epsilon: f32,
    vectors: Vectors,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;

impl Optimizer for FlatAdam {
    type State<const D: usize> = AdaptiveMomentumState<D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdaptiveMomentumState<D>>,
    ) -> (Tensor<D>, Option<AdaptiveMomentumState<D>>) {
        let device = tensor.device();
        let shape = tensor.dims();
        let state = state.unwrap_or_else(|| {
            AdaptiveMomentumState::new(0, Tensor::zeros(shape, &device), Tensor::zeros(shape, &device))
        });
        let time = state.time + 1;
        let mut values = numbers(tensor);
        let (mut means, mut squares) = (numbers(state.moment_1), numbers(state.moment_2));
        let left = |beta: f64| 1.0 - crate::numeric::pow(beta, time as f64);
        let by = AdamStep {
            beta_1: BETA_1 as f32,
            beta_2: BETA_2 as f32,
            rate: (lr / left(BETA_1)) as f32,
            correction: (1.0 / left(BETA_2)) as f32,
            epsilon: self.epsilon,
        };
        kernel::adam(self.vectors, by, &numbers(grad), &mut values, &mut means, &mut squares);
        let back = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), &device);
        (back(values), Some(AdaptiveMomentumState::new(time, back(means), back(squares))))
    }

    fn to_device<const D: usize>(state: AdaptiveMomentumState<D>, device: &Device) -> AdaptiveMomentumState<D> {
        state.to_device(device)
    }
}

/// The numbers of a tensor; where they are its alone, without copying them.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("single precision")
}

/// Weights and what moves them.
pub struct Mover {
    flat: Option<Flat>,
    optimiser: ModuleOptimizer,
    id: ParamId,
    device: Device,
    values: AVec<f32>,
}

/// What a [`Mover`] is, for a checkpoint: burn's records, as bytes.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct MoverRecord {
    weights: Vec<u8>,
    optimiser: Vec<u8>,
}

impl Mover {
    /// Moves `values`. `id` tells the movers of one learner apart; `epsilon` is Adam's.
    pub fn new(values: Vec<f32>, id: u64, epsilon: f64, vectors: Vectors) -> Self {
        // A parameter that an optimiser moves is one that could be differentiated by.
        let (device, id) = (Device::flex().autodiff(), ParamId::from(id));
        let tensor = Tensor::from_data(TensorData::new(values.clone(), [values.len()]), &device);
        let flat = Flat { values: Param::initialized(id, tensor) };
        let optimiser = FlatAdam { epsilon: epsilon as f32, vectors }.into();
        Self { flat: Some(flat), optimiser, id, device, values: AVec::from_slice(0, &values) }
    }

    /// The weights as they are.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One step of `rate` down these slopes, shortened to a length of `clip`. Returns how long they were.
    pub fn step(&mut self, rate: f64, mut slopes: Vec<f32>, clip: Option<f64>) -> f64 {
        let length = kernel::sum_of_squares(&slopes).sqrt();
        if let Some(clip) = clip.filter(|clip| length > *clip) {
            let scale = (clip / (length + 1e-6)) as f32;
            slopes.iter_mut().for_each(|g| *g *= scale);
        }
        let mut gradients = GradientsParams::new();
        let shape = [slopes.len()];
        gradients.register(self.id, Tensor::<1>::from_data(TensorData::new(slopes, shape), &Device::flex()));
        let flat = self.flat.take().expect("there between steps");
        let flat = self.optimiser.step(rate, flat, gradients);
        self.read(flat);
        length
    }

    /// Changes weights by hand, past the optimiser.
    pub fn change(&mut self, with: impl FnOnce(&mut [f32])) {
        with(&mut self.values);
        let tensor = Tensor::from_data(TensorData::new(self.values.to_vec(), [self.values.len()]), &self.device);
        self.flat = Some(Flat { values: Param::initialized(self.id, tensor) });
    }

    fn read(&mut self, flat: Flat) {
        let data = flat.values.val().into_data();
        self.values.copy_from_slice(data.as_slice::<f32>().expect("single precision"));
        self.flat = Some(flat);
    }

    /// For a checkpoint.
    pub fn save(&self) -> Result<MoverRecord, String> {
        let flat = self.flat.clone().expect("there between steps");
        let bytes = |what: Result<Bytes, burn::store::RecordError>| what.map(|b| b.to_vec()).map_err(|e| e.to_string());
        Ok(MoverRecord {
            weights: bytes(flat.into_record().into_bytes())?,
            optimiser: bytes(self.optimiser.into_bytes())?,
        })
    }

    /// Back to a checkpoint. Errors if it is of other weights.
    pub fn restore(&mut self, saved: &MoverRecord) -> Result<(), String> {
        let record =
            ModuleRecord::from_bytes(Bytes::from_bytes_vec(saved.weights.clone())).map_err(|e| e.to_string())?;
        let flat = self.flat.clone().expect("there between steps");
        let flat = flat.try_load_record(record).map_err(|e| e.to_string())?;
        let found = flat.values.val().dims()[0];
        if found != self.values.len() {
            return Err(format!("a checkpoint of {found} weights, this network has {}", self.values.len()));
        }
        let optimiser = self.optimiser.clone().from_bytes(Bytes::from_bytes_vec(saved.optimiser.clone()));
        self.optimiser = optimiser.map_err(|e| e.to_string())?;
        self.read(flat);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::AdamConfig;

    use super::*;
    use crate::rng::Stream;

    fn some(n: usize, draws: &mut Stream) -> Vec<f32> {
        (0..n).map(|_| draws.normal() as f32).collect()
    }

    #[test]
    fn it_moves_as_adam_of_burn_does() {
        let mut draws = Stream::new(1, "test.mover");
        let start = some(100, &mut draws);
        let mut mover = Mover::new(start.clone(), 1, 1e-5, Vectors::best());
        let device = Device::flex().autodiff();
        let data = |values: Vec<f32>| TensorData::new(values, [100]);
        let id = ParamId::from(9);
        let mut flat = Flat { values: Param::initialized(id, Tensor::from_data(data(start), &device)) };
        let mut adam = AdamConfig::new().with_epsilon(1e-5).init();
        for _ in 0..20 {
            let slopes = some(100, &mut draws);
            mover.step(0.01, slopes.clone(), None);
            let mut gradients = GradientsParams::new();
            gradients.register(id, Tensor::<1>::from_data(data(slopes), &Device::flex()));
            flat = adam.step(0.01, flat, gradients);
        }
        let burns = numbers(flat.values.val());
        for (own, burn) in mover.values().iter().zip(&burns) {
            assert!((own - burn).abs() < 1e-5, "{own}, burn {burn}");
        }
    }

    #[test]
    fn a_long_slope_is_cut_to_its_length_and_keeps_its_way() {
        // (3, 4) is 5 long; Adam's first step has the length of the rate whatever the slope, so both moves are alike, but
        // what is remembered is not: the second, (0.6, 0.8), weighs as much as the first was cut to.
        let mut cut = Mover::new(vec![0.0; 2], 1, 1e-8, Vectors::best());
        let mut small = Mover::new(vec![0.0; 2], 1, 1e-8, Vectors::best());
        assert_eq!(cut.step(0.1, vec![3.0, 4.0], Some(1.0)), 5.0);
        small.step(0.1, vec![0.6, 0.8], Some(2.0));
        for mover in [&mut cut, &mut small] {
            mover.step(0.1, vec![-0.6, 0.8], None);
        }
        for (cut, small) in cut.values().iter().zip(small.values()) {
            assert!((cut - small).abs() < 1e-6, "{cut}, {small}");
        }
    }

    #[test]
    fn a_record_of_other_weights_is_refused() {
        let saved = Mover::new(vec![0.0; 3], 1, 1e-8, Vectors::best()).save().expect("saves");
        let refused = Mover::new(vec![0.0; 4], 1, 1e-8, Vectors::best()).restore(&saved);
        assert!(refused.is_err(), "3 weights are not 4");
    }
}
