"""Later calls of the modules of a latent in one forward: are they inputs too, or is nothing drawn from them?

A model that is called once a time step draws a sample at every call. A prior that is a mixture over posteriors of
pseudo-inputs calls the encoder a second time, and a cycle loss encodes its own output: those rows are no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from .evidence.pieces import Piece, Slot, arranged, pieces_of
from .evidence.reading import Reading
from .evidence.seen import F32, Seen

PARTS = ("first", "last", "front", "back")
"""Views that show the sample of a single call, beside the complete ones."""


def draws_from_first_call_only(reading: Reading, seen: Sequence[Seen]) -> bool:
    """Return True if a step shows later calls of the latent's modules, and samples of the first call alone.

    A sample belongs to the call before it that explains it best.
    """
    view = reading.sample.view
    if reading.way or not (view.is_complete or view.kind in PARTS):
        return False
    means, spreads = (_calls(slot, seen) for slot in (reading.mean, reading.spread))
    calls = [call for call in means if call in spreads]
    if len(calls) < 2:
        return False
    drawn = set()
    for entry in seen:
        if (entry.module, entry.is_output, entry.path) == reading.sample[:3] and entry.block is not None:
            part = view.of(entry.block, entry.shape)
            before = [call for call in calls if spreads[call].seen.order < entry.order]
            if part is not None and before:
                likelihood = {call: _likelihood(reading, part, means[call], spreads[call]) for call in before}
                best = max(before, key=likelihood.__getitem__)
                drawn |= {best} if np.isfinite(likelihood[best]) else set()
    return drawn == {0}


def _calls(slot: Slot, seen: Sequence[Seen]) -> dict[int, Piece]:
    """Return the pieces of a slot by call."""
    entries = (entry for entry in seen if entry.is_output and (entry.module, entry.path) == slot[:2])
    return {entry.call: piece for entry in entries for piece in pieces_of(entry) if piece.slot == slot}


def _likelihood(reading: Reading, sample: tuple[F32, tuple[int, ...]], mean: Piece, spread: Piece) -> float:
    """Return the log-likelihood of a tensor as the sample of one call; −∞ if it has another size."""
    if mean.shape != spread.shape or prod(mean.shape) != prod(sample[1]):
        return -np.inf
    z = arranged(*sample, mean.shape)
    if z is None:
        return -np.inf
    corner = tuple(map(slice, map(min, zip(z.shape, mean.values.shape, spread.values.shape, strict=True))))
    with np.errstate(all="ignore"):
        scale = reading.form.log_scale(spread.values[corner].astype(np.float64))
        distance = np.abs(z[corner] - mean.values[corner]) * np.exp(-scale)
        exponent = distance if reading.form.laplace else np.square(distance) / 2
        result = -float((exponent + scale).sum())
    return result if np.isfinite(result) else -np.inf
