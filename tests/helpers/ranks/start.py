"""Runs of a function on several gloo ranks, each a process of its own."""

import importlib
import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist


def run(target, size, folder, *arguments, timeout=60, may_fail=False):
    """Return the results (or failures) of `module:function(rank, *arguments)` on each rank; None of one that died."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    calls = [
        [sys.executable, __file__, target, str(rank), str(size), str(folder), str(timeout), *map(str, arguments)]
        for rank in range(size)
    ]
    processes = [subprocess.Popen(call, env=environment) for call in calls]
    for process in processes:
        process.wait(timeout=240)
    results = [read(Path(folder) / f"result-{rank}") for rank in range(size)]
    assert may_fail or all(result is not None and not isinstance(result, str) for result in results), results
    return results


def read(path):
    return pickle.loads(path.read_bytes()) if path.exists() else None


def main(target, rank, size, folder, timeout, *arguments):
    module, name = target.split(":")
    store = f"file://{folder}/store"
    dist.init_process_group(
        "gloo", init_method=store, rank=int(rank), world_size=int(size), timeout=timedelta(seconds=float(timeout))
    )
    try:
        result = getattr(importlib.import_module(module), name)(int(rank), *arguments)
    except Exception as failure:
        result = f"{type(failure).__name__}: {failure}"
    (Path(folder) / f"result-{rank}").write_bytes(pickle.dumps(result))
    if not isinstance(result, str) and dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
