"""The variance of the mean of dependent rows, against its twin and against processes whose variance is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference import blocking as slow

from polar_monitor.kernels import blocking


@given(
    arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 300)), elements=st.integers(-9, 9).map(float)),
    st.booleans(),
)
def test_the_twin_agrees(terms, slowly):
    terms = np.cumsum(terms, axis=1) if slowly else terms
    expected = [slow.square(list(row), blocking.MIN_BLOCKS) for row in terms]
    np.testing.assert_allclose(blocking.square(terms), expected, rtol=1e-12)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_an_autoregression_has_its_long_run_variance(phi):
    x = np.random.default_rng(0).normal(size=(8192, 300))
    for i in range(1, len(x)):
        x[i] += phi * x[i - 1]
    x -= x.mean(axis=0)
    assert np.median(blocking.square(x.T)) == pytest.approx((1 - phi) ** -2, rel=0.12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_independent_rows_lose_nothing(kind):
    x = np.random.default_rng(1).exponential(size=(200, 2048))
    x = (x - x.mean(axis=1, keepdims=True)).astype(kind)
    ratio = blocking.square(x) / x.var(axis=1)
    assert ratio.mean() == pytest.approx(1.0, abs=0.1)
    assert ratio.min() > 0.9


def test_a_constant_has_no_variance():
    assert (blocking.square(np.zeros((2, 100))) == 0.0).all()


def test_copies_in_a_cluster_are_one_row():
    x = np.random.default_rng(2).normal(size=(3, 100))
    copies, cluster = np.repeat(x, 5, axis=1), np.repeat(np.arange(100), 5)
    own = blocking.cluster_square(x, np.arange(100))
    np.testing.assert_allclose(blocking.cluster_square(copies, cluster), 5 * own, rtol=1e-12)


def test_rows_that_are_left_out_are_skipped():
    x = np.random.default_rng(3).normal(size=(4, 500)).cumsum(axis=1)
    x -= x.mean(axis=1, keepdims=True)
    cluster = np.arange(500) // 7
    x[1, ::3], x[2, :450], x[3] = np.nan, np.nan, np.nan
    for d in range(3):
        keep = ~np.isnan(x[d])
        assert blocking.square(x)[d] == pytest.approx(blocking.square(x[d : d + 1, keep])[0], rel=1e-12)
        own = blocking.cluster_square(x[d : d + 1, keep], cluster[keep])
        assert blocking.cluster_square(x, cluster)[d] == pytest.approx(own[0], rel=1e-12)
    assert np.isnan(blocking.square(x)[3])
