"""Rows of any numeric kind, as the kernels take them: blocks of dimensions, (k, n) float32.

Entropy does not change with a shift and changes by log c with a scale c. float64 rows are therefore centred and scaled
by a power of two before they become float32, so that a spread of 1e-4 around 1e6 keeps its digits. Rows that are a
lower precision's in disguise (a bfloat16 tensor made float32) are recognised by the bits that are zero in all of them
and keep their grid, since what is tied was tied by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from . import subsampling

F32 = NDArray[np.float32]
Floats = NDArray[Any]

BLOCK_BYTES = 64 * 2**20
"""Most memory of one block of dimensions, in float64."""
CHUNK = 2**16
"""Rows that a stream takes at once."""
TILE = 2**13
"""Numbers that are transposed at once, so that they stay in the cache."""
DISTINCT = 16
"""Fewer distinct values than this do not tell what precision they are in."""
FINEST = -149
"""Exponent of the smallest float32, which is where the estimators end."""
MANTISSA = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}


class Rows(NamedTuple):
    """What `as_rows` makes of an argument."""

    values: Floats
    """(n, D) float16, float32 or float64: a view where that is possible."""
    mantissa: int
    """Bits of the type that the values came in."""
    flat: bool
    """Whether the argument had shape (n,)."""
    given: int
    """Rows of the argument."""
    taken: NDArray[np.int64] | slice = slice(None)
    """Which of them these are: one of each block of rows where there were too many (`thinning.chosen`)."""


class Columns(NamedTuple):
    """Some dimensions of rows, ready for the kernels."""

    which: NDArray[np.int64]
    """Which dimensions, (k,)."""
    kept: NDArray[np.int64] | slice
    """Which rows are finite in them; all others were left out."""
    rows: F32
    """(k, n) C-contiguous, finite."""
    mantissa: int
    log_scale: NDArray[np.float64]
    """(k,): the entropy of what was given is that of `rows` plus this."""


def as_rows(word: str, value: Any, most: int | None = None) -> Rows:
    """Read (n,) or (n, D) numbers: an array, a CPU tensor, a nested list, or an iterator of such chunks.

    Of more than `most` rows one of each 2, 4, 8 … is taken, so that half of `most` are left at least. Raises
    PolarMonitorError for anything else, and for no rows at all.
    """
    if isinstance(value, Iterator):
        return _gathered(word, value, most)
    rows = _shaped(word, value)
    if rows.given == 0:
        raise PolarMonitorError(f"{word}: expected at least one row, got none")
    if most is None or rows.given <= most:
        return rows._replace(values=_floats(rows.values))
    taken = subsampling.chosen(0, rows.given, subsampling.level(rows.given, most))
    return rows._replace(values=_floats(rows.values[taken]), taken=taken)


def _shaped(word: str, value: Any) -> Rows:
    """An argument that is no iterator, (n, D), whatever its type of numbers."""
    array, mantissa = as_array(word, value)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise PolarMonitorError(f"{word}: expected shape (n,) or (n, D) with D above 0, got {array.shape}")
    return Rows(array[:, None] if array.ndim == 1 else array, mantissa, array.ndim == 1, len(array))


def as_array(word: str, value: Any) -> tuple[Floats, int]:
    """An array of any shape, and the bits of the type it came in.

    Its type is float16, float32, float64, an integer's or bool's, of which `_floats` makes float64; bfloat16 has become
    float32. Raises PolarMonitorError for anything else.
    """
    name = ""
    try:
        if hasattr(value, "detach"):
            if value.device.type != "cpu":
                raise PolarMonitorError(f"{word}: expected an array or a CPU tensor, got {value.device}: pass .cpu()")
            name = str(value.dtype).removeprefix("torch.")
            value = value.detach().resolve_conj().resolve_neg()
            value = value.float() if name == "bfloat16" else value.numpy()
        array = value.filled(np.nan) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    except PolarMonitorError:
        raise
    except (TypeError, ValueError, RuntimeError):  # lists of unequal lengths; sparse or quantised tensors
        array = np.zeros(0, object)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        got = type(value).__name__ if array.dtype == object else name or array.dtype
        raise PolarMonitorError(f"{word}: expected an array of real numbers of at most 64 bits, got {got}")
    return array, MANTISSA.get(name, MANTISSA.get(array.dtype.name, MANTISSA["float64"]))


def _floats(array: Floats) -> Floats:
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _gathered(word: str, chunks: Iterator[Any], most: int | None) -> Rows:
    """The rows of all chunks that `as_rows` would take of them as one array."""
    held: list[Floats] = []
    places: list[NDArray[np.int64]] = []
    given, level, mantissa, flat, width = 0, 0, MANTISSA["float64"], False, None
    for chunk in chunks:
        rows = _shaped(f"a chunk of {word}", chunk)
        if width not in (None, rows.values.shape[1]):
            raise PolarMonitorError(f"{word}: expected chunks of {width} dimensions, got {rows.values.shape[1]}")
        width, flat, mantissa = rows.values.shape[1], rows.flat, min(mantissa, rows.mantissa)
        taken = subsampling.chosen(given, given + rows.given, level)
        held.append(_floats(rows.values[taken - given]))
        places.append(taken)
        given += rows.given
        if most is not None and subsampling.level(given, most) > level:
            level = subsampling.level(given, most)
            place = np.concatenate(places)
            keep = place == subsampling.path(place >> level, level)
            held, places = [np.concatenate(held)[keep]], [place[keep]]
    if given == 0:
        raise PolarMonitorError(f"{word}: expected at least one row, got an iterator of none")
    return Rows(np.concatenate(held), mantissa, flat, given, np.concatenate(places))


def precision(column: Floats, mantissa: int) -> int:
    """Bits of the least precise type that holds all of column (n,), finite: that of its own where too few differ."""
    if column.dtype.itemsize == 2 or mantissa < 23 or column.size == 0:
        return mantissa
    used = int(np.bitwise_or.reduce(column.view(f"u{column.dtype.itemsize}")))
    for bits in (7, 10, 23):
        if bits < mantissa and used & ((1 << (MANTISSA[column.dtype.name] - bits)) - 1) == 0:
            return bits if np.unique(column[:: max(1, len(column) // 1024)]).size >= DISTINCT else mantissa
    return mantissa


def frame(x: Floats) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Where x (k, n), finite, lies: its median and the power of two of its spread, (k,), from some 256 rows."""
    some = np.sort(x[:, :: max(1, x.shape[1] // 256)].astype(np.float64), axis=1)
    last = some.shape[1] - 1
    centre = some[:, last // 2].copy()
    with np.errstate(over="ignore"):
        spread = some[:, last - last // 10] - some[:, last // 10]
        spread = np.where(spread > 0, spread, np.abs(x - centre[:, None]).max(axis=1))
    spread = np.where(spread > 0, np.minimum(spread, np.finfo(np.float64).max), np.abs(centre))
    return centre, np.where(spread > 0, np.frexp(spread)[1], 0).astype(np.int64)


def chunks(word: str, value: Any) -> Iterator[Rows]:
    """The rows of an argument, `CHUNK` at a time; an iterator's own chunks as they come."""
    if isinstance(value, Iterator):
        for chunk in value:
            yield from chunks(f"a chunk of {word}", chunk)
        return
    rows = _shaped(word, value)
    for start in range(0, rows.given, CHUNK):
        part = _floats(rows.values[start : start + CHUNK])
        yield rows._replace(values=part, given=len(part))


def sized(word: str, rows: Rows, dimensions: int) -> Rows:
    """The same rows. Raises PolarMonitorError unless they have so many dimensions."""
    if rows.values.shape[1] != dimensions:
        raise PolarMonitorError(f"{word}: expected shape (n, {dimensions}), got (n, {rows.values.shape[1]})")
    return rows


def columns(rows: Rows, keep: NDArray[np.bool_] | None = None, lattice: bool = True) -> Iterator[Columns]:
    """All dimensions, in blocks of bounded memory of one precision and one set of finite rows each.

    `keep` (n, D): False for rows to leave out besides those that are not finite. Without `lattice`, rows of every
    precision are centred and scaled, which moves rounded values off their grid.
    """
    n, dimensions = rows.values.shape
    size = max(1, BLOCK_BYTES // (8 * max(n, 1)))
    for first in range(0, dimensions, size):
        block = np.ascontiguousarray(rows.values[:, first : first + size].T)
        block = block.astype(np.float32) if block.dtype == np.float16 else block
        fine = np.isfinite(block)
        if keep is not None:
            fine &= keep[:, first : first + size].T
        whole = fine.all(axis=1)
        parts: list[tuple[Any, Any]] = [(np.flatnonzero(whole), slice(None))] if whole.any() else []
        parts += [(np.array([j]), np.flatnonzero(fine[j])) for j in np.flatnonzero(~whole)]
        for which, kept in parts:
            part = block if whole.all() else np.ascontiguousarray(block[which][:, kept])
            bits = np.array([precision(column, rows.mantissa) if lattice else 52 for column in part])
            for own in np.unique(bits):
                some = part if (bits == own).all() else part[bits == own]
                yield _columns(first + which[bits == own], kept, some, int(own))


def _columns(which: Any, kept: Any, part: Floats, bits: int) -> Columns:
    if bits <= 23 or part.shape[1] == 0:
        with np.errstate(over="ignore"):
            return Columns(which, kept, part.astype(np.float32, copy=False), min(bits, 23), np.zeros(len(which)))
    centre, exponent = frame(part)
    return Columns(which, kept, scaled(part, centre, exponent), 23, exponent * np.log(2.0))


def scaled(x: Floats, centre: Any, exponent: Any) -> F32:
    """(x - centre) / 2^exponent for x (k, n) and (k,) each, as float32; what is finite stays so."""
    with np.errstate(over="ignore", under="ignore"):
        moved = np.ldexp(np.subtract(x, centre[:, None], dtype=np.float64), -exponent[:, None])
    largest = float(np.finfo(np.float32).max)
    with np.errstate(invalid="ignore"):
        kept = np.where(np.isfinite(x), np.clip(moved, -largest, largest), moved)
        return np.asarray(kept, np.float32)


def transposed(rows: F32, out: F32) -> F32:
    """Write rows (n, D) to out (D, n), a few at a time: each number of a long column would be read past the cache."""
    n, dimensions = rows.shape
    some = max(TILE // dimensions, 16)
    for start in range(0, n, some):
        out[:, start : start + some] = rows[start : start + some].T
    return out


def log_cell(value: float, mantissa: int) -> float:
    """log of the width of the cell that rounding to so many bits draws together at a value; for 0, float32's least."""
    if value == 0.0:
        return FINEST * math.log(2.0)
    exponent = math.frexp(abs(value))[1] - 1 - mantissa
    return (exponent if mantissa > 23 else max(exponent, FINEST)) * math.log(2.0)
