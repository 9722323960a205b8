"""SIGKILL in the middle of an evaluation: what can be read afterwards, and what is lost.

Each run trains a VAE in a process of its own, which is killed at a random moment of its 3rd to 9th evaluation. Then its
two logs are read, and another run begins in the same folder.

    python -m bench.host.kills [--runs 50] [--seed 0]
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

import polar_monitor
from polar_monitor.monitor.evaluation_loop import EvaluationLoop
from polar_monitor.sinks.jsonl import read_jsonl

EVERY, EVALUATIONS = 5, range(3, 10)
ROWS = (
    "killed in the middle of an evaluation",
    "evaluations finished before",
    "of these in polar.jsonl",
    "of these in the event file",
    "the interrupted one in polar.jsonl",
    "the interrupted one in the event file",
    "polar.jsonl ends within a record",
    "runs that polar_monitor.read() reads",
    "folders that the next run can write to",
    "logs that can be read after it",
)


class Vae(nn.Module):
    """A VAE with 64 latents."""

    def __init__(self) -> None:
        super().__init__()
        self.fc_mu, self.fc_logvar, self.decoder = nn.Linear(32, 64), nn.Linear(32, 64), nn.Linear(64, 32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstruction, mean and log-variance."""
        mean, logvar = self.fc_mu(x), self.fc_logvar(x)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar


def train(folder: Path, steps: int) -> None:
    """Train with a monitor that writes to a folder."""
    model = Vae()
    polar_monitor.attach(model, mean="fc_mu", logvar="fc_logvar", log_dir=folder, every=EVERY, max_overhead=1.0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        x = torch.randn(128, 32)
        reconstruction, mean, logvar = model(x)
        loss = (reconstruction - x).square().sum(1) + 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()


def reporting(pipe: int) -> None:
    """Train in this process, and write a byte to a pipe where an evaluation begins and where it ends."""
    works = EvaluationLoop._conclude

    def conclude(loop: EvaluationLoop, full: bool = False) -> Any:
        os.write(pipe, b"b")
        done = works(loop, full)
        os.write(pipe, b"e")
        return done

    EvaluationLoop._conclude = conclude  # type: ignore[method-assign]


def killed(folder: Path, draw: random.Random) -> int:
    """Kill a run in an evaluation and return the number of those before it; -1 if that had ended."""
    wanted, share = draw.choice(EVALUATIONS), draw.random()
    reads, writes = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            reporting(writes)
            train(folder, EVERY * (EVALUATIONS[-1] + 1))
        finally:
            os._exit(0)
    os.close(writes)
    seen, took, began = b"", 0.0, time.perf_counter()
    while seen.count(b"b") < wanted and (byte := os.read(reads, 1)):
        now = time.perf_counter()
        seen += byte
        if byte == b"e":
            took = now - began
        began = now
    time.sleep(share * took)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while byte := os.read(reads, 64):
        seen += byte
    os.close(reads)
    return wanted - 1 if seen.count(b"e") == wanted - 1 else -1


def looked_at(folder: Path, before: int) -> Counter[str]:
    """Return what is true of a folder that a killed run has left, in the words of `ROWS`."""
    log = folder / "polar.jsonl"
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    shown = {event.step for event in events.Scalars("polar/information")}
    steps, last = {record.step for record in read_jsonl(log)}, EVERY * (before + 1)
    finished = set(range(EVERY, last, EVERY))
    history = polar_monitor.read(folder)
    found = Counter({ROWS[0]: 1, ROWS[1]: before, ROWS[2]: len(finished & steps), ROWS[3]: len(finished & shown)})
    found |= {ROWS[4]: last in steps, ROWS[5]: last in shown, ROWS[6]: not log.read_bytes().endswith(b"\n")}
    found[ROWS[7]] = len(history) > 0
    monitor = polar_monitor.PolarMonitor(log_dir=folder, every=1, max_overhead=1.0)
    monitor.observe(torch.randn(600, 4))
    monitor.step()
    found[ROWS[8]] = monitor.log_dir == folder
    monitor.detach()
    found[ROWS[9]] = len(read_jsonl(log, strict=True)) > 0
    return found


def main() -> int:
    """Print the table; the exit status is 1 if something of a finished evaluation is lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("polar_monitor").setLevel(logging.CRITICAL)
    torch.set_num_threads(1)
    draw, total = random.Random(options.seed), Counter(dict.fromkeys(ROWS, 0))
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder) / "first", 2 * EVERY)  # compiles what the runs need
        number = 0
        while total[ROWS[0]] < options.runs:
            number += 1
            run = Path(folder) / str(number)
            before = killed(run, draw)
            total.update(looked_at(run, before) if before >= 0 else {})
    print("| | |", "| --- | ---: |", *(f"| {row} | {total[row]} |" for row in ROWS), sep="\n")
    return int(total[ROWS[1]] > min(total[ROWS[2]], total[ROWS[3]]) or total[ROWS[9]] < total[ROWS[0]])


if __name__ == "__main__":
    sys.exit(main())
