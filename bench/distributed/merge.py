"""Bytes and time of a merge by dimensions and ranks, and a calculation for many: `python -m bench.distributed.merge`.

Every rank has a full window of 4096 rows. `exchange` is the time in `torch.distributed` and in packing, `all` that of
`monitor.sync()` with the evaluation; the slowest rank counts. The median of `--repeats` merges after a first one.
`--many-only` prints the calculation alone.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from typing import Any

import numpy as np

from polar_monitor.distributed import exchange
from polar_monitor.distributed.share import quotas

WINDOW = 4096
BANDWIDTH, LATENCY = 25e9, 5e-6
"""Bytes a second and seconds a hop that are assumed for many ranks; a tree moves each byte twice, in 2 log2 W hops."""
CHECKS, MODES, PLAN, NOTES = 2, 2, 2, 10
"""Numbers of the vectors: checksums of the arguments of each rank, modes, the plan, the numbers of the loop."""


def on_rank(rank: int, size: int, folder: str, dimensions: list[int], repeats: int) -> None:
    """Merge some times for each number of dimensions; rank 0 prints what the slowest rank took."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    for one in dimensions:
        size_in_bytes, rows, *seconds = of_rank(torch, dist, one, repeats)
        slowest = torch.tensor(seconds, dtype=torch.float64)
        dist.all_reduce(slowest, op=dist.ReduceOp.MAX)
        if rank == 0:
            times = " | ".join(f"{1e3 * second:.1f}" for second in slowest.tolist())
            print(f"| {size} | {one} | {rows:,} | {size_in_bytes / 1e6:.2f} | {times} |", flush=True)
    dist.destroy_process_group()


def of_rank(torch: Any, dist: Any, dimensions: int, repeats: int) -> tuple[int, int, float, float]:
    """Return bytes and rows of a merge on this rank, and the seconds of the exchange and in all."""
    import polar_monitor
    from polar_monitor.monitor import shared

    monitor = polar_monitor.PolarMonitor(every=10**6, sinks=(), max_overhead=1.0)
    inside, sizes, complete, rows = [], [], [], 0

    def timed(*arguments: Any) -> exchange.Exchanged:
        begin = time.perf_counter()
        got = exchange.exchange(*arguments)
        inside.append(time.perf_counter() - begin)
        sizes.append(got.size)
        return got

    shared.exchange = timed
    for _ in range(repeats + 1):
        monitor.observe(torch.randn(WINDOW, dimensions), var=torch.full((WINDOW, dimensions), 0.1))
        monitor.step()
        dist.barrier()
        begin = time.perf_counter()
        (evaluation,) = monitor.sync()
        complete.append(time.perf_counter() - begin)
        rows = evaluation.snapshot.n
    return sizes[-1], rows, statistics.median(inside[1:]), statistics.median(complete[1:])


def measure(size: int, dimensions: list[int], repeats: int) -> None:
    """Print bytes, rows and times of a merge for each number of dimensions. Ranks are forks with kernels loaded."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            context.Process(target=on_rank, args=(rank, size, folder, dimensions, repeats), daemon=True)
            for rank in range(size)
        ]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join()
        if any(rank.exitcode for rank in ranks):
            raise SystemExit("a rank failed")


def load_kernels() -> None:
    """Evaluate once, so that no rank has to load a kernel."""
    import torch

    import polar_monitor

    monitor = polar_monitor.PolarMonitor(every=10**6, sinks=(), max_overhead=1.0)
    monitor.observe(torch.randn(WINDOW, 16), var=torch.full((WINDOW, 16), 0.1))
    monitor.step()
    monitor.evaluate()


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
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--many-only", action="store_true")
    options = parser.parse_args()
    if not options.many_only:
        print("| ranks | dimensions | merged rows | MB | exchange, ms | with the evaluation, ms |")
        print("| --- | --- | --- | --- | --- | --- |")
        sys.stdout.flush()
        load_kernels()
        for size in options.ranks:
            measure(size, options.dimensions, options.repeats)
        print()
    print("| ranks | dimensions | first vector, MB | both, MB | seconds in the network |")
    print("| --- | --- | --- | --- | --- |")
    for size in (10**3, 10**4, 10**5):
        for dimensions in options.dimensions:
            head, both, seconds = calculated(size, dimensions)
            print(f"| {size:,} | {dimensions} | {head / 1e6:.2f} | {both / 1e6:.1f} | {seconds:.4f} |")


if __name__ == "__main__":
    main()
