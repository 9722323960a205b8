"""Calls of the modules of a latent that a sample is drawn from, of those that one forward makes.

A neural process calls its encoder for the context and for the target, and draws from the target's posterior alone. Rows
of the other calls are no rows of the latent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from ...discovery.evidence.noise import MAX_DEVIATION, fit
from ...discovery.evidence.pieces import Piece
from ...discovery.evidence.reading import ALL_CALLS, Calls, Reading
from ...discovery.evidence.samples import Sample
from ...discovery.evidence.seen import MAX_CALLS, Seen
from ...discovery.evidence.step import Step
from ...discovery.evidence.trial import MARGIN, MAX_KEPT, numbers_of
from ...discovery.evidence.views import View

STACKED = ("one", "each")
"""Views of which the other calls' samples are a part too."""


def calls_of(reading: Reading, seen: Sequence[Seen]) -> Calls:
    """Return which calls a sample is drawn from, as a step of all modules shows it."""
    if reading.sample.view.kind in STACKED:
        return ALL_CALLS
    step = Step(seen)
    pieces = sorted((one for several in step.pieces.values() for one in several), key=lambda one: one.seen.order)
    means, spreads = ([one for one in pieces if one.slot == slot] for slot in (reading.mean, reading.spread))
    pairs = _pairs(reading, step, len(means))
    drawn = {mean.seen.call for mean, _ in pairs}
    if not drawn or (len(drawn) == len(means) == len(spreads)):
        return ALL_CALLS
    starts: dict[int, int] = {}
    for entry in seen:
        if entry.module == "" and not entry.is_output:
            starts.setdefault(entry.call, entry.order)
    begins = sorted(starts.values())
    mean, spread = (
        _places(begins, several, [pair[side].seen.call for pair in pairs])
        for side, several in enumerate((means, spreads))
    )
    if mean is None or spread is None:
        return Calls(
            remark=f"{reading.mean} is called several times in a step, and no sample is drawn from some of the calls, "
            f"but their rows are recorded too: KL and information are those of all calls. Call "
            f"monitor.observe(mean, …) for those that you mean"
        )
    return Calls(mean, spread)


def _pairs(reading: Reading, step: Step, wanted: int) -> list[tuple[Piece, Piece]]:
    """Return the calls of mean and spread that a sample fits."""
    matched: dict[int, tuple[Piece, Piece]] = {}
    views = list(dict.fromkeys((reading.sample.view, View(""))))
    for entry in step.places():
        for view in views:
            sample = step.sample(entry, view, reading.sample.pairing)
            paired = {} if sample is None else step.paired(sample)
            if sample is not None and reading.mean in paired and reading.spread in paired:
                mean, spread = paired[reading.mean], paired[reading.spread]
                if mean.seen.call not in matched and _fits(reading, step, sample, mean, spread):
                    matched[mean.seen.call] = mean, spread
        if len(matched) == wanted:
            break
    return list(matched.values())


def _fits(reading: Reading, step: Step, sample: Sample, mean: Piece, spread: Piece) -> bool:
    lines = numbers_of(step, sample, [mean, spread], MAX_KEPT, reading.way)
    if lines is None or len(lines.places) < 2:
        return False
    z, centre, given = (line.reshape(-1, lines.width).astype(np.float64) for line in lines.values)
    with np.errstate(all="ignore"):
        scale = reading.form.log_scale(given)
        return bool(np.isfinite(scale).all()) and (
            fit(centre, scale, z, reading.form.laplace).worst <= MAX_DEVIATION + MARGIN
        )


def _places(starts: list[int], pieces: list[Piece], drawn: list[int]) -> frozenset[int] | None:
    """Return the places in a forward of the calls that are drawn from; None if forwards differ, or are not known."""
    forwards: dict[int, list[bool]] = {}
    for piece in pieces:
        forwards.setdefault(bisect_right(starts, piece.seen.order), []).append(piece.seen.call in drawn)
    if not starts or 0 in forwards:
        return None
    patterns = list(forwards.values())
    if len(pieces) == MAX_CALLS:  # there may be more of the last forward
        patterns = patterns[:-1]
    if not patterns or any(pattern != patterns[0] for pattern in patterns):
        return None
    return frozenset(place for place, is_drawn in enumerate(patterns[0]) if is_drawn)
