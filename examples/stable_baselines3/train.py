"""Train a small policy with Stable-Baselines3 and leave it as papermaker imports it.

    pip install stable-baselines3 safetensors
    python train.py ppo actor.safetensors [STEPS]

Then `papermaker policy import actor.safetensors --card card.toml --out mine.toml`, and `papermaker run --strategy mine.toml`.
The world is a toy: what matters here is that its observation is the one card.toml names, number for number, and that an
action is the policy's: how far to move the bid and the ask from GLFT's quotes, each within -1 and 1.
"""

import sys

import gymnasium
import numpy as np
from safetensors.torch import save_file
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize


class Toy(gymnasium.Env):
    """Inventory of ten order amounts, spread in 1/k, imbalance: a quote is filled the likelier the nearer it is."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left, self.inventory, self.imbalance = 200, 0, 0.0
        return self.seen(), {}

    def seen(self):
        spread = self.np_random.exponential(1.0)
        return np.array([self.inventory / 10, spread, self.imbalance], np.float32)

    def step(self, action):
        # 1/k is one: GLFT's half-spread, moved by reach times the answer.
        bid, ask = 1.0 + 0.5 * np.asarray(action, float)
        bought = self.inventory < 10 and self.np_random.random() < 0.5 * np.exp(-bid)
        sold = self.inventory > -10 and self.np_random.random() < 0.5 * np.exp(-ask)
        earned = bid * bought + ask * sold + self.inventory * 0.3 * self.imbalance
        self.inventory += int(bought) - int(sold)
        self.imbalance = float(np.clip(0.8 * self.imbalance + 0.3 * self.np_random.normal(), -1, 1))
        self.left -= 1
        return self.seen(), earned - 0.01 * self.inventory**2, False, self.left == 0, {}


def train(algorithm, steps):
    """A trained model and the normalisation it learnt under."""
    # papermaker cuts what is seen at five spreads.
    world = VecNormalize(DummyVecEnv([Toy]), norm_reward=False, clip_obs=5.0)
    if algorithm == "ppo":
        model = PPO("MlpPolicy", world, n_steps=256, seed=1, device="cpu")
    else:
        model = SAC("MlpPolicy", world, policy_kwargs={"net_arch": [64, 64]}, learning_starts=100, seed=1, device="cpu")
    model.learn(steps)
    world.training = False
    return model, world


def save(model, world, path):
    """The state dict, and the statistics of what it saw, in single precision."""
    import torch

    tensors = {name: tensor.float().contiguous().clone() for name, tensor in model.policy.state_dict().items()}
    tensors["obs_rms.mean"] = torch.tensor(world.obs_rms.mean, dtype=torch.float32)
    tensors["obs_rms.var"] = torch.tensor(world.obs_rms.var, dtype=torch.float32)
    save_file(tensors, path)


if __name__ == "__main__":
    algorithm, path, *steps = sys.argv[1:]
    save(*train(algorithm, int(steps[0]) if steps else 20_000), path)
