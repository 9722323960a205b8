"""Time of the one-dimensional entropy, for N rows of 32 dimensions."""

import numpy as np

from polar_monitor import entropy
from polar_monitor.kernels import knn_1d

from .. import timing
from . import peers

DIMENSIONS = 32
ROWS = (10**3, 10**4, 10**5)
CHOICES = (1, 3, 10)
"""Neighbours k that a user may choose, timed against the default."""
ONE_BY_ONE = 2
"""Dimensions that a peer which takes them one by one is timed on; the time is of 32 then."""


def table() -> str:
    """Milliseconds, and how many times ours, which is the kernel on rows (D, n) as the monitor holds them."""
    columns = [_times(n) for n in ROWS]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = []
    for name in names:
        cells = [
            f"{1e3 * column[name]:.3g} ({column[name] / column['ours']:.3g}×)" if name in column else "–"
            for column in columns
        ]
        rows.append([name, *cells])
    return timing.table(["milliseconds (times ours)", *(f"N = {n:,}" for n in ROWS)], rows)


def _times(n: int) -> dict[str, float]:
    x = np.random.default_rng(0).normal(size=(DIMENSIONS, n)).astype(np.float32)
    rows = x.T.copy()
    wide = x[:ONE_BY_ONE].astype(np.float64)
    fast = timing.medians(
        {
            "ours": lambda: knn_1d.estimate(x),
            "ours, rows in time order": lambda: knn_1d.estimate(x, dependent=True),
            "ours, polar_monitor.entropy.knn of (n, D)": lambda: entropy.knn(rows, dependent=False),
            **{
                f"the same, k = {k}": lambda k=k: entropy.knn(rows, k=k, dependent=False)  # type: ignore[misc]
                for k in CHOICES
            },
            "sort alone: numpy": lambda: np.sort(x, axis=1),
            "SciPy, Vasicek, (D, n) at once": lambda: _scipy(x),
        },
        least=7,
    )
    slow = timing.medians(
        {
            name: lambda function=function: [peers.quietly(function, column) for column in wide]  # type: ignore[misc]
            for name, function in peers.installed(peers.ONE_DIMENSION).items()
            if peers.quietly(function, wide[0]) is not None
        },
        budget=0.3,
        least=2,
    )
    return fast | {name: time * DIMENSIONS / ONE_BY_ONE for name, time in slow.items()}


def _scipy(x: np.ndarray) -> np.ndarray:
    from scipy.stats import differential_entropy

    return np.asarray(differential_entropy(x, axis=1, method="vasicek"))
