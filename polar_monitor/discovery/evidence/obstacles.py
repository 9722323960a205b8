"""Things in a step that no latent can be read through: values that are not finite, and codes of a list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .seen import F32, Seen

MIN_VALUES = 16
"""Numbers of a code from which on it is known whether it is one of a list."""
MIN_DISTINCT = 0.5
"""Share of distinct numbers below which a code is one of a list."""
NOT_FINITE, LISTED = "hold NaN or infinite values", "has the same few values again and again"
ROUNDING = 1e-5
"""Share of the largest number up to which two are equal: z + (code − z) is the code but for rounding."""


def not_finite(seen: Sequence[Seen]) -> str:
    """Return words for values of a step that are NaN or infinite; '' if there are none."""
    for entry in seen:
        if entry.block is None or np.isfinite(entry.block).all():
            continue
        bad = int((~np.isfinite(entry.block.reshape(len(entry.block), -1)).all(1)).sum())
        name = repr(entry.module) if entry.module else "the model"
        place = f"what {name} gives" if entry.is_output else f"what enters {name}"
        remedy = (
            "its inputs are finite, so look there first"
            if entry.is_output
            else "look with a batch of finite values, as x[x.isfinite().flatten(1).all(1)]"
        )
        return (
            f"{bad} of the first {len(entry.block)} rows of {place} {NOT_FINITE}, and all that comes "
            f"after them may: {remedy}"
        )
    return ""


def listed_code(seen: Sequence[Seen], data: Seen) -> str:
    """Return words for a tensor, narrower than the data, that is one of a list of codes where a module takes it."""
    for entry in seen:
        narrow = entry.block is not None and 0 < entry.row_size < data.row_size and entry.shape[0] == data.shape[0]
        if entry.is_output or not narrow or entry.order == data.order or not is_listed(entry.block, data.block):
            continue
        before = [
            other
            for other in seen
            if other.is_output and other.order < entry.order and other.shape == entry.shape
            if not is_listed(other.block, data.block)
        ]
        name = before[-1].module if before else "<encoder>"
        return (
            f"what enters {entry.module!r} {LISTED}: a code of a list, as of a vector quantiser or of rounding, or one "
            "that has shrunk to a point. Such a code has no mean and σ. To watch "
            f'what it is made of, without a variance, write attach(model, mean="{name}")'
        )
    return ""


def is_listed(block: F32 | None, data: F32 | None) -> bool:
    """Return True if the numbers of a code repeat more than the inputs do: it was chosen from a list."""
    if block is None or not np.isfinite(block).all():
        return False
    rows = len(block)
    if data is not None:
        inputs = data[:rows].reshape(len(data[:rows]), -1)
        rows = len(np.unique(inputs, axis=0))
    values = block[block != 0]
    if len(values) < MIN_VALUES:
        return False
    steps = np.round(values / (ROUNDING * np.abs(values).max()))
    return len(np.unique(steps)) < MIN_DISTINCT * len(values) * min(rows / len(block), 1.0)
