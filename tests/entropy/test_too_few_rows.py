"""A value or an error that is NaN says why: a flag of the estimate names the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polar_monitor import entropy

Rows = NDArray[np.float64]
ESTIMATORS: dict[str, Callable[[Rows], entropy.Estimate]] = {
    "knn": entropy.knn,
    "knn of one": lambda x: entropy.knn(x[:, 0]),
    "negentropy": entropy.negentropy,
    "histogram": entropy.histogram,
    "information": lambda x: entropy.information(x, np.full(x.shape, 0.1)),
    "resolved": lambda x: entropy.resolved(x, 0.1),
    "joint": entropy.joint,
}
DATA: dict[str, Callable[[Rows], Rows]] = {
    "plain": lambda x: x,
    "constant": np.zeros_like,
    "atoms": np.round,
    "not finite": lambda x: x * np.nan,
    "half finite": lambda x: np.where(np.arange(len(x))[:, None] % 2, x, np.nan),
    "one dimension": lambda x: x * [1.0, np.nan],
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nan_has_a_reason(estimator: str, data: str) -> None:
    x = np.random.default_rng(0).normal(size=(128, 2))
    for n in (1, 2, 5, 10, 20, 30, 31, 32, 33, 50, 64, 100, 128):
        estimate = ESTIMATORS[estimator](DATA[data](x[:n]))
        unknown: Any = np.isnan(estimate.value) | np.isnan(estimate.standard_error)
        assert not np.any(unknown) or estimate.flags
        assert not np.any(np.asarray(estimate.too_few) & ~np.asarray(unknown))


def test_few_rows_are_named() -> None:
    x = np.random.default_rng(0).normal(size=100)
    assert entropy.knn(x[:31]).flags == ("too_few",)
    assert str(entropy.knn(x[:5])) == "nan ± nan nats (too_few)"
    assert entropy.knn(x).flags == ()
    assert entropy.knn(np.stack([x, np.full(100, np.nan)], 1)).too_few.tolist() == [False, True]
