"""A week in made-up time: evaluations, and bytes of an evaluation."""

import tempfile
from pathlib import Path
from unittest.mock import patch

import torch

from polar_monitor import PolarMonitor
from polar_monitor.monitor.pipeline import FULL_EVERY
from polar_monitor.schedule import governor
from polar_monitor.schedule.governor import Governor
from polar_monitor.schedule.looks import Looks

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
            rule.want(looks.interval(step, rule.pace))
            interval, evaluations = rule.every, evaluations + 1
    return evaluations, interval * pace
