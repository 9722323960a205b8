"""Memory of an evaluation: what it takes and gives back is small beside the window."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch

import polar_monitor

DIMENSIONS, WINDOW = 64, 4096
SMALL = 4 * DIMENSIONS * WINDOW // 2
"""A quarter of the bytes of a window: half of its means."""


def clean(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(WINDOW, DIMENSIONS))


def repeats(rng: np.random.Generator) -> np.ndarray:
    return np.tile(rng.normal(size=(WINDOW // 4, DIMENSIONS)), (4, 1))


def with_nan(rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=(WINDOW, DIMENSIONS))
    x[rng.random(x.shape) < 0.01] = np.nan
    return x


UNITS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"logvar": np.log, "var": np.copy, "std": np.sqrt}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("draw", [clean, repeats, with_nan])
def test_a_light_evaluation_makes_no_temporary_as_large_as_the_window(
    draw: Callable[[np.random.Generator], np.ndarray], unit: str
) -> None:
    rng, kinds, peaks = np.random.default_rng(0), [], []

    class Kinds:
        def write(self, evaluation: polar_monitor.evaluation.Evaluation) -> None:
            kinds.append(evaluation.snapshot is not None and evaluation.snapshot.full)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    monitor = polar_monitor.PolarMonitor(every=1, max_overhead=1.0, sinks=(Kinds(),))
    for _ in range(6):
        mean = draw(rng).astype(np.float32)
        monitor.observe(mean, **{unit: UNITS[unit](np.full_like(mean, 0.1))})
        tracemalloc.start()
        monitor.step()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert monitor.health().errors == 0
    light = [peak for peak, full in zip(peaks, kinds, strict=True) if not full]
    assert len(light) >= 3
    assert max(light[1:]) < SMALL


@pytest.mark.parametrize("rows", [64, 4096, 5000])
@pytest.mark.parametrize("tensor", [False, True])
def test_the_callers_arrays_stay(rows: int, tensor: bool) -> None:
    monitor = polar_monitor.PolarMonitor(every=1, max_overhead=1.0, sinks=())
    given = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    before, argument = given.copy(), torch.from_numpy(given) if tensor else given
    for _ in range(3):
        monitor.observe(argument, logvar=argument)
        monitor.step()
    np.testing.assert_array_equal(given, before)
    assert monitor.health().errors == 0
