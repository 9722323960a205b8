"""Arrays of a snapshot from a window: rows that are left out, and no effect of a spoiled dimension on the others."""

import math

import numpy as np
import pytest

from polar_monitor.kernels import knn_1d, mixture
from polar_monitor.statistics.full import full_statistics
from polar_monitor.statistics.joint import MAX_JOINT_ROWS, joint_statistics
from polar_monitor.statistics.resolution import relative
from polar_monitor.statistics.window import MIN_FINITE_ROWS, light_statistics

N = 600
PER_DIMENSION = ("mean", "variance", "entropy_knn", "entropy_knn_se", "ties", "information", "information_se")
OF_VARIANCE = ("posterior_variance", "log_variance", "information_upper", "variance_gap", "reliability", "kl", "kl_se")


def window(dimensions: int = 4, n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Means of falling scale and variances that make every dimension informative."""
    rng = np.random.default_rng(seed)
    scale = 2.0 ** -np.arange(dimensions)[:, None]
    mean = scale * rng.standard_normal((dimensions, n))
    return mean.astype(np.float32), (scale**2 * rng.gamma(20, 0.001, mean.shape)).astype(np.float32)


def statistics(mean, variance=None, cluster=None, resolution=None):
    """All statistics of a window, as a full evaluation makes them."""
    group = None if cluster is None else np.asarray(cluster, np.int32)
    prior = np.zeros(len(mean)), np.ones(len(mean))
    light = light_statistics(mean, variance, group, *prior, resolution)
    return light | full_statistics(mean, variance, group, 23, *prior, light)


def joint(mean, variance=None, cluster=None):
    return joint_statistics(mean, variance is not None, statistics(mean, variance, cluster), cluster)


@pytest.mark.parametrize("with_variance", [True, False])
@pytest.mark.parametrize("with_cluster", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_spoiled_dimension_changes_no_bit_of_the_others(with_variance, with_cluster, value):
    mean, variance = window(5)
    cluster = np.arange(N) // 4 if with_cluster else None
    spoiled, spread = mean.copy(), variance.copy()
    spoiled[3, 7:90], spoiled[4] = value, value
    resolution = None if with_variance else 0.1  # which all dimensions set otherwise
    before = statistics(mean, variance if with_variance else None, cluster, resolution)
    after = statistics(spoiled, spread if with_variance else None, cluster, resolution)
    names = PER_DIMENSION + (OF_VARIANCE if with_variance else ())
    for name in names:
        np.testing.assert_array_equal(after[name][:3], before[name][:3], err_msg=name)
        assert np.isfinite(after[name][3]), name
        assert np.isnan(after[name][4]), name


@pytest.mark.parametrize("with_variance", [True, False])
def test_what_is_left_of_a_dimension_is_estimated_as_if_it_were_all(with_variance):
    mean, variance = window(3)
    cluster = np.arange(N) // 4
    keep = np.random.default_rng(1).uniform(size=N) < 0.7
    spoiled, spread = mean.copy(), variance.copy()
    if with_variance:
        spread[1, ~keep] = np.nan
    else:
        spoiled[1, ~keep] = np.inf
    found = statistics(spoiled, spread if with_variance else None, cluster)
    rows, its = np.ascontiguousarray(mean[1:2, keep]), np.ascontiguousarray(variance[1:2, keep])
    value, error, _ = knn_1d.entropy(rows, cluster[keep])
    assert (found["entropy_knn"][1], found["entropy_knn_se"][1]) == (value[0], error[0])
    if with_variance:
        bits = mixture.information(rows, its, cluster[keep])
        bits = np.minimum(bits[0], found["information_upper"][1]), bits[1]
        assert found["posterior_variance"][1] == pytest.approx(its.astype(np.float64).mean(), rel=1e-6)
    else:
        bits = mixture.resolved(rows, np.full(1, found["resolution"]), cluster[keep])
    assert found["information"][1] == pytest.approx(bits[0][0], abs=3e-4)  # `resolved` works in units of τ
    assert found["information_se"][1] == pytest.approx(bits[1][0], rel=1e-3)
    assert found["mean"][1] == pytest.approx(rows.astype(np.float64).mean(), rel=1e-9)
    assert found["variance"][1] == pytest.approx(rows.astype(np.float64).var(), rel=1e-6)


@pytest.mark.parametrize("with_variance", [True, False])
def test_too_few_rows_are_nan(with_variance):
    for n, enough in ((MIN_FINITE_ROWS - 1, False), (MIN_FINITE_ROWS, True)):
        mean, variance = window(2, n)
        found = statistics(mean, variance if with_variance else None)
        for name in ("entropy_knn", "information", "ties"):
            assert np.isfinite(found[name]).all() == enough, name
        assert np.isfinite(found["variance"]).all()
        together = joint_statistics(mean, with_variance, found, None)
        assert np.isfinite(together["max_correlation"]).all() == enough
        assert math.isfinite(together["effective_rank"]) == enough


def test_too_few_finite_rows_of_one_dimension():
    mean, variance = window(3)
    mean[1, MIN_FINITE_ROWS - 1 :] = np.nan
    found = statistics(mean, variance)
    assert np.isnan(found["entropy_knn"]).tolist() == [False, True, False]
    together = joint_statistics(mean, True, found, None)
    rest = joint(mean[[0, 2]], variance[[0, 2]])
    assert np.isnan(together["max_correlation"]).tolist() == [False, True, False]
    for name in ("joint_entropy", "joint_entropy_se", "effective_rank"):
        assert together[name] == rest[name], name


def test_no_rows_at_all():
    mean = np.zeros((2, 0), np.float32)
    found = statistics(mean)
    assert all(np.isnan(found[name]).all() for name in PER_DIMENSION)
    assert math.isnan(joint(mean)["effective_rank"])


def test_joint_entropy_is_that_of_a_gaussian():
    rng = np.random.default_rng(5)
    for d, tolerance in ((1, 0.1), (2, 0.15), (5, 0.25), (10, 0.35)):
        mixing = np.eye(d) + 0.5 * np.tri(d, k=-1) / d
        scale = 10.0 ** rng.uniform(-2, 2, (d, 1))
        mean = (scale * (mixing @ rng.standard_normal((d, 4096)))).astype(np.float32)
        noise = np.full_like(mean, 0.01) * mean.var(axis=1, keepdims=True)
        found = joint(mean, noise)
        truth = 0.5 * np.linalg.slogdet(2 * math.pi * math.e * np.atleast_2d(np.cov(mean.astype(np.float64))))[1]
        error = found["joint_entropy_se"]
        assert abs(found["joint_entropy"] - truth) < tolerance
        assert 0.3 * math.sqrt(d / 4096) < error < 0.2


def test_joint_entropy_is_of_the_dimensions_in_use_only():
    mean, variance = window(3, 2000)
    variance[1] = 100.0  # passive
    block = joint(mean[[0, 2]], variance[[0, 2]])
    assert joint(mean, variance)["joint_entropy"] == block["joint_entropy"]
    variance[:] = 100.0
    found = joint(mean, variance)
    assert math.isnan(found["joint_entropy"]) and math.isnan(found["joint_entropy_se"])
    assert found["effective_rank"] > 1.0


def test_joint_entropy_takes_the_rows_that_are_finite_in_the_block():
    mean, variance = window(3, 2 * MAX_JOINT_ROWS)
    hole = mean.copy()
    hole[0, 1::2] = np.nan
    left = statistics(hole, variance)
    dense = joint_statistics(mean[:, ::2], True, left, None)
    assert joint_statistics(hole, True, left, None)["joint_entropy"] == dense["joint_entropy"]


def test_a_dimension_in_perfect_dependence_leaves_no_density():
    mean, variance = window(2)
    mean[1] = 2 * mean[0]
    found = joint(mean, variance)
    assert math.isnan(found["joint_entropy"])
    assert found["max_correlation"] == pytest.approx([1.0, 1.0])


def test_sampled_correlations_are_those_of_samples():
    rng = np.random.default_rng(7)
    base = rng.standard_normal((2, 20000))
    mean = np.stack([base[0], base[0] + 0.5 * base[1], base[1]]).astype(np.float32)
    variance = np.array([[0.5], [1.0], [0.1]], np.float32) * np.ones_like(mean)
    sample = mean + np.sqrt(variance) * rng.standard_normal(mean.shape)
    for name, x in (("max_correlation", mean), ("max_correlation_sampled", sample)):
        expected = np.abs(np.corrcoef(x) - np.eye(3)).max(axis=1)
        np.testing.assert_allclose(joint(mean, variance)[name], expected, atol=0.03)


def test_without_variance_what_needs_it_is_nan():
    mean, _ = window()
    found = statistics(mean)
    assert all(np.isnan(found[name]).all() for name in OF_VARIANCE)
    assert np.isnan(joint(mean)["max_correlation_sampled"]).all()
    assert found["resolution"] == relative(found["variance"])
    assert math.isnan(statistics(*window())["resolution"])


def test_the_resolution_is_a_tenth_of_a_dimension_by_its_share_of_the_variance():
    assert relative(np.array([1.0, 9.0, np.nan, 0.0])) == pytest.approx(0.1 * math.sqrt(82 / 10))
    assert relative(np.array([4.0] + 99 * [1e-6])) == pytest.approx(0.2, rel=1e-4)
    assert relative(np.array([1e200, 1e200])) == pytest.approx(1e99)
    assert relative(np.array([4.0])) == pytest.approx(0.2)
    for nothing in ([], [np.nan], [0.0, 0.0]):
        assert relative(np.array(nothing)) == 1.0
