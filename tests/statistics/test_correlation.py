"""Correlations and effective rank against numpy in float64."""

import math

import numpy as np
import pytest

from polar_monitor.kernels import moments
from polar_monitor.statistics import correlation
from polar_monitor.statistics.correlation import relations


def rows(dimensions: int, n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimensions, dimensions)) + np.diag(rng.uniform(0, 4, dimensions))
    scale = 10.0 ** rng.uniform(-3, 3, (dimensions, 1))
    return (scale * (mixing @ rng.normal(size=(dimensions, n))) + rng.normal(size=(dimensions, 1))).astype(np.float32)


def slow_correlations(mean: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wide = mean.astype(np.float64)
    correlation, covariance = np.corrcoef(wide), np.cov(wide, ddof=0)
    total = np.diag(covariance) + noise
    sampled = covariance / np.sqrt(np.outer(total, total))
    for matrix in (correlation, sampled):
        np.fill_diagonal(matrix, 0.0)
    return np.abs(correlation).max(axis=1), np.abs(sampled).max(axis=1)


def slow_rank(mean: np.ndarray) -> float:
    wide = mean.astype(np.float64)
    values = np.linalg.svd(wide - wide.mean(axis=1, keepdims=True), compute_uv=False) ** 2
    p = values[values > 0] / values.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


@pytest.mark.parametrize("dimensions", [2, 7, 600])  # 600: more than one block
def test_correlations_match_numpy(dimensions):
    mean = rows(dimensions, 500)
    spread = mean.astype(np.float64).var(axis=1)
    noise = np.random.default_rng(1).uniform(0, 2, dimensions) * spread
    found = relations(mean, spread / (spread + noise))
    for ours, slow in zip(found[:2], slow_correlations(mean, noise), strict=True):
        np.testing.assert_allclose(ours, slow, atol=2e-6)


def test_a_constant_dimension_has_no_correlation():
    mean = rows(3, 100)
    mean[1] = 0.1
    largest, sampled, rank = relations(mean, np.array([0.5, np.nan, 0.5]))
    assert np.isnan(largest).tolist() == [False, True, False] == np.isnan(sampled).tolist()
    assert largest[0] == pytest.approx(largest[2])
    assert rank == pytest.approx(relations(mean[[0, 2]]).effective_rank, rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 50), (3, 0), (3, 1)])
def test_too_little_to_correlate_is_nan(shape):
    mean = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    largest, sampled, rank = relations(mean, np.full(shape[0], 0.5))
    assert np.isnan(largest).all() and np.isnan(sampled).all()
    assert rank == pytest.approx(1.0) if shape == (1, 50) else math.isnan(rank)


def test_only_one_dimension_that_moves_has_no_partner():
    mean = np.zeros((3, 40), np.float32)
    mean[2] = np.arange(40)
    found = relations(mean)
    assert np.isnan(found.max_correlation).all()
    assert found.effective_rank == pytest.approx(1.0)


def test_without_reliability_the_sampled_correlation_is_nan():
    found = relations(rows(4, 60))
    assert np.isfinite(found.max_correlation).all()
    assert np.isnan(found.max_correlation_sampled).all()


def test_non_finite_values_count_as_the_mean():
    mean = rows(4, 200)
    hole = mean.copy()
    hole[0, 3], hole[2, 7], hole[2, 0] = np.nan, np.inf, -np.inf
    filled = hole.copy()
    filled[0, 3], filled[2, [0, 7]] = np.delete(hole[0], 3).mean(), np.delete(hole[2], [0, 7]).mean()
    ours, theirs = relations(hole), relations(filled)
    np.testing.assert_allclose(ours.max_correlation, theirs.max_correlation, atol=1e-5)
    assert ours.effective_rank == pytest.approx(theirs.effective_rank, rel=1e-2)


def test_the_rows_are_not_changed():
    mean = rows(4, 200)
    before = mean.copy()
    relations(mean)
    np.testing.assert_array_equal(mean, before)


def test_rows_are_left_out_when_there_is_too_much_work(monkeypatch):
    mean = rows(6, 400)
    expected = relations(mean[:, ::4])
    assert not np.allclose(relations(mean).max_correlation, expected.max_correlation, atol=1e-6)
    monkeypatch.setattr(correlation, "MAX_MULTIPLICATIONS", 6 * 6 * 100)
    np.testing.assert_allclose(relations(mean).max_correlation, expected.max_correlation, atol=1e-6)


@pytest.mark.parametrize("scale", [1e30, 1e-33])
def test_neither_huge_nor_tiny_values_overflow(scale):
    mean = rows(3, 100)
    ours, theirs = relations(mean * np.float32(scale)), relations(mean)
    np.testing.assert_allclose(ours.max_correlation, theirs.max_correlation, atol=1e-5)
    assert ours.effective_rank == pytest.approx(theirs.effective_rank, rel=1e-4)


@pytest.mark.parametrize("dimensions", [2, 40])
def test_effective_rank_matches_numpy(dimensions):
    mean = rows(dimensions, 800)
    assert relations(mean).effective_rank == pytest.approx(slow_rank(mean), rel=1e-3)


def test_effective_rank_of_known_spectra():
    rng = np.random.default_rng(2)
    base = rng.normal(size=(400, 10))
    base = np.linalg.qr(base - base.mean(axis=0))[0].T
    assert relations(base.astype(np.float32)).effective_rank == pytest.approx(10.0, rel=1e-3)
    copies = np.repeat(base[:1], 8, axis=0).astype(np.float32)
    assert relations(copies).effective_rank == pytest.approx(1.0, abs=1e-3)


def test_effective_rank_of_wide_codes_uses_the_rows():
    rng = np.random.default_rng(3)
    wide = (rng.normal(size=(600, 3)) @ rng.normal(size=(3, 120))).astype(np.float32)
    assert 2.0 < slow_rank(wide) < 3.0
    assert relations(wide).effective_rank == pytest.approx(slow_rank(wide), rel=1e-3)
    repeated = np.tile(wide, 6)  # 720 rows, of which every other one is used
    assert relations(repeated).effective_rank == pytest.approx(slow_rank(wide[:, ::2]), rel=1e-3)


@pytest.mark.parametrize("offset", [0.0, 3.0, 1e4])
@pytest.mark.parametrize("step", [1, 3])
def test_ordinary_rows_are_standardised_as_all_are(offset, step):
    mean = (rows(9, 700) + np.float32(offset)) * np.float32(1.0)
    mean[4] = 0.1
    expected, spread = mean[:, ::step].copy(), np.empty(9)
    moments.standardise(expected, spread)
    ours, variance = correlation._standardised(mean, step)
    assert not ours[4].any() and variance[4] == 0.0
    visible = spread > (1e-3 * offset) ** 2  # a smaller one is mostly the rounding of float32
    np.testing.assert_allclose(ours[visible], expected[visible], atol=2e-5)
    np.testing.assert_allclose(variance[visible], spread[visible], rtol=1e-4)


@pytest.mark.parametrize("passive", [1e-3, 0.02, 0.1, 1.0])
def test_effective_rank_with_negligible_dimensions_is_at_most_a_little_higher(passive):
    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(300, 300)) * np.where(np.arange(300) % 3 == 0, 1.0, passive)[:, None]
    mean = (mixing @ rng.normal(size=(300, 900))).astype(np.float32)
    assert slow_rank(mean) * 0.9999 <= relations(mean).effective_rank <= slow_rank(mean) * 1.015


@pytest.mark.filterwarnings("error")
def test_a_huge_constant_leaves_the_others_alone() -> None:
    """Its sum in float32 overflows, and what is left of it must not reach the others."""
    mean = np.random.default_rng(0).normal(size=(3, 4000)).astype(np.float32)
    mean[1] += mean[0]
    before = relations(mean[:2].copy())
    mean[2] = 1e37
    after = relations(mean)
    np.testing.assert_allclose(after.max_correlation[:2], before.max_correlation, rtol=1e-5)
    assert np.isnan(after.max_correlation[2])
    assert after.effective_rank == pytest.approx(before.effective_rank, rel=1e-5)
