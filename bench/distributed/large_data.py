"""Time and memory of `Partial` by the number of rows: `python -m bench.distributed.large_data [--rows 1e6 1e7 1e8]`.

Rows of 64 dimensions with a variance come in chunks of 10⁵, made from one block of random numbers with another shift
each time, so that making them costs little. `--plot docs/images/large-data.png`
draws the table.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

CHUNK = 100_000
DIMENSIONS = 64


def run(rows: int) -> dict[str, float]:
    """Classify so many rows in this process."""
    from polar_monitor.offline import Partial

    block = np.random.default_rng(0).normal(size=(CHUNK, DIMENSIONS)).astype(np.float32)
    scale = np.where(np.arange(DIMENSIONS) < 16, 1.0, 0.01).astype(np.float32)
    variance = np.broadcast_to(np.where(scale == 1, 0.02, 1.0).astype(np.float32), block.shape).copy()
    Partial().update(block[:1000] * scale, var=variance[:1000]).result()  # kernels are compiled
    begin, made = time.perf_counter(), 0.0
    partial = Partial()
    for first in range(0, rows, CHUNK):
        start = time.perf_counter()
        chunk = np.roll(block, first // CHUNK % DIMENSIONS, axis=1) * scale
        made += time.perf_counter() - start
        partial.update(chunk[: rows - first], var=variance[: rows - first], first=first)
    regime = partial.result()
    seconds = time.perf_counter() - begin - made
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"rows": rows, "seconds": seconds, "peak": peak, "kept": regime.snapshot.n, "active": regime.count("active")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e5, 1e6, 1e7, 1e8])
    parser.add_argument("--plot", help="PNG to draw")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.one)))
        return
    print("| rows × 64 | seconds | peak memory, GiB | rows kept | active |")
    print("| --- | --- | --- | --- | --- |")
    results = []
    for rows in options.rows:
        call = [sys.executable, "-m", "bench.distributed.large_data", "--one", str(int(rows))]
        r = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
        results.append(r)
        print(f"| {rows:.0e} | {r['seconds']:.1f} | {r['peak']:.2f} | {r['kept']:,} | {r['active']} |", flush=True)
    if options.plot:
        plot(results, options.plot)


def plot(results: list[dict[str, float]], path: str) -> None:
    """Draw time and peak memory against the number of rows."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for axis, name, word in zip(axes, ("seconds", "peak"), ("seconds", "peak memory, GiB"), strict=True):
        axis.plot([r["rows"] for r in results], [r[name] for r in results], "o-")
        axis.set(xscale="log", xlabel="rows of 64 dimensions", ylabel=word)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yscale("log")
    axes[1].set_ylim(0, None)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
