"""Latents in storage, read some rows at a time: arrays of Dask, Zarr, h5py, and columns of Hugging Face data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..errors import PolarMonitorError


def is_stored(value: Any) -> bool:
    """True for an array whose rows are read when they are sliced, and for a column."""
    if isinstance(value, np.ndarray) or hasattr(value, "detach") or hasattr(value, "iloc"):
        return False
    sliced = hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "__getitem__")
    return (sliced and len(value.shape) > 0) or is_column(value)


def is_column(value: Any) -> bool:
    """True for a sequence of rows that is no list, such as a column of a Hugging Face data set."""
    return isinstance(value, Sequence) and not isinstance(value, list | tuple | str | bytes | bytearray | memoryview)


def shape_of(word: str, value: Any) -> tuple[int, ...]:
    """Return the shape (n, …). Raises PolarMonitorError if it is not known."""
    if is_column(value):
        if len(value) == 0:
            return (0,)
        if isinstance(value[0], dict):
            raise PolarMonitorError(
                f"{word}: expected a column, got rows with the columns {', '.join(map(repr, value[0]))}: pass the "
                "columns, as in classify(data['mean'], var=data['var'])"
            )
        return len(value), *np.shape(value[0])
    shape = tuple(value.shape)
    if any(size != size for size in shape):  # Dask does not know the length
        raise PolarMonitorError(f"{word}: expected an array of known shape, got {shape}: call .compute_chunk_sizes()")
    return shape


def cuts(value: Any, rows: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of parts of about `size` rows, which end where the chunks of the storage end."""
    chunks = getattr(value, "chunks", None)
    first = chunks[0] if isinstance(chunks, tuple) and chunks else None
    ends = [0]
    if isinstance(first, tuple):  # Dask: the lengths of all chunks
        ends = list(accumulate(first, initial=0))
    elif isinstance(first, int):  # Zarr and h5py: the length of a chunk
        ends = [*range(0, rows, first), rows]
    start = 0
    for here, following in pairwise([*ends, rows]):
        while here - start >= size or (here > start and following - start > size):
            stop = min(here, start + size)
            yield start, stop
            start = stop
    while start < rows:
        yield start, min(rows, start + size)
        start += size
