"""Neighbours against all distances and a k-d tree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import knn_search as reference
from scipy.spatial import cKDTree

from polar_monitor.kernels.neighbours import knn_search
from polar_monitor.kernels.neighbours.knn_search import nearest


@pytest.mark.parametrize("k", [1, 4, 7])
@pytest.mark.parametrize(("d", "n"), [(1, 60), (2, 300), (5, 129), (32, 200), (1, 1100), (2, 1025), (3, 1501)])
def test_neighbours_are_the_slow_twins(d, n, k):
    x = np.random.default_rng(d).standard_normal((d, n)).astype(np.float32)
    ours = nearest(x, k)
    assert ours.shape == (k, n)
    np.testing.assert_allclose(ours, reference.nearest(x, k), rtol=1e-5)


@pytest.mark.parametrize("d", [2, 5, 7, 20])
def test_trees_of_many_leaves_are_the_peers(d):
    x = np.random.default_rng(d).standard_normal((d, 5003)).astype(np.float32)
    tree = cKDTree(x.T.astype(np.float64)).query(x.T.astype(np.float64), k=5)[0][:, 1:]
    np.testing.assert_allclose(np.sqrt(nearest(x, 4)), tree.T, rtol=1e-5)


@given(
    d=st.integers(1, 6),
    n=st.integers(1, 150),
    k=st.integers(1, 6),
    seed=st.integers(0, 2**32),
    levels=st.sampled_from([0, 2, 1000]),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
)
def test_any_rows_tied_or_not_in_small_leaves(d, n, k, seed, levels, scale):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((d, n))
    x[: d // 2] *= 1e-3
    if levels:
        x = np.round(x * levels)
    x = (x * scale).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knn_search, "MAX_ONE_LEAF", 20)
        patch.setattr(knn_search, "LEAF", 3)
        np.testing.assert_allclose(nearest(x, k), reference.nearest(x, k), rtol=1e-5)


def test_neighbours_far_from_the_origin_do_not_cancel():
    x = (1000 + np.random.default_rng(0).standard_normal((3, 1200))).astype(np.float32)
    np.testing.assert_allclose(nearest(x, 4), reference.nearest(x, 4), rtol=1e-5)


def test_scales_and_clusters_that_a_tree_prunes_on():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 1300)) * np.array([[1e-3], [1.0], [100.0], [1.0]]) + 1e4 * rng.integers(0, 5, 1300)
    x = x.astype(np.float32)
    np.testing.assert_allclose(nearest(x, 4), reference.nearest(x, 4), rtol=1e-5)


def test_equal_points_are_at_distance_0_and_missing_ones_at_infinity():
    x = np.repeat(np.array([[0.0, 1.0, 3.0]], np.float32), 2, axis=1)
    np.testing.assert_array_equal(nearest(x, 2), [[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 4, 4]])
    np.testing.assert_array_equal(nearest(x[:, :2], 3), [[0, 0], [np.inf, np.inf], [np.inf, np.inf]])
    assert np.isinf(nearest(x[:, :1], 2)).all()
    assert (nearest(np.ones((3, 1100), np.float32), 4) == 0).all()
