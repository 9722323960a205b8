"""Times of the kernels: `pytest bench/kernels.py`. Compare only figures of one run.

The histogram stands beside `numpy.bincount` a dimension on a fixed range, which is neither adaptive nor safe from NaN.
"""

import numpy as np
import pytest

from polar_monitor.histogram import OnlineHistogram
from polar_monitor.kernels import moments
from polar_monitor.kernels.posterior import location, posterior
from polar_monitor.spectrum import effective_rank, max_correlation

BLOCKS = [(32, 128), (128, 1024)]


def blocks(shape: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for _ in range(64)]


@pytest.mark.parametrize("shape", BLOCKS, ids=str)
@pytest.mark.parametrize("pane_rows", [None, 1024], ids=["never_rolled", "panes_of_1024"])
def test_histogram_64_blocks(benchmark, shape, pane_rows):
    data, histogram = blocks(shape), OnlineHistogram(shape[0], pane_rows=pane_rows)
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
    cluster = np.zeros(0, np.int64) if size == 1 else np.arange(4096) // size
    prior = np.zeros(32), np.ones(32)
    assert benchmark(lambda: posterior(mean, variance, np.log(variance), cluster, *prior)).shape == (18, 32)


def test_location_4096_by_32(benchmark, window):
    assert benchmark(lambda: location(window[0])).shape == (5, 32)


@pytest.mark.parametrize("query", ["entropy", "draw"])
def test_histogram_query_4096_by_32(benchmark, window, query):
    histogram = OnlineHistogram(32, pane_rows=1024)
    histogram.update(window[0])
    assert len(benchmark(getattr(histogram, query))) in (2, 32)


def test_max_correlation_4096_by_32(benchmark, window):
    assert benchmark(lambda: max_correlation(*window))[0].shape == (32,)


def test_effective_rank_4096_by_32(benchmark, window):
    assert benchmark(lambda: effective_rank(window[0])) > 30
