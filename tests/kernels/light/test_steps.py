"""Codes around the means of their steps: against the slow twin, on windows of any form."""

import numpy as np
import pytest

from polar_monitor.kernels.light.steps import around_steps
from tests.reference.steps import slow


def centred(mean, steps, place, least, size, scale):
    about, out = np.empty((4, len(mean))), np.empty_like(mean)
    around_steps(mean, steps, place, least, float(size), scale, about, out)
    return out, about


@pytest.mark.parametrize("spoiled", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_slow_twin(seed, spoiled):
    rng = np.random.default_rng(seed)
    size = 1 + seed % 3
    lengths = rng.integers(1, 40, 12) * size
    n = int(lengths.sum())
    place = int(rng.integers(0, n)) if seed % 2 else 0
    steps = np.empty(n, np.int64)
    steps[np.roll(np.arange(n), -place)] = np.repeat(np.cumsum(rng.integers(1, 9, 12)), lengths)
    mean = (rng.normal(size=(4, n)) + 0.1 * steps * rng.normal(size=(4, 1)) + 5).astype(np.float32)
    if spoiled:
        mean[1, rng.random(n) < 0.3], mean[2], mean[3, 5] = np.nan, np.inf, -np.inf
    scale = rng.uniform(0.1, 10, 4)
    rows, about = slow(mean, steps, place, 16 * size, size)
    out, numbers = centred(mean, steps, place, 16 * size, size, scale)
    np.testing.assert_allclose(out, rows * scale[:, None], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numbers, about, rtol=1e-9, atol=1e-7)


def test_rows_of_one_step_and_of_short_steps_stay_as_they_are():
    mean = np.random.default_rng(0).normal(size=(2, 150)).astype(np.float32)
    for steps in (np.full(150, -1), np.arange(150) // 15):
        out, about = centred(mean, steps, 0, 16, 1, np.ones(2))
        np.testing.assert_array_equal(out, mean)
        assert np.isnan(about[2:]).all()


def test_a_movement_of_the_weights_is_no_spread():
    rng = np.random.default_rng(0)
    steps = np.repeat(np.arange(40), 100)
    mean = (rng.normal(size=(2, 4000)) * [[0.1], [1.0]] + [[0.2], [0.0]] * steps).astype(np.float32)
    _, about = centred(mean, steps, 0, 16, 1, np.ones(2))
    np.testing.assert_allclose(about[1], [0.01, 1.0], rtol=0.1)
    np.testing.assert_allclose(about[2], [0.2 * np.arange(40).std(), 0.0], atol=0.05)
    assert np.isfinite(about).all()


@pytest.mark.parametrize("moved", [0.0, 0.03, 0.3, 3.0])
def test_the_error_of_the_movement_covers_the_movement_of_the_weights(moved):
    """Dimensions are repetitions: 40 steps of 16 to 120 inputs whose true means have the same movement."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(16, 120, 40)
    steps, walk = np.repeat(np.arange(40), lengths), np.repeat(rng.normal(size=40), lengths)
    walk *= moved / walk.std()
    _, about = centred((rng.normal(size=(400, len(steps))) + walk).astype(np.float32), steps, 0, 16, 1, np.ones(400))
    covered = np.mean(np.abs(about[2] - moved) <= 1.96 * about[3])
    assert 0.9 <= covered <= 1.0, covered
    if moved >= 0.3:
        assert about[3].mean() == pytest.approx(about[2].std(), rel=0.2)
        assert 0.92 <= covered <= 0.98


def test_no_rows_are_no_error():
    _, about = centred(np.empty((2, 0), np.float32), np.empty(0, np.int64), 0, 16, 1, np.ones(2))
    assert np.isnan(about).all()
