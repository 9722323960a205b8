"""Import, attach and the first evaluation, with a cold and a warm kernel cache: `python bench/startup.py [--kernels]`.

Every figure is of fresh interpreters: the median of several. `--kernels` prints how long each kernel takes to compile
and to load, in one interpreter each. `--cpu` times the processor, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from timing import table

CODE = """
import json, sys, tempfile, time
import torch
clock, marks = getattr(time, CLOCK), {}
begin = clock()
import polar_monitor
marks["import polar_monitor beyond torch"] = clock() - begin
from polar_monitor.demo.models import BetaVae
model, x = BetaVae(64), torch.rand(32, 64)
optimizer = torch.optim.Adam(model.parameters())
def step():
    model.loss(x, 1.0).backward()
    optimizer.step()
step()
with tempfile.TemporaryDirectory() as folder:
    begin = clock()
    monitor = polar_monitor.attach(model, log_dir=folder, every=100)
    marks["attach"] = clock() - begin
    begin = clock()
    step()
    marks["first step after it"] = clock() - begin
    for _ in range(20):
        step()
    begin = clock()
    monitor.evaluate()
    marks["first evaluation"] = clock() - begin
print(json.dumps(marks))
"""
KERNELS = """
import json, time
clock = getattr(time, CLOCK)
import polar_monitor.kernels._jit as jit, polar_monitor.kernels.crc32c, polar_monitor.statistics.stream
seconds = {}
for kernel in jit.KERNELS:
    begin = clock()
    kernel.compile()
    seconds[f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}"] = clock() - begin
print(json.dumps(seconds))
"""


def run(cache: str, clock: str, code: str = CODE) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", f"CLOCK = {clock!r}\n{code}"],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="interpreters for each figure")
    parser.add_argument("--kernels", action="store_true", help="each kernel, instead")
    parser.add_argument("--cpu", action="store_true", help="processor time")
    options = parser.parse_args()
    clock = "process_time" if options.cpu else "perf_counter"
    cache = tempfile.mkdtemp()
    try:
        if options.kernels:
            cold, warm = run(cache, clock, KERNELS), run(cache, clock, KERNELS)
            rows = [[name, f"{seconds:.2f} s", f"{1e3 * warm[name]:.0f} ms"] for name, seconds in cold.items()]
            rows.append(["all", f"{sum(cold.values()):.2f} s", f"{1e3 * sum(warm.values()):.0f} ms"])
            print(table(["kernel (the first starts the compiler)", "compile", "load"], rows))
            return
        results: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
        for _ in range(options.times):
            shutil.rmtree(cache, ignore_errors=True)
            for kind in results:
                results[kind].append(run(cache, clock))
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    rows = [
        [f"{kind} kernel cache", *(f"{statistics.median(one[name] for one in runs):.3f} s" for name in runs[0])]
        for kind, runs in results.items()
    ]
    print(table([f"median of {options.times}", *results["cold"][0]], rows))


if __name__ == "__main__":
    main()
