#!/usr/bin/env bash
# Policies that Stable-Baselines3 trained answer here as they answer there:
#     tests/python/stable_baselines3.sh PAPERMAKER
# Trains a small PPO and a small SAC, imports both, and holds a thousand answers of each against model.predict. The packages
# are 5 GB, so they are only fetched (into ~/.cache) where PAPERMAKER_NEEDS_LEARNERS=true; elsewhere it exits 0 with a loud word if they are not there.
set -euo pipefail
papermaker="$(realpath "$1")"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

missing() {
    echo "SKIPPED: POLICIES OF STABLE-BASELINES3 WERE NOT IMPORTED: $1" >&2
    if [ "${PAPERMAKER_NEEDS_LEARNERS:-}" = true ]; then exit 1; else exit 0; fi
}

command -v python3 >/dev/null || missing "there is no python3"
venv="$HOME/.cache/papermaker-stable-baselines3"
python="$venv/bin/python"
if ! "$python" -c 'import stable_baselines3, safetensors' 2>/dev/null; then
    [ "${PAPERMAKER_NEEDS_LEARNERS:-}" = true ] || missing "stable-baselines3 is not there, and PAPERMAKER_NEEDS_LEARNERS=true was not said"
    [ -x "$python" ] || python3 -m venv "$venv" || missing "python3 -m venv fails"
    "$python" -m pip install --quiet stable-baselines3 safetensors || missing "pip cannot install stable-baselines3 and safetensors"
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
OMP_NUM_THREADS=1 "$python" "$here/policies_of_others.py" "$papermaker" "$here/../../examples/stable_baselines3" "$folder"
