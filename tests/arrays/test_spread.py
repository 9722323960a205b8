"""Units of the spread: each row of the one table agrees with the definition, for arrays and for tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor.arrays.spread import ARGUMENTS, UNITS, one_spread, to_variance, unit_doubt
from polar_monitor.errors import PolarMonitorError

FROM_VARIANCE: dict[str, Callable[[Any], Any]] = {
    "logvar": np.log,
    "var": lambda v: v,
    "std": np.sqrt,
    "logstd": lambda v: 0.5 * np.log(v),
}
each = pytest.mark.parametrize("unit", UNITS)
VARIANCE = np.random.default_rng(0).gamma(1.0, 1.0, (40, 3))


def test_every_unit_is_tested() -> None:
    assert FROM_VARIANCE.keys() == UNITS.keys()
    assert ARGUMENTS == ("logvar", "var", "std", "logstd")


@each
def test_a_spread_in_any_unit_is_its_variance(unit: str) -> None:
    spread = FROM_VARIANCE[unit](VARIANCE)
    np.testing.assert_allclose(to_variance(spread, unit), VARIANCE, rtol=1e-12)
    np.testing.assert_allclose(UNITS[unit].variance(torch.from_numpy(spread), torch), VARIANCE, rtol=1e-12)
    assert to_variance(spread.astype(np.float32), unit).dtype == np.float32


@each
def test_a_change_of_scale_divides_the_variance(unit: str) -> None:
    spread, prior = FROM_VARIANCE[unit](VARIANCE), np.random.default_rng(1).gamma(1.0, 1.0, (40, 3))
    expected = FROM_VARIANCE[unit](VARIANCE / prior)
    np.testing.assert_allclose(UNITS[unit].rescaled(spread, prior, np), expected, rtol=1e-9, atol=1e-12)
    tensors = torch.from_numpy(spread), torch.from_numpy(prior)
    np.testing.assert_allclose(UNITS[unit].rescaled(*tensors, torch), expected, rtol=1e-9, atol=1e-12)


@each
def test_a_compiler_traces_the_formulas(unit: str) -> None:
    def both(spread: torch.Tensor, prior: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return UNITS[unit].variance(spread, torch), UNITS[unit].rescaled(spread, prior, torch)

    torch._dynamo.reset()
    spread, prior = torch.rand(8, 2) + 0.5, torch.rand(8, 2) + 0.5
    compiled = torch.compile(both, backend="eager", fullgraph=True)(spread, prior)
    assert all(map(torch.equal, compiled, both(spread, prior)))
    torch._dynamo.reset()


def test_a_negative_standard_deviation_is_not_a_variance() -> None:
    spread = np.array([-0.5, 0.5], np.float32)
    np.testing.assert_array_equal(to_variance(spread, "std"), np.array([np.nan, 0.25], np.float32))
    np.testing.assert_array_equal(to_variance(spread, "var"), spread)  # NaN later, with the rows


def test_one_spread_is_taken() -> None:
    assert one_spread(logvar=None, std=None) == (None, None)
    assert one_spread(logvar=None, var=2.0) == ("var", 2.0)
    with pytest.raises(
        PolarMonitorError, match="expected at most one of logvar, var, std, logstd; got logvar and std: pass"
    ):
        one_spread(logvar=1.0, var=None, std=2.0)


@pytest.mark.parametrize(
    ("unit", "smallest", "largest", "said"),
    [
        ("logvar", -8.0, 0.3, ""),
        ("logvar", 0.0, 0.4, ""),
        ("logvar", 0.0, 1.1, "no log-variance is below 0, so every variance is 1 or more: .* Then pass var="),
        ("var", 0.0, 1.1, ""),
        ("var", 1.0, 1.2, ""),
        ("var", 1.0, math.exp(0.5), "every variance is 1 or more: .* Then pass var="),
        (
            "var",
            -8.0,
            0.3,
            "var has values below 0 .the smallest is -8., so it is a logarithm: .* as logstd= if it is log σ",
        ),
        ("std", -0.1, 1.0, "std has values below 0 .* as logvar= if it is log σ², .*"),
        ("std", 1.0, 9.0, ""),
        ("logstd", -4.0, 9.0, ""),
        (None, -1.0, 1.0, ""),
    ],
)
def test_values_of_another_unit_are_pointed_out(unit: str | None, smallest: float, largest: float, said: str) -> None:
    assert re.fullmatch(said, unit_doubt(unit, smallest, largest))


@pytest.mark.parametrize("unit", UNITS)
def test_a_variance_may_take_the_memory_of_the_spread(unit: str) -> None:
    spread = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    spread[0] = np.nan, np.inf, 0.0
    expected, own = to_variance(spread.copy(), unit), spread.copy()
    assert np.shares_memory(to_variance(own, unit, out=own), own)
    np.testing.assert_array_equal(own, expected)
