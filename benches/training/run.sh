#!/usr/bin/env bash
# Our training and Stable-Baselines3's, one after the other again and again, on one core with one thread each:
#     benches/training/run.sh [ROUNDS [SECONDS]]
# Prints steps a second of CPU time and their ratio, round by round and in the middle. CPU time, so that other work on the
# machine takes from both alike. The packages go into a virtual environment in ~/.cache; without them it says so and leaves with 0.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
rounds="${1:-5}" seconds="${2:-8}"
core="${PAPERMAKER_BENCH_CORE:-1}"

missing() {
    echo "SKIPPED: NOT HELD AGAINST STABLE-BASELINES3: $1" >&2
    exit 0
}

command -v python3 >/dev/null || missing "there is no python3"
venv="$HOME/.cache/papermaker-stable-baselines3"
python="$venv/bin/python"
[ -x "$python" ] || python3 -m venv "$venv" || missing "python3 -m venv fails"
"$python" -c 'import stable_baselines3' 2>/dev/null || "$python" -m pip install --quiet stable-baselines3 safetensors ||
    missing "pip cannot install stable-baselines3"

ours="${PAPERMAKER_TRAINING_BENCH:-}"
if [ -z "$ours" ]; then
    cd "$here/../.."
    ours="$(cargo bench --bench training --no-run --message-format=json | "$python" -c '
import json, sys
for line in sys.stdin:
    told = json.loads(line)
    if told.get("target", {}).get("name") == "training" and told.get("executable"):
        print(told["executable"])')"
fi

export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
results="$(mktemp)"
trap 'rm -f "$results"' EXIT
for setting in ppo ppo-one sac-64 sac-256; do
    for _ in $(seq "$rounds"); do
        taskset -c "$core" "$ours" "$setting" "$seconds" | sed 's/^/ours /' >>"$results"
        taskset -c "$core" "$python" "$here/theirs.py" "$setting" "$seconds" | tail -n 1 | sed 's/^/theirs /' >>"$results"
        tail -n 2 "$results"
    done
done
"$python" - "$results" <<'END'
import json, statistics, sys

found = {}
for line in open(sys.argv[1]):
    whose, told = line.split(" ", 1)
    told = json.loads(told)
    found.setdefault(told["setting"], {"ours": [], "theirs": []})[whose].append(told["steps_per_s"])
for setting, both in found.items():
    ratios = [a / b for a, b in zip(both["ours"], both["theirs"])]
    middle = statistics.median
    print(f"{setting}: ours {middle(both['ours']):,.0f} steps/s, Stable-Baselines3 {middle(both['theirs']):,.0f}, ratio {middle(ratios):.2f}"
          f" ({min(ratios):.2f} to {max(ratios):.2f})")
END
