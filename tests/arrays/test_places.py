"""The places that are taken of an image, a clip or a sequence stand for all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from polar_monitor.arrays.places import MAX_ROWS_PER_INPUT, PERIOD, places_of

SHAPES = [(5,), (40,), (1000,), (4, 4), (8, 8), (16, 16), (32, 32), (64, 64), (7, 9), (3, 200), (13, 8, 8), (9, 30, 52)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_place_is_visited_about_equally_often(shape: tuple[int, ...]) -> None:
    places = math.prod(shape)
    times = min(64, PERIOD // places)
    counts = np.bincount(places_of(np.arange(times * places), shape), minlength=places)
    assert len(counts) == places
    if times >= 8:
        assert counts.min() >= 0.5 * times
        assert counts.max() <= 1.5 * times


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 8, 32, 100])
def test_a_forward_is_spread_over_every_axis(shape: tuple[int, ...], batch: int) -> None:
    """Of a batch, every index of an axis comes up as often as any other, as far as the number of points allows."""
    points = batch * MAX_ROWS_PER_INPUT
    for turn in range(5):
        places = places_of(np.arange(points) + turn * points, shape)
        for size, axis in zip(shape, np.unravel_index(places, shape), strict=True):
            parts = np.arange(size) * min(size, 4) // size
            expected = points * np.bincount(parts) / size
            assert (np.bincount(parts[axis], minlength=len(expected)) >= 0.4 * expected - 1).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("period", [2, 4, 8, 16])
def test_no_period_of_the_places_is_seen_in_one_phase(shape: tuple[int, ...], period: int) -> None:
    places = places_of(np.arange(4096), shape)
    for size, axis in zip(shape, np.unravel_index(places, shape), strict=True):
        if size >= 2 * period:
            share = np.bincount(axis % period, minlength=period) / len(axis)
            exact = np.bincount(np.arange(size) % period, minlength=period) / size
            assert np.abs(share - exact).max() < 0.02


def test_arrays_and_tensors_choose_alike() -> None:
    points = np.arange(10**6, 10**6 + 500)
    for shape in SHAPES:
        assert places_of(torch.from_numpy(points), shape).tolist() == places_of(points, shape).tolist()
