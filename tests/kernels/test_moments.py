"""Moments against numpy and against the algebra they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from reference.moments import empty, slow

from polar_monitor.kernels import moments

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True)
BLOCKS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12), elements=FLOATS)


def assert_same(ours, expected, scale):
    np.testing.assert_array_equal(ours[0], expected[0])
    np.testing.assert_allclose(ours[1], expected[1], rtol=1e-12, atol=1e-13 * scale)
    np.testing.assert_allclose(ours[2], expected[2], rtol=1e-12, atol=1e-25 * scale * scale)


def largest(x):
    return float(np.abs(x[np.isfinite(x)]).astype(np.float64).max(initial=0.0))


@given(BLOCKS)
def test_update_matches_two_passes(x):
    state = empty(len(x))
    moments.update(*state, x)
    assert_same(state, slow(x), largest(x))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_any_split_and_merge_gives_the_same(offset):
    rng = np.random.default_rng(0)
    x = (offset + rng.normal(size=(3, 5000))).astype(np.float32)
    x[1, ::7] = np.nan
    expected = slow(x)
    for seed in range(10):
        cuts = np.sort(np.random.default_rng(seed).integers(0, 5000, 9))
        parts = [np.ascontiguousarray(part) for part in np.split(x, cuts, axis=1)]
        streamed, merged = empty(3), empty(3)
        for part in parts:
            moments.update(*streamed, part)
            one = empty(3)
            moments.update(*one, part)
            moments.merge(*merged, *one)
        for state in (streamed, merged):
            np.testing.assert_array_equal(state[0], expected[0])
            np.testing.assert_allclose(state[1], expected[1], rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(state[2], expected[2], rtol=1e-12)


def test_empty_is_the_identity_of_merge():
    x = np.random.default_rng(1).normal(size=(4, 30)).astype(np.float32)
    state = empty(4)
    moments.update(*state, x)
    left, right = empty(4), tuple(a.copy() for a in state)
    moments.merge(*left, *state)
    moments.merge(*right, *empty(4))
    for a, b, c in zip(state, left, right, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_a_constant_has_no_variance():
    state = empty(1)
    for _ in range(100):
        moments.update(*state, np.full((1, 77), 0.1, np.float32))
    assert state[1][0] == pytest.approx(np.float32(0.1), rel=1e-15)
    assert state[2][0] < 1e-28


@given(BLOCKS)
def test_standardised_rows_match_two_passes(x):
    ours, variance = x.copy(), np.full(len(x), np.nan)
    moments.standardise(ours, variance)
    for row, mine, found in zip(x.astype(np.float64), ours, variance, strict=True):
        fine = np.isfinite(row)
        if not fine.any() or np.ptp(row[fine]) == 0.0:
            assert found == 0.0 and not mine.any()
            continue
        apart = np.where(fine, row - row[fine].mean(), 0.0)
        length = np.sqrt((apart**2).sum())
        assert found == pytest.approx(length**2 / fine.sum(), rel=1e-9)
        np.testing.assert_allclose(mine, apart / length, rtol=1e-6, atol=1e-7)
