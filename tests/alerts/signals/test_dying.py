"""A total that falls all the time, and others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from polar_monitor.alerts.signals.dying import dies
from polar_monitor.alerts.signals.recent import Remembered, keep


def rows(steps: Sequence[int], total: Callable[[int], float]) -> tuple[Remembered, ...]:
    """Return what is kept of evaluations at some steps."""
    recent: tuple[Remembered, ...] = ()
    for step in steps:
        recent = keep(recent, Remembered.of(step, np.array([total(step)]), np.zeros(1), (math.nan,) * 3, 1.0))
    return recent


def decay(steps: float) -> Callable[[int], float]:
    return lambda step: math.exp(-step / steps)


@pytest.mark.parametrize("every", [10, 20, 50, 100])
def test_what_decays_by_more_than_two_fifths_in_500_steps_dies(every: int) -> None:
    steps = range(every, 1001, every)
    assert dies(rows(steps, decay(900)), 1.0)
    assert not dies(rows(steps, decay(1100)), 1.0)


def test_what_turned_does_not_die() -> None:
    assert not dies(rows(range(50, 1001, 50), lambda step: math.exp(abs(step - 900) / 200)), 1.0)


def test_what_paused_does_not_die() -> None:
    """A fall by a step is no decay."""
    assert not dies(rows(range(50, 1001, 50), lambda step: 1.0 if step < 700 else 0.1), 1.0)


def test_what_has_a_dimension_that_grows_does_not_die() -> None:
    def both(step: int) -> Remembered:
        level = np.array([math.exp(-step / 500), 1e-3 * math.exp(step / 500)])
        return Remembered.of(step, level, np.full(2, 1e-4), (math.nan,) * 3, 1.0)

    recent: tuple[Remembered, ...] = ()
    for step in range(50, 1001, 50):
        recent = keep(recent, both(step))
    assert not dies(recent, 1.0)
    assert dies(tuple(one._replace(levels=one.levels * [[1], [30]]) for one in recent), 1.0), "within its error"


def test_evaluations_that_are_few_or_far_apart_cannot_say() -> None:
    assert not dies(rows(range(50, 451, 50), decay(300)), 1.0)
    assert not dies(rows([500, 1000], decay(300)), 1.0)
    assert not dies(rows([1000], decay(300)), 1.0)


def test_steps_of_a_long_run_count_less() -> None:
    steps = range(10_000, 100_001, 1_000)
    assert dies(rows(steps, decay(9_000)), 10.0)
    assert not dies(rows(steps, decay(11_000)), 10.0)
