"""Times of the kernels: `pytest bench/kernels.py`. Compare only figures of one run.

The histogram stands beside `numpy.bincount` a dimension on a fixed range, which is neither adaptive nor safe from NaN.
"""

import numpy as np
import pytest

from polar_monitor.kernels import moments
from polar_monitor.kernels.copula import copula_entropy
from polar_monitor.kernels.posterior import OUT, posterior
from polar_monitor.statistics.correlation import relations
from polar_monitor.statistics.full import full_statistics
from polar_monitor.statistics.window import light_statistics
from polar_monitor.statistics.windowed_histogram import WindowedHistogram

BLOCKS = [(32, 128), (128, 1024)]


def blocks(shape: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for _ in range(64)]


@pytest.mark.parametrize("shape", BLOCKS, ids=str)
@pytest.mark.parametrize("pane_rows", [None, 1024], ids=["never_rolled", "panes_of_1024"])
def test_histogram_64_blocks(benchmark, shape, pane_rows):
    data, histogram = blocks(shape), WindowedHistogram(shape[0], pane_rows=pane_rows)
    benchmark(lambda: [histogram.update(x) for x in data])
    assert histogram.rows > 0


@pytest.mark.parametrize("shape", BLOCKS, ids=str)
def test_numpy_bincount_64_blocks(benchmark, shape):
    data, counts = blocks(shape), np.zeros((shape[0], 512), np.int64)

    def update() -> None:
        for x in data:
            for d in range(shape[0]):
                counts[d] += np.bincount(((x[d] + 8) * 32).astype(np.int64), minlength=512)

    benchmark(update)
    assert counts.sum() > 0


@pytest.mark.parametrize("shape", BLOCKS, ids=str)
def test_moments_64_blocks(benchmark, shape):
    data = blocks(shape)
    state = np.zeros(shape[0], np.int64), np.zeros(shape[0]), np.zeros(shape[0])
    benchmark(lambda: [moments.update(*state, x) for x in data])
    assert state[0][0] > 0


@pytest.fixture
def window() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(32, 4096)).astype(np.float32), rng.gamma(2, 0.3, (32, 4096)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 16], ids=["rows", "clusters_of_16"])
def test_posterior_4096_by_32(benchmark, window, size):
    mean, variance = window
    group = None if size == 1 else np.arange(4096, dtype=np.int32) // size
    assert benchmark(lambda: posterior(mean, variance, group)).shape == (OUT, 32)


def test_histogram_update_4096_by_32(benchmark, window):
    histogram = WindowedHistogram(32, pane_rows=1024)
    benchmark(lambda: histogram.update(window[0]))
    assert histogram.rows == 4096


def test_histogram_query_4096_by_32(benchmark, window):
    histogram = WindowedHistogram(32, pane_rows=1024)
    histogram.update(window[0])

    def query() -> int:
        histogram.update(window[0][:, :0])  # else the panes would stay merged from the last time
        histogram.entropy()
        return len(histogram.draw())

    assert benchmark(query) == 32


def test_relations_4096_by_32(benchmark, window):
    assert benchmark(lambda: relations(window[0], np.full(32, 0.5))).effective_rank > 30


@pytest.mark.parametrize("d", [2, 8, 32])
def test_copula_entropy_512_rows(benchmark, window, d):
    block = np.ascontiguousarray(window[0][:d, ::8])
    assert np.isfinite(benchmark(lambda: copula_entropy(block))).all()


@pytest.mark.parametrize("dimensions", [32, 512])
def test_all_statistics_of_4096_rows(benchmark, dimensions):
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(dimensions, 4096)).astype(np.float32)
    variance = rng.gamma(2, 0.1, mean.shape).astype(np.float32)
    variance[dimensions // 2 :] = 100.0
    prior = np.zeros(dimensions), np.ones(dimensions)

    def statistics() -> dict[str, object]:
        light = light_statistics(mean, variance, None, *prior)
        return full_statistics(mean, variance, None, 23, *prior, light)

    assert np.isfinite(benchmark(statistics)["joint_entropy"])
