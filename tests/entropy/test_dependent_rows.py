"""The errors of rows in the order of time, whose slow movements make a sample narrower than its law."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from polar_monitor import entropy
from polar_monitor.entropy import Estimate
from polar_monitor.kernels import blocking

ESTIMATORS: dict[str, Callable[..., Estimate]] = {
    "knn": entropy.knn,
    "negentropy": entropy.negentropy,
    "resolved": lambda x, **options: entropy.resolved(x, 0.5, **options),
    "information": lambda x, **options: entropy.information(x, np.full(x.shape, 0.3), **options),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_slow_rows_have_an_error_for_their_bias(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).normal(size=4096)
    slow, constant = lfilter([math.sqrt(1 - 0.98**2)], [1.0, -0.98], noise), np.ones(4096)
    x = np.stack([slow, constant], axis=1)
    stated, alone = (ESTIMATORS[name](x, dependent=d).standard_error for d in (True, False))
    monkeypatch.setattr(blocking, "DEPENDENCE_BIAS", 0.0)
    plain = ESTIMATORS[name](x).standard_error
    bias = 3.5 * ((plain[0] / alone[0]) ** 2 - 1.0) / 4096
    assert bias > 0.1 * plain[0]
    assert stated[0] == pytest.approx(math.hypot(plain[0], bias), rel=1e-2)
    np.testing.assert_array_equal(stated[1], plain[1])
    np.testing.assert_array_equal(stated[1], alone[1])
