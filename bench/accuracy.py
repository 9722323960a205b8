"""Accuracy against the oracle: `python bench/accuracy.py [--seeds 50] [--rows 1000 10000 100000]` prints a table.

The oracle is the mean of −log f on the same samples, f the true density: no estimator without f does better on average.
A cell is bias / RMSE in nats and, behind it, the RMSE over that of the oracle; in the last column the geometric mean of
these ratios over the five smooth laws. The density of a uniform law is constant, so its oracle has no error.

Rows of the online histogram come in blocks of varying size, in four panes that are merged; it never sees the samples.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polar_monitor.kernels import histogram as kernels
from polar_monitor.kernels import histogram_entropy, knn_1d
from polar_monitor.statistics.windowed_histogram import WindowedHistogram

Array = NDArray[Any]
Estimator = Callable[[Array], float]
ROWS = (1000, 10_000, 100_000)
BINS = 512
LOG_2PI = math.log(2 * math.pi)


class Law(NamedTuple):
    """How to draw n samples, −log f of samples, and the entropy."""

    draw: Callable[[np.random.Generator, int], Array]
    surprise: Callable[[Array], Array]
    entropy: float


def normal(x: Array, mean: float = 0.0, deviation: float = 1.0) -> Array:
    """The normal density."""
    return np.exp(-0.5 * ((x - mean) / deviation) ** 2 - 0.5 * LOG_2PI) / deviation


def two_modes(x: Array) -> Array:
    return 0.5 * normal(x, -2.0, 0.5) + 0.5 * normal(x, 1.0, 1.0)


def draw_two_modes(rng: np.random.Generator, n: int) -> Array:
    z = rng.normal(size=n)
    return np.where(rng.random(n) < 0.5, 0.5 * z - 2.0, z + 1.0)


def by_quadrature(density: Callable[[Array], Array], span: float = 12.0, points: int = 240_001) -> float:
    x = np.linspace(-span, span, points)
    f = np.maximum(density(x), 1e-300)
    return float(-(f * np.log(f)).sum() * (x[1] - x[0]))


def arcsine_surprise(x: Array) -> Array:
    return math.log(math.pi) + 0.5 * np.log(np.maximum(x * (1.0 - x), 1e-300))


LOG_T3 = math.log(math.gamma(2.0) / (math.gamma(1.5) * math.sqrt(3 * math.pi)))
T3 = 4 * math.log(2) - 2 - LOG_T3
"""E 2 log(1 + t²/3) is 2 (ψ(2) − ψ(3/2)), and ψ(2) − ψ(3/2) = 2 log 2 − 1."""
SMOOTH: dict[str, Law] = {
    "Gaussian": Law(lambda r, n: r.normal(size=n), lambda x: 0.5 * (x * x + LOG_2PI), 0.5 * (1 + LOG_2PI)),
    "Laplace": Law(lambda r, n: r.laplace(size=n), lambda x: math.log(2) + np.abs(x), 1 + math.log(2)),
    "exponential": Law(lambda r, n: r.exponential(size=n), lambda x: x, 1.0),
    "mixture": Law(draw_two_modes, lambda x: -np.log(two_modes(x)), by_quadrature(two_modes)),
    "Student t3": Law(lambda r, n: r.standard_t(3, n), lambda x: 2 * np.log1p(x * x / 3) - LOG_T3, T3),
}
OTHERS: dict[str, Law] = {
    "Beta(½, ½)": Law(lambda r, n: np.sin(0.5 * math.pi * r.random(n)) ** 2, arcsine_surprise, math.log(math.pi / 4)),
    "uniform": Law(lambda r, n: r.random(n), lambda x: np.zeros_like(x), 0.0),
}
LAWS = SMOOTH | OTHERS


def online_histogram(x: Array) -> float:
    """Fed in 128, 256, 384, … rows at a time."""
    panes, start, size = WindowedHistogram(1, BINS, panes=4, pane_rows=-(-len(x) // 4)), 0, 128
    rows = x.astype(np.float32)[None]
    while start < len(x):
        panes.update(rows, start, min(start + size, len(x)))
        start, size = start + size, size + 128
    ordered, frame = np.empty((1, 4 * BINS), np.int64), np.empty((1, 6))
    kernels.ordered_counts(*panes._window(), ordered, frame)
    return float(histogram_entropy.estimate(ordered, frame).value[0])


def nearest_neighbours(x: Array) -> float:
    return float(knn_1d.entropy(x.astype(np.float32)[None])[0][0])


OURS: dict[str, Estimator] = {"online histogram": online_histogram, "k nearest neighbours": nearest_neighbours}


def errors(law: Law, estimators: dict[str, Estimator], n: int, seeds: int, first: int = 0) -> dict[str, Array]:
    """Error of every estimator, and of the oracle, at each seed, (seeds,): all see the same samples."""
    found: dict[str, list[float]] = {name: [] for name in ("oracle", *estimators)}
    for seed in range(first, first + seeds):
        x = law.draw(np.random.default_rng([seed, n]), n)
        found["oracle"].append(float(law.surprise(x).mean()) - law.entropy)
        for name, estimate in estimators.items():
            found[name].append(estimate(x) - law.entropy)
    return {name: np.array(x) for name, x in found.items()}


def rmse(x: Array) -> float:
    return float(np.sqrt((x * x).mean()))


def lines(estimators: dict[str, Estimator], n: int, seeds: int, laws: dict[str, Law] = LAWS) -> list[list[str]]:
    """A row of cells for every estimator: its name, a cell for every law, the geometric mean of the smooth ones."""
    found = {name: errors(law, estimators, n, seeds) for name, law in laws.items()}
    rows = []
    for estimator in estimators:
        cells, ratios = [], []
        for name, off in found.items():
            own, oracle = rmse(off[estimator]), rmse(off["oracle"])
            cells.append(f"{off[estimator].mean():+.4f} / {own:.4f}" + (f" ({own / oracle:.2f}×)" if oracle else ""))
            if name in SMOOTH:
                ratios.append(own / oracle)
        rows.append([estimator, *cells, f"{math.exp(np.log(ratios).mean()):.3f}×"])
    return rows


def table(rows: Sequence[int] = ROWS, seeds: int = 50, estimators: dict[str, Estimator] = OURS) -> str:
    """Markdown, a table for each number of rows."""
    parts = []
    for n in rows:
        head = [f"N = {n}, {seeds} seeds", *LAWS, "five smooth laws"]
        body = [head, ["---"] * len(head), *lines(estimators, n, seeds)]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in body))
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--seeds", type=int, default=50)
    arguments = parser.parse_args()
    print(table(arguments.rows, arguments.seeds))


if __name__ == "__main__":
    main()
