#!/usr/bin/env bash
# The dashboard and reports in a real browser: `tests/page/run.sh PAPERMAKER [FOLDER]`; pictures of them go to FOLDER.
# Needs node, npm and chromium (`.ci/run` installs them); CHROMIUM names another Chromium.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: tests/page/run.sh PAPERMAKER [FOLDER]" >&2; exit 2; }
papermaker="$(realpath -- "$1")"
pictures="${2:+$(realpath -m -- "$2")}"
cd "$(dirname "${BASH_SOURCE[0]}")"

export CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}"
for need in node npm "${CHROMIUM:-chromium}"; do
    command -v "$need" >/dev/null 2>&1 || { echo "error: $need is not installed; on Debian: apt-get install nodejs npm chromium" >&2; exit 2; }
done
[ -d node_modules/playwright-core ] || npm ci --silent --no-audit --no-fund
node page.mjs "$papermaker" ${pictures:+"$pictures"}
node report.mjs "$papermaker" ${pictures:+"$pictures"}
