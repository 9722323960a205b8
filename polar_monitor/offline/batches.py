"""Latents, in one array or in chunks, as the batches of rows that a training run would see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arrays.layout import axes_of
from ..arrays.places import places_of, taken_of
from ..arrays.rows import F32, Floats
from ..arrays.spread import UNITS, WRITE_LOGARITHM, to_variance
from ..errors import PolarMonitorError
from .nested_lists import first_array
from .source import Source, is_chunked, read, read_chunk
from .standardise import at_least_float32, matching_rows, standardised


class Batch(NamedTuple):
    """Rows of some inputs, `per` consecutive ones of each."""

    mean: F32
    """(n, D)."""
    variance: F32 | None
    per: int
    mantissa: int
    """Bits of the type that the means came in."""
    smallest: float
    """Smallest value of the spread, in its own unit; inf without one."""
    largest: float


def batches(
    mean: Any, kind: str | None, spread: Any, prior: tuple[Any, Any] | None = None, layout: str | None = None
) -> Iterator[Batch]:
    """Yield the rows of latents in a layout (`arrays.layout`), in units of a prior of each row if given.

    `spread` is True if the chunks of `mean` are pairs (mean, spread). Raises PolarMonitorError.
    """
    means = Source("mean", mean)
    paired = spread is True
    if paired and means.chunks is None:
        raise PolarMonitorError(f"{kind}: True is for chunks of pairs (mean, {kind}); pass an array beside an array")
    others = [] if kind is None or paired else [Source(kind, spread)]
    priors = () if prior is None else _prior_sources(prior)
    followers = others + [source for source in priors if isinstance(source, Source)]
    for source in followers:
        source.check_fits(means)
    start, rows, dimensions = 0, 0, None
    for part in means.parts():
        given, in_pair = _pair(part, str(kind)) if paired else (part, None)
        array, mantissa = read("mean", given) if means.chunks is None else read_chunk("mean", given)
        if not 1 <= array.ndim <= 5 or 0 in array.shape[1:]:
            raise PolarMonitorError(f"mean: expected 1 to 5 axes, (n, D), and D above 0, got shape {array.shape}")
        letters = _letters(layout, array)
        values = None
        if kind is not None:
            values = others[0].matching_rows(start, array) if others else read_chunk(str(kind), in_pair)[0]
            if values.shape != array.shape:
                raise PolarMonitorError(f"{kind}: expected shape {array.shape}, got {values.shape}")
        sides = [source.matching_rows(start, array) if isinstance(source, Source) else source for source in priors]
        start += len(array)
        if len(array) == 0:
            continue
        batch = _batch(array, letters, mantissa, kind, values, sides, rows)
        rows += len(batch.mean)
        if dimensions not in (None, batch.mean.shape[1]):
            raise PolarMonitorError(
                f"mean: expected chunks of {dimensions} dimensions, got one of {batch.mean.shape[1]}"
            )
        dimensions = batch.mean.shape[1]
        yield batch
    if start == 0:
        raise PolarMonitorError("mean: expected at least one row, got none")
    for source in followers:
        source.check_ended(start)


def is_of_each_row(value: Any) -> bool:
    """True if one side of a prior is given for each row, and not once for all."""
    if is_chunked(value) or first_array(value) is not None:
        return True
    nested = isinstance(value, list | tuple) and len(value) > 0 and isinstance(value[0], list | tuple)
    return nested or getattr(value, "ndim", 0) > 1


def rows_of(array: Floats, letters: str, before: int = 0) -> tuple[Floats, int]:
    """Return a latent as rows (n · p, D), and the p rows of an input: `capture.output_rows.rows_of` for arrays.

    `letters` are those of its axes (`arrays.layout`). `before` is the number of rows that came earlier, since every row
    continues the choice of places.
    """
    if letters in ("n", "nd"):
        return array.reshape(len(array), -1), 1
    inputs, dimensions = letters.index("n"), letters.index("d")
    array = array.transpose(inputs, *[i for i in range(array.ndim) if i not in (inputs, dimensions)], dimensions)
    flat, sizes = array.reshape(len(array), -1, array.shape[-1]), array.shape[1:-1]
    taken = taken_of(flat.shape[1])
    if taken < flat.shape[1]:
        points = before + np.arange(len(flat) * taken).reshape(-1, taken)
        flat = flat[np.arange(len(flat))[:, None], places_of(points, sizes)]
    return flat.reshape(-1, flat.shape[-1]), taken


def _letters(layout: str | None, array: Floats) -> str:
    try:
        return axes_of(layout, array.ndim)
    except ValueError as failure:
        raise PolarMonitorError(str(failure)) from None


def _batch(
    mean: Floats,
    letters: str,
    mantissa: int,
    kind: str | None,
    spread: Floats | None,
    prior: list[Floats],
    before: int,
) -> Batch:
    mean, smallest, largest = at_least_float32(mean), np.inf, -np.inf
    if spread is not None:
        spread = at_least_float32(spread)
        smallest, largest = float(np.fmin.reduce(spread, axis=None)), float(np.fmax.reduce(spread, axis=None))
        if UNITS[str(kind)].positive and smallest < 0:
            raise PolarMonitorError(f"{kind}: expected values of 0 or more, got {smallest:.3g}: {WRITE_LOGARITHM}")
    if prior:
        mean, spread = standardised(
            mean, kind, spread, [matching_rows(mean, at_least_float32(side), letters) for side in prior]
        )
        mantissa = 23
    rows, per = rows_of(mean, letters, before)
    variance = None if spread is None else to_variance(_float32(rows_of(spread, letters, before)[0]), str(kind))
    return Batch(_float32(rows), variance, per, min(mantissa, 23), smallest, largest)


def _pair(chunk: Any, kind: str) -> tuple[Any, Any]:
    if not isinstance(chunk, tuple | list) or len(chunk) != 2:
        raise PolarMonitorError(f"mean: expected chunks of pairs (mean, {kind}), got {type(chunk).__name__}")
    return chunk[0], chunk[1]


def _prior_sources(prior: tuple[Any, Any]) -> tuple[Any, ...]:
    words = "the prior's mean", "the prior's variance"
    return tuple(
        Source(word, side) if is_of_each_row(side) else read(word, side)[0]
        for word, side in zip(words, prior, strict=True)
    )


def _float32(array: Floats) -> F32:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)
