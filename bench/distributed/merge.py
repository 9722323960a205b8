"""Bytes and time of a merge by dimensions and ranks: `python -m bench.distributed.merge [--ranks 2 4 8]`.

Every rank has a full window of 4096 rows. `exchange` is the time in `torch.distributed` and in packing, `all` that of
`monitor.sync()` with the evaluation; the slowest rank counts. The median of several merges; the first is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 7


def on_rank(rank: int, size: int, dimensions: int, folder: str) -> None:
    """Merge some times on one rank, and write what it took."""
    import torch
    import torch.distributed as dist

    import polar_monitor
    from polar_monitor.distributed import exchange
    from polar_monitor.monitor import shared

    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    monitor = polar_monitor.PolarMonitor(every=10**6, sinks=(), max_overhead=1.0)
    inside, sizes = [], []

    def timed(*arguments):
        begin = time.perf_counter()
        got = exchange.exchange(*arguments)
        inside.append(time.perf_counter() - begin)
        sizes.append(got.size)
        return got

    shared.exchange = timed
    whole = []
    for _ in range(REPEATS + 1):
        monitor.observe(torch.randn(4096, dimensions), var=torch.full((4096, dimensions), 0.1))
        monitor.step()
        dist.barrier()
        begin = time.perf_counter()
        (evaluation,) = monitor.sync()
        whole.append(time.perf_counter() - begin)
    result = {
        "bytes": sizes[-1], "rows": evaluation.snapshot.n,
        "exchange": statistics.median(inside[1:]), "all": statistics.median(whole[1:]),
    }  # fmt: skip
    Path(folder, f"{rank}.json").write_text(json.dumps(result))
    dist.destroy_process_group()


def measured(size: int, dimensions: int) -> dict[str, float]:
    """Return bytes, rows and seconds of a merge, of the slowest rank."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "bench.distributed.merge", "--of", folder, str(size), str(dimensions)]
        processes = [subprocess.Popen([*call, str(rank)]) for rank in range(size)]
        if any(process.wait() for process in processes):
            raise SystemExit("a rank failed")
        results = [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(size)]
    return {name: max(result[name] for result in results) for name in results[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[16, 128, 1024, 4096])
    parser.add_argument("--of", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of:
        folder, size, dimensions, rank = options.of
        on_rank(int(rank), int(size), int(dimensions), folder)
        return
    print("| ranks | dimensions | merged rows | MB | exchange, ms | all, ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in options.ranks:
        for dimensions in options.dimensions:
            r = measured(size, dimensions)
            times = f"{1e3 * r['exchange']:.1f} | {1e3 * r['all']:.1f}"
            print(f"| {size} | {dimensions} | {r['rows']:,} | {r['bytes'] / 1e6:.2f} | {times} |", flush=True)


if __name__ == "__main__":
    main()
