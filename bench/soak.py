"""A long run of tiny steps, resumed again and again: `python bench/soak.py`. All counts must be exact at the end."""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import polar_monitor
from polar_monitor import PolarMonitor
from polar_monitor.sinks.jsonl import read_jsonl

BATCHES = (8, 8, 1, 5, 8, 0, 3)
"""Rows of the steps, over and over."""


class Tiny(nn.Module):
    """Two heads and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of x (n, 4)."""
        return self.mu(x), self.logvar(x)


def part(folder: Path, begin: int, end: int, every: int, state: dict[str, Any] | None) -> PolarMonitor:
    """Steps begin to end of the run by a new model, from the state of the part before."""
    torch.manual_seed(begin)
    model = Tiny()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    # validations are watched as well, so that no step rests and every row of training is recorded
    monitor = polar_monitor.attach(
        model, log_dir=folder, every=every, window=2048, max_overhead=1.0, modes=("train", "eval"), strict=True
    )
    if state is not None:
        monitor.load_state_dict(state)
    for step in range(begin, end):
        mean, logvar = model(torch.randn(BATCHES[step % len(BATCHES)], 4))
        optimizer.zero_grad()
        (mean.square().sum() + (logvar.exp() - logvar).sum()).backward()
        optimizer.step()
    return monitor


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return dict(torch.load(file, weights_only=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--resume-every", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began, state = time.perf_counter(), None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for begin in range(0, options.steps, options.resume_every):
            monitor = part(folder, begin, min(begin + options.resume_every, options.steps), options.every, state)
            state = through_a_file(monitor.state_dict())
            monitor.detach()
            print(f"step {monitor.health().steps}: {monitor.health().rows_seen} rows", flush=True)
        health, pipeline = monitor.health(), monitor.state_dict()["pipelines"]["train"]
        sent = sum(BATCHES[step % len(BATCHES)] for step in range(options.steps))
        steps = [record.step for record in read_jsonl(folder / "polar.jsonl", strict=True) if record.mode == "train"]
    found = {
        "steps": (health.steps, options.steps),
        "rows seen and dropped": (health.rows_seen + health.rows_dropped, sent),
        "rows dropped": (health.rows_dropped, 0),
        "rows of the statistics": (pipeline["stream"]["rows"], sent),
        "evaluations in the log": (steps, list(range(options.every, options.steps + 1, options.every))),
        "errors": (health.errors, 0),
    }
    wrong = [f"{word}: expected {there}, got {here}" for word, (here, there) in found.items() if here != there]
    print("\n".join(wrong) or f"exact: {sent} rows in {health.steps} steps, {time.perf_counter() - began:.0f} s")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
