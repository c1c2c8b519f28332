"""Import of a raw recording beside hftbacktest's own converter, in turns, on one core, by CPU time.

    taskset -c 1 python benches/import_beside_hftbacktest.py PAPERMAKER FILE.gz [ROUNDS]

Needs `pip install hftbacktest`. FILE is Binance USD-M futures, one line `<recv_ns> <json>` each. Ours is the whole
process `papermaker sessions import` with its start, the survey, the session and everything on disk, writer thread
included; theirs is `hftbacktest.data.utils.binancefutures.convert` to an array in memory, after a round that is not
counted, in which numba compiles. CPU time (user and system), because the machine may have other work.
"""

import contextlib
import gzip
import io
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from hftbacktest.data.utils.binancefutures import convert


def theirs(file):
    with contextlib.redirect_stdout(io.StringIO()):
        begun = time.process_time()
        convert(file, buffer_size=4_000_000)
        return time.process_time() - begun


def ours(papermaker, file, folder):
    shutil.rmtree(folder, ignore_errors=True)
    line = "sessions import --format hftbacktest-raw --venue binance-usdm --symbol BTCUSDT --session bench".split()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [papermaker, *line, file, "--set", f"store.path={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(papermaker, file, rounds="11"):
    with gzip.open(file) as lines:
        megabytes = sum(map(len, lines)) / 1e6
    folder = tempfile.mkdtemp()
    theirs(file)
    ours(papermaker, file, folder)
    pairs = [(ours(papermaker, file, folder), theirs(file)) for _ in range(int(rounds))]
    shutil.rmtree(folder, ignore_errors=True)
    for name, seconds in zip(("papermaker", "hftbacktest"), zip(*pairs)):
        median = statistics.median(seconds)
        print(f"{name:<12} {median:.3f} s CPU, {min(seconds):.3f} to {max(seconds):.3f}, {megabytes / median:.0f} MB/s")
    ratios = sorted(theirs / ours for ours, theirs in pairs)
    print(f"ratio        {statistics.median(ratios):.2f} median of {len(ratios)} pairs, {ratios[0]:.2f} to {ratios[-1]:.2f}")
    print(f"{megabytes:.1f} MB of lines, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
