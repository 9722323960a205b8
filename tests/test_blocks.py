"""Blocks of dependent dimensions against the twin, and against laws of which they are known."""

import numpy as np
import pytest
from reference import neighbours as reference

from polar_monitor.kernels import blocks
from polar_monitor.kernels.copula import in_place


def ranked(x: np.ndarray) -> np.ndarray:
    return in_place(x.astype(np.float32), np.arange(x.shape[1], dtype=np.int32))


def test_the_statistic_is_the_twins():
    x = np.random.default_rng(0).standard_normal((3, 80)).astype(np.float32)
    x[1] += x[0] ** 2
    ranks = ranked(x)
    np.testing.assert_array_equal(ranks, reference.ranks(x))
    np.testing.assert_allclose(blocks.dependence(ranks), reference.dependence(ranks, blocks.DEGREE), rtol=1e-3)


def test_the_polynomials_are_orthonormal():
    p = blocks.polynomials(4000).astype(float)
    np.testing.assert_allclose(p @ p.T / 4000, np.eye(blocks.DEGREE), atol=1e-4)


def test_independent_dimensions_are_rarely_joined():
    rng = np.random.default_rng(1)
    joined = [len(blocks.blocks(ranked(rng.standard_normal((10, 500))))) < 10 for _ in range(60)]
    assert sum(joined) <= 2


def test_dependence_without_correlation_joins():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (3, 1000))
    rings = np.concatenate([np.cos(angle), np.sin(angle)]) + 0.1 * rng.standard_normal((6, 1000))
    assert blocks.blocks(ranked(rings)) == [[0, 3], [1, 4], [2, 5]]


def test_a_chain_is_one_block():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2000))
    x[1:4] += x[:3]
    assert blocks.blocks(ranked(x)) == [[0, 1, 2, 3], [4]]


def test_rows_of_a_cluster_count_as_one():
    x = np.repeat(np.random.default_rng(0).standard_normal((2, 100)), 10, axis=1)
    x += 1e-3 * np.random.default_rng(1).standard_normal(x.shape)
    ranks, ids = ranked(x), np.arange(1000) // 10
    np.testing.assert_allclose(blocks.dependence(ranks, ids), blocks.dependence(ranks) / 10)
    assert blocks.blocks(ranks, ids) == [[0], [1]]


@pytest.mark.parametrize("pairs", [0, 1, 45])
def test_the_critical_value_is_that_of_chi_square(pairs):
    rng = np.random.default_rng(0)
    greatest = rng.chisquare(blocks.DEGREE**2, (200_000, max(pairs, 1))[:1] if pairs < 2 else (20_000, pairs))
    greatest = greatest if pairs < 2 else greatest.max(axis=1)
    assert np.mean(greatest > blocks.critical(pairs)) == pytest.approx(blocks.FALSE, abs=8e-4)
