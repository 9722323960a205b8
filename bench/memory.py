"""Resident memory over a long run: `python bench/memory.py`. It must not grow with the number of steps."""

from __future__ import annotations

import argparse
import gc
import tempfile

import torch

import polar_monitor
from polar_monitor.demo.models import BetaVae


def resident() -> float:
    """MiB of this process that are in memory (Linux)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=20)
    options = parser.parse_args()
    torch.manual_seed(0)
    model, x = BetaVae(64, latents=32, hidden=64), torch.rand(256, 64)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with tempfile.TemporaryDirectory() as folder:
        monitor = polar_monitor.attach(model, log_dir=folder, every=options.every, max_overhead=1.0)
        sizes = []
        for step in range(options.steps):
            loss = model.loss(x[torch.randint(256, (64,))], 1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % (options.steps // 10) == 0:
                gc.collect()
                sizes.append(resident())
        print(f"MiB at each tenth of {options.steps} steps, {monitor.health().evaluations} evaluations:")
        print("  " + "  ".join(f"{size:.1f}" for size in sizes))
        print(f"  from the first tenth to the last: {sizes[-1] / sizes[0] - 1:+.2%}")


if __name__ == "__main__":
    main()
