"""One argument of `classify`: an array that is read some rows at a time, or chunks of rows that come once.

A memory map or an array in storage of any length, or a tensor on a device, is never copied at once. Chunks come from
an iterator, or from another iterable that is neither a list nor an array, such as a DataLoader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..arrays.rows import Floats, as_array
from ..errors import PolarMonitorError
from .nested_lists import ARGUMENT_ADVICE, CHUNK_ADVICE, refuse
from .stored import cuts, is_stored, shape_of

MAX_NUMBERS = 2**22
"""Numbers of an array that are read at once."""


class Source:
    """Values of one argument; `word` names it in messages, `shape` is None for chunks."""

    def __init__(self, word: str, value: Any) -> None:
        self.word = word
        self.chunks = iter(value) if is_chunked(value) else None
        self.shape: tuple[int, ...] | None = None
        if self.chunks is None:
            refuse(word, value, ARGUMENT_ADVICE)
            is_array = hasattr(value, "detach") or isinstance(value, np.ndarray) or is_stored(value)
            self._value = value if is_array else read(word, value)[0]
            self.shape = shape_of(word, value) if is_stored(value) else tuple(self._value.shape)
            if not self.shape or 0 in self.shape:
                raise PolarMonitorError(f"{word}: expected shape (n, D) with n and D above 0, got {self.shape}")

    def parts(self) -> Iterator[Any]:
        """Yield all values, some rows at a time."""
        if self.chunks is not None:
            yield from self.chunks
            return
        assert self.shape is not None
        size = max(1, MAX_NUMBERS // max(int(np.prod(self.shape[1:])), 1))
        for start, stop in cuts(self._value, self.shape[0], size):
            yield self._rows(start, stop)

    def matching_rows(self, start: int, mean: Floats) -> Floats:
        """Return the values that belong to a part of the means, the rows from `start` on."""
        if self.chunks is None:
            return read(self.word, self._rows(start, start + len(mean)))[0]
        chunk = next(self.chunks, None)
        if chunk is None:
            raise PolarMonitorError(f"{self.word}: expected a chunk for each of mean, got none after row {start}")
        array = read_chunk(self.word, chunk)[0]
        if array.shape != mean.shape:
            raise PolarMonitorError(
                f"{self.word}: expected chunks of the same rows as mean's, got {array.shape} beside {mean.shape}"
            )
        return array

    def check_fits(self, means: Source) -> None:
        """Raise PolarMonitorError unless both are chunks, or arrays of one shape."""
        if (means.shape is None) != (self.shape is None):
            kinds = ("chunks", "an array") if means.shape is None else ("an array", "chunks")
            raise PolarMonitorError(f"{self.word}: expected {kinds[0]}, as mean, got {kinds[1]}")
        if means.shape != self.shape:
            raise PolarMonitorError(f"{self.word}: expected shape {means.shape}, got {self.shape}")

    def check_ended(self, rows: int) -> None:
        """Raise PolarMonitorError if there are more chunks than the means have."""
        if self.chunks is not None and next(self.chunks, None) is not None:
            raise PolarMonitorError(f"{self.word}: expected no more chunks than mean has, which ended after row {rows}")

    def _rows(self, start: int, stop: int) -> Any:
        try:
            return self._value[start:stop]
        except (TypeError, RuntimeError, IndexError, NotImplementedError):  # sparse tensors
            return self._value


def is_chunked(value: Any) -> bool:
    """True if a value is chunks of rows, and no array or list."""
    if isinstance(value, Iterator):
        return True
    at_once = isinstance(value, list | tuple | str | bytes | Mapping) or hasattr(value, "__array__")
    at_once = at_once or is_stored(value)
    return isinstance(value, Iterable) and not at_once and not hasattr(value, "shape")


def read(word: str, value: Any) -> tuple[Floats, int]:
    """Return a value as an array, and the mantissa bits of its type."""
    if hasattr(value, "detach"):
        try:
            value = value.detach().cpu()
        except (RuntimeError, NotImplementedError):
            raise PolarMonitorError(f"{word}: expected a tensor with values, got one on {value.device}") from None
    return as_array(word, value)


def read_chunk(word: str, value: Any) -> tuple[Floats, int]:
    """Return a chunk as an array, and the mantissa bits of its type. Raises PolarMonitorError for a list of arrays."""
    refuse(f"a chunk of {word}", value, CHUNK_ADVICE)
    return read(f"a chunk of {word}", value)
