"""New rows in a window: where they lie, whether all of them can be used as they are, and what becomes of the others."""

import numpy as np
import pytest

from polar_monitor.kernels.light.take import TILE, clean, take

NOTHING = np.zeros((0, 0), np.float32)
TINY = np.finfo(np.float32).tiny


def moved(mean, variance, place, start, count, window=900):
    """What the window holds after the call, -1 where nothing was written, and the result."""
    to_mean, to_variance = np.full((2, mean.shape[1], window), -1, np.float32)
    with_variance = variance is not None
    spread, to_spread = (variance, to_variance) if with_variance else (NOTHING, NOTHING)
    return to_mean, to_variance, take(mean, spread, to_mean, to_spread, start, count, place)


@pytest.mark.parametrize("dimensions", [1, 3, 4, 9])
@pytest.mark.parametrize("count", [0, 1, TILE, TILE + 3, 800])
@pytest.mark.parametrize("with_variance", [True, False])
def test_rows_lie_where_a_transposition_puts_them(dimensions, count, with_variance):
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=(2, 850, dimensions)).astype(np.float32)
    variance = np.exp(variance) if with_variance else None
    to_mean, to_variance, clean = moved(mean, variance, 60, 30, count)
    for side, to in ((mean, to_mean), (variance, to_variance)):
        expected = np.full(to.shape, -1, np.float32)
        if side is not None:
            expected[:, 60 : 60 + count] = side[30 : 30 + count].T
        np.testing.assert_array_equal(to, expected)
    assert clean


@pytest.mark.parametrize("place", [0, 3, 4, 255, 256, 699])
@pytest.mark.parametrize("dimension", [0, 4, 5])
def test_one_number_that_cannot_be_used_is_seen(place, dimension):
    mean, variance = np.zeros((700, 6), np.float32), np.full((700, 6), TINY, np.float32)
    wrong = {0: (np.nan, np.inf, -np.inf), 1: (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, TINY / 2)}
    for side, numbers in wrong.items():
        for number in numbers:
            sides = mean.copy(), variance.copy()
            sides[side][place, dimension] = number
            assert not moved(*sides, 0, 0, 700)[2], (side, number)
            assert moved(*sides, 0, 0, place)[2]
    for number in (-1.0, 0.0, -0.0, 1e-40, 3e38):
        mean[place, dimension] = number
        assert moved(mean, variance, 0, 0, 700)[2], number
        assert moved(mean, None, 0, 0, 700)[2], number


@pytest.mark.parametrize("with_variance", [True, False])
def test_what_cannot_be_used_is_counted_and_cleaned(with_variance):
    rng = np.random.default_rng(1)
    values = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, -1e-40, TINY / 2, TINY, 1e30], np.float32)
    mean, variance = rng.choice(values, (2, 5, 700))
    here, non_finite = slice(30, 650), np.arange(5)
    finite, expected = np.isfinite(mean), variance.copy()
    if with_variance:
        finite &= np.isfinite(variance)
        expected[:, here] = np.maximum(np.where(variance < 0, np.float32(np.nan), variance), TINY)[:, here]
    same = mean.copy()
    clean(mean, variance if with_variance else NOTHING, here.start, here.stop, non_finite)
    np.testing.assert_array_equal(mean, same)
    np.testing.assert_array_equal(variance, expected)
    assert non_finite.tolist() == (np.arange(5) + (~finite[:, here]).sum(axis=1)).tolist()
