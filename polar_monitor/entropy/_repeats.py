"""Independent rows of a sample in which values recur: because inputs do, or because their type has few digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays.columns import Columns, columns
from ..arrays.rows import Rows
from ..kernels import knn_1d

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SURE = 3.0
"""Standard errors of a dispersion that is surely above 1."""
MIN_PAIRS = 16
"""Pairs of neighbouring cells that a dispersion needs."""


def repeats(rows: Rows, part: Columns) -> tuple[F64, F64]:
    """Return the independent rows that one of `part` is worth, at most 1, and the share of tied rows, (k,) each.

    A repeated input is no new information; a row on an atom is, and so is one whose value is tied by rounding.
    """
    independent, ties = _judged(part)
    if (ties > 0).any():  # `part` is centred and scaled: the grid of the rounding is that of the given rows
        for given in columns(rows._replace(values=rows.values[part.kept][:, part.which])):
            rounded = [d for d, row in enumerate(given.rows) if is_rounding(row, given.mantissa)]
            if rounded:
                some = given._replace(rows=np.ascontiguousarray(given.rows[rounded]))
                independent[given.which[rounded]] = _judged(some)[0]
    return independent, ties


def _judged(part: Columns) -> tuple[F64, F64]:
    judged = knn_1d.estimate(part.rows, mantissa=part.mantissa)
    apart = part.rows.shape[1] * (1.0 - judged.atoms)
    return np.minimum(judged.rows / np.maximum(apart, judged.rows), 1.0), judged.ties


def is_rounding(row: F32, mantissa: int) -> bool:
    """Return True if rounding to `mantissa` bits explains how often the values of a row (n,) recur.

    Independent rows fall into neighbouring cells of the grid by chance: of s rows in two of them, as many as a coin
    gives fall into one, so the square of the difference divided by s is 1 in the mean. With inputs that recur m times
    it is m, and it is larger beside an atom and where the density has steps.
    """
    if mantissa >= 23:
        return False
    values, counts = np.unique(row, return_counts=True)
    _, exponent = np.frexp(values)
    cell = np.ldexp(1.0, exponent - 1 - mantissa)
    beside = np.diff(values.astype(np.float64)) == np.minimum(cell[1:], cell[:-1])
    both = (counts[1:] - counts[:-1])[beside] ** 2 / (counts[1:] + counts[:-1])[beside]
    alone = np.concatenate([counts[:-1][~beside], counts[1:][~beside]])  # the next cell is empty
    pairs = np.concatenate([both, alone])
    if len(pairs) < MIN_PAIRS:
        return False
    return bool(pairs.mean() <= 1.0 + SURE * pairs.std() / np.sqrt(len(pairs)))
