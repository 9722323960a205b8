"""Tensors near a mean that modules take: samples of it, in a form that no reading has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...discovery.evidence.samples import stacked
from ...discovery.evidence.seen import Seen
from ...discovery.evidence.step import Step

MAX_CORRELATION, ERRORS, MIN_NUMBERS = 0.3, 4.5, 64
"""Correlation of a sample with its mean from which on it is one: so many standard errors, or this if it is less. It is
known from so many numbers on."""
MAX_NUMBERS = 4096


def near_mean(name: str, seen: Sequence[Seen]) -> str:
    """Return the place, in words, of what a module takes that is near what the module of this name gives, not equal.

    Returns '' if a step shows none. A tensor that another module gives is none either: it is computed, not drawn.
    """
    step = Step(seen)
    for entry in step.places():
        for sample in step.samples_in(entry):
            pieces = [piece for slot, piece in step.paired(sample).items() if slot.module == name]
            lines = stacked(sample, pieces, MAX_NUMBERS) if pieces else None
            if lines is None or lines.values.shape[1] < MIN_NUMBERS:
                continue
            z = lines.values[0]
            for mean in lines.values[1:]:
                with np.errstate(all="ignore"):
                    correlation = float(np.corrcoef(z, mean)[0, 1])
                enough = min(MAX_CORRELATION, ERRORS / np.sqrt(len(z)))
                if correlation > enough and not np.allclose(z, mean):
                    return str(sample.slot)
    return ""
