"""Sorted rows against NumPy's sort, in both ways."""

import numpy as np
import pytest

from polar_monitor.kernels.neighbours import sorting


@pytest.mark.parametrize("n", [1, 2, 100, 3000, 20_000])
@pytest.mark.parametrize("law", ["normal", "outlier", "narrow", "two scales", "huge", "few values"])
def test_rows_are_sorted_whatever_their_range(n, law):
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    if law == "outlier":
        x[0] = 1e30
    elif law == "narrow":
        x = 10 + 1e-4 * x
    elif law == "two scales":
        x = np.where(rng.random(n) < 0.5, x, 1 + 1e-6 * x)
        x[:1] = -3e38
    elif law == "huge":
        x = np.clip(x, -3, 3) * 1e38
    elif law == "few values":
        x = np.round(x)
    x = np.stack([x, -x, x[::-1]]).astype(np.float32)
    for ordered in (False, True):
        values, order = sorting.by_radix(x, sorting.room(4, n, ordered))
        np.testing.assert_array_equal(values, np.sort(x, axis=1))
    np.testing.assert_array_equal(np.take_along_axis(x, order.astype(int), axis=1), values)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.broadcast_to(np.arange(n), x.shape))


@pytest.mark.parametrize("faster", [False, True])
def test_values_do_not_depend_on_the_way(monkeypatch, faster):
    x = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    x[1, ::3], x[1, 1::3], x[2, :5] = 0.0, -0.0, [np.inf, -np.inf, 1.0, 1.0, -1e30]
    monkeypatch.setattr(sorting, "numpy_is_faster", lambda: faster)
    np.testing.assert_array_equal(sorting.sorted_rows(x, sorting.room(3, 1000, False))[0], np.sort(x, axis=1))
    assert sorting.sorted_rows(x, sorting.room(3, 1000, True))[1].shape == x.shape


def test_not_a_number_is_at_an_end():
    x = np.array([[1.0, np.nan, -2.0, -np.nan, 3.0]], np.float32)
    for way in (sorting.by_radix, sorting.by_numpy):
        values = way(x, sorting.room(1, 5, False))[0]
        first = np.isfinite(values[0]).argmax()
        assert list(values[0, first : first + 3]) == [-2.0, 1.0, 3.0]
