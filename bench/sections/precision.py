"""Error of the one-dimensional entropies over that of the oracle, ours and the peers' that differ from each other."""

import numpy as np

from .. import accuracy
from . import peers

CHOSEN = (
    "numpy.histogram, Scott",
    "SciPy, van Es",
    "SciPy, Vasicek",
    "KDEpy, Silverman",
    "KDEpy, ISJ",
    "SciPy cKDTree",
)
"""The others are nearest neighbours with k = 3 as well, and give what SciPy's tree gives."""
SEEDS = 50


def table() -> str:
    """One table for each number of rows; a cell is bias / RMSE in nats (and RMSE over the oracle's)."""
    others = {
        name: _quiet(function) for name, function in peers.installed(peers.ONE_DIMENSION).items() if name in CHOSEN
    }
    return accuracy.table(seeds=SEEDS, estimators=accuracy.OURS | others)


def _quiet(function: peers.Scalar) -> peers.Scalar:
    def entropy(x: np.ndarray) -> float:
        value = peers.quietly(function, x)
        return np.nan if value is None else float(value)

    return entropy
