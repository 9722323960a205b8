"""The window statistics of the published criteria: the slow twin, the code they are from, and spoiled rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference.published import slow

from polar_monitor.kernels.published import NAMES, baselines

MEANS = st.floats(-3, 3, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.05, -1e-30])
VARIANCES = st.floats(2.0**-10, 4, width=32) | st.sampled_from([np.nan, np.inf, 1.0, 0.99, 0.2])


def table(mean, variance=None, prior_mean=0.0, prior_var=1.0):
    mean = np.ascontiguousarray(mean, np.float32)
    fine = np.isfinite(mean)
    if variance is not None:
        variance = np.ascontiguousarray(variance, np.float32)
        fine &= np.isfinite(variance)
    prior = np.full(len(mean), prior_mean), np.full(len(mean), prior_var)
    return dict(zip(NAMES, baselines(mean, variance, fine.sum(axis=1), *prior), strict=True))


@given(st.data(), st.integers(1, 40), st.booleans())
def test_matches_the_slow_twin(data, n, with_variance):
    mean = data.draw(arrays(np.float32, (2, n), elements=MEANS))
    variance = data.draw(arrays(np.float32, (2, n), elements=VARIANCES)) if with_variance else None
    prior = (0.0, 1.0) if data.draw(st.booleans()) else (0.5, 0.6)
    found = table(mean, variance, *prior)
    for d in range(2):
        expected = slow(mean[d], None if variance is None else variance[d], *prior)
        for name in NAMES:
            assert found[name][d] == pytest.approx(expected[name], rel=1e-6, abs=1e-6, nan_ok=True), name


def test_the_histogram_is_that_of_torch():
    rng = np.random.default_rng(0)
    mean = np.stack([rng.normal(size=5000), rng.uniform(size=5000), rng.exponential(size=5000)]).astype(np.float32)
    for row, value in zip(mean, table(mean)["entropy_minmax"], strict=True):
        counts = torch.histc(torch.from_numpy(row), 30, float(row.min()), float(row.max())).numpy()
        p = counts[counts > 0] / counts.sum()
        assert value == pytest.approx(-(p * np.log(p)).sum(), abs=2e-3)  # a float32 at an edge may go to either side


def test_two_values_are_two_bins():
    assert table([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]])["entropy_minmax"] == pytest.approx([math.log(2)] * 2)


def test_the_histogram_does_not_know_the_scale():
    x = np.random.default_rng(1).normal(size=10_000)
    entropies = table(np.array([[1e-6], [1e-2], [1.0]]) * x)["entropy_minmax"]
    assert entropies == pytest.approx([entropies[0]] * 3, abs=2e-3)
    assert entropies[0] == pytest.approx(2.77, abs=0.1)
    assert table(np.full((1, 99), 0.1))["entropy_minmax"] == 0.0


@pytest.mark.parametrize("with_variance", [True, False])
def test_a_spoiled_dimension_changes_no_bit_of_the_others(with_variance):
    rng = np.random.default_rng(2)
    mean, variance = rng.normal(size=(3, 700)), rng.gamma(2.0, 0.5, (3, 700))
    before = table(mean, variance if with_variance else None)
    mean[1, 5:], mean[2] = np.nan, np.inf
    after = table(mean, variance if with_variance else None)
    for name in NAMES if with_variance else NAMES[:2]:
        assert after[name][0] == before[name][0], name
        assert np.isfinite(after[name][1]), name
        assert np.isnan(after[name][2]), name
    assert np.isnan(after["share_narrow"]).all() != with_variance


def test_no_rows_are_not_known():
    assert all(np.isnan(values).all() for values in table(np.zeros((2, 0)), np.zeros((2, 0))).values())
