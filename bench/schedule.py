"""When the monitor evaluates at its defaults: `python -m bench.schedule [--loops] [--dimensions 128]` prints tables.

The first table is a week in made-up time: evaluations and bytes of both default sinks, in loops of different steps. An
evaluation takes no time there, which gives the largest log that the schedule allows. In a *quiet* run nothing ever
changes; in a *restless* one something differs at every evaluation, and one in eight is full. The bytes of an evaluation
are measured: the mean of many, after the first ones.

`--loops` trains a small VAE for twenty seconds for each length of a step, padded by sleep, and for 3,000 steps of 1 and
2 ms: evaluations, the first verdict, the monitor's own time, and the most that it was ever beyond 1 % of the loop's.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

import polar_monitor
from polar_monitor import PolarMonitor
from polar_monitor.monitor.pipeline import FULL_EVERY
from polar_monitor.regime.regime import Verdict
from polar_monitor.schedule import governor
from polar_monitor.schedule.governor import Governor
from polar_monitor.schedule.looks import Looks
from polar_monitor.sinks.jsonl import read_jsonl

WEEK = 7 * 24 * 3600.0
BEFORE, MEASURED = 64, 128


def bytes_of_an_evaluation(dimensions: int) -> float:
    """Mean bytes that both sinks write for an evaluation, after the first ones."""
    torch.manual_seed(0)
    used = torch.rand(dimensions) < 0.3
    with tempfile.TemporaryDirectory() as folder, PolarMonitor(every=1, max_overhead=1.0, log_dir=folder) as monitor:
        sizes = []
        for _ in range(BEFORE + MEASURED):
            codes = torch.randn(1024, dimensions) * torch.where(used, 1.0, 0.01)
            spread = torch.where(used, -4.0, 0.0) + 0.1 * torch.randn(1024, dimensions)
            monitor.observe(codes, logvar=spread)
            monitor.step()
            sizes.append(sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()))
    return (sizes[-1] - sizes[BEFORE - 1]) / MEASURED


def week(pace: float, restless: bool) -> tuple[int, float]:
    """Evaluations of a week of steps of `pace` seconds, and the seconds between the last two."""
    looks, now = Looks(None, None), [0.0]
    with patch.object(governor, "perf_counter", lambda: now[0]):
        rule, evaluations, step, interval = Governor(looks.longest_dense, 0.01, 1.0), 0, 0, looks.first
        rule.started(0)
        while (step + interval) * pace <= WEEK:
            step += interval
            now[0] = step * pace
            looks.count(restless or not evaluations)
            rule.evaluated(0.0, step, evaluations % FULL_EVERY == 0)
            rule.want(looks.interval(step, rule.pace, rule.elapsed))
            interval, evaluations = rule.every, evaluations + 1
    return evaluations, interval * pace


class Vae(nn.Module):
    """A small VAE whose step takes about half a millisecond."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc_mu, self.fc_logvar = nn.Linear(64, 32), nn.Linear(32, 10), nn.Linear(32, 10)
        self.decoder = nn.Linear(10, 64)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return reconstruction, mean and log-variance."""
        hidden = self.body(x).relu()
        mean, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * logvar).exp()), mean, logvar


def loop(pace: float, seconds: float, max_steps: float) -> str:
    """One training at defaults, as a line of the table."""
    torch.manual_seed(0)
    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    data = torch.randn(20_000, 6) @ torch.randn(6, 64)
    with tempfile.TemporaryDirectory() as folder:
        with polar_monitor.attach(model, log_dir=folder) as monitor:
            rule: Any = monitor._loop.schedule.governor
            steps, beyond = 0, 0.0
            while steps < max_steps and rule.elapsed < seconds:
                begin, own = time.perf_counter(), rule.own
                x = data[torch.randint(0, len(data), (128,))]
                out, mean, logvar = model(x)
                kl = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(1).mean()
                optimizer.zero_grad()
                (((out - x) ** 2).sum(1).mean() + kl).backward()
                optimizer.step()
                steps += 1
                beyond = max(beyond, rule.own - 0.01 * rule.elapsed)
                left = pace - (time.perf_counter() - begin - (rule.own - own))
                if left > 0:
                    time.sleep(left)
            own, elapsed = rule.own, rule.elapsed
        records = read_jsonl(Path(folder) / "polar.jsonl")
    told = [record.step for record in records if record.regime and record.regime.verdict != Verdict.NOT_ESTIMABLE]
    return (
        f"| {1000 * elapsed / steps:.1f} ms | {steps} | {len(records)} | {told[0] if told else '-'} | {own:.2f} s | "
        f"{elapsed:.1f} s | {beyond:.2f} s |"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", action="store_true")
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = bytes_of_an_evaluation(options.dimensions)
    print(f"An evaluation of {options.dimensions} dimensions writes {size / 1000:.1f} kB.\n")
    print("| a week of steps of | quiet: evaluations | at the end | log | restless: evaluations | at the end | log |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for pace in (0.001, 0.01, 0.1, 1.0):
        runs = [week(pace, restless) for restless in (False, True)]
        cells = " | ".join(f"{count} | {seconds:.0f} s | {count * size / 1e6:.0f} MB" for count, seconds in runs)
        print(f"| {1000 * pace:g} ms | {cells} |")
    if options.loops:
        print("\n| step | steps | evaluations | first verdict | own time | loop | most beyond 1 % |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for pace in (0.0005, 0.001, 0.005, 0.02, 0.1, 0.2):
            print(loop(pace, options.seconds, float("inf")), flush=True)
        for pace in (0.001, 0.002):
            print(loop(pace, float("inf"), 3000), flush=True)


if __name__ == "__main__":
    main()
