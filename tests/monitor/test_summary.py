"""The summary says what its numbers leave out."""

from __future__ import annotations

import math

import pytest
import torch

from polar_monitor import PolarMonitor


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
    assert line in text
    assert text.splitlines()[0].endswith("3 active")


def test_finite_windows_and_single_values_are_not_named() -> None:
    assert "of the rows of" not in summary_of({})
    assert "of the rows of" not in summary_of({1: 3})
