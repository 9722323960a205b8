"""The summary says what its numbers leave out."""

from __future__ import annotations

import math

import pytest
import torch
from records import make_alert

from polar_monitor import PolarMonitor
from polar_monitor.alerts.alert import AlertKind


def summary_of(bad: dict[int, int]) -> str:
    """Return the summary of 2,048 rows of three dimensions; dimension j has bad[j] rows that are not finite."""
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=())
    rows = torch.randn(2048, 3, generator=torch.Generator().manual_seed(0))
    for dimension, count in bad.items():
        rows[:count, dimension] = math.nan if dimension else math.inf
    monitor.observe(rows, var=torch.full_like(rows, 0.05))
    monitor.step()
    return monitor.summary()


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ({1: 1024}, "50% of the rows of dimension 1 are NaN or infinite; its numbers are those of the other rows"),
        (
            {0: 100, 2: 512},
            "up to 25% of the rows of dimensions 0 and 2 are NaN or infinite; their numbers",
        ),
    ],
)
def test_half_a_window_that_is_not_finite_is_said(bad: dict[int, int], line: str) -> None:
    text = summary_of(bad)
    assert line in " ".join(text.split())
    assert text.splitlines()[0].endswith("3 active")


def test_finite_windows_and_single_values_are_not_named() -> None:
    assert "of the rows of" not in summary_of({})
    assert "of the rows of" not in summary_of({1: 3})


def used_and_unused(used: int, unused: int) -> PolarMonitor:
    """Return a monitor of dimensions in use and of others that never were."""
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=())
    scale = torch.tensor([1.0] * used + [0.001] * unused)
    for seed in range(4):
        rows = torch.randn(2000, used + unused, generator=torch.Generator().manual_seed(seed))
        monitor.observe(rows * scale, var=torch.tensor([0.05] * used + [1.0] * unused).expand(2000, used + unused))
        monitor.step()
    return monitor


def test_a_summary_fits_the_screen_and_shows_all_if_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "24")
    monitor = used_and_unused(60, 40)
    for alert in range(30):
        monitor._loop.alerts.add((make_alert(alert, alert, AlertKind.LOST),))
    for width in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = monitor.summary().splitlines()
        assert len(lines) < 24
        assert max(map(len, lines)) <= width
        assert "older alerts: monitor.alerts" in "\n".join(lines)
    everything = monitor.summary(all=True)
    assert everything.count("  active ") == 60
    assert everything.count("  passive ") == 40
    assert everything.count("LOST") == 30


def test_what_never_was_in_use_is_one_line_and_what_was_lost_has_its_own() -> None:
    monitor = used_and_unused(2, 10)
    assert "10 more, less than 0.001 nats, in use only at the start, or never: healthy" in monitor.summary()
    monitor._loop.alerts.add((make_alert(3, 7, AlertKind.LOST),))
    row = next(line for line in monitor.summary().splitlines() if line.split()[:1] == ["7"])
    assert row.endswith("lost at step 3")
    assert "9 more, less than 0.001 nats" in monitor.summary()


@pytest.mark.parametrize(("steps", "is_old"), [(90, False), (1200, True)])
def test_an_evaluation_of_long_ago_says_so_and_what_to_call(steps: int, is_old: bool) -> None:
    monitor = PolarMonitor(every=10_000, max_overhead=1.0, sinks=())
    rows = torch.randn(2048, 3, generator=torch.Generator().manual_seed(0))
    monitor.observe(rows, var=torch.full_like(rows, 0.05))
    monitor.step()
    monitor.evaluate()
    for _ in range(steps):
        monitor.step()
    text = " ".join(monitor.summary().split())
    assert text.startswith(f"step 1 (training is at step {steps + 1:,}): ")
    assert (f"that was {steps:,} steps ago: monitor.evaluate(batch) judges the model as it is now" in text) == is_old
