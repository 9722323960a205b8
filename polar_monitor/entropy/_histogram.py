"""Entropy by the online histogram: one pass, bounded memory, any order of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import PolarMonitorError
from ..panes import PANES, Panes
from ..rows import MANTISSA, Rows, chunks, frame, precision, sized
from ._estimate import Estimate
from ._nearest import knn_of


def histogram(x: Any, bins: int = 512, *, dependent: bool = True) -> Estimate:
    """Differential entropy in one pass and bounded memory, however many rows; see `OnlineHistogram`.

    How dependent rows are that follow each other, and how many are tied, the first 65,536 of them tell
    (`dependent=False`: not at all). Rows that are there several times each make the value too small: see `ties`.
    `bins`: a power of two from 2. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> chunks = (np.random.default_rng(i).uniform(size=1000) for i in range(100))
        >>> abs(round(float(entropy.histogram(chunks)), 2))
        0.0
    """
    stream: OnlineHistogram | None = None
    flat, share, ties = True, np.ones(1), None
    for chunk in chunks("x", x):
        if stream is None:
            stream, flat = OnlineHistogram(chunk.values.shape[1], bins, origin=_origin(chunk)), chunk.flat
            if dependent:
                share, ties = _independent(chunk)
        stream.add(sized("a chunk of x", chunk, stream.dimensions))
    if stream is None:
        raise PolarMonitorError("x: expected at least one chunk, got an iterator of none")
    return stream.estimate(flat, share, ties)


def _origin(rows: Rows) -> Any:
    """Where to count float64 rows from, so that their float32 differences keep their digits; 0 for other types."""
    if rows.mantissa < MANTISSA["float64"]:
        return 0.0
    origin = np.zeros(rows.values.shape[1])
    for j, column in enumerate(np.ascontiguousarray(rows.values.T)):
        fine = column[np.isfinite(column)]
        if fine.size and precision(fine, rows.mantissa) == rows.mantissa:
            origin[j] = frame(fine[None])[0][0]
    return origin


def _independent(rows: Rows) -> tuple[Any, Any]:
    """How many independent rows one of these is worth, at most 1, and the share of tied rows, by `knn`; (D,) each."""
    apart, together = (knn_of(rows, dependent=d) for d in (False, True))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.divide(*(np.atleast_1d(found.standard_error) for found in (apart, together))) ** 2
    return np.where(share < 1.0, share, 1.0), np.atleast_1d(together.ties)


class OnlineHistogram:
    """Histograms of D dimensions of a stream, on a dyadic grid that widens as the rows ask for it.

    The state depends on the rows as a set: any order, split or merge gives the same bits. `bins`: of each dimension, a
    power of two from 2. `window`: about how many last rows count, the oldest quarter being dropped at once; None: all.
    Rows are counted as float32 after `origin`, a number or (D,), has been subtracted. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> one, other = OnlineHistogram(1), OnlineHistogram(1)
        >>> one.update(rng.uniform(0, 8, size=(5000, 1)))
        >>> other.update(rng.uniform(0, 8, size=(5000, 1)))
        >>> one.merge(other)
        >>> round(float(one.snapshot()), 2)
        2.08
    """

    def __init__(self, dimensions: int, bins: int = 512, *, window: int | None = None, origin: Any = 0.0) -> None:
        shift = np.asarray(origin, np.float64)
        if shift.shape not in ((), (dimensions,)) or not np.isfinite(shift).all():
            raise PolarMonitorError(f"origin: expected a finite number or ({dimensions},), got {origin!r}")
        if window is not None and window < PANES:
            raise PolarMonitorError(f"window: expected {PANES} rows or more, or None, got {window}")
        self._panes = Panes(dimensions, bins, PANES if window else 1, None if window is None else window // PANES)
        self._origin = shift
        self.dimensions, self.bins, self.window = dimensions, bins, window

    def reset(self) -> None:
        """Forget everything."""
        self._panes.reset()

    def update(self, x: Any) -> None:
        """Add rows (n, D), or (n,) for one dimension. Raises PolarMonitorError for other shapes."""
        for chunk in chunks("x", x):
            self.add(sized("x", chunk, self.dimensions))

    def add(self, rows: Rows) -> None:
        """Add rows that have been read already."""
        values = rows.values
        with np.errstate(over="ignore"):
            moved = values if not self._origin.any() else values - self._origin
            self._panes.update_rows(np.asarray(moved, np.float32))

    def merge(self, other: OnlineHistogram) -> None:
        """Add the rows of another. Raises PolarMonitorError for another grid, window or origin."""
        if self.window != other.window or not np.array_equal(self._origin, other._origin):
            raise PolarMonitorError("merge: expected the same window and origin, got others")
        self._panes.merge(other._panes)

    def snapshot(self) -> Estimate:
        """Differential entropy of the rows, which are taken to be independent: a histogram forgets their order."""
        return self.estimate(flat=False)

    def estimate(self, flat: bool, independent: Any = 1.0, ties: Any = None) -> Estimate:
        """The same; numbers rather than arrays if `flat`. A row is worth so many `independent` ones, 1 or fewer."""
        value, error, atoms = self._panes.entropy(independent * self._panes.finite())
        found = {
            "value": value,
            "standard_error": error,
            "rows": self._panes.finite(),
            "non_finite": self._panes.non_finite.sum(axis=0),
            "ties": np.full(self.dimensions, np.nan) if ties is None else ties,
            "atoms": atoms,
            "floor": error == 0.0,
            "outliers": self._panes.outliers(),
        }
        return Estimate.of(found, flat)
