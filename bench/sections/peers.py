"""The estimators that people use instead, one function each; those that are not installed are left out.

`pip install scipy scikit-learn KDEpy infomeasure ennemi tropygal unite_toolbox npeet_plus entropy_estimators neurokit2
dit pykdtree pynanoflann faiss-cpu boost-histogram fast-histogram` brings them. All are asked for k = 3 and one thread
where they know these.
"""

import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

Array = NDArray[Any]
Scalar = Callable[[Array], float]
K = 3


def installed(functions: dict[str, tuple[str, Callable[..., Any]]]) -> dict[str, Callable[..., Any]]:
    """Those whose module is here, by name."""
    return {name: function for name, (module, function) in functions.items() if importlib.util.find_spec(module)}


def ball(d: int) -> float:
    """log volume of the unit ball of R^d."""
    return 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)


def from_distances(distance: Array, d: int, k: int = K) -> float:
    """Kozachenko & Leonenko 1987, from the distances to the k-th neighbour."""
    n = len(distance)
    return float(digamma(n) - digamma(k) + ball(d) + d * np.log(distance).mean())


def _scipy(method: str) -> Scalar:
    def entropy(x: Array) -> float:
        from scipy.stats import differential_entropy

        return float(differential_entropy(x, method=method))

    return entropy


def _scipy_tree(x: Array) -> float:
    from scipy.spatial import cKDTree

    x = x.reshape(len(x), -1)
    return from_distances(cKDTree(x).query(x, [K + 1])[0][:, 0], x.shape[1])


def _scott(x: Array) -> float:
    counts, edges = np.histogram(x, bins="scott")
    p = counts[counts > 0] / len(x)
    return float(-(p * np.log(p)).sum() + np.log(edges[1] - edges[0]))


def _kdepy(rule: str) -> Scalar:
    def entropy(x: Array) -> float:
        from KDEpy import FFTKDE

        grid, density = FFTKDE(bw=rule).fit(np.asarray(x, np.float64)).evaluate(2**12)
        return float(-np.log(np.maximum(np.interp(x, grid, density), 1e-300)).mean())

    return entropy


def _sklearn(x: Array) -> float:
    from sklearn.neighbors import KDTree

    x = x.reshape(len(x), -1)
    return from_distances(KDTree(x).query(x, K + 1)[0][:, K], x.shape[1])


def _infomeasure(x: Array) -> float:
    import infomeasure

    return float(infomeasure.entropy(x, approach="metric", k=K, base="e"))


def _ennemi(x: Array) -> float:
    import ennemi

    return float(ennemi.estimate_entropy(x, k=K, multidim=x.ndim > 1))


def _tropygal(x: Array) -> float:
    import tropygal

    return float(tropygal.entropy(x.reshape(len(x), -1), k=K, workers=1))


def _unite(x: Array) -> float:
    from unite_toolbox.knn_estimators import calc_knn_entropy

    return float(calc_knn_entropy(x.reshape(len(x), -1), k=K))


def _npeet(x: Array) -> float:
    import npeet_plus

    return float(npeet_plus.entropy(x.reshape(len(x), -1), k=K, base=math.e))


def _entropy_estimators(x: Array) -> float:
    from entropy_estimators import continuous

    return float(continuous.get_h(x.reshape(len(x), -1), k=K))


def _dit(x: Array) -> float:
    from dit.inference import differential_entropy_knn

    return float(differential_entropy_knn(x.reshape(len(x), -1), k=K)) * math.log(2)


def _neurokit(x: Array) -> float:
    import neurokit2

    return float(neurokit2.entropy_kl(x, delay=1, dimension=1)[0])


def _pykdtree(x: Array) -> float:
    from pykdtree.kdtree import KDTree

    x = np.ascontiguousarray(x.reshape(len(x), -1))
    return from_distances(np.asarray(KDTree(x).query(x, K + 1)[0][:, K], np.float64), x.shape[1])


def _pynanoflann(x: Array) -> float:
    import pynanoflann

    x = np.ascontiguousarray(x.reshape(len(x), -1), np.float32)
    tree = pynanoflann.KDTree(n_neighbors=K + 1, metric="L2", leaf_size=10)
    tree.fit(x)
    return from_distances(np.asarray(tree.kneighbors(x)[0][:, K], np.float64), x.shape[1])


def _faiss(x: Array) -> float:
    import faiss

    x = np.ascontiguousarray(x.reshape(len(x), -1), np.float32)
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    return from_distances(np.sqrt(np.maximum(index.search(x, K + 1)[0][:, K], 1e-30).astype(np.float64)), x.shape[1])


ONE_DIMENSION: dict[str, tuple[str, Scalar]] = {
    "numpy.histogram, Scott": ("numpy", _scott),
    "SciPy, van Es": ("scipy", _scipy("van es")),
    "SciPy, Vasicek": ("scipy", _scipy("vasicek")),
    "SciPy, Ebrahimi": ("scipy", _scipy("ebrahimi")),
    "KDEpy, Silverman": ("KDEpy", _kdepy("silverman")),
    "KDEpy, ISJ": ("KDEpy", _kdepy("ISJ")),
    "SciPy cKDTree": ("scipy", _scipy_tree),
    "scikit-learn KDTree": ("sklearn", _sklearn),
    "infomeasure": ("infomeasure", _infomeasure),
    "ennemi": ("ennemi", _ennemi),
    "tropygal": ("tropygal", _tropygal),
    "unite_toolbox": ("unite_toolbox", _unite),
    "npeet_plus": ("npeet_plus", _npeet),
    "entropy_estimators": ("entropy_estimators", _entropy_estimators),
    "dit": ("dit", _dit),
    "neurokit2 (off by ln 2)": ("neurokit2", _neurokit),
    "pykdtree": ("pykdtree", _pykdtree),
}
"""Entropy of one dimension from x (n,)."""

JOINT: dict[str, tuple[str, Scalar]] = {
    "pykdtree": ("pykdtree", _pykdtree),
    "pynanoflann": ("pynanoflann", _pynanoflann),
    "SciPy cKDTree": ("scipy", _scipy_tree),
    "infomeasure": ("infomeasure", _infomeasure),
    "tropygal": ("tropygal", _tropygal),
    "npeet_plus": ("npeet_plus", _npeet),
    "faiss, exact": ("faiss", _faiss),
}
"""Joint entropy from x (n, d)."""


def quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a peer, deaf to its warnings; None for what it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*arguments)
        except Exception:
            return None


def histograms(blocks: list[Array], bins: int) -> dict[str, Callable[[], Any]]:
    """Streaming histograms of blocks (n, D) of a fixed range, called in turns over the blocks."""
    dimensions = blocks[0].shape[1]
    turn = iter(range(10**9))
    found: dict[str, Callable[[], Any]] = {}
    if importlib.util.find_spec("boost_histogram"):
        import boost_histogram

        axes = boost_histogram.axis.Integer(0, dimensions), boost_histogram.axis.Regular(bins, -5, 5)
        table = boost_histogram.Histogram(*axes, storage=boost_histogram.storage.Int64())
        column = np.tile(np.arange(dimensions), blocks[0].shape[0])
        found["boost-histogram, 2-D"] = lambda: table.fill(column, blocks[next(turn) % len(blocks)].ravel())
    if importlib.util.find_spec("fast_histogram"):
        from fast_histogram import histogram1d

        def fast() -> None:
            block = blocks[next(turn) % len(blocks)]
            for d in range(dimensions):
                histogram1d(block[:, d], bins, (-5, 5))

        found["fast-histogram, each dimension"] = fast
    return found
