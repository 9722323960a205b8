"""Window statistics against two-pass numpy, and the coverage of their standard errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from polar_monitor.kernels.posterior import MEAN_NAMES, NAMES, location, posterior

ALONE = np.zeros(0, np.int64)


def table(mean, variance, cluster=ALONE, prior_mean=None, prior_var=None):
    mean, variance = np.ascontiguousarray(mean, np.float32), np.ascontiguousarray(variance, np.float32)
    dimensions = len(mean)
    prior_mean = np.zeros(dimensions) if prior_mean is None else prior_mean
    prior_var = np.ones(dimensions) if prior_var is None else prior_var
    with np.errstate(divide="ignore", invalid="ignore"):
        log_variance = np.log(variance)
    values = posterior(mean, variance, log_variance, cluster, prior_mean, prior_var)
    return dict(zip(NAMES, values, strict=True))


def clustered_error(influence, cluster):
    sums = np.array([influence[cluster == c].sum() for c in np.unique(cluster)])
    k = len(sums)
    return math.sqrt((sums**2).sum() * k / (k - 1)) / len(influence) if k > 1 else math.nan


def slow(mu, s2, ls, cluster, prior_mean, prior_var):
    """One dimension, all influence values written out."""
    fine = np.isfinite(mu) & np.isfinite(s2) & np.isfinite(ls)
    mu, s2, ls, cluster = (a[fine].astype(np.float64) for a in (mu, s2, ls, cluster))
    found = dict.fromkeys(NAMES, math.nan) | {"rows": len(mu)}
    if not len(mu):
        return found
    v, e, log = mu.var(), s2.mean(), ls.mean()
    t, r = v + e, v / (v + e)
    d2 = (mu - mu.mean()) ** 2
    kl = 0.5 * ((mu - prior_mean) ** 2 / prior_var + s2 / prior_var - 1 - ls + math.log(prior_var))
    active, passive = (s2 <= 0.25 * t).astype(float), (s2 >= 0.8 * t).astype(float)
    found |= {"mean": mu.mean(), "variance": v, "posterior_variance": e, "log_variance": log}
    found |= {"posterior_variance_spread": s2.var()}
    estimates = {
        "information_upper": (0.5 * math.log(t) - 0.5 * log, 0.5 * ((d2 + s2) / t - 1) - 0.5 * (ls - log)),
        "variance_gap": (0.5 * (math.log(e) - log), 0.5 * (s2 / e - 1 - (ls - log))),
        "reliability": (r, ((d2 - v) * (1 - r) - r * (s2 - e)) / t),
        "share_active": (active.mean(), active - active.mean()),
        "share_passive": (passive.mean(), passive - passive.mean()),
        "kl": (kl.mean(), kl - kl.mean()),
    }
    clusters = len(np.unique(cluster))
    for name, (value, influence) in estimates.items():
        error = clustered_error(influence, cluster)
        if name.startswith("share") and clusters > 1:
            n = np.clip(value * (1 - value) / max(error, 1e-12) ** 2, clusters, len(mu))
            p = (value * n + 2) / (n + 4)
            error = math.sqrt(p * (1 - p) / (n + 4))
        found |= {name: value, f"{name}_se": error}
    return found


WIDE = st.floats(-1e4, 1e4, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 1e-40])
POSITIVE = st.floats(2.0**-14, 2.0**10, width=32) | st.sampled_from([np.nan, np.inf, -1.0, 0.0])


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(0, 25), st.integers(1, 5))
def test_matches_the_slow_twin(data, n, size):
    mean = data.draw(arrays(np.float32, (2, n), elements=WIDE))
    variance = data.draw(arrays(np.float32, (2, n), elements=POSITIVE))
    cluster = np.arange(n, dtype=np.int64) // size
    prior_mean, prior_var = np.array([0.0, 1.5]), np.array([1.0, 0.3])
    ours = table(mean, variance, ALONE if size == 1 else cluster, prior_mean, prior_var)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_variance = np.log(variance)
    for d in range(2):
        expected = slow(mean[d], variance[d], log_variance[d], cluster, prior_mean[d], prior_var[d])
        for name in NAMES:
            np.testing.assert_allclose(ours[name][d], expected[name], rtol=1e-7, atol=1e-7, err_msg=name)


def test_many_rows_match_the_slow_twin():
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=(3, 4096)), rng.gamma(2.0, 0.3, (3, 4096))
    cluster = np.sort(rng.integers(0, 300, 4096))
    ours = table(mean, variance, cluster)
    mean, variance = mean.astype(np.float32), variance.astype(np.float32)
    for d in range(3):
        expected = slow(mean[d], variance[d], np.log(variance[d]), cluster, 0.0, 1.0)
        for name in NAMES:
            np.testing.assert_allclose(ours[name][d], expected[name], rtol=1e-9, err_msg=name)


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
    for name in NAMES[1:]:
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
    found = table(mean, np.exp(log), ALONE if size == 1 else cluster)
    v, e = 0.81, math.exp(-1.0 + 0.32)
    below = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731
    truth = {
        "information_upper": 0.5 * math.log(v + e) + 0.5,
        "variance_gap": 0.16,
        "reliability": v / (v + e),
        "share_active": below((math.log(0.25 * (v + e)) + 1.0) / 0.8),
        "share_passive": 1 - below((math.log(0.8 * (v + e)) + 1.0) / 0.8),
        "kl": 0.5 * (v + e - 1 + 1.0),
    }
    for name, value in truth.items():
        covered = np.mean(np.abs(found[name] - value) <= 1.96 * found[f"{name}_se"])
        assert 0.90 <= covered <= 0.99, (name, covered)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(0, 20)), elements=WIDE))
def test_location_is_numpys(mean):
    ours = dict(zip(MEAN_NAMES, location(mean), strict=True))
    for d, row in enumerate(mean.astype(np.float64)):
        row = row[np.isfinite(row)]
        expected = [row.mean(), row.var(), row.min(), row.max()] if row.size else [math.nan] * 4
        assert ours["rows"][d] == row.size
        np.testing.assert_allclose([ours[k][d] for k in MEAN_NAMES[1:]], expected, rtol=1e-9, atol=1e-9)
