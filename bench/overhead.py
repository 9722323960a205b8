"""What the monitor costs a training loop: `python bench/overhead.py`.

One model trains on and on in one process, in rounds of three blocks of ten steps in random order: watched with all its
defaults (TensorBoard and JSONL on), not watched, and not watched again. The last is the control: it tells what the
method cannot see on this machine. The cost is the trimmed mean over rounds of the time relative to the block that is
not watched, with its bootstrap interval, plus what the steps with an evaluation took beyond an ordinary step.
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
from polar_monitor.evaluation import Evaluation

LOOPS = {"MLP VAE 1024-256-256-10, batch 128": (1024, 256, 128), "MLP VAE 64-64-64-10, batch 64": (64, 64, 64)}
BLOCK = 10
TRIM = 0.1
"""Share of rounds left out at either end: other programs on the machine disturb some."""


class Loop:
    """A plain training loop over fixed batches, and a sink that tells which of its steps evaluated."""

    def __init__(self, inputs: int, hidden: int, batch: int) -> None:
        torch.manual_seed(0)
        self.model = BetaVae(inputs, 10, hidden)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.batches: list[Tensor] = list(torch.rand(32, batch, inputs))
        self.evaluated = False

    def run(self, steps: int) -> tuple[float, list[float]]:
        """Mean seconds of an ordinary step, and the seconds of each that evaluated."""
        ordinary, evaluating = [], []
        for step in range(steps):
            begin = perf_counter()
            loss = self.model.loss(self.batches[step % 32], 0.1)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            (evaluating if self.evaluated else ordinary).append(perf_counter() - begin)
            self.evaluated = False
        return float(np.mean(ordinary)), evaluating

    def write(self, evaluation: Evaluation) -> None:
        """The step that is under way evaluates."""
        self.evaluated = True

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def trimmed(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without the ends."""
    cut = int(TRIM * values.shape[-1])
    return np.asarray(np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1))


def said(ratios: list[float], more: float = 0.0) -> str:
    """A trimmed mean of ratios as a change, with its 95 % interval."""
    values = np.array(ratios) - 1
    draws = trimmed(np.random.default_rng(0).choice(values, (2000, len(values))))
    low, high = np.quantile(draws, [0.025, 0.975]) + more
    return f"{float(trimmed(values)) + more:+.2%} ({low:+.2%} to {high:+.2%})"


def compare(shape: tuple[int, int, int], rounds: int) -> None:
    loop = Loop(*shape)
    with tempfile.TemporaryDirectory() as folder:
        monitor = polar_monitor.attach(loop.model, log_dir=folder, sinks=(loop,))
        loop.run(2000)  # the governor settles
        watched, control, paces = [], [], []
        evaluations: list[float] = []
        order = random.Random(0)
        for _ in range(rounds):
            times = dict.fromkeys(order.sample(("on", "off", "again"), 3), 0.0)
            for block in times:
                if block == "on":
                    times[block], more = loop.run(BLOCK)
                    evaluations += more
                else:
                    with monitor.detached():
                        times[block], _ = loop.run(BLOCK)
            watched.append(times["on"] / times["off"])
            control.append(times["again"] / times["off"])
            paces.append(times["off"])
        health = monitor.health()
        monitor.detach()
    pace = float(np.median(paces))
    excess = float(np.median(evaluations)) - pace if evaluations else 0.0
    share = excess / (health.every * pace)
    print(f"  {1e3 * pace:.2f} ms a step, {rounds} rounds of 3 blocks of {BLOCK} steps")
    print(f"  hooks and clock    {said(watched)}")
    print(f"  with evaluations   {said(watched, share)}: {1e3 * excess:.1f} ms every {health.every} steps")
    print(f"  control            {said(control)}")
    print(f"  own account        {health.overhead:.2%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, shape in LOOPS.items():
        print(name)
        compare(shape, options.rounds)


if __name__ == "__main__":
    main()
