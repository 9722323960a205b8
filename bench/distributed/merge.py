"""Bytes and time of a merge by dimensions and ranks, and a calculation for many: `python -m bench.distributed.merge`.

Every rank has a full window of 4096 rows. `exchange` is the time in `torch.distributed` and in packing, `all` that of
`monitor.sync()` with the evaluation; the slowest rank counts. The median of several merges; the first is left out.
`--many-only` prints the calculation alone.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from polar_monitor.distributed import exchange
from polar_monitor.distributed.share import quotas

REPEATS = 5
WINDOW = 4096
BANDWIDTH, LATENCY = 25e9, 5e-6
"""Bytes a second and seconds a hop that are assumed for many ranks; a tree moves each byte twice, in 2 log2 W hops."""
CHECKS, MODES, PLAN, NOTES = 2, 2, 2, 10
"""Numbers of the vectors: checksums of the arguments of each rank, modes, the plan, the numbers of the loop."""


def on_rank(folder: str, size: int, rank: int, dimensions: list[int]) -> None:
    """Merge some times on one rank for each number of dimensions, and write what it took."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    results = [of_rank(torch, dist, one) for one in dimensions]
    Path(folder, f"{rank}.json").write_text(json.dumps(results))
    dist.destroy_process_group()


def of_rank(torch: Any, dist: Any, dimensions: int) -> dict[str, float]:
    """Return bytes, rows and seconds of a merge on this rank."""
    import polar_monitor
    from polar_monitor.monitor import shared

    monitor = polar_monitor.PolarMonitor(every=10**6, sinks=(), max_overhead=1.0)
    inside, sizes = [], []

    def timed(*arguments: Any) -> exchange.Exchanged:
        begin = time.perf_counter()
        got = exchange.exchange(*arguments)
        inside.append(time.perf_counter() - begin)
        sizes.append(got.size)
        return got

    shared.exchange = timed
    complete = []
    for _ in range(REPEATS + 1):
        monitor.observe(torch.randn(WINDOW, dimensions), var=torch.full((WINDOW, dimensions), 0.1))
        monitor.step()
        dist.barrier()
        begin = time.perf_counter()
        (evaluation,) = monitor.sync()
        complete.append(time.perf_counter() - begin)
    return {
        "bytes": sizes[-1], "rows": evaluation.snapshot.n,
        "exchange": statistics.median(inside[1:]), "all": statistics.median(complete[1:]),
    }  # fmt: skip


def measured(size: int, dimensions: list[int]) -> list[dict[str, float]]:
    """Return bytes, rows and seconds of a merge for each number of dimensions, of the slowest rank."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "bench.distributed.merge", "--of", folder, str(size)]
        more = ["--dimensions", *map(str, dimensions)]
        processes = [subprocess.Popen([*call, str(rank), *more]) for rank in range(size)]
        if any(process.wait() for process in processes):
            raise SystemExit("a rank failed")
        results = [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(size)]
    return [{name: max(of[name] for of in ranks) for name in ranks[0]} for ranks in zip(*results, strict=True)]


def calculated(size: int, dimensions: int) -> tuple[int, int, float]:
    """Return the bytes of the first vector and of both, and the seconds in the network, for full windows."""
    head = size * (CHECKS + MODES * exchange.PER_RANK) + MODES * exchange.COUNTS + PLAN
    rows = int(quotas(np.full(size, WINDOW), dimensions, True).sum())
    both = 8 * (head + NOTES + dimensions + rows * (2 + 2 * dimensions))
    return 8 * head, both, 2 * both / BANDWIDTH + 4 * math.log2(size) * LATENCY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[16, 64, 256, 1024, 4096])
    parser.add_argument("--many-only", action="store_true")
    parser.add_argument("--of", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of:
        folder, size, rank = options.of
        on_rank(folder, int(size), int(rank), options.dimensions)
        return
    if not options.many_only:
        print("| ranks | dimensions | merged rows | MB | exchange, ms | with the evaluation, ms |")
        print("| --- | --- | --- | --- | --- | --- |")
        for size in options.ranks:
            for dimensions, r in zip(options.dimensions, measured(size, options.dimensions), strict=True):
                times = f"{1e3 * r['exchange']:.1f} | {1e3 * r['all']:.1f}"
                print(f"| {size} | {dimensions} | {r['rows']:,} | {r['bytes'] / 1e6:.2f} | {times} |", flush=True)
        print()
    print("| ranks | dimensions | first vector, MB | both, MB | seconds in the network |")
    print("| --- | --- | --- | --- | --- |")
    for size in (10**3, 10**4, 10**5):
        for dimensions in options.dimensions:
            head, both, seconds = calculated(size, dimensions)
            print(f"| {size:,} | {dimensions} | {head / 1e6:.2f} | {both / 1e6:.1f} | {seconds:.4f} |")


if __name__ == "__main__":
    main()
