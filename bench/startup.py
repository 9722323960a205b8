"""Import and attach, with a cold and a warm kernel cache: `python bench/startup.py`.

Every figure is of fresh interpreters: the median of several.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile

CODE = """
import time
import torch
begin = time.perf_counter()
import polar_monitor
imported = time.perf_counter() - begin
from polar_monitor.demo.models import BetaVae
model, x = BetaVae(64), torch.rand(32, 64)
optimizer = torch.optim.Adam(model.parameters())
def step():
    model.loss(x, 1.0).backward()
    optimizer.step()
step()
begin = time.perf_counter()
polar_monitor.attach(model, log_dir=LOG)
attached = time.perf_counter() - begin
begin = time.perf_counter()
step()
print(imported, attached, time.perf_counter() - begin)
"""


def run(cache: str) -> list[float]:
    with tempfile.TemporaryDirectory() as log:
        done = subprocess.run(
            [sys.executable, "-c", f"LOG = {log!r}\n" + CODE],
            env=os.environ | {"NUMBA_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            check=True,
        )
    return [float(word) for word in done.stdout.split()]


def main(times: int = 5) -> None:
    cache = tempfile.mkdtemp()
    try:
        cold, warm = [], []
        for _ in range(times):
            shutil.rmtree(cache, ignore_errors=True)
            cold.append(run(cache))
            warm.append(run(cache))
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    for name, runs in (("cold", cold), ("warm", warm)):
        imported, attached, first = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{name} kernel cache: import polar_monitor beyond torch {imported:.2f} s, "
            f"attach {attached:.2f} s, first step after it {1e3 * first:.1f} ms (median of {times})"
        )


if __name__ == "__main__":
    main()
