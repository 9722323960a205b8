"""Arguments read as rows (n, D): arrays, CPU tensors, nested lists, or iterators of chunks of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from . import subsampling

F32 = NDArray[np.float32]
Floats = NDArray[Any]

CHUNK_ROWS = 2**16
"""Rows that a stream takes at once."""
MANTISSA = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}
"""Bits behind the leading one of each floating type."""


class Rows(NamedTuple):
    """An argument, read."""

    values: Floats
    """(n, D) float16, float32 or float64: a view where that is possible."""
    mantissa: int
    """Bits of the type that the values came in."""
    flat: bool
    """True if the argument had shape (n,)."""
    given: int
    """Rows of the argument."""
    taken: NDArray[np.int64] | slice = slice(None)
    """Numbers of the rows that were kept, if there were too many (`subsampling.kept_rows`)."""


def as_rows(word: str, value: Any, max_rows: int | None = None) -> Rows:
    """Read (n,) or (n, D) numbers: an array, a CPU tensor, a nested list, or an iterator of such chunks.

    Keeps one of each 2, 4, 8 … rows if there are more than `max_rows`, at least half of `max_rows`. `word` names the
    argument in messages. Raises PolarMonitorError for anything else, and for no rows at all.
    """
    if isinstance(value, Iterator):
        return _read_chunks(word, value, max_rows)
    rows = _as_table(word, value)
    if rows.given == 0:
        raise PolarMonitorError(f"{word}: expected at least one row, got none")
    if max_rows is None or rows.given <= max_rows:
        return rows._replace(values=_as_floats(rows.values))
    taken = subsampling.kept_rows(0, rows.given, subsampling.halvings_needed(rows.given, max_rows))
    return rows._replace(values=_as_floats(rows.values[taken]), taken=taken)


def chunks(word: str, value: Any) -> Iterator[Rows]:
    """Yield the rows of an argument, `CHUNK_ROWS` at a time; the chunks of an iterator have their own lengths."""
    if isinstance(value, Iterator):
        for chunk in value:
            yield from chunks(f"a chunk of {word}", chunk)
        return
    rows = _as_table(word, value)
    for start in range(0, rows.given, CHUNK_ROWS):
        part = _as_floats(rows.values[start : start + CHUNK_ROWS])
        yield rows._replace(values=part, given=len(part))


def check_dimensions(word: str, rows: Rows, dimensions: int) -> Rows:
    """Return the same rows. Raises PolarMonitorError if they have another number of dimensions."""
    if rows.values.shape[1] != dimensions:
        raise PolarMonitorError(f"{word}: expected shape (n, {dimensions}), got (n, {rows.values.shape[1]})")
    return rows


def as_array(word: str, value: Any) -> tuple[Floats, int]:
    """Return an array of any shape and the mantissa bits of the type it came in.

    Its type is float16, float32, float64, an integer or bool; bfloat16 becomes float32. Raises PolarMonitorError for
    anything else.
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


def _as_table(word: str, value: Any) -> Rows:
    """Read an argument that is no iterator as (n, D), in its own type."""
    array, mantissa = as_array(word, value)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise PolarMonitorError(f"{word}: expected shape (n,) or (n, D) with D above 0, got {array.shape}")
    return Rows(array[:, None] if array.ndim == 1 else array, mantissa, array.ndim == 1, len(array))


def _as_floats(array: Floats) -> Floats:
    """Return integers and bools as float64, floats as they are."""
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _read_chunks(word: str, chunks: Iterator[Any], max_rows: int | None) -> Rows:
    """Return the rows of all chunks that `as_rows` would keep of them as one array."""
    kept: list[Floats] = []
    numbers: list[NDArray[np.int64]] = []
    given, halvings, mantissa, flat, width = 0, 0, MANTISSA["float64"], False, None
    for chunk in chunks:
        rows = _as_table(f"a chunk of {word}", chunk)
        if width not in (None, rows.values.shape[1]):
            raise PolarMonitorError(f"{word}: expected chunks of {width} dimensions, got {rows.values.shape[1]}")
        width, flat, mantissa = rows.values.shape[1], rows.flat, min(mantissa, rows.mantissa)
        taken = subsampling.kept_rows(given, given + rows.given, halvings)
        kept.append(_as_floats(rows.values[taken - given]))
        numbers.append(taken)
        given += rows.given
        if max_rows is not None and subsampling.halvings_needed(given, max_rows) > halvings:
            halvings = subsampling.halvings_needed(given, max_rows)
            all_numbers = np.concatenate(numbers)
            keep = all_numbers == subsampling.row_of_block(all_numbers >> halvings, halvings)
            kept, numbers = [np.concatenate(kept)[keep]], [all_numbers[keep]]
    if given == 0:
        raise PolarMonitorError(f"{word}: expected at least one row, got an iterator of none")
    return Rows(np.concatenate(kept), mantissa, flat, given, np.concatenate(numbers))
