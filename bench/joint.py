"""Joint entropy: `python -m bench.joint [--rows N] [--seeds S]` prints times and errors, with what peers are installed.

Times are medians of one process, all in turns, one thread (set OMP_NUM_THREADS=1). Errors are root mean squares over
seeds, against entropies in closed form or by quadrature. `--calibrate` prints the table in `kernels/copula.py` anew.
"""

import argparse
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from polar_monitor.kernels import copula
from polar_monitor.kernels.joint.joint import joint
from polar_monitor.kernels.neighbours.digamma import digamma
from polar_monitor.kernels.neighbours.knn_search import nearest

from . import timing

Array = NDArray[np.float64]
Law = Callable[[int, int, np.random.Generator], tuple[Array, float]]

GAUSSIAN = 0.5 * math.log(2 * math.pi * math.e)
GRID = np.linspace(-20, 20, 400_001)


def _by_quadrature(density: Array) -> float:
    return float(-np.sum(density * np.log(np.maximum(density, 1e-300))) * (GRID[1] - GRID[0]))


def _normal_at(mean: float, deviation: float = 1.0) -> Array:
    return np.exp(-0.5 * ((GRID - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


def _mixed(sources: Array, entropy: float) -> tuple[Array, float]:
    """Sources (d, n) in a random linear mixture, the same for all seeds."""
    d = len(sources)
    matrix = np.random.default_rng(1000 + d).standard_normal((d, d))
    return matrix @ sources, d * entropy + float(np.linalg.slogdet(matrix)[1])


def gaussian(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Independent."""
    return rng.standard_normal((d, n)), d * GAUSSIAN


def correlated(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Gaussian."""
    return _mixed(rng.standard_normal((d, n)), GAUSSIAN)


def uniform(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """On the unit cube."""
    return rng.random((d, n)), 0.0


def two_modes(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Gaussian about ±3 on the diagonal of the cube."""
    x = rng.standard_normal((d, n)) + 3 / math.sqrt(d) * rng.choice([-1, 1], n)
    return x, (d - 1) * GAUSSIAN + _by_quadrature(0.5 * (_normal_at(-3) + _normal_at(3)))


def mixed_laplace(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """A linear mixture of independent Laplace variables."""
    return _mixed(rng.laplace(size=(d, n)), 1 + math.log(2))


def half_passive(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Gaussian, half of the dimensions at a hundredth of the scale."""
    scale = np.where(np.arange(d) < d // 2, 1.0, 0.01)
    return scale[:, None] * rng.standard_normal((d, n)), d * GAUSSIAN + float(np.log(scale).sum())


def correlated_t(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Multivariate t of five degrees of freedom in a linear mixture."""
    nu, half = 5, 0.5 * (5 + d)
    x = rng.standard_normal((d, n)) / np.sqrt(rng.chisquare(nu, n) / nu)
    psi = [digamma(half), digamma(0.5 * nu)]
    h = math.lgamma(0.5 * nu) - math.lgamma(half) + 0.5 * d * math.log(nu * math.pi) + half * (psi[0] - psi[1])
    return _mixed(x, h / d)


def mixed_modes(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """A linear mixture of independent variables of two modes."""
    sources = rng.standard_normal((d, n)) + 2 * rng.choice([-1, 1], (d, n))
    return _mixed(sources, _by_quadrature(0.5 * (_normal_at(-2) + _normal_at(2))))


def lognormal(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """exp(z / 2) of an autoregressive Gaussian z of correlation 0.7."""
    z = rng.standard_normal((d, n))
    for j in range(1, d):
        z[j] = 0.7 * z[j - 1] + math.sqrt(1 - 0.49) * z[j]
    return np.exp(0.5 * z), d * (GAUSSIAN + math.log(0.5)) + 0.5 * (d - 1) * math.log(1 - 0.49)


def bent(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Gaussian, each odd dimension bent by the square of the one before, which keeps volumes."""
    x = rng.standard_normal((d, n))
    x[1::2] += x[: d - d % 2 : 2] ** 2
    return x, d * GAUSSIAN


def rings(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Pairs of dimensions on rings of radius N(1, 0.1²)."""
    angle, radius = rng.uniform(0, 2 * np.pi, (d // 2, n)), 1 + 0.1 * rng.standard_normal((d // 2, n))
    log_radius = float(np.sum(_normal_at(1, 0.1) * np.log(np.maximum(np.abs(GRID), 1e-12))) * (GRID[1] - GRID[0]))
    ring = GAUSSIAN + math.log(0.1) + math.log(2 * math.pi) + log_radius
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)]), d // 2 * ring


def mixed_rings(d: int, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """A linear mixture of rings."""
    x, h = rings(d, n, rng)
    return _mixed(x, h / d)


LAWS: list[Law] = [
    gaussian, correlated, uniform, two_modes, mixed_laplace, half_passive, correlated_t, mixed_modes, lognormal, bent,
    rings, mixed_rings,
]  # fmt: skip


def peers(k: int) -> dict[str, Callable[[NDArray[np.float32]], object]]:
    """Exact searches for k neighbours of the rows (n, d), of the libraries that are installed."""
    found: dict[str, Callable[[NDArray[np.float32]], object]] = {}
    try:
        from pykdtree.kdtree import KDTree

        found["pykdtree"] = lambda y: KDTree(y).query(y, k=k + 1)
    except ImportError:
        pass
    try:
        import pynanoflann

        def nanoflann(y: NDArray[np.float32]) -> object:
            tree = pynanoflann.KDTree(n_neighbors=k + 1, metric="L2")
            tree.fit(y)
            return tree.kneighbors(y)

        found["pynanoflann"] = nanoflann
    except ImportError:
        pass
    try:
        from scipy.spatial import cKDTree

        found["SciPy cKDTree"] = lambda y: cKDTree(y).query(y, k=k + 1)
    except ImportError:
        pass
    try:
        import faiss

        faiss.omp_set_num_threads(1)

        def flat(y: NDArray[np.float32]) -> object:
            index = faiss.IndexFlatL2(y.shape[1])
            index.add(y)
            return index.search(y, k + 1)

        found["faiss, exact"] = flat
    except ImportError:
        pass
    return found


def times(n: int, dimensions: list[int], repeats: int = 3) -> str:
    """Neighbours of independent Gaussians, and all of the joint entropy of correlated ones, in milliseconds."""
    others = peers(copula.K)
    rows = []
    for d in dimensions:
        rng = np.random.default_rng(d)
        x = rng.standard_normal((d, n)).astype(np.float32)
        y, mixed = np.ascontiguousarray(x.T), correlated(d, n, rng)[0].astype(np.float32)
        runs: dict[str, Callable[[], object]] = {
            "joint": lambda mixed=mixed: joint(mixed),  # type: ignore[misc]
            "search": lambda x=x: nearest(x, copula.K),  # type: ignore[misc]
        }
        runs |= {name: lambda run=run, y=y: run(y) for name, run in others.items()}  # type: ignore[misc]
        taken = timing.medians(runs, budget=0.0, least=repeats)
        rows.append([f"d = {d}", *(f"{1e3 * time:.3g}" for time in taken.values())])
    return timing.table([f"milliseconds, n = {n:,}", "joint", "our search alone", *others], rows)


def errors(n: int, dimensions: list[int], seeds: int) -> str:
    """Root mean square error, bias, how often 1.96 standard errors and the bracket hold the truth."""
    rows = []
    for law in LAWS:
        for d in dimensions:
            if law in (rings, mixed_rings) and d % 2:
                continue
            drawn = [law(d, n, np.random.default_rng([seed, d])) for seed in range(seeds)]
            found = [joint(x.astype(np.float32)) for x, _ in drawn]
            off = np.array([f.value - h for f, (_, h) in zip(found, drawn, strict=True)])
            covered = np.mean([abs(o) <= 1.96 * f.error for f, o in zip(found, off, strict=True)])
            held = np.mean([f.lower <= h <= f.upper for f, (_, h) in zip(found, drawn, strict=True)])
            figures = [math.sqrt((off**2).mean()), off.mean(), np.mean([f.error for f in found])]
            name = law.__name__.replace("_", " ")
            rows.append([name, f"{d}", *(f"{v:.4f}" for v in figures), f"{covered:.0%}", f"{held:.0%}"])
    head = [f"n = {n:,}, {seeds} seeds", "d", "RMSE, nats", "bias", "mean standard error", "covered", "in bracket"]
    return timing.table(head, rows)


def table(n: int = 10_000, seeds: int = 20) -> str:
    """Both, in Markdown."""
    return times(n, [2, 3, 5, 6, 8, 10, 15, 20]) + "\n\n" + errors(n, [2, 10, 20], seeds)


def calibrate() -> None:
    """`copula.TABLE`, from what the estimator says of independent Gaussians: about four minutes."""
    terms, values, weights = [], [], []
    for n, draws in ((1 << 10, 96), (1 << 11, 48), (1 << 12, 24), (1 << 13, 16), (1 << 14, 8), (1 << 15, 4)):
        for d in range(2, 33):
            said = []
            for seed in range(draws):
                x = np.random.default_rng([d, n, seed]).standard_normal((d, n)).astype(np.float32)
                found = copula._terms(copula.normal(x))
                assert found is not None
                said.append(found.mean())
            size, many = (math.log2(n) - 12) / 3, math.log(d) / math.log(32)
            terms.append([many**i * size**j for i in range(6) for j in range(3)])
            values.append(np.mean(said))
            weights.append(1 / max(np.std(said, ddof=1) / math.sqrt(draws), 1e-3))
    weight = np.array(weights)
    table = np.linalg.lstsq(np.array(terms) * weight[:, None], np.array(values) * weight, rcond=None)[0]
    print("TABLE = (")
    for row in table.reshape(6, 3):
        print("    (" + ", ".join(f"{v:.5f}" for v in row) + "),")
    print(")")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 5, 10, 20])
    parser.add_argument("--calibrate", action="store_true")
    arguments = parser.parse_args()
    if arguments.calibrate:
        calibrate()
        return
    print(times(arguments.rows, arguments.dimensions))
    print()
    print(errors(arguments.rows, arguments.dimensions, arguments.seeds))


if __name__ == "__main__":
    main()
