"""Latents given whole or in chunks, as the batches of rows that the live path would see.

An array is read some rows at a time, so that a memory map of any length, or a tensor on a device, is never copied
whole. Chunks come from an iterator, or from another iterable that is neither a list nor an array, such as a DataLoader.
A list of arrays is neither (`listed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.rows import F32, MAX_ROWS_PER_INPUT, Floats, as_array
from ..arrays.spread import UNITS, to_variance
from ..errors import PolarMonitorError
from .nested_lists import CHUNK, WHOLE, first_array, refuse

NUMBERS = 2**22
"""Numbers of an array that are read at once."""


class Batch(NamedTuple):
    """Rows of some inputs, `per` consecutive ones of each."""

    mean: F32
    """(n, D)."""
    variance: F32 | None
    per: int
    mantissa: int
    """Bits of the type that the means came in."""
    least: float
    """Least value of the spread, in its own unit; inf without one."""
    greatest: float


class Source:
    """One argument: an array, or chunks that come once."""

    def __init__(self, word: str, value: Any) -> None:
        self.word = word
        self.chunks = iter(value) if _is_chunked(value) else None
        self.shape: tuple[int, ...] | None = None
        if self.chunks is None:
            refuse(word, value, WHOLE)
            self._value = value if hasattr(value, "detach") or isinstance(value, np.ndarray) else _read(word, value)[0]
            self.shape = tuple(self._value.shape)
            if not self.shape or 0 in self.shape:
                raise PolarMonitorError(f"{word}: expected shape (n, D) with n and D above 0, got {self.shape}")

    def parts(self) -> Iterator[Any]:
        """All of it, some rows at a time."""
        if self.chunks is not None:
            yield from self.chunks
            return
        assert self.shape is not None
        size = max(1, NUMBERS // max(int(np.prod(self.shape[1:])), 1))
        for start in range(0, self.shape[0], size):
            yield self._rows(start, start + size)

    def beside(self, start: int, mean: Floats) -> Floats:
        """What belongs to a part of the means, the rows from `start` on."""
        if self.chunks is None:
            return _read(self.word, self._rows(start, start + len(mean)))[0]
        chunk = next(self.chunks, None)
        if chunk is None:
            raise PolarMonitorError(f"{self.word}: expected a chunk for each of mean, got none after row {start}")
        array = _read_chunk(self.word, chunk)[0]
        if array.shape != mean.shape:
            raise PolarMonitorError(
                f"{self.word}: expected chunks of the same rows as mean's, got {array.shape} beside {mean.shape}"
            )
        return array

    def end(self, rows: int) -> None:
        """Raise PolarMonitorError if there is more than the means have."""
        if self.chunks is not None and next(self.chunks, None) is not None:
            raise PolarMonitorError(f"{self.word}: expected no more chunks than mean has, which ended after row {rows}")

    def _rows(self, start: int, stop: int) -> Any:
        try:
            return self._value[start:stop]
        except (TypeError, RuntimeError, IndexError, NotImplementedError):  # sparse tensors
            return self._value


def batches(mean: Any, kind: str | None, spread: Any, prior: tuple[Any, Any] | None = None) -> Iterator[Batch]:
    """The rows of latents (n, D), (n,), (n, T, D) or (n, C, H, W), standardised by a prior of each row if there is one.

    `spread` is True where the chunks of `mean` are pairs (mean, spread). Raises PolarMonitorError.
    """
    means = Source("mean", mean)
    paired = spread is True
    if paired and means.chunks is None:
        raise PolarMonitorError(f"{kind}: True is for chunks of pairs (mean, {kind}); pass an array beside an array")
    others = [] if kind is None or paired else [Source(kind, spread)]
    priors = () if prior is None else _prior_sources(prior)
    followers = others + [source for source in priors if isinstance(source, Source)]
    for source in followers:
        _check_alike(means, source)
    start, first = 0, None
    for part in means.parts():
        given, beside = _pair(part, str(kind)) if paired else (part, None)
        array, mantissa = _read("mean", given) if means.chunks is None else _read_chunk("mean", given)
        if not 1 <= array.ndim <= 5 or 0 in array.shape[1:]:
            raise PolarMonitorError(f"mean: expected 1 to 5 axes, (n, D), and D above 0, got shape {array.shape}")
        values = None
        if kind is not None:
            values = others[0].beside(start, array) if others else _read_chunk(str(kind), beside)[0]
            if values.shape != array.shape:
                raise PolarMonitorError(f"{kind}: expected shape {array.shape}, got {values.shape}")
        pair = [source.beside(start, array) if isinstance(source, Source) else source for source in priors]
        start += len(array)
        if len(array) == 0:
            continue
        batch = _batch(array, mantissa, kind, values, pair)
        form = batch.mean.shape[1], batch.per
        if first not in (None, form):
            raise PolarMonitorError(
                "mean: expected chunks of {} dimensions and {} places an input, got {} and {}".format(*first, *form)
            )
        first = form
        yield batch
    if start == 0:
        raise PolarMonitorError("mean: expected at least one row, got none")
    for source in followers:
        source.end(start)


def is_of_each_row(value: Any) -> bool:
    """Whether one side of a prior is given for each row, and not once for all."""
    if _is_chunked(value) or first_array(value) is not None:
        return True
    nested = isinstance(value, list | tuple) and len(value) > 0 and isinstance(value[0], list | tuple)
    return nested or getattr(value, "ndim", 0) > 1


def standardised(
    mean: Floats, kind: str | None, spread: Floats | None, prior: list[Floats]
) -> tuple[Floats, Floats | None]:
    """(μ − μp) / σp and the spread in units of the prior's: `conditional.standardise` for arrays.

    NaN where the prior's variance is not positive and finite.
    """
    centre, variance = prior
    with np.errstate(all="ignore"):
        variance = np.where((variance > 0) & np.isfinite(variance), variance, np.float32("nan"))
        moved = (mean - centre) / np.sqrt(variance)
        return moved, None if kind is None else UNITS[kind].rescaled(spread, variance, np)


def _batch(mean: Floats, mantissa: int, kind: str | None, spread: Floats | None, prior: list[Floats]) -> Batch:
    mean, least, greatest = _single(mean), np.inf, -np.inf
    if spread is not None:
        spread = _single(spread)
        least, greatest = float(np.fmin.reduce(spread, axis=None)), float(np.fmax.reduce(spread, axis=None))
        if kind != "logvar" and least < 0:
            raise PolarMonitorError(
                f"{kind}: expected values of 0 or more, got {least:.3g}: is it a log-variance? Then pass logvar="
            )
    if prior:
        shaped = [_shaped_like(mean, _single(side)) for side in prior]
        mean, spread = standardised(mean, kind, spread, shaped)
        mantissa = 23
    rows, per = rows_of(mean)
    variance = None if spread is None else to_variance(_float32(rows_of(spread)[0]), str(kind))
    return Batch(_float32(rows), variance, per, min(mantissa, 23), least, greatest)


def rows_of(array: Floats) -> tuple[Floats, int]:
    """A latent as rows (n · p, D), p of an input: `hooks.rows_of` for arrays."""
    if array.ndim < 3:
        return array.reshape(len(array), -1), 1
    if array.ndim > 3:
        array = np.moveaxis(array, 1, -1)
    flat = array.reshape(len(array), -1, array.shape[-1])
    flat = flat[:, :: -(-flat.shape[1] // MAX_ROWS_PER_INPUT)]
    return flat.reshape(-1, flat.shape[-1]), flat.shape[1]


def _is_chunked(value: Any) -> bool:
    if isinstance(value, Iterator):
        return True
    whole = isinstance(value, list | tuple | str | bytes | Mapping) or hasattr(value, "__array__")
    return isinstance(value, Iterable) and not whole and not hasattr(value, "shape")


def _read(word: str, value: Any) -> tuple[Floats, int]:
    if hasattr(value, "detach"):
        try:
            value = value.detach().cpu()
        except (RuntimeError, NotImplementedError):
            raise PolarMonitorError(f"{word}: expected a tensor with values, got one on {value.device}") from None
    return as_array(word, value)


def _read_chunk(word: str, value: Any) -> tuple[Floats, int]:
    refuse(f"a chunk of {word}", value, CHUNK)
    return _read(f"a chunk of {word}", value)


def _pair(chunk: Any, kind: str) -> tuple[Any, Any]:
    if not isinstance(chunk, tuple | list) or len(chunk) != 2:
        raise PolarMonitorError(f"mean: expected chunks of pairs (mean, {kind}), got {type(chunk).__name__}")
    return chunk[0], chunk[1]


def _prior_sources(prior: tuple[Any, Any]) -> tuple[Any, ...]:
    words = "the prior's mean", "the prior's variance"
    return tuple(
        Source(word, side) if is_of_each_row(side) else _read(word, side)[0]
        for word, side in zip(words, prior, strict=True)
    )


def _check_alike(means: Source, other: Source) -> None:
    if (means.shape is None) != (other.shape is None):
        kinds = ("chunks", "an array") if means.shape is None else ("an array", "chunks")
        raise PolarMonitorError(f"{other.word}: expected {kinds[0]}, as mean, got {kinds[1]}")
    if means.shape != other.shape:
        raise PolarMonitorError(f"{other.word}: expected shape {means.shape}, got {other.shape}")


def _shaped_like(mean: Floats, side: Floats) -> Floats:
    """A number or (D,) beside the rows of a latent of any shape."""
    if side.shape == ():
        return side.astype(mean.dtype)
    if side.shape == mean.shape:
        return side
    axis = 1 if mean.ndim > 3 else -1
    if side.shape != (mean.shape[axis] if mean.ndim > 1 else 1,):
        raise PolarMonitorError(f"prior: expected a number, (D,) or the shape of mean {mean.shape}, got {side.shape}")
    return side.reshape(-1, *(1,) * (mean.ndim - 2)) if mean.ndim > 3 else side


def _single(array: Floats) -> Floats:
    """At least float32, for what is computed."""
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _float32(array: Floats) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)
