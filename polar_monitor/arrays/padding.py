"""Padding that is recorded as data: the same vector at the ends of several sequences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import warn
from .places import positions_of
from .rows import F32

I64 = NDArray[np.int64]

MIN_ROWS = 512
"""Rows of sequences from which on padding can be seen."""
MAX_LOOKS = 16
"""Reads of rows that are looked at."""
MIN_INPUTS = 3
"""Inputs that must have the same vector at one step."""
MIN_SHARE = 0.1
"""Share of the rows at the ends of sequences that have the vector of another sequence."""
MIN_RATIO = 4.0
"""The same share divided by that at the beginnings: frequent tokens are anywhere, padding is at the end."""


class PaddingLook:
    """Look at the first rows of sequences, with one warning if some are padding."""

    def __init__(self) -> None:
        self._looks = 0
        self._rows: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
        """Positions and flags of the rows so far."""
        self.listener: Callable[[str], None] | None = None
        """Called, in the place of the warning, with what was seen."""

    def look(self, mean: F32, inputs: I64 | None, steps: I64, number: int | None) -> None:
        """Look at rows (n, D) of sequences: their inputs, their steps, and the number of the first row, if known.

        Each step is on its own, since the weights change between steps.
        """
        if self._looks >= MAX_LOOKS or number is None or inputs is None:
            return
        self._looks += 1
        self._rows.append((positions_of(number + np.arange(len(mean))), shared(mean, inputs, steps)))
        positions, same = (np.concatenate(parts) for parts in zip(*self._rows, strict=True))
        if len(positions) < MIN_ROWS:
            return
        end, begin = same[positions >= 0.9].mean(), same[positions < 0.3].mean()
        if end >= MIN_SHARE and end >= MIN_RATIO * begin:
            self._looks = MAX_LOOKS
            (self.listener or warn_of_padding)(
                f"{end:.0%} of the rows at the ends of sequences are the same vector in several inputs"
            )


def warn_of_padding(what: str, answer: str = "") -> None:
    """Warn of padding that counts as data; `answer` is the argument that shows it, and what to write."""
    if answer:
        warn(f"{what}: they are padding, which counts as data, and {answer}")
        return
    warn(
        f"{what}: they look like padding, which counts as data. If so, write mask=lambda x, …: a tensor (n, T) that is "
        'True at real data, or mask="<argument of the forward>"; observe(…, mask=…) by hand'
    )


def shared(mean: F32, inputs: I64, steps: I64) -> NDArray[np.bool_]:
    """Return which rows (n,) equal, bit for bit, rows of several other inputs at the same step."""
    keys = np.column_stack([np.ascontiguousarray(mean).view(np.int32), steps.astype(np.int32)])
    rows = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1] * 4))).ravel()
    _, group = np.unique(rows, return_inverse=True)
    pairs = np.unique(np.column_stack([group.ravel(), inputs]), axis=0)
    return np.asarray(np.bincount(pairs[:, 0])[group.ravel()] >= MIN_INPUTS)
