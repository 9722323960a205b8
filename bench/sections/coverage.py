"""Coverage of the information's 95 % interval: `python -m bench.sections.coverage [--seeds 200]` prints a table.

Windows as training gives them, eight dimensions each, whose repeats are counted as in an evaluation. `bias` is the mean
error in stated errors, `spread` the standard deviation of the estimate in the same unit. 90 to 99 % should hold the
truth. Three equal clusters stay at 100 %: every row tells as much as any other, so that the first-order error vanishes.
What is left is a χ² of the shares, whose stated variance rises and falls with the error itself, so that the interval
always holds the truth. Two other errors were tried, on 40,000 draws of shares: without the first-order variance that
chance alone gives, and the larger of both orders instead of their sum. Equal clusters stay at 100 %, and shares of
0.35, 0.33, 0.32 fall from 92.6 % to 84.1 % and 88.8 %.
"""

import argparse
import math
from collections.abc import Callable

import numpy as np

from bench.intervals import (
    NOISE,
    POPULATIONS,
    QUIET,
    Array,
    Population,
    Rows,
    entropy_of,
    in_clusters,
    normal,
    truths,
)  # fmt: skip
from polar_monitor.arrays.places import MAX_ROWS_PER_INPUT, places_of
from polar_monitor.statistics.window import light_statistics

ROWS, DIMENSIONS = 4096, 8
FAR, FAR_SHARE = 40.0, 0.125
SIDE, SHARED = 8, 0.5
TREND = np.linspace(-1.5, 1.5, SIDE)
"""Places along each axis of a map, the variance that all places of an input share, of 1, and the mean at a place."""
GAUSSIAN = 0.5 * math.log1p(1.0 / NOISE)
"""Information of a standard normal mean at the noise."""


def information(name: str) -> float:
    return truths(POPULATIONS[name])["information"]


def repeated(times: int, shuffled: bool) -> Callable[[np.random.Generator], Rows]:
    """Standard normal inputs, each so many times."""

    def draw(rng: np.random.Generator) -> Rows:
        inputs = ROWS // times
        which = rng.permutation(ROWS) % inputs if shuffled else np.arange(ROWS) % inputs
        return rng.normal(size=(DIMENSIONS, inputs))[:, which], np.full((DIMENSIONS, ROWS), NOISE)

    return draw


def by_chance(rng: np.random.Generator) -> Rows:
    """Inputs of a training set of 1,000, drawn with replacement."""
    return rng.normal(size=(DIMENSIONS, 1000))[:, rng.integers(0, 1000, ROWS)], np.full((DIMENSIONS, ROWS), NOISE)


def far_groups(rng: np.random.Generator) -> Rows:
    mean = rng.normal(size=(DIMENSIONS, ROWS)) + FAR * (rng.random((DIMENSIONS, ROWS)) < FAR_SHARE)
    return mean, np.full(mean.shape, NOISE)


def bfloat16(rng: np.random.Generator) -> Rows:
    mean = rng.normal(size=(DIMENSIONS, ROWS)).astype(np.float32)
    return (mean.view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)).view(np.float32), np.full(
        mean.shape, NOISE
    )


def of(population: Population) -> Callable[[np.random.Generator], Rows]:
    return lambda rng: population.draw(rng, DIMENSIONS, ROWS)


def maps(rng: np.random.Generator) -> Rows:
    """Maps of SIDE × SIDE places with a trend along one axis, of which the rows of `arrays/places.py` are read."""
    inputs, here = ROWS // MAX_ROWS_PER_INPUT, places_of(np.arange(ROWS), (SIDE, SIDE))
    shared = np.repeat(rng.normal(size=(DIMENSIONS, inputs)), MAX_ROWS_PER_INPUT, axis=1)
    own = rng.normal(size=(DIMENSIONS, ROWS))
    return TREND[here % SIDE] + math.sqrt(SHARED) * shared + math.sqrt(1 - SHARED) * own, np.full(own.shape, NOISE)


NEARLY = in_clusters(0.35, 0.33, 0.32)
GROUPS = -sum(p * math.log(p) for p in (FAR_SHARE, 1 - FAR_SHARE))
WINDOWS: dict[str, tuple[float, Callable[[np.random.Generator], Rows]]] = {
    **{name: (information(name), of(POPULATIONS[name])) for name in POPULATIONS if not POPULATIONS[name].clustered},
    "3 clusters, nearly equal": (entropy_of(NEARLY.density) - NEARLY.noise_entropy, of(NEARLY)),
    "each input 4 times, in turn": (GAUSSIAN, repeated(4, False)),
    "each input 4 times, shuffled": (GAUSSIAN, repeated(4, True)),
    "1,000 inputs by chance": (GAUSSIAN, by_chance),
    "far groups": (GROUPS + GAUSSIAN, far_groups),
    "ties of bfloat16": (GAUSSIAN, bfloat16),
    "maps, 4 places each": (entropy_of(lambda z: sum(normal(z, m, 1 + NOISE) for m in TREND) / SIDE) - QUIET, maps),
}
"""True information, and how to draw a window of means and variances."""
OF_MAPS = ("maps, 4 places each",)
"""Windows in which each input has several rows."""


def estimates(name: str, seeds: int) -> tuple[Array, Array]:
    """Values and stated errors, (seeds,) each."""
    found = []
    for seed in range(-(-seeds // DIMENSIONS)):
        mean, variance = (x.astype(np.float32) for x in WINDOWS[name][1](np.random.default_rng(seed)))
        group = np.arange(ROWS, dtype=np.int32) // MAX_ROWS_PER_INPUT if name in OF_MAPS else None
        s = light_statistics(np.ascontiguousarray(mean), variance, group, 0.0, 1.0)
        found.append(np.stack([s["information"], s["information_se"]]))
    value, error = np.concatenate(found, axis=1)[:, :seeds]
    return value, error


def covered(name: str, seeds: int) -> float:
    """Share of the seeds at which the interval holds the truth."""
    value, error = estimates(name, seeds)
    return float(np.mean(np.abs(value - WINDOWS[name][0]) <= 1.96 * error))


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of the stated 95 % interval of the information.")
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args().seeds
    print(f"n = {ROWS}, {seeds} seeds")
    print(f"{'window':30}{'truth':>9}{'error':>9}{'bias':>7}{'spread':>8}{'coverage':>10}")
    for name, (truth, _) in WINDOWS.items():
        value, error = estimates(name, seeds)
        off = (value - truth) / error
        inside = np.mean(np.abs(off) <= 1.96)
        print(f"{name:30}{truth:9.4f}{error.mean():9.4f}{off.mean():7.2f}{off.std():8.2f}{inside:10.1%}")


if __name__ == "__main__":
    main()
