"""Entropy by the online histogram: one pass, bounded memory, any order of the rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import checked_count
from ..arrays.columns import centre_and_exponent, log_cell, precision, scaled
from ..arrays.rows import MANTISSA, Rows, check_dimensions, chunks
from ..errors import PolarMonitorError
from ..statistics.windowed_histogram import PANES, WindowedHistogram
from ._estimate import Estimate
from ._nearest import knn_of

F64 = NDArray[np.float64]


def histogram(x: Any, bins: int = 512, *, dependent: bool = True) -> Estimate:
    """Differential entropy in one pass and bounded memory, however many rows; see `OnlineHistogram`.

    x: (n,) or (n, D), array, CPU tensor or iterator of chunks, of any float type; each dimension separately. The first
    65,536 rows give the dependence of rows in time and the share of ties (`dependent=False`: rows are independent).
    Repeated rows make the value too small: see `ties`. `bins`: a power of two from 64. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> chunks = (np.random.default_rng(i).uniform(size=1000) for i in range(100))
        >>> abs(round(float(entropy.histogram(chunks)), 2))
        0.0
    """
    stream: OnlineHistogram | None = None
    flat, share, ties = True, np.ones(1), None
    waiting: list[Rows] = []
    for chunk in chunks("x", x):
        if stream is None:
            waiting.append(chunk)
            place = _origin_and_unit(chunk)
            if place is None:  # no finite value yet, so no origin
                continue
            flat = chunk.flat
            stream = OnlineHistogram(chunk.values.shape[1], bins, origin=place[0], unit=place[1])
            if dependent:
                share, ties = _independent(chunk)
            for earlier in waiting:
                stream._add(check_dimensions("a chunk of x", earlier, stream.dimensions))
        else:
            stream._add(check_dimensions("a chunk of x", chunk, stream.dimensions))
    if stream is None:
        if not sum(len(chunk.values) for chunk in waiting):
            raise PolarMonitorError("x: expected at least one row, got none")
        flat = waiting[0].flat
        stream = OnlineHistogram(waiting[0].values.shape[1], bins)
        for earlier in waiting:
            stream._add(check_dimensions("a chunk of x", earlier, stream.dimensions))
    return stream._estimate(flat, share, ties)


def _origin_and_unit(rows: Rows) -> tuple[F64, F64] | None:
    """Return an origin and a unit in which float64 rows keep their digits as float32; 0 and 1 for other types.

    None if no row has a finite value.
    """
    dimensions = rows.values.shape[1]
    origin, unit = np.zeros(dimensions), np.ones(dimensions)
    any_finite = False
    for j, column in enumerate(np.ascontiguousarray(rows.values.T)):
        finite = column[np.isfinite(column)]
        any_finite |= finite.size > 0
        if finite.size and precision(finite, rows.mantissa) == MANTISSA["float64"]:
            centre, exponent = centre_and_exponent(finite[None])
            origin[j], unit[j] = centre[0], np.ldexp(1.0, int(np.clip(exponent[0], -1000, 1000)))
    return (origin, unit) if any_finite else None


def _independent(rows: Rows) -> tuple[Any, Any]:
    """Return the independent rows that one row is worth, at most 1, and the share of tied rows, (D,) each.

    Both come from `knn`.
    """
    apart, together = (knn_of(rows, dependent=d) for d in (False, True))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.divide(*(np.atleast_1d(estimate.standard_error) for estimate in (apart, together))) ** 2
    return np.where(share < 1.0, share, 1.0), np.atleast_1d(together.ties)


class OnlineHistogram:
    """Histograms of D dimensions of a stream, on a dyadic grid that widens with the range of the rows.

    The state depends on the rows as a set: any order, split or merge gives the same bits. `bins`: bins of each
    dimension, a power of two from 64. A row is counted as float32 of (row − `origin`) / `unit`. Both are numbers or
    (D,); the unit is a power of two.

    With `window`, about the last `window` rows of each stream count. The histogram drops a quarter of them at once, so
    `merge` adds the quarters of two streams, the newest to the newest. The bits are the same for evenly split streams.
    Raises PolarMonitorError.

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

    def __init__(
        self, dimensions: int, bins: int = 512, *, window: int | None = None, origin: Any = 0.0, unit: Any = 1.0
    ) -> None:
        self.dimensions, self.bins = checked_count("dimensions", dimensions), checked_count("bins", bins, 64)
        self.window = None if window is None else checked_count("window", window, PANES)
        self._origin, self._unit = (_numbers(*pair, self.dimensions) for pair in (("origin", origin), ("unit", unit)))
        if not ((self._unit > 0) & (np.frexp(self._unit)[0] == 0.5)).all():
            raise PolarMonitorError(f"unit: expected powers of two, got {unit!r}")
        rows = None if self.window is None else self.window // PANES
        self._panes = WindowedHistogram(self.dimensions, self.bins, 1 if rows is None else PANES, rows)
        self._mantissa = MANTISSA["float32"]

    def reset(self) -> None:
        """Forget everything."""
        self._panes.reset()

    def update(self, x: Any) -> None:
        """Add rows (n, D), or (n,) for one dimension. Raises PolarMonitorError for other shapes."""
        for chunk in chunks("x", x):
            self._add(check_dimensions("x", chunk, self.dimensions))

    def merge(self, other: OnlineHistogram) -> None:
        """Add the rows of another, which does not change. Raises PolarMonitorError for another grid or window."""
        if not isinstance(other, OnlineHistogram):
            raise PolarMonitorError(f"merge: expected an OnlineHistogram, got {type(other).__name__}")
        for word in ("dimensions", "bins", "window", "_origin", "_unit"):
            here, there = getattr(self, word), getattr(other, word)
            if not np.array_equal(here, there):
                raise PolarMonitorError(f"merge: expected the same {word.strip('_')}, {here}; got {there}")
        self._panes.merge(copy.deepcopy(other._panes) if other is self else other._panes)
        self._mantissa = min(self._mantissa, other._mantissa)

    def snapshot(self) -> Estimate:
        """Estimate the differential entropy of the rows, as if independent: a histogram does not keep their order.

        `non_finite` counts all rows since the beginning, also with a window.
        """
        return self._estimate(flat=False)

    def _add(self, rows: Rows) -> None:
        values = rows.values
        if self._origin.any() or (self._unit != 1.0).any():
            values = scaled(values.T, self._origin, np.frexp(self._unit)[1] - 1).T
        self._mantissa = min(self._mantissa, rows.mantissa)
        with np.errstate(over="ignore"):
            self._panes.update_rows(np.asarray(values, np.float32))

    def _estimate(self, flat: bool, independent: Any = 1.0, ties: Any = None) -> Estimate:
        """Return the estimate, as numbers if `flat`. One row is worth `independent` rows, at most 1."""
        rows = self._panes.finite()
        entropy = self._panes.entropy(independent * rows)
        value, error, atoms = entropy[:3]
        value = value + np.log(self._unit)
        floor = (error == 0.0) & (rows > 0)
        for d in np.flatnonzero(floor).tolist():
            at = float(self._panes.draw(2)[d].low) * self._unit[d] + self._origin[d]
            plain = self._origin[d] == 0.0 and self._unit[d] == 1.0
            value[d] = log_cell(at, self._mantissa if plain else MANTISSA["float64"])
        return Estimate.of(
            {
                "value": value,
                "standard_error": error,
                "rows": rows,
                "non_finite": self._panes.non_finite.sum(axis=0),
                "ties": np.full(self.dimensions, np.nan) if ties is None else ties,
                "atoms": atoms,
                "floor": floor,
                "outliers": np.maximum(self._panes.outliers(), entropy.far),
                "coarse": entropy.coarse,
            },
            flat,
        )


def _numbers(word: str, value: Any, dimensions: int) -> F64:
    """Return (D,) finite numbers. Raises PolarMonitorError for anything else."""
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        numbers = np.full(1, np.nan)
    if numbers.shape not in ((), (dimensions,)) or not np.isfinite(numbers).all():
        raise PolarMonitorError(f"{word}: expected a finite number or ({dimensions},) of them, got {value!r}")
    return np.array(np.broadcast_to(numbers, (dimensions,)))
