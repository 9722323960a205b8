"""Blocks of dependent dimensions against the twin, and against laws of which they are known."""

import numpy as np
import pytest
from reference import joint as reference_joint
from reference import knn_search as reference

from polar_monitor.kernels.copula import in_place
from polar_monitor.kernels.joint import independence


def ranked(x: np.ndarray) -> np.ndarray:
    return in_place(x.astype(np.float32), np.arange(x.shape[1], dtype=np.int32))


def test_the_statistic_is_the_twins():
    x = np.random.default_rng(0).standard_normal((3, 80)).astype(np.float32)
    x[1] += x[0] ** 2
    ranks = ranked(x)
    np.testing.assert_array_equal(ranks, reference.ranks(x))
    np.testing.assert_allclose(
        independence.dependence(ranks), reference.dependence(ranks, independence.DEGREE), rtol=1e-3
    )


def test_the_polynomials_are_orthonormal():
    p = independence.polynomials(4000).astype(float)
    np.testing.assert_allclose(p @ p.T / 4000, np.eye(independence.DEGREE), atol=1e-4)


def test_independent_dimensions_are_rarely_joined():
    rng = np.random.default_rng(1)
    joined = [len(independence.blocks(ranked(rng.standard_normal((10, 500))))) < 10 for _ in range(60)]
    assert sum(joined) <= 2


def test_dependence_without_correlation_joins():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (3, 1000))
    rings = np.concatenate([np.cos(angle), np.sin(angle)]) + 0.1 * rng.standard_normal((6, 1000))
    assert independence.blocks(ranked(rings)) == [[0, 3], [1, 4], [2, 5]]


def test_a_chain_is_one_block():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2000))
    x[1:4] += x[:3]
    assert independence.blocks(ranked(x)) == [[0, 1, 2, 3], [4]]


def test_fewer_independent_rows_join_less():
    x = np.repeat(np.random.default_rng(0).standard_normal((2, 100)), 10, axis=1)
    x += 1e-3 * np.random.default_rng(1).standard_normal(x.shape)
    ranks = ranked(x)
    np.testing.assert_allclose(independence.dependence(ranks, 100), independence.dependence(ranks) / 10)
    assert independence.blocks(ranks) == [[0, 1]]
    assert independence.blocks(ranks, 100) == [[0], [1]]


def autoregression(phi: float, n: int, seed: int) -> np.ndarray:
    x = np.sqrt(1 - phi**2) * np.random.default_rng(seed).standard_normal((3, n))
    x[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, n):
        x[:, t] += phi * x[:, t - 1]
    return x


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_an_autoregression_lasts_as_long_as_its_correlations_add_up_to(phi):
    alone, products = np.mean(
        [independence.correlation_times(autoregression(phi, 8000, seed)) for seed in range(8)], axis=0
    )
    assert alone == pytest.approx((1 + phi) / (1 - phi), rel=0.25)
    assert products == pytest.approx((1 + phi**2) / (1 - phi**2), rel=0.15)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.8])
def test_how_long_it_lasts_is_the_twins(phi):
    for seed in range(3):
        x = autoregression(phi, 300, seed)
        expected = reference_joint.correlation_times(x, independence.Z_CORRELATION / np.sqrt(300))
        assert independence.correlation_times(x) == pytest.approx(expected, rel=1e-9)


def test_independent_rows_last_for_one():
    rng = np.random.default_rng(0)
    lasts = [independence.correlation_times(rng.standard_normal((5, 1000))) for _ in range(50)]
    assert sum(last == (1.0, 1.0) for last in lasts) >= 45
    assert np.max(lasts) < 1.5


def test_spreads_that_last_are_seen():
    rng = np.random.default_rng(0)
    x = np.exp(autoregression(0.9, 4000, 0)) * rng.choice([-1, 1], (3, 4000))
    assert abs(np.mean(x[:, 1:] * x[:, :-1]) / np.mean(x * x)) < 0.1
    assert independence.correlation_times(x)[0] > 5
    assert independence.correlation_times(np.ones((2, 100))) == (1.0, 1.0)


@pytest.mark.parametrize("pairs", [0, 1, 45])
def test_the_critical_value_is_that_of_chi_square(pairs):
    rng = np.random.default_rng(0)
    greatest = rng.chisquare(independence.DEGREE**2, (200_000, max(pairs, 1))[:1] if pairs < 2 else (20_000, pairs))
    greatest = greatest if pairs < 2 else greatest.max(axis=1)
    assert np.mean(greatest > independence.critical(pairs)) == pytest.approx(independence.FALSE_POSITIVE, abs=8e-4)
