//! The way out: weights as a file that [`strategy::mlp`](crate::strategy::mlp) reads.
//!
//! One network has one file: its bytes depend on the weights alone, so a digest of the file is a digest of the policy.

use burn::store::{ModuleSnapshot, SafetensorsStore, SafetensorsStoreError};
use burn::tensor::Device;

use super::net::Actor;
use crate::strategy::mlp::{self, Layer};

/// These layers, first to last, as a safetensors file.
pub fn file_of(layers: &[Layer]) -> Result<Vec<u8>, SafetensorsStoreError> {
    safetensors(&Actor::of(layers, &Device::flex()))
}

/// The network as a safetensors file.
pub fn safetensors(actor: &Actor) -> Result<Vec<u8>, SafetensorsStoreError> {
    let (key, value) = mlp::METADATA;
    // burn would add entries of its own, in hash order: another file every time.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata().metadata(key, value);
    actor.save_into(&mut store)?;
    store.get_bytes()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Tensor, TensorData};

    use super::*;
    use crate::rng::Stream;
    use crate::strategy::mlp::Mlp;

    /// Burn's answers and the plain network's, for a batch of `n` inputs a few units wide.
    fn both(widths: &[usize], seed: u64, device: &Device, n: usize) -> (Vec<f32>, Vec<f32>) {
        let mut draws = Stream::new(seed, "test.export");
        let actor = Actor::new(widths, &mut draws, device);
        let plain = Mlp::from_safetensors(&safetensors(&actor).expect("writes")).expect("reads");
        assert_eq!((plain.inputs(), plain.outputs()), (widths[0], widths[widths.len() - 1]));

        let inputs: Vec<f32> = (0..n * widths[0]).map(|_| (3.0 * draws.normal()) as f32).collect();
        let batch = Tensor::from_data(TensorData::new(inputs.clone(), [n, widths[0]]), device);
        let burns = actor.forward(batch).into_data().try_into_vec().expect("single precision");
        let mut work = vec![0.0; plain.work_len()];
        let mut ours = vec![0.0; n * plain.outputs()];
        for (input, output) in inputs.chunks(plain.inputs()).zip(ours.chunks_mut(plain.outputs())) {
            plain.forward(input, &mut work, output);
        }
        (burns, ours)
    }

    #[test]
    fn the_plain_network_says_what_burn_says() {
        let shapes: [&[usize]; 5] = [&[8, 64, 64, 2], &[1, 1], &[5, 3], &[2, 128, 7], &[20, 32, 16, 8, 1]];
        for (widths, seed) in shapes.iter().flat_map(|widths| (0..8).map(move |seed| (*widths, seed))) {
            for device in [Device::flex(), Device::flex().autodiff()] {
                let (burns, ours) = both(widths, seed, &device, 50);
                for (burn, own) in burns.iter().zip(&ours) {
                    assert!((burn - own).abs() <= 1e-5, "{widths:?}, seed {seed}: burn {burn}, plain {own}");
                }
            }
        }
    }

    #[test]
    fn one_network_is_one_file() {
        let write = || {
            let actor = Actor::new(&[4, 8, 2], &mut Stream::new(9, "learn.actor"), &Device::flex());
            safetensors(&actor).expect("writes")
        };
        assert_eq!(write(), write());
    }
}
