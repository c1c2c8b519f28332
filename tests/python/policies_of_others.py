"""Actors of Stable-Baselines3, imported, answer as model.predict does.

    python policies_of_others.py PAPERMAKER EXAMPLE FOLDER
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

papermaker, example, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
sys.path.insert(0, str(example))

import train  # noqa: E402


def claim(words):
    print(f"ok  {words}", flush=True)


def run(*words, **more):
    return subprocess.run([papermaker, *map(str, words)], check=True, capture_output=True, text=True, **more).stdout


for algorithm, steps in ("ppo", 1_024), ("sac", 400):
    model, world = train.train(algorithm, steps)
    actor, strategy = folder / f"{algorithm}.safetensors", folder / f"mine-{algorithm}.toml"
    train.save(model, world, actor)
    run("policy", "import", actor, "--card", example / "card.toml", "--out", strategy)
    seen = np.random.default_rng(7).normal(0.0, 1.5, (1_000, 3)).astype(np.float32)
    lines = "\n".join(",".join(repr(float(x)) for x in row) for row in seen)
    ours = np.array([[float(x) for x in line.split(",")] for line in run("policy", "ask", strategy, input=lines).split()])
    theirs, _ = model.predict(world.normalize_obs(seen), deterministic=True)
    apart = float(np.abs(ours - theirs).max())
    assert ours.shape == theirs.shape == (1_000, 2), (ours.shape, theirs.shape)
    assert apart <= 1e-5, f"{algorithm}: {apart}"
    assert np.ptp(ours, axis=0).min() > 1e-3, "answers that depend on what is seen"
    claim(f"{algorithm}: a thousand answers no more than {apart:.1e} apart")
    told = run("run", "--for", "5s", "--strategy", strategy, "--session", algorithm, "--no-dashboard",
               "--set", f"store.path={folder / 'store'}")
    shown = run("sessions", "show", algorithm, "--json", "--set", f"store.path={folder / 'store'}")
    assert '"policy"' in shown, shown
    claim(f"{algorithm}: quotes in the demo")

cut = actor.read_bytes()[:-4]
actor.write_bytes(cut)
broken = subprocess.run([papermaker, "policy", "import", actor, "--card", example / "card.toml", "--out", folder / "no.toml"],
                        capture_output=True, text=True)
assert broken.returncode == 2 and "ends at byte" in broken.stderr and not (folder / "no.toml").exists(), broken
claim("a file that is cut off is refused")
