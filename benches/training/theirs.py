"""How fast Stable-Baselines3 learns, by CPU time of this process: the same settings as benches/training.rs.

    python theirs.py SETTING SECONDS

The world is market P1 written in numpy for all copies at once, so that little of the time is the world's.
"""

import json
import sys
import time

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv


class Market(VecEnv):
    """Avellaneda and Stoikov's: 200 steps of 0.005, sigma 2, A 140, k 1.5; seen are inventory and time, said two distances."""

    def __init__(self, copies):
        box = gymnasium.spaces.Box
        super().__init__(copies, box(-np.inf, np.inf, (4,), np.float32), box(-1, 1, (2,), np.float32))
        self.random, self.render_mode = np.random.default_rng(1), None
        self.inventory, self.left = np.zeros(copies), np.zeros(copies, int)
        self.moved = np.zeros(copies)

    def seen(self):
        left = self.left / 200
        return np.stack([self.inventory / 10, left, self.moved, self.inventory * left / 10], 1).astype(np.float32)

    def reset(self):
        self.inventory[:], self.left[:], self.moved[:] = 0, 200, 0
        return self.seen()

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        distances = 1.5 + 1.5 * np.clip(self.actions, -1, 1)
        filled = self.random.random(distances.shape) < np.minimum(1.0, 0.7 * np.exp(-1.5 * distances))
        self.inventory += filled[:, 0].astype(float) - filled[:, 1]
        self.moved = np.where(self.random.random(self.num_envs) < 0.5, 1, -1) * 2 * np.sqrt(0.005)
        rewards = (filled * distances).sum(1) + self.inventory * self.moved - 0.001 * self.inventory**2
        self.left -= 1
        ends = self.left == 0
        infos = [{} for _ in range(self.num_envs)]
        if ends.any():
            last = self.seen()
            for copy in np.flatnonzero(ends):
                infos[copy]["terminal_observation"] = last[copy]
            self.inventory[ends], self.left[ends] = 0, 200
        return self.seen(), rewards.astype(np.float32), ends, infos

    def close(self):
        pass

    def get_attr(self, name, indices=None):
        return [getattr(self, name)] * self.num_envs

    def set_attr(self, name, value, indices=None):
        setattr(self, name, value)

    def env_method(self, name, *args, indices=None, **more):
        raise NotImplementedError(name)

    def env_is_wrapped(self, wrapper, indices=None):
        return [False] * self.num_envs


class Clock(BaseCallback):
    """Counts steps from the end of the first share of the time to the end of the time, a whole update at a time."""

    def __init__(self, seconds, whole):
        super().__init__()
        self.seconds, self.whole, self.began = seconds, whole, None
        self.born = time.process_time()

    def _on_step(self):
        if self.num_timesteps % self.whole:
            return True
        return self.mark()

    def _on_rollout_start(self):
        self.mark()

    def mark(self):
        now = time.process_time()
        if self.began is None:
            # Nothing counts before learning has begun.
            if self.num_timesteps >= max(self.whole, 400) and now - self.born >= 0.1 * self.seconds:
                self.began, self.before = now, self.num_timesteps
            return True
        self.took, self.steps = now - self.began, self.num_timesteps - self.before
        return self.took < self.seconds


def main():
    setting, seconds = sys.argv[1], float(sys.argv[2])
    torch.set_num_threads(1)
    if setting.startswith("ppo"):
        copies, rollout, minibatch = (32, 512, 4096) if setting == "ppo" else (1, 2048, 64)
        model = PPO("MlpPolicy", Market(copies), n_steps=rollout, batch_size=minibatch, n_epochs=10, device="cpu")
        # At the start of a rollout the update before is done: from there to there.
        clock = Clock(seconds, copies * rollout)
        clock._on_step = lambda: True if clock.began is None or not hasattr(clock, "took") else clock.took < seconds
    else:
        width = 64 if setting == "sac-64" else 256
        model = SAC("MlpPolicy", Market(1), policy_kwargs={"net_arch": [width, width]}, batch_size=256, learning_starts=300,
                    buffer_size=100_000, device="cpu")
        clock = Clock(seconds, 20)
        clock._on_rollout_start = lambda: None
    model.learn(10**9, callback=clock)
    rate = clock.steps / clock.took
    print(json.dumps({"setting": setting, "steps": clock.steps, "cpu_s": round(clock.took, 3), "steps_per_s": round(rate, 1)}))


main()
