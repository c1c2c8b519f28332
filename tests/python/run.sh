#!/usr/bin/env bash
# Exports as pyarrow, duckdb, pandas, polars and hftbacktest read them:
#     tests/python/run.sh PAPERMAKER
# A session of the demo, and a recorded market where there is one, exported as csv, parquet and hftbacktest-npz. The
# packages go into a virtual environment in ~/.cache. Exits 0 with a loud word where they cannot be had; in CI that is 1.
set -euo pipefail
papermaker="$(realpath "$1")"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
data="${PAPERMAKER_DATA:-$here/../../../shared/data}"

missing() {
    if [ "${CI:-}" = true ]; then
        echo "error: $1, and CI may not do without" >&2
        exit 1
    fi
    echo "SKIPPED: EXPORTS WERE NOT READ BY OTHER PROGRAMS: $1" >&2
    exit 0
}

python="${PAPERMAKER_PYTHON:-}"
if [ -z "$python" ]; then
    command -v python3 >/dev/null || missing "there is no python3"
    venv="$HOME/.cache/papermaker-python"
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" || missing "python3 -m venv fails"
    python="$venv/bin/python"
    "$python" -c 'import pyarrow, duckdb' 2>/dev/null || "$python" -m pip install --quiet pyarrow duckdb ||
        missing "pip cannot install pyarrow and duckdb"
    # The rest is heavy; without it the script says what it leaves out.
    "$python" -c 'import pandas, polars, hftbacktest' 2>/dev/null ||
        "$python" -m pip install --quiet pandas polars hftbacktest || true
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
store=(--set "store.path=$folder/store")

# SESSION SYMBOL TICK LOT
check() {
    mkdir "$1"
    for kind in trades book bbo feed orders fills decisions equity risk funding limits; do
        for format in csv parquet; do
            "$papermaker" sessions export "$1" --kind "$kind" --format "$format" --out "$1/$kind.$format" "${store[@]}" >/dev/null
        done
    done
    "$papermaker" sessions export "$1" --kind trades --format parquet --out "$1/trades/" "${store[@]}"
    "$papermaker" sessions export "$1" --format hftbacktest-npz --out "$1/market.npz" "${store[@]}"
    "$python" "$here/exports.py" "$folder/$1" "$2" "$3" "$4"
}

"$papermaker" run --for 20s --session demo --no-dashboard "${store[@]}" >/dev/null 2>&1
check demo "$("$papermaker" sessions show demo --json "${store[@]}" | "$python" -c 'import json,sys; print(json.load(sys.stdin)["venue_instruments"][0].split(":")[1])')" 0.01 0.00001

recorded="$data/binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz"
if [ -e "$recorded" ]; then
    "$papermaker" sessions import "$recorded" --format hftbacktest-raw --venue binance-usdm --symbol BTCUSDT --strategy glft \
        --session usdm "${store[@]}" >/dev/null
    check usdm BTCUSDT 0.1 0.001
    # There and back: the file is a market of its own again, with the same trades and the same book.
    "$papermaker" sessions import usdm/market.npz --format hftbacktest-npz --venue binance-usdm --symbol BTCUSDT --session back \
        "${store[@]}" >/dev/null
    for kind in trades book; do
        # Columns but for the input's number.
        "$papermaker" sessions export back --kind "$kind" --format csv "${store[@]}" | cut -d, -f2- >back.csv
        cut -d, -f2- "usdm/$kind.csv" | cmp - back.csv
    done
    echo "ok  market.npz imported again has the same trades and the same book"
else
    echo "SKIPPED: $recorded is not here" >&2
fi
# Policies that others trained; it skips by itself.
"$here/stable_baselines3.sh" "$papermaker"
