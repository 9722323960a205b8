"""What the monitor costs a training loop: `python bench/overhead.py`.

Two copies of a model train on the same batches in alternating blocks of one process, one of them watched with all its
defaults (TensorBoard and JSONL on). A block is long enough to hold evaluations. Printed is the median over pairs of
blocks of the ratio of their times, with its bootstrap interval, beside the share that the monitor itself accounts for.
"""

from __future__ import annotations

import argparse
import tempfile
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

import polar_monitor
from polar_monitor.demo.models import BetaVae

LOOPS = {"MLP VAE 1024-256-256-10, batch 128": (1024, 256, 128), "MLP VAE 64-64-64-10, batch 64": (64, 64, 64)}


class Loop:
    """A plain training loop over fixed batches."""

    def __init__(self, inputs: int, hidden: int, batch: int) -> None:
        torch.manual_seed(0)
        self.model = BetaVae(inputs, 10, hidden)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.batches: list[Tensor] = list(torch.rand(32, batch, inputs))
        self.step = 0

    def run(self, steps: int) -> float:
        """Seconds that so many steps take."""
        begin = perf_counter()
        for _ in range(steps):
            loss = self.model.loss(self.batches[self.step % 32], 1.0)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.step += 1
        return perf_counter() - begin


def compare(shape: tuple[int, int, int], seconds: float, pairs: int) -> None:
    plain, watched = Loop(*shape), Loop(*shape)
    with tempfile.TemporaryDirectory() as folder, polar_monitor.attach(watched.model, log_dir=folder) as monitor:
        plain.run(200)
        watched.run(200)
        steps = max(int(seconds / plain.run(200) * 200), 100)
        watched.run(200 + 2 * steps)  # the governor settles
        before, ratios, paces = monitor.health().evaluations, [], []
        for pair in range(pairs):
            first, second = (plain, watched) if pair % 2 else (watched, plain)
            times = {id(first): first.run(steps), id(second): second.run(steps)}
            ratios.append(times[id(watched)] / times[id(plain)])
            paces.append(times[id(plain)] / steps)
        health = monitor.health()
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    print(
        f"  {1e3 * np.median(paces):.2f} ms a step; slower by {np.median(ratios) - 1:+.2%} "
        f"(95 % interval {low - 1:+.2%} to {high - 1:+.2%}, {pairs} pairs of {steps} steps); "
        f"own account {health.overhead:.2%}; an evaluation every {health.every} steps, "
        f"{(health.evaluations - before) / pairs:.1f} a block",
        flush=True,
    )
    same = all(map(torch.equal, plain.model.parameters(), watched.model.parameters()))
    print("  weights of the two loops are", "equal bit for bit" if same or plain.step != watched.step else "DIFFERENT")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a block")
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, shape in LOOPS.items():
        print(name)
        compare(shape, options.seconds, options.pairs)


if __name__ == "__main__":
    main()
