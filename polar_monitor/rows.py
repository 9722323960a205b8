"""Rows of any numeric kind, as the kernels take them: blocks of dimensions, (k, n) float32.

Entropy does not change with a shift and changes by log c with a scale c. float64 rows are therefore centred and scaled
by a power of two before they become float32, so that a spread of 1e-4 around 1e6 keeps its digits. Rows that are a
lower precision's in disguise (a bfloat16 tensor made float32) are recognised by the bits that are zero in all of them
and keep their grid, since what is tied was tied by rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import PolarMonitorError

F32 = NDArray[np.float32]
Floats = NDArray[Any]

BLOCK_BYTES = 64 * 2**20
"""Most memory of one block of dimensions, in float64."""
CHUNK = 2**16
"""Rows that a stream takes at once."""
TILE = 2**13
"""Numbers that are transposed at once, so that they stay in the cache."""
DISTINCT = 64
"""Fewer distinct values than this do not tell what precision they are in."""
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
    step: int
    """1; more where only every step-th was taken, as there were too many."""


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

    With `most`, evenly spaced rows are taken where there are more: fewer than 2·most of an iterator's, whose length is
    not known. Raises PolarMonitorError for anything else.
    """
    if isinstance(value, Iterator):
        return _gathered(word, value, most)
    array, mantissa = as_array(word, value)
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise PolarMonitorError(f"{word}: expected shape (n,) or (n, D) with n and D above 0, got {array.shape}")
    rows = array[:, None] if array.ndim == 1 else array
    step = 1 if most is None else -(-len(rows) // most)
    return Rows(rows[::step], mantissa, array.ndim == 1, len(rows), step)


def as_array(word: str, value: Any) -> tuple[Floats, int]:
    """A float16, float32 or float64 array of any shape, and the bits of the type it came in."""
    name = ""
    if hasattr(value, "detach"):
        if value.device.type != "cpu":
            raise PolarMonitorError(f"{word}: expected an array or a CPU tensor, got {value.device}: pass .cpu()")
        name = str(value.dtype).removeprefix("torch.")
        value = value.detach()
        value = value.float() if name == "bfloat16" else value
    try:
        array = np.asanyarray(value)
    except (TypeError, ValueError):
        array = np.zeros(0, object)  # lists of unequal lengths
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        got = name or array.dtype
        raise PolarMonitorError(f"{word}: expected an array of real numbers of at most 64 bits, got {got}")
    return array, MANTISSA.get(name, MANTISSA[array.dtype.name])


def _gathered(word: str, chunks: Iterator[Any], most: int | None) -> Rows:
    """Every s-th row of all chunks, s doubled whenever 2·most rows are held."""
    held: list[Floats] = []
    count = given = 0
    step, mantissa, flat, width = 1, MANTISSA["float64"], False, None
    for chunk in chunks:
        rows = as_rows(f"a chunk of {word}", chunk)
        if width not in (None, rows.values.shape[1]):
            raise PolarMonitorError(f"{word}: expected chunks of {width} dimensions, got {rows.values.shape[1]}")
        width, flat, mantissa = rows.values.shape[1], rows.flat, min(mantissa, rows.mantissa)
        held.append(rows.values[-given % step :: step].copy())
        given += rows.given
        count += len(held[-1])
        while most is not None and count >= 2 * most:
            held = [np.concatenate(held)[::2].copy()]
            count, step = len(held[0]), 2 * step
    if width is None:
        raise PolarMonitorError(f"{word}: expected at least one chunk, got an iterator of none")
    return Rows(np.concatenate(held), mantissa, flat, given, step)


def precision(column: Floats, mantissa: int) -> int:
    """Bits of the least precise type that holds all of column (n,), finite: that of its own where too few differ."""
    lowest = column.view(f"u{column.dtype.itemsize}") if column.dtype.itemsize > 2 else None
    if lowest is None or mantissa < 23 or np.unique(column[:: max(1, len(column) // 4096)]).size < DISTINCT:
        return mantissa
    used = int(np.bitwise_or.reduce(lowest))
    for bits in (7, 10, 23):
        if bits < mantissa and used & ((1 << (MANTISSA[column.dtype.name] - bits)) - 1) == 0:
            return bits
    return mantissa


def frame(x: Floats) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Where x (k, n), finite, lies: its median and the power of two of its spread, (k,), from at most 8192 rows."""
    some = np.sort(x[:, :: max(1, x.shape[1] // 4096)], axis=1)
    last = some.shape[1] - 1
    centre = some[:, last // 2].astype(np.float64)
    spread = some[:, last - last // 10] - some[:, last // 10]
    spread = np.where(spread > 0, spread, np.abs(x - centre[:, None]).max(axis=1))
    return centre, np.where(spread > 0, np.frexp(spread)[1], 0).astype(np.int64)


def chunks(word: str, value: Any) -> Iterator[Rows]:
    """The rows of an argument, `CHUNK` at a time; an iterator's own chunks as they come."""
    if isinstance(value, Iterator):
        for chunk in value:
            yield as_rows(f"a chunk of {word}", chunk)
        return
    rows = as_rows(word, value)
    for start in range(0, len(rows.values), CHUNK):
        part = rows.values[start : start + CHUNK]
        yield rows._replace(values=part, given=len(part))


def sized(word: str, rows: Rows, dimensions: int) -> Rows:
    """The same rows. Raises PolarMonitorError unless they have so many dimensions."""
    if rows.values.shape[1] != dimensions:
        raise PolarMonitorError(f"{word}: expected shape (n, {dimensions}), got (n, {rows.values.shape[1]})")
    return rows


def columns(rows: Rows, keep: NDArray[np.bool_] | None = None) -> Iterator[Columns]:
    """All dimensions, in blocks of bounded memory of one precision and one set of finite rows each.

    `keep` (n, D): False for rows to leave out besides those that are not finite.
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
            part = np.ascontiguousarray(block[which][:, kept])
            bits = np.array([precision(column, rows.mantissa) for column in part])
            for own in np.unique(bits):
                yield _columns(first + which[bits == own], kept, part[bits == own], int(own))


def _columns(which: Any, kept: Any, part: Floats, bits: int) -> Columns:
    if bits <= 23 or part.shape[1] == 0:
        with np.errstate(over="ignore"):
            return Columns(which, kept, part.astype(np.float32), min(bits, 23), np.zeros(len(which)))
    centre, exponent = frame(part)
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(part - centre[:, None], -exponent[:, None])
    largest = float(np.finfo(np.float32).max)
    return Columns(which, kept, np.clip(scaled, -largest, largest).astype(np.float32), 23, exponent * np.log(2.0))


def transposed(rows: F32, out: F32) -> F32:
    """Write rows (n, D) to out (D, n), a few at a time: each number of a long column would be read past the cache."""
    n, dimensions = rows.shape
    some = max(TILE // dimensions, 16)
    for start in range(0, n, some):
        out[:, start : start + some] = rows[start : start + some].T
    return out
