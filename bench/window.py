"""Times of one window's estimators: `pytest bench/window.py`. Compare only figures of one run.

Beside the entropy stand what one would use instead: `scipy.stats.differential_entropy` (spacings, no error) and
k-th neighbours from `scipy.spatial.cKDTree`, dimension by dimension. They have no ties and no errors to deal with.
"""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import cKDTree
from scipy.special import digamma

from polar_monitor.kernels import knn_1d, mixture
from polar_monitor.kernels.posterior import OUT, posterior
from polar_monitor.statistics.window import light_statistics

N = 4096
K = 10
CLUSTER = np.arange(N, dtype=np.int64) // 16
Window = tuple[np.ndarray, np.ndarray]


@pytest.fixture(params=[32, 512], ids="{}x4096".format, scope="module")
def window(request) -> Window:
    """Mean and variance, (D, n): half of the dimensions passive, a quarter active, a quarter mixed."""
    rng, d = np.random.default_rng(0), request.param
    used = rng.random((d, N)) < np.repeat([0.0, 0.0, 1.0, 0.5], d // 4)[:, None]
    mean = np.where(used, 1.0, 0.02) * rng.normal(size=(d, N))
    variance = np.where(used, 0.02, 0.99) * np.exp(0.1 * rng.normal(size=(d, N)))
    return mean.astype(np.float32), variance.astype(np.float32)


def rows_and_clusters(function):
    return pytest.mark.parametrize("cluster", [None, CLUSTER], ids=["rows", "clusters_of_16"])(function)


@rows_and_clusters
def test_entropy(benchmark, window, cluster):
    assert benchmark(lambda: knn_1d.entropy(window[0], cluster))[0].shape == (len(window[0]),)


@rows_and_clusters
def test_entropy_of_bfloat16(benchmark, window, cluster):
    rounded = (window[0].view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert np.isfinite(benchmark(lambda: knn_1d.entropy(rounded, cluster, mantissa=7))[0]).all()


@rows_and_clusters
def test_information(benchmark, window, cluster):
    assert benchmark(lambda: mixture.information(*window, cluster))[0].max() < math.log(N)


def test_resolved(benchmark, window):
    tau = np.full(len(window[0]), 0.1)
    assert benchmark(lambda: mixture.resolved(window[0], tau))[0].max() < math.log(N)


@rows_and_clusters
def test_posterior(benchmark, window, cluster):
    group = None if cluster is None else cluster.astype(np.int32)
    assert benchmark(lambda: posterior(*window, group)).shape == (OUT, len(window[0]))


@rows_and_clusters
def test_light_statistics(benchmark, window, cluster):
    group = None if cluster is None else cluster.astype(np.int32)
    assert benchmark(lambda: light_statistics(*window, group, 0.0, 1.0))["repeats"] == 1.0


def test_numpy_sort(benchmark, window):
    benchmark(lambda: np.sort(window[0], axis=1))


def test_numpy_log(benchmark, window):
    benchmark(lambda: np.log(window[1]))


def test_scipy_differential_entropy(benchmark, window):
    found = benchmark(lambda: stats.differential_entropy(window[0], axis=1))
    np.testing.assert_allclose(found, knn_1d.entropy(window[0])[0], atol=0.2)


def test_scipy_tree_neighbours(benchmark, window):
    def entropy() -> list[float]:
        values = []
        for row in window[0]:
            distance = cKDTree(row[:, None]).query(row[:, None], [K + 1])[0]
            values.append(digamma(N) - digamma(K) + np.log(2 * distance).mean())
        return values

    np.testing.assert_allclose(benchmark.pedantic(entropy, rounds=2), knn_1d.entropy(window[0], k=K)[0], atol=1e-6)
