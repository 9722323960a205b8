"""Comparison of residuals with what modules take."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polar_monitor.discovery.evidence.step import Step


@pytest.mark.parametrize(("last", "same"), [(4.0, True), (-9.0, False), (np.inf, False), (3e30, False)])
def test_residuals_that_a_module_takes_and_infinite_numbers(last: float, same: bool) -> None:
    step, residual = Step([]), np.array([0.0, 1.0, 3.0, 4.0], np.float32)
    step._given[4] = [("", 0, np.array([0.0, 1.0, 3.0, last], np.float32))]
    sample: Any = SimpleNamespace(shape=(4,), order=5)
    mean: Any = SimpleNamespace(slot=SimpleNamespace(module="fc_mu"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert step.is_given(residual, sample, mean, 1) is same
