"""Values that recur: rounding alone makes no error larger, inputs that recur do, and rounding does not hide them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polar_monitor import entropy
from polar_monitor.entropy import Estimate
from polar_monitor.entropy._repeats import is_rounding

N = 4096
ESTIMATORS: dict[str, Callable[[Any], Estimate]] = {
    "resolved": lambda x: entropy.resolved(x, 0.5),
    "information": lambda x: entropy.information(x, np.full(tuple(x.shape), 0.25)),
}
TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
Rows = NDArray[np.float32]


def normal(times: int = 1) -> Rows:
    """Three dimensions of inputs that occur so many times, in turn."""
    rows = np.random.default_rng(0).normal(size=(N // times, 3)).astype(np.float32)
    return np.concatenate([rows] * times)


def rounded(x: Rows, name: str) -> torch.Tensor:
    return torch.from_numpy(x).to(TYPES[name])


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_rounding_changes_no_error_unless_inputs_recur(name: str, dtype: str, times: int) -> None:
    x = normal(times)
    exact = ESTIMATORS[name](x).standard_error
    for rows in (rounded(x, dtype), rounded(x, dtype).float()):
        ratio = ESTIMATORS[name](rows).standard_error / exact
        assert (ratio > 0.95).all(), ratio
        assert (ratio < (1.05 if times == 1 else 1.6)).all(), ratio


def test_dimensions_are_judged_one_by_one() -> None:
    x = np.column_stack([normal()[:, 0], normal(4)[:, 0], rounded(normal(4)[:, 0], "bfloat16").float()])
    x = np.column_stack([x, rounded(normal()[:, 0], "bfloat16").float()]).astype(np.float32)
    alone = [entropy.resolved(x[:, d], 0.5).standard_error for d in range(4)]
    np.testing.assert_allclose(entropy.resolved(x, 0.5).standard_error, np.ravel(alone), rtol=1e-6)
    assert alone[1] > 1.8 * alone[0] and alone[2] > 1.8 * alone[3]


@pytest.mark.parametrize("scale", [1.0, 1e-3, 300.0])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_rounding_is_told_from_repeats(scale: float, shift: float) -> None:
    recognised = 0
    for seed in range(30):
        x = (scale * (shift + np.random.default_rng(seed).normal(size=N))).astype(np.float32)
        twice = np.repeat(x[: N // 2], 2)
        assert not is_rounding(x, 23)
        for name, mantissa in (("bfloat16", 7), ("float16", 10)):
            assert not is_rounding(rounded(twice, name).float().numpy(), mantissa)
        recognised += is_rounding(rounded(x, "bfloat16").float().numpy(), 7)
    assert recognised >= 26


def test_few_values_and_steps_are_no_rounding() -> None:
    rng = np.random.default_rng(0)
    assert not is_rounding(rng.choice([0.0, 1.0, 2.0], N).astype(np.float32), 7)
    assert not is_rounding(np.round(10 * rng.normal(size=N)).astype(np.float32), 7)
    assert not is_rounding(np.zeros(N, np.float32), 7)
