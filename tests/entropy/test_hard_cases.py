"""Data on which estimators of differential entropy fail: right within 0.02 nats here, or flagged."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polar_monitor import entropy
from polar_monitor.entropy import Estimate, OnlineHistogram, SlidingWindow

N = 10_000
NORMAL = 0.5 * math.log(2 * math.pi * math.e)
Array = np.ndarray[Any, Any]


def histogram(x: Array) -> Estimate:
    """As training gives the rows: in blocks."""
    stream = OnlineHistogram(1)
    for start in range(0, len(x), 128):
        stream.update(x[start : start + 128])
    return stream.snapshot()


def window(x: Array) -> Estimate:
    stream = SlidingWindow(1, len(x))
    stream.update(x)
    return stream.snapshot()


ESTIMATORS = {"knn": entropy.knn, "histogram": entropy.histogram, "online histogram": histogram, "window": window}
every_estimator = pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS.keys())
every_seed = pytest.mark.parametrize("seed", range(3))


def normal(seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=N)


def bfloat16(x: Array) -> Array:
    """Round to the nearest bfloat16, as float32."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


SAMPLING = 3 * math.sqrt(0.5 / N)
"""Three standard deviations of the entropy of a normal sample, about whose entropy no estimate knows more."""
RIGHT: dict[str, tuple[Callable[[Array], Array], float, float]] = {
    "rounded to bfloat16": (bfloat16, 1.0, 0.0),
    "small and far from zero, rounded to bfloat16": (lambda x: bfloat16(1 + 0.05 * x), 0.05, 1.0),
    "1e-4 wide at 10, float32": (lambda x: (10 + 1e-4 * x).astype(np.float32), 1e-4, 10.0),
    "1e-4 wide at 1e6, float64": (lambda x: 1e6 + 1e-4 * x, 1e-4, 1e6),
    "float16": (lambda x: x.astype(np.float16), 1.0, 0.0),
    "1e-30 wide": (lambda x: (1e-30 * x).astype(np.float32), 1e-30, 0.0),
}


@every_seed
@every_estimator
@pytest.mark.parametrize("case", RIGHT)
def test_precision_does_not_mislead(case: str, estimate: Callable[[Array], Estimate], seed: int) -> None:
    make, scale, _ = RIGHT[case]
    x = normal(seed)
    if case == "1e-4 wide at 1e6, float64" and estimate in (histogram,):
        stream = OnlineHistogram(1, origin=1e6)
        stream.update(make(x))
        found = stream.snapshot()
    else:
        found = estimate(make(x))
    ideal = NORMAL - 0.5 + 0.5 * np.mean(x * x) + math.log(scale)
    assert float(found) == pytest.approx(ideal, abs=0.02)
    assert not np.any(found.atoms) and not np.any(found.floor)


@every_seed
@every_estimator
def test_half_exact_zeros_are_an_atom(estimate: Callable[[Array], Estimate], seed: int) -> None:
    x = normal(seed)
    zero = np.random.default_rng(100 + seed).random(N) < 0.5
    found = estimate(np.where(zero, 0.0, x).astype(np.float32))
    assert np.ravel(found.atoms)[0] == pytest.approx(zero.mean(), abs=0.01)
    assert "atoms" in found.flags
    assert float(found) == pytest.approx(NORMAL - 0.5 + 0.5 * np.mean(x[~zero] ** 2), abs=0.03)


@every_estimator
@pytest.mark.parametrize("value", [0.0, 3.0, -1e-5, 1e30])
def test_a_constant_is_at_the_floor(estimate: Callable[[Array], Estimate], value: float) -> None:
    found = estimate(np.full(N, value, np.float32))
    cell = np.spacing(np.float32(abs(value)))
    assert np.all(found.floor) and "floor" in found.flags
    assert float(found) == pytest.approx(math.log(cell), abs=2.5 if value == 0.0 else 1e-6)


@every_seed
@every_estimator
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_left_out_and_counted(
    odd: float, estimate: Callable[[Array], Estimate], seed: int
) -> None:
    x = normal(seed).astype(np.float32)
    x[1234] = odd
    found = estimate(x)
    assert np.ravel(found.non_finite)[0] == 1 and "non_finite" in found.flags
    rest = np.delete(x, 1234).astype(float)
    assert float(found) == pytest.approx(NORMAL - 0.5 + 0.5 * np.mean(rest**2), abs=0.02)


@every_seed
@every_estimator
def test_one_huge_value_changes_little(estimate: Callable[[Array], Estimate], seed: int) -> None:
    x = normal(seed).astype(np.float32)
    x[77] = 1e30
    found = estimate(x)
    assert 1.39 <= float(found) <= 1.49
    assert np.ravel(found.outliers)[0] == 1 and "outliers" in found.flags


@every_seed
def test_a_window_with_repeats_is_of_its_distinct_rows(seed: int) -> None:
    x = normal(seed)[: N // 4]
    repeated = np.random.default_rng(seed).permutation(np.tile(x, 4)).astype(np.float32)
    found, alone = entropy.knn(repeated), entropy.knn(x.astype(np.float32))
    assert float(found) == pytest.approx(float(alone), abs=0.02)
    assert found.standard_error == pytest.approx(alone.standard_error, rel=0.3)
