"""Coverage of the stated 95 % intervals: `python bench/intervals.py [--rows 4096] [--seeds 200]` prints a table.

Data whose information and entropy are known, many seeds: the share of seeds at which value ± 1.96 errors holds the
truth should lie in 90 to 99 %. `bias` is the mean error in stated errors, `spread` the standard deviation of the value
over seeds in the same unit: 0 and 1 where the error is right.

In equal clusters every row tells as much as any other, so the first-order error vanishes, and what is left (some 1e-4
nats) is overstated up to twofold; `bench/sections/coverage.py` says why that stays. The histogram counts rows as they
come and is no estimator of repeats: it is above 99 % where rows recur 2 or 4 times, and too sure where 16 times.
"""

import argparse
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from polar_monitor import entropy
from polar_monitor.kernels import knn_1d, mixture
from polar_monitor.statistics.windowed_histogram import WindowedHistogram

Array = NDArray[Any]
Rows = tuple[Array, Array]
NOISE = 0.02
SMALL = 0.02
CENTRES = (-1.0, 0.0, 1.0)
CLUSTER = 16
WITHIN = 0.3
"""Standard deviation of the rows of a cluster around their common mean, of a total of 1."""


class Population(NamedTuple):
    """How to draw (mean, variance) rows, the density of z on a grid, E ½ log 2πeσ², and the entropy of the mean."""

    draw: Callable[[np.random.Generator, int, int], Rows]
    density: Callable[[Array], Array]
    noise_entropy: float
    entropy: float
    clustered: bool = False


def normal(z: Array, mean: float, variance: float) -> Array:
    return np.exp(-0.5 * (z - mean) ** 2 / variance) / math.sqrt(2 * math.pi * variance)


def smoothed(density: Callable[[Array], Array], span: float) -> Callable[[Array], Array]:
    """The density of μ + N(0, NOISE), by quadrature over μ in ±span."""
    mu = np.linspace(-span, span, 4001)
    weight = density(mu) * (mu[1] - mu[0])
    return lambda z: sum(w * normal(z, m, NOISE) for m, w in zip(mu, weight, strict=True) if w > 0) / weight.sum()


def alike(draw: Callable[[np.random.Generator, int, int], Array]) -> Callable[[np.random.Generator, int, int], Rows]:
    """Rows of one variance, NOISE."""

    def both(rng: np.random.Generator, dimensions: int, n: int) -> Rows:
        mean = draw(rng, dimensions, n)
        return mean, np.full(mean.shape, NOISE)

    return both


def clusters(*shares: float) -> Callable[[np.random.Generator, int, int], Array]:
    def draw(rng: np.random.Generator, dimensions: int, n: int) -> Array:
        return rng.choice(CENTRES, (dimensions, n), p=shares) + 0.01 * rng.normal(size=(dimensions, n))

    return draw


def in_clusters(*shares: float) -> "Population":
    return Population(
        alike(clusters(*shares)),
        lambda z: sum(p * normal(z, m, NOISE + 1e-4) for m, p in zip(CENTRES, shares, strict=True)),
        QUIET,
        GAUSSIAN + math.log(0.01) - sum(p * math.log(p) for p in shares),
    )


def mixed(rng: np.random.Generator, dimensions: int, n: int) -> Rows:
    used = rng.random((dimensions, n)) < 0.5
    scale = np.where(used, 1.0, 0.05)
    return scale * rng.normal(size=(dimensions, n)), np.where(used, NOISE, 0.99)


def passive(rng: np.random.Generator, dimensions: int, n: int) -> Rows:
    noise = rng.normal(size=(2, dimensions, n))
    return SMALL * noise[0], np.exp(SMALL * noise[1])


def passive_density(z: Array) -> Array:
    log = np.linspace(-6, 6, 49)
    weight = normal(log, 0.0, 1.0)
    return (
        sum(w * normal(z, 0.0, SMALL**2 + math.exp(SMALL * u)) for w, u in zip(weight, log, strict=True)) / weight.sum()
    )


def spatial(rng: np.random.Generator, dimensions: int, n: int) -> Array:
    shared = math.sqrt(1 - WITHIN**2) * np.repeat(rng.normal(size=(dimensions, n // CLUSTER)), CLUSTER, axis=1)
    return shared + WITHIN * rng.normal(size=(dimensions, n))


def spatial_mixed(rng: np.random.Generator, dimensions: int, n: int) -> Rows:
    used = np.repeat(rng.random((dimensions, n // CLUSTER)) < 0.5, CLUSTER, axis=1)
    return np.where(used, 1.0, 0.05) * spatial(rng, dimensions, n), np.where(used, NOISE, 0.99)


def entropy_of(density: Callable[[Array], Array], span: float = 12.0, points: int = 24001) -> float:
    z = np.linspace(-span, span, points)
    q = np.maximum(density(z), 1e-300)
    return float(-(q * np.log(q)).sum() * (z[1] - z[0]))


def _halves(z: Array, used: float, unused: float) -> Array:
    return 0.5 * normal(z, 0.0, used) + 0.5 * normal(z, 0.0, unused)


LOG_2PI_E = math.log(2 * math.pi * math.e)
GAUSSIAN, UNIFORM, LAPLACE = 0.5 * LOG_2PI_E, 0.5 * math.log(12), 1 + math.log(math.sqrt(2))
QUIET, HALF = 0.5 * (LOG_2PI_E + math.log(NOISE)), 0.5 * LOG_2PI_E + 0.25 * math.log(NOISE * 0.99)
MIXED = entropy_of(lambda z: _halves(z, 1.0, 0.0025))
ROOT3, ROOT_HALF = math.sqrt(3), math.sqrt(0.5)
POPULATIONS = {
    "gaussian": Population(
        alike(lambda rng, d, n: rng.normal(size=(d, n))), lambda z: normal(z, 0.0, 1 + NOISE), QUIET, GAUSSIAN
    ),
    "uniform": Population(
        alike(lambda rng, d, n: rng.uniform(-ROOT3, ROOT3, (d, n))),
        smoothed(lambda mu: (np.abs(mu) <= ROOT3) / (2 * ROOT3), ROOT3),
        QUIET,
        UNIFORM,
    ),
    "laplace": Population(
        alike(lambda rng, d, n: rng.laplace(0.0, ROOT_HALF, (d, n))),
        smoothed(lambda mu: np.exp(-np.abs(mu) / ROOT_HALF), 12.0),
        QUIET,
        LAPLACE,
    ),
    "3 clusters": in_clusters(0.5, 0.3, 0.2),
    "3 equal clusters": in_clusters(1 / 3, 1 / 3, 1 / 3),
    "passive": Population(passive, passive_density, 0.5 * LOG_2PI_E, GAUSSIAN + math.log(SMALL)),
    "mixed": Population(mixed, lambda z: _halves(z, 1 + NOISE, 0.0025 + 0.99), HALF, MIXED),
    "spatial gaussian": Population(alike(spatial), lambda z: normal(z, 0.0, 1 + NOISE), QUIET, GAUSSIAN, True),
    "spatial mixed": Population(spatial_mixed, lambda z: _halves(z, 1 + NOISE, 0.0025 + 0.99), HALF, MIXED, True),
}


def histogram(mean: Array) -> Rows:
    """Of the online histogram, fed in four panes."""
    panes = WindowedHistogram(len(mean), pane_rows=-(-mean.shape[1] // 4))
    panes.update(np.ascontiguousarray(mean))
    value, error = panes.entropy()[:2]
    return value, error


def truths(population: Population) -> dict[str, float]:
    """True information and entropy of the mean."""
    return {
        "information": entropy_of(population.density) - population.noise_entropy,
        "entropy_knn": population.entropy,
    } | ({} if population.clustered else {"entropy_hist": population.entropy})


def estimates(population: Population, rows: int, seeds: int, seed: int = 0) -> dict[str, tuple[Array, Array]]:
    """Values and stated errors, (seeds,) each."""
    mean, variance = (x.astype(np.float32) for x in population.draw(np.random.default_rng(seed), seeds, rows))
    cluster = np.arange(rows) // CLUSTER if population.clustered else None
    return {
        "information": mixture.information(mean, variance, cluster),
        "entropy_knn": knn_1d.entropy(mean, cluster)[:2],
        "entropy_hist": histogram(mean),
    }


def autoregressive(rng: np.random.Generator, phi: float, n: int) -> Array:
    """Standard normal rows of which each has correlation phi with the one before, (n,)."""
    noise = math.sqrt(1 - phi * phi) * rng.normal(size=n)
    noise[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


def repeated(rng: np.random.Generator, times: int, n: int) -> Array:
    """Standard normal inputs, each so many times in the window, in any order."""
    return rng.permutation(np.repeat(rng.normal(size=n // times), times))


def bfloat16(x: Array) -> Array:
    """Rounded to nearest, ties to even, as torch does."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


FAR_SHARE = 0.01


def with_far_groups(rng: np.random.Generator, n: int) -> Array:
    """Standard normal rows, of which FAR_SHARE is moved by 1000 on either side."""
    side = rng.choice([-1, 0, 1], n, p=[FAR_SHARE / 2, 1 - FAR_SHARE, FAR_SHARE / 2])
    return np.asarray(rng.normal(size=n) + 1000.0 * side)


DEPENDENT: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "independent": lambda rng, n: rng.normal(size=n),
    "AR(1), 0.5": lambda rng, n: autoregressive(rng, 0.5, n),
    "AR(1), 0.9": lambda rng, n: autoregressive(rng, 0.9, n),
    "AR(1), 0.98": lambda rng, n: autoregressive(rng, 0.98, n),
    "each row twice": lambda rng, n: repeated(rng, 2, n),
    "each row 4 times": lambda rng, n: repeated(rng, 4, n),
    "4 times, in turn": lambda rng, n: np.tile(rng.normal(size=n // 4), 4),
    "16 times, in turn": lambda rng, n: np.tile(rng.normal(size=n // 16), 16),
    "bfloat16": lambda rng, n: bfloat16(rng.normal(size=n)),
    "far groups": with_far_groups,
}
"""Rows of a standard normal law: dependent in one way or another, repeated, rounded, or with some far away."""
TAU = 0.5


def dependent(name: str, rows: int, seeds: int, seed: int = 0) -> dict[str, tuple[float, Array, Array]]:
    """Truth, values and stated errors (seeds,) of the public functions, by the name of the function."""
    rng = np.random.default_rng(seed)
    x = np.stack([DEPENDENT[name](rng, rows) for _ in range(seeds)], axis=1).astype(np.float32)
    if name == "far groups":
        which = FAR_SHARE / 2 * math.log(FAR_SHARE / 2)
        truth = GAUSSIAN - 2 * which - (1 - FAR_SHARE) * math.log(1 - FAR_SHARE)
        far = entropy.knn(x)
        return {"knn": (truth, far.value, far.standard_error)}
    found = {
        "knn": (GAUSSIAN, entropy.knn(x)),
        "histogram": (GAUSSIAN, entropy.histogram(x)),
        "resolved": (0.5 * math.log(1 + 1 / TAU**2), entropy.resolved(x, TAU)),
        "negentropy": (0.0, entropy.negentropy(x)),
    }
    return {name: (truth, f.value, f.standard_error) for name, (truth, f) in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of the stated 95 % intervals.")
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--seeds", type=int, default=200)
    arguments = parser.parse_args()
    print(f"n = {arguments.rows}, {arguments.seeds} seeds")
    print(f"{'population':18}{'statistic':14}{'truth':>10}{'error':>10}{'bias':>8}{'spread':>8}{'coverage':>10}")
    for name, population in POPULATIONS.items():
        found = estimates(population, arguments.rows, arguments.seeds)
        for statistic, truth in truths(population).items():
            say(name, statistic, truth, *found[statistic])
    for name in DEPENDENT:
        for statistic, told in dependent(name, arguments.rows, arguments.seeds).items():
            say(name, statistic, *told)


def say(name: str, statistic: str, truth: float, value: Array, error: Array) -> None:
    """One line of the table."""
    off = (value - truth) / error
    covered = np.mean(np.abs(off) <= 1.96)
    print(f"{name:18}{statistic:14}{truth:10.5f}{error.mean():10.5f}{off.mean():8.2f}{off.std():8.2f}{covered:10.1%}")


if __name__ == "__main__":
    main()
