"""What the monitor costs a training loop: `python bench/overhead.py`.

One model trains on and on in one process, in rounds of three blocks of steps in random order: watched with all its
defaults (TensorBoard and JSONL on), not watched, and not watched again. The last is the control: it tells what the
method cannot see on this machine. Printed are trimmed means over rounds of the time relative to the block that is not
watched, with bootstrap intervals, beside the share of the time that the monitor itself accounts for.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

import polar_monitor
from polar_monitor.demo.models import BetaVae

LOOPS = {"MLP VAE 1024-256-256-10, batch 128": (1024, 256, 128), "MLP VAE 64-64-64-10, batch 64": (64, 64, 64)}
TRIM = 0.1
"""Share of rounds left out at either end: other programs on the machine disturb some."""


class Loop:
    """A plain training loop over fixed batches."""

    def __init__(self, inputs: int, hidden: int, batch: int) -> None:
        torch.manual_seed(0)
        self.model = BetaVae(inputs, 10, hidden)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.batches: list[Tensor] = list(torch.rand(32, batch, inputs))

    def run(self, steps: int) -> float:
        """Seconds that so many steps take."""
        begin = perf_counter()
        for step in range(steps):
            loss = self.model.loss(self.batches[step % 32], 0.1)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return perf_counter() - begin


def trimmed(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without the ends."""
    cut = int(TRIM * values.shape[-1])
    return np.asarray(np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1))


def said(ratios: list[float]) -> str:
    """A trimmed mean of ratios as a change, with its 95 % interval."""
    values = np.array(ratios) - 1
    draws = trimmed(np.random.default_rng(0).choice(values, (4000, len(values))))
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{float(trimmed(values)):+.2%} ({low:+.2%} to {high:+.2%})"


def compare(shape: tuple[int, int, int], seconds: float, rounds: int) -> None:
    loop = Loop(*shape)
    with tempfile.TemporaryDirectory() as folder, polar_monitor.attach(loop.model, log_dir=folder) as monitor:
        loop.run(200)
        steps = max(int(seconds / loop.run(200) * 200), 50)
        loop.run(max(2000, 2 * steps))  # the governor settles
        before = monitor.health()
        watched, control, paces = [], [], []
        order = random.Random(0)
        for _ in range(rounds):
            times = dict.fromkeys(order.sample(("on", "off", "again"), 3), 0.0)
            for block in times:
                if block == "on":
                    times[block] = loop.run(steps)
                else:
                    with monitor.detached():
                        times[block] = loop.run(steps)
            watched.append(times["on"] / times["off"])
            control.append(times["again"] / times["off"])
            paces.append(times["off"] / steps)
        health = monitor.health()
    print(f"  {1e3 * np.median(paces):.2f} ms a step, {rounds} rounds of 3 blocks of {steps} steps")
    print(f"  watched   {said(watched)}")
    print(f"  control   {said(control)}")
    print(
        f"  own account {health.overhead:.2%}; {health.evaluations - before.evaluations} evaluations, "
        f"one every {health.every} steps",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.8, help="length of a block")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, shape in LOOPS.items():
        print(name)
        compare(shape, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
