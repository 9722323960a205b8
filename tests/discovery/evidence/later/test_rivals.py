"""Readings that are a little off: their rivals lead after some steps; of a true reading none ever does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from polar_monitor.discovery.evidence.forms import FORMS
from polar_monitor.discovery.evidence.later.rivals import Rivals

F64 = NDArray[np.float64]
Function = Callable[[F64], F64]


def same(values: F64) -> F64:
    return values


def after(mean: Function, std: Function, steps: int, shape: tuple[int, ...], seed: int = 0) -> Rivals:
    """Return the rivals of log σ after so many steps."""
    draw, rivals = np.random.default_rng(seed), Rivals(FORMS[1])
    for step in range(steps):
        if step % 8 == 0:
            rivals.begin()
        m, s = draw.normal(size=shape), draw.normal(size=shape) / 2 - 1
        rivals.add(mean(m) + std(s) * draw.normal(size=shape), m, s, 23)
    return rivals


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(128, 6), (64, 3, 4, 4)])
def test_a_true_reading_has_no_rival(shape: tuple[int, ...], seed: int) -> None:
    assert not after(same, np.exp, 24, shape, seed).ahead


MILD: dict[str, tuple[Function, Function]] = {
    "soft clamp and floor": (lambda m: 5 * np.tanh(m / 5), lambda s: np.exp(5 * np.tanh(s / 5)) + 0.01),
    "clamp": (same, lambda s: np.exp(np.maximum(s, -2))),
    "clamped mean": (lambda m: np.clip(m, -2, 2), np.exp),
    "floor": (same, lambda s: np.exp(s) + 0.05),
}


@pytest.mark.parametrize("case", MILD)
def test_mild_processing_is_known_after_some_steps(case: str) -> None:
    rivals = after(*MILD[case], 24, (128, 6))
    assert rivals.ahead
    explanation = rivals.explanation()
    assert explanation is not None
    assert explanation.mean.code != "{s}" or explanation.spread.code != "{s}"


def test_a_difference_that_changes_no_kl_is_none() -> None:
    assert not after(same, lambda s: np.exp(s) + 1e-5, 64, (256, 16)).ahead


def test_what_has_become_true_is_known_though_it_was_false() -> None:
    rivals = after(same, np.exp, 24, (128, 6))
    rivals.begin()
    draw = np.random.default_rng(1)
    for _ in range(8):
        m, s = draw.normal(size=(128, 6)), draw.normal(size=(128, 6)) / 2 - 1
        rivals.add(np.clip(m, -1, 1) + np.exp(s) * draw.normal(size=(128, 6)), m, s, 23)
    assert rivals.ahead
