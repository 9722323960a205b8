"""Window statistics against two-pass numpy, and the coverage of their standard errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference.posterior import slow

from polar_monitor.kernels.posterior import (
    MEAN_HIGH,
    MEAN_LOW,
    NAMES,
    OUT,
    ROWS,
    VARIANCE_HIGH,
    VARIANCE_LOW,
    posterior,
)

MORE = {"rows": ROWS, "low": MEAN_LOW, "high": MEAN_HIGH, "least": VARIANCE_LOW, "most": VARIANCE_HIGH}
ALL = (*NAMES, *MORE)


def table(mean, variance, cluster=None, prior_mean=0.0, prior_var=1.0):
    mean, variance = (None if x is None else np.ascontiguousarray(x, np.float32) for x in (mean, variance))
    group = None if cluster is None else np.asarray(cluster, np.int32)
    values = posterior(mean, variance, group, prior_mean, prior_var)
    assert values.shape == (OUT, len(mean))
    return dict(zip(NAMES, values, strict=False)) | {name: values[row] for name, row in MORE.items()}


WIDE = st.floats(-1e4, 1e4, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 1e-40])
POSITIVE = st.floats(2.0**-14, 2.0**10, width=32) | st.sampled_from([np.nan, np.inf, 2.0**-126])


@given(st.data(), st.integers(0, 25), st.integers(1, 5))
def test_matches_the_slow_twin(data, n, size):
    mean = data.draw(arrays(np.float32, (2, n), elements=WIDE))
    variance = data.draw(arrays(np.float32, (2, n), elements=POSITIVE))
    cluster = np.arange(n, dtype=np.int64) // size
    prior_mean, prior_var = np.array([0.0, 1.5]), np.array([1.0, 0.3])
    ours = table(mean, variance, None if size == 1 else cluster, prior_mean, prior_var)
    for d in range(2):
        expected = slow(mean[d], variance[d], cluster, prior_mean[d], prior_var[d])
        for name in ALL if expected["rows"] else NAMES:  # nothing has no ends
            np.testing.assert_allclose(ours[name][d], expected[name], rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("n", [37, 64, 96, 4097])  # less and more than the partial sums, with and without a rest
@pytest.mark.parametrize("size", [1, 7])
def test_many_rows_match_the_slow_twin(n, size):
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=(4, n)), rng.gamma(2.0, 0.3, (4, n))
    mean[1, ::9], variance[2, 5] = np.nan, np.inf
    cluster = np.arange(n) // size
    prior_mean, prior_var = np.array([0.0, 1.5, -2.0, 0.1]), np.array([1.0, 0.3, 2.0, 1.0])
    ours = table(mean, variance, None if size == 1 else cluster, prior_mean, prior_var)
    mean, variance = mean.astype(np.float32), variance.astype(np.float32)
    for d in range(4):
        expected = slow(mean[d], variance[d], cluster, prior_mean[d], prior_var[d])
        for name in ALL:
            np.testing.assert_allclose(ours[name][d], expected[name], rtol=1e-10, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("size", [1, 4])
def test_rows_on_a_bound_count(size):
    # T = 5: a quarter of it is 1.25, four fifths are 4
    variance = np.tile(np.array([1.25, 4.0, 5.0, 9.75], np.float32), (1, 16))
    found = table(np.zeros((1, 64)), variance, None if size == 1 else np.arange(64) // size)
    assert found["share_active"][0] == 0.25
    assert found["share_passive"][0] == 0.75


def test_the_logarithm_is_exact_to_a_few_parts_in_a_hundred_billion():
    """Of every normal number: the ends of the range, powers of two, and the bounds of the mantissa."""
    rng = np.random.default_rng(6)
    tiny, largest = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    root = np.sqrt(np.float32(0.5))
    around = [root, np.nextafter(root, np.float32(0)), np.nextafter(root, np.float32(1))]
    x = np.concatenate([2.0 ** np.arange(-126, 128), np.exp(rng.uniform(-87, 88, 5000)), around, [tiny, largest, 1.0]])
    x = np.clip(x, tiny, largest).astype(np.float32)[:, None]
    found = table(np.zeros_like(x), x)["log_variance"]
    np.testing.assert_allclose(found, np.log(x[:, 0].astype(np.float64)), rtol=0, atol=3e-11)


@pytest.mark.parametrize("size", [1, 3])
def test_without_a_variance_there_are_only_the_means(size):
    mean = np.random.default_rng(7).normal(size=(2, 300)).astype(np.float32)
    mean[1, :7] = np.nan
    found = table(mean, None, None if size == 1 else np.arange(300) // size)
    assert found["rows"].tolist() == [300, 293]
    assert found["finite"].tolist() == [300 // size, 293 if size == 1 else 98]
    np.testing.assert_allclose(found["mean"], np.nanmean(mean.astype(float), axis=1), rtol=1e-12)
    np.testing.assert_allclose(found["variance"], np.nanvar(mean.astype(float), axis=1), rtol=1e-12)
    assert found["low"].tolist() == np.nanmin(mean, axis=1).tolist()
    assert found["high"].tolist() == np.nanmax(mean, axis=1).tolist()
    for name in ("posterior_variance", "log_variance", "information_upper", "kl", "share_active", "least", "most"):
        assert np.isnan(found[name]).all(), name


def test_a_cluster_of_one_is_a_row():
    rng = np.random.default_rng(1)
    mean, variance = rng.normal(size=(2, 500)), rng.gamma(2.0, 0.3, (2, 500))
    alone, own = table(mean, variance), table(mean, variance, np.arange(500))
    for name in NAMES:
        np.testing.assert_allclose(alone[name], own[name], rtol=1e-12, err_msg=name)


def test_copies_of_a_row_add_no_certainty():
    rng = np.random.default_rng(2)
    mean, variance = rng.normal(size=(2, 400)), rng.gamma(2.0, 0.3, (2, 400))
    once = table(mean, variance)
    copies = table(np.repeat(mean, 9, axis=1), np.repeat(variance, 9, axis=1), np.repeat(np.arange(400), 9))
    for name in NAMES:
        np.testing.assert_allclose(copies[name], once[name], rtol=1e-6, err_msg=name)


def test_a_passive_dimension_is_zero_everywhere():
    found = table(np.zeros((1, 600)), np.ones((1, 600)))
    for name in ("information_upper", "variance_gap", "reliability", "share_active", "kl"):
        assert found[name][0] == pytest.approx(0.0, abs=1e-12)
    assert found["information_upper_se"][0] == 0
    assert found["share_passive"][0] == 1
    # an event that 600 rows have not shown may have a rate of 3 / 600
    assert 0.5 / 600 < found["share_active_se"][0] < 3.0 / 600


def test_the_bounds_hold():
    rng = np.random.default_rng(3)
    found = table(rng.standard_cauchy((50, 900)), rng.gamma(0.5, 1.0, (50, 900)) + 1e-6)
    assert (found["variance_gap"] >= 0).all()
    assert (found["information_upper"] >= found["variance_gap"]).all()
    assert (found["kl"] >= found["information_upper"] - 1e-6).all()


@pytest.mark.parametrize("size", [1, 8])
def test_the_errors_cover(size):
    rng = np.random.default_rng(4)
    dimensions, inputs = 400, 1024
    mean = np.repeat(rng.normal(0, 0.9, (dimensions, inputs)), size, axis=1)
    log = np.repeat(rng.normal(-1.0, 0.8, (dimensions, inputs)), size, axis=1)
    cluster = np.repeat(np.arange(inputs), size)
    found = table(mean, np.exp(log), None if size == 1 else cluster)
    v, e = 0.81, math.exp(-1.0 + 0.32)
    below = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731
    truth = {
        "information_upper": 0.5 * math.log(v + e) + 0.5,
        "variance_gap": 0.16,
        "reliability": v / (v + e),
        "share_active": below((math.log(0.5 * (v + e)) + 1.0) / 0.8),
        "share_passive": 1 - below((math.log(0.7 * (v + e)) + 1.0) / 0.8),
        "kl": 0.5 * (v + e - 1 + 1.0),
    }
    for name, value in truth.items():
        covered = np.mean(np.abs(found[name] - value) <= 1.96 * found[f"{name}_se"])
        assert 0.90 <= covered <= 0.99, (name, covered)
