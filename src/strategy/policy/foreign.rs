//! Policies that were trained elsewhere: the actor in a Stable-Baselines3 state dict.
//!
//! Names as `MlpPolicy` of Stable-Baselines3 2 writes them (`common/policies.py`, `sac/policies.py`): of PPO and A2C
//! `mlp_extractor.policy_net.N`, `action_net` and `log_std`; of SAC and TD3-like actors `actor.latent_pi.N` and `actor.mu`. PyTorch keeps a matrix as
//! outputs by inputs, here it is turned round. Critics are left behind; a tensor that belongs to neither is refused.
//! `obs_rms.mean` and `obs_rms.var`, of `VecNormalize`, may stand beside them.

use std::collections::BTreeMap;

use super::super::mlp::{Activation, Layer, Mlp};
use super::super::weights::{Tensor, Weights, WeightsError};
use crate::numeric;

/// An actor of ours that was theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The network.
    pub network: Mlp,
    /// Whether its answers go through tanh.
    pub is_squashed: bool,
    /// Logarithms of standard deviations it explored with, where they do not depend on what it saw.
    pub log_std: Option<Vec<f32>>,
    /// Mean and spread of what it saw, where `VecNormalize` kept them.
    pub scale: Option<(Vec<f32>, Vec<f32>)>,
}

/// How one of their algorithms names its actor.
struct Naming {
    hidden: &'static str,
    last: &'static str,
    /// Parts of the state dict that are no part of the actor.
    others: &'static [&'static str],
    is_squashed: bool,
    activation: Activation,
}

const PPO: Naming = Naming {
    hidden: "mlp_extractor.policy_net.",
    last: "action_net",
    others: &["mlp_extractor.value_net.", "value_net."],
    is_squashed: false,
    activation: Activation::Tanh,
};

const SAC: Naming = Naming {
    hidden: "actor.latent_pi.",
    last: "actor.mu",
    others: &["actor.log_std.", "critic.", "critic_target."],
    is_squashed: true,
    activation: Activation::Relu,
};

/// Which variance `VecNormalize` adds: its `epsilon`.
const EPSILON: f64 = 1e-8;

/// The actor in a safetensors file of a Stable-Baselines3 `policy.state_dict()`, PPO's or SAC's.
///
/// * `activation` — what stands between its layers, if not what their algorithm has by default: tanh in PPO, ReLU in SAC
pub fn from_stable_baselines3(bytes: &[u8], activation: Option<Activation>) -> Result<Imported, WeightsError> {
    let mut tensors = Weights::read(bytes)?.tensors;
    let foreign = |why: String| WeightsError::Foreign { why };
    let naming = match [&PPO, &SAC].map(|naming| tensors.contains_key(&format!("{}.weight", naming.last))) {
        [true, false] => &PPO,
        [false, true] => &SAC,
        _ => {
            let why = "one of action_net.weight (PPO) and actor.mu.weight (SAC) must be there".to_owned();
            return Err(foreign(why));
        }
    };
    tensors.retain(|name, _| !naming.others.iter().any(|other| name.starts_with(other)));
    let numbers: Vec<u32> = tensors.keys().filter_map(|name| number_of(name, naming.hidden)).collect();
    // A layer, its activation, a layer: every second number.
    let layers = numbers.iter().copied().max().map_or(0, |most| most / 2 + 1);
    let mut made = Vec::new();
    for layer in 0..layers {
        made.push(take_layer(&mut tensors, &format!("{}{}", naming.hidden, 2 * layer))?);
    }
    made.push(take_layer(&mut tensors, naming.last)?);
    let network = Mlp::with(activation.unwrap_or(naming.activation), made)?;
    let log_std = tensors.remove("log_std").map(|tensor| {
        let outputs = network.outputs() as u64;
        let fits = tensor.shape == [outputs];
        let why =
            format!("is not one number for each of {outputs} outputs; state-dependent exploration is not imported");
        if fits { Ok(tensor.values) } else { Err(tensor.refused("log_std", &why)) }
    });
    let scale = take_scale(&mut tensors, network.inputs())?;
    if let Some((name, stranger)) = tensors.first_key_value() {
        return Err(stranger.refused(name, "belongs to no part of a Stable-Baselines3 MlpPolicy"));
    }
    Ok(Imported { network, is_squashed: naming.is_squashed, log_std: log_std.transpose()?, scale })
}

/// `4` of `actor.latent_pi.4.weight`.
fn number_of(name: &str, before: &str) -> Option<u32> {
    name.strip_prefix(before)?.split('.').next()?.parse().ok()
}

fn take(tensors: &mut BTreeMap<String, Tensor>, name: &str) -> Result<Tensor, WeightsError> {
    let missing = || WeightsError::Foreign { why: format!("tensor {name} is missing") };
    tensors.remove(name).ok_or_else(missing)
}

fn take_layer(tensors: &mut BTreeMap<String, Tensor>, name: &str) -> Result<Layer, WeightsError> {
    let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
    let weight = take(tensors, &weight_name)?;
    let bias = take(tensors, &bias_name)?;
    let [outputs, inputs] = weight.shape[..] else {
        return Err(weight.refused(&weight_name, "is not outputs by inputs"));
    };
    if bias.shape != [outputs] {
        return Err(bias.refused(&bias_name, &format!("is not one number for each of {outputs} outputs")));
    }
    let (inputs, outputs) = (inputs as usize, outputs as usize);
    let turned = (0..inputs).flat_map(|i| (0..outputs).map(move |o| o * inputs + i)).map(|at| weight.values[at]);
    Ok(Layer { inputs, weight: turned.collect(), bias: bias.values })
}

/// Mean and variance of every input.
type InputMoments = (Vec<f32>, Vec<f32>);

fn take_scale(tensors: &mut BTreeMap<String, Tensor>, inputs: usize) -> Result<Option<InputMoments>, WeightsError> {
    const NAMES: [&str; 2] = ["obs_rms.mean", "obs_rms.var"];
    if !NAMES.iter().any(|name| tensors.contains_key(*name)) {
        return Ok(None);
    }
    let [mean, var] = [take(tensors, NAMES[0])?, take(tensors, NAMES[1])?];
    for (tensor, name) in [&mean, &var].into_iter().zip(NAMES) {
        if tensor.shape != [inputs as u64] {
            return Err(tensor.refused(name, &format!("is not one number for each of {inputs} inputs")));
        }
    }
    if let Some(at) = var.values.iter().position(|v| *v < 0.0) {
        return Err(
            var.refused(NAMES[1], &format!("holds {} at position {at}; a variance is not negative", var.values[at]))
        );
    }
    let spread = var.values.iter().map(|v| numeric::sqrt(f64::from(*v) + EPSILON) as f32).collect();
    Ok(Some((mean.values, spread)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tensors: &[(&str, &[u64], &[f32])]) -> Vec<u8> {
        let one = |(name, shape, values): &(&str, &[u64], &[f32])| {
            ((*name).to_owned(), Tensor { shape: shape.to_vec(), values: values.to_vec() })
        };
        Weights { metadata: BTreeMap::new(), tensors: tensors.iter().map(one).collect() }.write()
    }

    /// Two inputs, one hidden, two outputs.
    const OF_PPO: [(&str, &[u64], &[f32]); 7] = [
        ("mlp_extractor.policy_net.0.weight", &[1, 2], &[1.0, 2.0]),
        ("mlp_extractor.policy_net.0.bias", &[1], &[0.5]),
        ("action_net.weight", &[2, 1], &[3.0, -3.0]),
        ("action_net.bias", &[2], &[0.0, 1.0]),
        ("log_std", &[2], &[-1.0, -2.0]),
        ("mlp_extractor.value_net.0.weight", &[1, 2], &[9.0, 9.0]),
        ("value_net.bias", &[1], &[9.0]),
    ];

    fn answer(network: &Mlp, input: &[f32]) -> Vec<f32> {
        let (mut work, mut output) = (vec![0.0; network.work_len()], vec![0.0; network.outputs()]);
        network.forward(input, &mut work, &mut output);
        output
    }

    #[test]
    fn the_actor_of_ppo_is_turned_round_and_the_critic_left_behind() {
        let imported = from_stable_baselines3(&file(&OF_PPO), None).expect("an actor");
        assert_eq!((imported.is_squashed, imported.log_std, imported.scale), (false, Some(vec![-1.0, -2.0]), None));
        // 0.5 + 1·1 + 2·-0.25 = 1; tanh 1 = 0.7615942; 3· that, and 1 less that.
        let said = answer(&imported.network, &[1.0, -0.25]);
        assert!((said[0] - 2.284_782_5).abs() < 1e-6 && (said[1] + 1.284_782_5).abs() < 1e-6, "{said:?}");
    }

    #[test]
    fn the_actor_of_sac_rectifies_and_its_normalisation_comes_along() {
        let of_sac: [(&str, &[u64], &[f32]); 8] = [
            ("actor.latent_pi.0.weight", &[2, 1], &[1.0, -1.0]),
            ("actor.latent_pi.0.bias", &[2], &[0.0, 0.0]),
            ("actor.mu.weight", &[2, 2], &[1.0, 10.0, 100.0, 1000.0]),
            ("actor.mu.bias", &[2], &[0.0, 0.0]),
            ("actor.log_std.weight", &[2, 2], &[0.0; 4]),
            ("critic.qf0.0.weight", &[1, 3], &[0.0; 3]),
            ("obs_rms.mean", &[1], &[0.25]),
            ("obs_rms.var", &[1], &[4.0]),
        ];
        let imported = from_stable_baselines3(&file(&of_sac), None).expect("an actor");
        // 2 and 0 after the rectifiers: the first column of mu; -2 leaves the second.
        assert_eq!(answer(&imported.network, &[2.0]), [2.0, 200.0]);
        assert_eq!(answer(&imported.network, &[-2.0]), [20.0, 2000.0]);
        assert!(imported.is_squashed);
        assert_eq!(imported.scale, Some((vec![0.25], vec![2.0])));
        let with_tanh = from_stable_baselines3(&file(&of_sac), Some(Activation::Tanh)).expect("an actor").network;
        assert!((answer(&with_tanh, &[2.0])[0] + 9.0 * 0.964_027_6).abs() < 1e-5, "(1 - 10)·tanh 2");
    }

    #[test]
    fn what_is_no_actor_is_refused_by_name() {
        let refused = |tensors: &[(&str, &[u64], &[f32])]| {
            from_stable_baselines3(&file(tensors), None).expect_err("refused").to_string()
        };
        assert!(refused(&OF_PPO[..2]).contains("one of action_net.weight (PPO) and actor.mu.weight (SAC)"));
        let without = |n: usize| refused(&[&OF_PPO[..n], &OF_PPO[n + 1..]].concat());
        assert!(without(1).ends_with("tensor mlp_extractor.policy_net.0.bias is missing"), "{}", without(1));
        let with = |n: usize, other| {
            let mut all = OF_PPO;
            all[n] = other;
            refused(&all)
        };
        let deep = with(5, ("mlp_extractor.policy_net.4.weight", &[1, 1], &[1.0]));
        assert!(deep.ends_with("tensor mlp_extractor.policy_net.2.weight is missing"), "{deep}");
        let stranger = with(5, ("features_extractor.cnn.0.weight", &[1, 1], &[1.0]));
        assert!(stranger.contains("features_extractor.cnn.0.weight (F32 [1, 1]) belongs to no part"), "{stranger}");
        let turned = with(3, ("action_net.bias", &[1], &[0.0]));
        assert_eq!(turned, "tensor action_net.bias (F32 [1]) is not one number for each of 2 outputs");
        let gsde = with(4, ("log_std", &[1, 2], &[0.0, 0.0]));
        assert!(gsde.contains("state-dependent exploration is not imported"), "{gsde}");
        let half = with(5, ("obs_rms.mean", &[2], &[0.0, 0.0]));
        assert!(half.ends_with("tensor obs_rms.var is missing"), "{half}");
        let unlike = with(2, ("action_net.weight", &[2, 2], &[0.0; 4]));
        assert_eq!(unlike, "layer 1: 2 inputs; the layer before gives 1");
    }
}
