"""Rows as the kernels take them: blocks of dimensions, (k, n) float32, finite.

Entropy does not change with a shift, and changes by log c with a scale c. Rows in float64 are therefore centred and
scaled by a power of two before they become float32, so that a spread of 1e-4 around 1e6 keeps its digits. Rows of a
lower precision in a wider type (a bfloat16 tensor made float32) are recognised by the bits that are zero in all of
them. They keep their grid, since equal values are equal by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.transpose import transpose
from .rows import F32, MANTISSA, Floats, Rows

TILE_NUMBERS = 2**13
"""Numbers that are transposed at once."""

MAX_BLOCK_BYTES = 64 * 2**20
"""Memory of one block of dimensions, in float64."""
MIN_DISTINCT = 16
"""Distinct values from which on the precision of a column can be read off its bits."""
SMALLEST_EXPONENT = -149
"""Exponent of the smallest float32, where the estimators end."""


class Columns(NamedTuple):
    """Some dimensions of rows, ready for the kernels."""

    which: NDArray[np.int64]
    """Numbers of the dimensions, (k,)."""
    kept: NDArray[np.int64] | slice
    """Rows that are finite in these dimensions; the others are left out."""
    rows: F32
    """(k, n) C-contiguous, finite."""
    mantissa: int
    log_scale: NDArray[np.float64]
    """(k,): the entropy of the given values is that of `rows` plus this."""


def columns(rows: Rows, keep: NDArray[np.bool_] | None = None, lattice: bool = True) -> Iterator[Columns]:
    """Yield all dimensions, in blocks of bounded memory, each of one precision and one set of finite rows.

    `keep` (n, D) is False for rows to leave out besides those that are not finite. Without `lattice`, rows of every
    precision are centred and scaled, which moves rounded values off their grid.
    """
    n, dimensions = rows.values.shape
    size = max(1, MAX_BLOCK_BYTES // (8 * max(n, 1)))
    for first in range(0, dimensions, size):
        block = _columns_first(rows.values[:, first : first + size])
        block = block.astype(np.float32) if block.dtype == np.float16 else block
        usable = np.isfinite(block)
        if keep is not None:
            usable &= keep[:, first : first + size].T
        complete = usable.all(axis=1)
        parts: list[tuple[Any, Any]] = [(np.flatnonzero(complete), slice(None))] if complete.any() else []
        parts += [(np.array([j]), np.flatnonzero(usable[j])) for j in np.flatnonzero(~complete)]
        for which, kept in parts:
            part = block if complete.all() else np.ascontiguousarray(block[which][:, kept])
            bits = precisions(part, rows.mantissa) if lattice else np.full(len(part), 52)
            for own in np.unique(bits):
                same = part if (bits == own).all() else part[bits == own]
                yield _columns(first + which[bits == own], kept, same, int(own))


def _columns(which: Any, kept: Any, part: Floats, bits: int) -> Columns:
    if bits <= 23 or part.shape[1] == 0:
        with np.errstate(over="ignore"):
            return Columns(which, kept, part.astype(np.float32, copy=False), min(bits, 23), np.zeros(len(which)))
    centre, exponent = centre_and_exponent(part)
    return Columns(which, kept, scaled(part, centre, exponent), 23, exponent * np.log(2.0))


def precision(column: Floats, mantissa: int) -> int:
    """Return the bits of the least precise type that holds all of column (n,), finite; see `precisions`."""
    return int(precisions(column[None], mantissa)[0])


def precisions(part: Floats, mantissa: int) -> NDArray[np.int64]:
    """Return the bits of the least precise type that holds all of each column of part (k, n), finite.

    Returns those of the column's own type if it has too few distinct values.
    """
    bits = np.full(len(part), mantissa)
    if part.dtype.itemsize == 2 or mantissa < 23 or part.size == 0:
        return bits
    digits = MANTISSA[part.dtype.name]
    used = np.bitwise_or.reduce(part.view(f"u{part.dtype.itemsize}"), axis=1)
    for fewer in (23, 10, 7):
        if fewer < mantissa:
            for j in np.flatnonzero(used & used.dtype.type((1 << (digits - fewer)) - 1) == 0):
                if np.unique(part[j, :: max(1, part.shape[1] // 1024)]).size >= MIN_DISTINCT:
                    bits[j] = fewer
    return bits


def centre_and_exponent(x: Floats) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the median of x (k, n), finite, and the exponent of two of its spread, (k,), from some 256 rows."""
    ordered = np.sort(x[:, :: max(1, x.shape[1] // 256)].astype(np.float64), axis=1)
    last = ordered.shape[1] - 1
    centre = ordered[:, last // 2].copy()
    with np.errstate(over="ignore"):
        spread = ordered[:, last - last // 10] - ordered[:, last // 10]
        spread = np.where(spread > 0, spread, np.abs(x - centre[:, None]).max(axis=1))
    spread = np.where(spread > 0, np.minimum(spread, np.finfo(np.float64).max), np.abs(centre))
    return centre, np.where(spread > 0, np.frexp(spread)[1], 0).astype(np.int64)


def scaled(x: Floats, centre: Any, exponent: Any) -> F32:
    """Return (x - centre) / 2^exponent for x (k, n) and (k,) each, as float32; finite values stay finite."""
    with np.errstate(over="ignore", under="ignore"):
        moved = np.ldexp(np.subtract(x, centre[:, None], dtype=np.float64), -exponent[:, None])
    largest = float(np.finfo(np.float32).max)
    with np.errstate(invalid="ignore"):
        kept = np.where(np.isfinite(x), np.clip(moved, -largest, largest), moved)
        return np.asarray(kept, np.float32)


def _columns_first(rows: Floats) -> Floats:
    """Return rows (n, D) as a C-contiguous (D, n); the same memory where that is possible."""
    if rows.T.flags.c_contiguous:
        return rows.T
    if rows.dtype == np.float32:
        return transposed(rows, np.empty(rows.shape[::-1], np.float32))
    out, tile = np.empty(rows.shape[::-1], rows.dtype), max(TILE_NUMBERS // rows.shape[1], 16)
    for start in range(
        0, len(rows), tile
    ):  # a few at a time: each number of a long column would be read past the cache
        out[:, start : start + tile] = rows[start : start + tile].T
    return out


def transposed(rows: F32, out: F32, place: int = 0) -> F32:
    """Write rows (n, D) to the columns of out (D, W), C-contiguous, from `place` on, and return out."""
    n, dimensions = rows.shape
    if not 0 <= place <= out.shape[1] - n or out.shape[0] != dimensions:
        raise ValueError(f"out: expected room for {n} rows of {dimensions} numbers at {place}, got {out.shape}")
    if rows.flags.carray:
        transpose(rows, out, place)
    else:
        out[:, place : place + n] = rows.T
    return out


def log_cell(value: float, mantissa: int) -> float:
    """Return log of the width of the cell whose values are rounded to one, near `value`; the smallest float32's at 0.

    The cell is that of a type with so many mantissa bits.
    """
    if value == 0.0:
        return SMALLEST_EXPONENT * math.log(2.0)
    exponent = math.frexp(abs(value))[1] - 1 - mantissa
    return (exponent if mantissa > 23 else max(exponent, SMALLEST_EXPONENT)) * math.log(2.0)
