"""Split rows into their dimensions, and collect the results of a kernel into one estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.columns import Columns, columns
from ..arrays.rows import Rows
from ..errors import PolarMonitorError
from ._estimate import Estimate

MIN_ROWS = 32
"""Smallest number of finite rows for an estimate. With fewer it is NaN."""
Ids = NDArray[np.int64] | None


class PerDimension:
    """Results of every dimension, filled in block by block."""

    def __init__(self, rows: Rows, groups: Any = None) -> None:
        n, dimensions = rows.values.shape
        self.rows = rows
        self.groups = None if groups is None else group_ids(groups, rows)
        self.values: dict[str, NDArray[Any]] = {
            "value": np.full(dimensions, np.nan),
            "standard_error": np.full(dimensions, np.nan),
            "rows": np.zeros(dimensions, np.int64),
            "non_finite": np.full(dimensions, n),
        }

    def parts(
        self, least: int = MIN_ROWS, keep: NDArray[np.bool_] | None = None, lattice: bool = True
    ) -> Iterator[tuple[Columns, Ids]]:
        """Yield blocks of dimensions with at least `least` finite rows, and the groups of these rows.

        Rows of one group are side by side.
        """
        for part in columns(self.rows, keep, lattice):
            n = part.rows.shape[1]
            self.values["rows"][part.which] = n
            self.values["non_finite"][part.which] = len(self.rows.values) - n
            if n < least:
                continue
            if self.groups is None:
                yield part, None
                continue
            order = np.argsort(self.groups[part.kept], kind="stable")
            kept = np.arange(len(self.groups))[part.kept][order]
            yield part._replace(kept=kept, rows=np.ascontiguousarray(part.rows[:, order])), self.groups[kept]

    def put(self, part: Columns, results: Mapping[str, Any]) -> None:
        """Store the results of some dimensions, arrays (k,) by the names of `Estimate`."""
        for name, array in results.items():
            if name not in self.values:
                self.values[name] = np.zeros(self.rows.values.shape[1], np.asarray(array).dtype)
            self.values[name][part.which] = array

    def estimate(self) -> Estimate:
        """Return all results as one estimate."""
        return Estimate.of(self.values, self.rows.flat, self.rows.given - len(self.rows.values))


def group_ids(groups: Any, rows: Rows) -> NDArray[np.int64]:
    """Return the number of the group of each row that was taken (n,). Raises PolarMonitorError for wrong groups."""
    ids: NDArray[np.int64] | None = None
    try:
        labels = np.asarray(groups.detach().cpu() if hasattr(groups, "detach") else groups)
        shape: Any = labels.shape
        if shape == (rows.given,):
            ids = np.unique(labels[rows.taken], return_inverse=True)[1].astype(np.int64)
    except (TypeError, ValueError, RuntimeError):
        shape = type(groups).__name__
    if ids is None:
        raise PolarMonitorError(f"groups: expected a number or a string for each of {rows.given} rows, got {shape}")
    return ids
