"""Residuals by dimension: a few that are a little off are found, those of noise never."""

from __future__ import annotations

import numpy as np
import pytest

from polar_monitor.capture.search.by_dimension import ByDimension


def told(scale: np.ndarray, shape: tuple[int, ...], is_laplace: bool = False, steps: int = 8) -> str:
    draw, sums = np.random.default_rng(0), ByDimension(is_laplace)
    for _ in range(steps):
        noise = draw.laplace(size=shape) / np.sqrt(2) if is_laplace else draw.normal(size=shape)
        sums.add((noise * scale) ** 2)
    return sums.words


@pytest.mark.parametrize("is_laplace", [False, True])
@pytest.mark.parametrize("shape", [(128, 20), (64, 3, 16, 16), (64, 16, 5), (2048, 512)])
def test_noise_is_never_told(shape: tuple[int, ...], is_laplace: bool) -> None:
    assert told(np.ones(shape), shape, is_laplace) == ""


@pytest.mark.parametrize(
    ("shape", "dimension"),
    [((512, 20), (3,)), ((64, 3, 16, 16), (2, slice(None), slice(None))), ((64, 16, 5), (slice(None), 4))],
)
def test_one_dimension_that_is_off_is_told(shape: tuple[int, ...], dimension: tuple[object, ...]) -> None:
    scale = np.ones(shape[1:])
    scale[dimension] = 1.12
    assert "instead of 1 in dimension" in told(scale, shape)


def test_one_that_is_off_by_little_needs_several_steps() -> None:
    scale = np.ones(20)
    scale[3] = 1.12
    assert told(scale, (512, 20), steps=1) == ""


def test_a_selection_and_few_numbers_say_nothing() -> None:
    sums = ByDimension(False)
    sums.add(None)
    sums.add(np.full((8, 4), 9.0))
    assert (sums.words, sums.steps) == ("", 2)


def test_a_size_that_varies_is_no_dimension() -> None:
    sums = ByDimension(False)
    for length in (4, 5, 4, 5):
        sums.add(np.full((100, length), 9.0))
    assert sums.steps == 4
