"""Correlations and effective rank against numpy in float64."""

import math

import numpy as np
import pytest

from polar_monitor import spectrum
from polar_monitor.spectrum import effective_rank, max_correlation


def rows(dimensions: int, n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimensions, dimensions)) + np.diag(rng.uniform(0, 4, dimensions))
    scale = 10.0 ** rng.uniform(-3, 3, (dimensions, 1))
    return (scale * (mixing @ rng.normal(size=(dimensions, n))) + rng.normal(size=(dimensions, 1))).astype(np.float32)


def slow_correlations(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wide = mean.astype(np.float64)
    correlation, covariance = np.corrcoef(wide), np.cov(wide, ddof=0)
    total = np.diag(covariance) + variance.astype(np.float64).mean(axis=1)
    sampled = covariance / np.sqrt(np.outer(total, total))
    for matrix in (correlation, sampled):
        np.fill_diagonal(matrix, 0.0)
    return np.abs(correlation).max(axis=1), np.abs(sampled).max(axis=1)


@pytest.mark.parametrize("dimensions", [2, 7, 300])  # 300: more than one block
def test_correlations_match_numpy(dimensions):
    mean = rows(dimensions, 500)
    variance = np.random.default_rng(1).uniform(0, 2, mean.shape).astype(np.float32) * mean.var(axis=1)[:, None]
    for ours, slow in zip(max_correlation(mean, variance), slow_correlations(mean, variance), strict=True):
        np.testing.assert_allclose(ours, slow, atol=2e-6)


def test_a_constant_dimension_has_no_correlation():
    mean = rows(3, 100)
    mean[1] = 0.1
    largest, sampled = max_correlation(mean, np.ones_like(mean))
    assert np.isnan(largest).tolist() == [False, True, False] == np.isnan(sampled).tolist()
    assert largest[0] == pytest.approx(largest[2])


@pytest.mark.parametrize("shape", [(1, 50), (3, 0), (3, 1)])
def test_too_little_to_correlate_is_nan(shape):
    mean = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for values in max_correlation(mean, np.ones_like(mean)):
        assert np.isnan(values).all()
    assert effective_rank(mean) == pytest.approx(1.0) if shape == (1, 50) else math.isnan(effective_rank(mean))


def test_only_one_dimension_that_moves_has_no_partner():
    mean = np.zeros((3, 40), np.float32)
    mean[2] = np.arange(40)
    assert np.isnan(max_correlation(mean)[0]).all()


def test_without_variance_the_sampled_correlation_is_nan():
    largest, sampled = max_correlation(rows(4, 60))
    assert np.isfinite(largest).all()
    assert np.isnan(sampled).all()


def test_non_finite_values_count_as_the_mean():
    mean = rows(4, 200)
    hole = mean.copy()
    hole[0, 3], hole[2, 7] = np.nan, np.inf
    filled = hole.copy()
    filled[0, 3], filled[2, 7] = np.delete(hole[0], 3).mean(), np.delete(hole[2], 7).mean()
    np.testing.assert_allclose(max_correlation(hole)[0], max_correlation(filled)[0], atol=1e-5)
    assert effective_rank(hole) == pytest.approx(effective_rank(filled), rel=1e-2)


def test_rows_are_left_out_when_there_is_too_much_work(monkeypatch):
    mean = rows(6, 400)
    monkeypatch.setattr(spectrum, "WORK", 6 * 6 * 100)
    np.testing.assert_allclose(max_correlation(mean)[0], max_correlation(mean[:, ::4])[0], atol=1e-6)


def test_huge_values_do_not_overflow():
    mean = rows(3, 100)
    np.testing.assert_allclose(max_correlation(mean * np.float32(1e30))[0], max_correlation(mean)[0], atol=1e-5)
    assert effective_rank(mean * np.float32(1e30)) == pytest.approx(effective_rank(mean), rel=1e-4)


@pytest.mark.parametrize("dimensions", [2, 40])
def test_effective_rank_matches_numpy(dimensions):
    mean = rows(dimensions, 800)
    values = np.linalg.eigvalsh(np.cov(mean.astype(np.float64), ddof=0))
    p = values[values > 0] / values.sum()
    assert effective_rank(mean) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-3)


def test_effective_rank_of_known_spectra():
    rng = np.random.default_rng(2)
    base = np.linalg.qr(rng.normal(size=(400, 10)))[0].T
    base -= base.mean(axis=1, keepdims=True)
    base = np.linalg.qr(base.T)[0].T
    assert effective_rank(base.astype(np.float32)) == pytest.approx(10.0, rel=1e-3)
    copies = np.repeat(base[:1], 8, axis=0).astype(np.float32)
    assert effective_rank(copies) == pytest.approx(1.0, abs=1e-3)


def test_effective_rank_of_wide_codes_uses_the_rows():
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(3, 900))
    wide = (rng.normal(size=(600, 3)) @ factors).astype(np.float32)
    assert 2.0 < effective_rank(wide) <= 3.0 + 1e-3
