"""Latents, in one array or in chunks, as the batches of rows that a training run would see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.layout import axes_of
from ..arrays.places import taken_of
from ..arrays.rows import F32, Floats
from ..arrays.spread import UNITS, WRITE_LOGARITHM, to_variance
from ..errors import PolarMonitorError
from .batch import Batch, rows_of, valid_rows
from .masks import Masks
from .nested_lists import first_array
from .source import Source, is_chunked, read, read_chunk
from .standardise import at_least_float32, matching_rows, standardised


def batches(
    mean: Any,
    kind: str | None,
    spread: Any,
    prior: tuple[Any, Any] | None = None,
    layout: str | None = None,
    mask: Any = None,
    first: int | NDArray[np.int64] = 0,
) -> Iterator[Batch]:
    """Yield the rows of latents in a layout (`arrays.layout`), in units of a prior of each row if given.

    Rows that are not True in the `mask` are left out. `first` is the number of the first input among all, or the
    numbers (n,) of all inputs of one array: the places of an input are chosen by its number.

    `spread` is True if the chunks of `mean` are pairs (mean, spread). Raises PolarMonitorError.
    """
    if layout is not None and not is_chunked(mean):
        mean, spread, prior, mask, layout = _inputs_first(mean, spread, prior, mask, layout)
    means = Source("mean", mean)
    masks = None if mask is None else Masks(mask, means)
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
        valid = None if masks is None else masks.of(start, array, letters)
        before = rows + _before(first, start, array, letters) if len(array) else 0
        start += len(array)
        if len(array) == 0:
            continue
        batch = _batch(array, letters, mantissa, kind, values, sides, before, valid)
        rows += batch.chosen
        if len(batch.mean) == 0:
            continue
        if dimensions not in (None, batch.mean.shape[1]):
            raise PolarMonitorError(
                f"mean: expected chunks of {dimensions} dimensions, got one of {batch.mean.shape[1]}"
            )
        dimensions = batch.mean.shape[1]
        yield batch
    if dimensions is None:
        padding = " that is no padding" if start else ""
        raise PolarMonitorError(f"mean: expected at least one row{padding}, got none")
    for source in (*followers, *([] if masks is None else [masks])):
        source.check_ended(start)


def is_of_each_row(value: Any) -> bool:
    """True if one side of a prior is given for each row, and not once for all."""
    if is_chunked(value) or first_array(value) is not None:
        return True
    nested = isinstance(value, list | tuple) and len(value) > 0 and isinstance(value[0], list | tuple)
    return nested or getattr(value, "ndim", 0) > 1


def _inputs_first(*values: Any) -> tuple[Any, ...]:
    """Return latents, their spread, prior and mask with the inputs in the first axis, and the layout of that."""
    mean, spread, prior, mask, layout = values
    mean = mean if hasattr(mean, "ndim") else read("mean", mean)[0]
    axes = mean.ndim
    try:
        letters = axes_of(layout, axes)
    except ValueError as failure:
        raise PolarMonitorError(str(failure)) from None
    axis = letters.index("n")
    if axis == 0:
        return mean, spread, prior, mask, layout

    def moved(value: Any, axis: int = axis) -> Any:
        if getattr(value, "ndim", 0) <= axis:
            return value
        return value.movedim(axis, 0) if hasattr(value, "movedim") else np.moveaxis(value, axis, 0)

    if prior is not None:
        prior = tuple(moved(side) if getattr(side, "ndim", 0) == axes else side for side in prior)
    others = letters.replace("d", "")
    if getattr(mask, "shape", None) == tuple(mean.shape[letters.index(letter)] for letter in others):
        mask = moved(mask, others.index("n"))
    return moved(mean), moved(spread), prior, mask, "n" + letters.replace("n", "")


def _letters(layout: str | None, array: Floats) -> str:
    try:
        return axes_of(layout, array.ndim)
    except ValueError as failure:
        raise PolarMonitorError(str(failure)) from None


def _before(first: int | NDArray[np.int64], start: int, array: Floats, letters: str) -> int | NDArray[np.int64]:
    """Return the rows that the inputs before a part have, beside those of the earlier parts: a number or (n, 1)."""
    inputs = array.shape[letters.index("n")]
    dimensions = array.shape[letters.index("d")] if "d" in letters else 1
    taken = taken_of(array.size // (inputs * dimensions))
    if isinstance(first, int):
        return first * taken
    return ((first[start : start + inputs] - start - np.arange(inputs)) * taken)[:, None]


def _batch(
    mean: Floats,
    letters: str,
    mantissa: int,
    kind: str | None,
    spread: Floats | None,
    prior: list[Floats],
    before: int | NDArray[np.int64],
    valid: NDArray[np.bool_] | None,
) -> Batch:
    mean, smallest, largest = at_least_float32(mean), np.inf, -np.inf
    if spread is not None:
        spread = at_least_float32(spread)
        seen = spread if valid is None else valid_rows(spread, letters, before, valid)[0]
        smallest = float(np.fmin.reduce(seen, axis=None, initial=np.inf))
        largest = float(np.fmax.reduce(seen, axis=None, initial=-np.inf))
        if UNITS[str(kind)].positive and smallest < 0:
            raise PolarMonitorError(f"{kind}: expected values of 0 or more, got {smallest:.3g}: {WRITE_LOGARITHM}")
    if prior:
        mean, spread = standardised(
            mean, kind, spread, [matching_rows(mean, at_least_float32(side), letters) for side in prior]
        )
        mantissa = 23
    per: int | NDArray[np.int64]
    if valid is None:
        rows, per = rows_of(mean, letters, before)
        spreads = None if spread is None else rows_of(spread, letters, before)[0]
        chosen = len(rows)
    else:
        rows, per, chosen = valid_rows(mean, letters, before, valid)
        spreads = None if spread is None else valid_rows(spread, letters, before, valid)[0]
    variance = None if spreads is None else to_variance(_float32(spreads), str(kind))
    return Batch(_float32(rows), variance, per, min(mantissa, 23), smallest, largest, chosen)


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
