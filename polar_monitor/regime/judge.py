"""Judge a snapshot: label the dimensions and reach a verdict on the model.

Everything here is a pure function, so a run can be judged again from its log.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..statistics.resolution import RESOLUTION, has_gain, is_relative
from ..statistics.snapshot import Array, Snapshot
from ..statistics.thresholds import (
    INFORMATIVE,
    INFORMATIVE_MEAN_ONLY,
    MIN_EFFECT,
    MIN_EXPLAINED,
    MIN_ROWS,
    Z,
)
from ..statistics.thresholds import (
    PASSIVE as PASSIVE_NATS,
)
from .evidence import MAX_NAMED, held_labels, moving_labels, new_share
from .information import Judged, judge_by_information, too_few, too_few_rows
from .label_codes import (
    ACTIVE,
    MIXED,
    PASSIVE,
    UNDECIDED,
    as_array,
    encode,
    where_informative,
    where_passive,
    without_evidence,
)
from .published import labels_by
from .regime import Regime, Verdict

NONE: NDArray[np.bool_] = np.zeros(0, np.bool_)
MIN_GAP = math.log(3.0)
"""Smallest distance of the two groups of a polarised regime, in log(information + 0.01)."""

FLOOR = 0.01
"""Nats that are added, since a passive dimension may carry none."""

MIN_ON_FLOOR, FLOOR_RANGE = 3, 0.3
"""Least number of dimensions on a floor of the information, and their range in units of its value."""

KEPT_SCALE = 0.97
"""Share of a code's largest scale that is remembered at an evaluation at which the scale does not fall."""

WEIGHT_OF_SCALE = 1 / 16
"""Weight of an evaluation in the slow average of the logarithm of the scale."""

MIN_STEADY = 0.95
"""Scale divided by its slow average below which it falls: one that falls by 0.35 % at each evaluation is below."""

BLOCK, MIN_HELD = 32, 0.99
"""Evaluations over which the slow average is compared with itself, and its share below which it fell in them: a scale
that falls by 0.05 % at each evaluation, with noise of 1 %, is below."""

MAX_UNDECIDED_SHARE = 0.1
"""Largest share of undecided dimensions in a verdict other than `graded`."""


def judge(snapshot: Snapshot, previous: Regime | None = None, criterion: str = "information") -> Regime:
    """Label every dimension of `snapshot` and reach a verdict.

    With the `previous` regime of the same run, a label near a cut changes when the evidence adds up (`evidence.py`).

    `criterion` is "information" (ours) or the name of a published one in `polar_monitor.criteria`. Its labels have no
    error, and follow each evaluation at once.
    """
    if criterion == "information":
        known, share, before = None, 1.0, None
        if previous is not None and previous.criterion == criterion and len(previous.labels) == snapshot.dimensions:
            known, before = previous.codes, previous.snapshot
            share = new_share(snapshot, before)
        judged = judge_by_information(snapshot, known, share, before)
        if previous is None and _is_open(snapshot):
            judged = Judged(without_evidence(bytes([UNDECIDED]) * snapshot.dimensions), 0, math.inf, -math.inf)
    else:
        codes = without_evidence(encode(labels_by(criterion, snapshot)))
        judged = Judged(codes, snapshot.dimensions, *_weakest_and_strongest(snapshot.information, codes.labels))
    labels = judged.codes.labels
    was_informative = ACTIVE in labels or MIXED in labels or (previous is not None and previous.was_informative)
    verdict, reasons = _verdict(snapshot, judged, criterion)
    if verdict is Verdict.COLLAPSED and previous is not None and not was_informative:
        reasons = (f"{reasons[0]}; none has come into use so far", *reasons[1:])
    by_gain, compares = _scales(snapshot)
    scales = _lasting_scale(snapshot, previous, by_gain) if by_gain or compares else (0.0, 0.0, ())
    regime = Regime.from_codes(
        snapshot, judged.codes, verdict, (*reasons, *_caveats(snapshot, by_gain, compares)), criterion,
        was_informative, *scales,
    )  # fmt: skip
    if not regime.has_shrunk or by_gain:
        return regime
    return replace(regime, reasons=(*regime.reasons, _shrunk(regime)))


def completed(regime: Regime, snapshot: Snapshot) -> Regime:
    """Return a regime with all statistics of its snapshot, some of which its caveats rest on."""
    before = () if regime.snapshot is None else _caveats(regime.snapshot, *_scales(regime.snapshot))
    reasons = tuple(reason for reason in regime.reasons if reason not in before)
    return replace(regime, snapshot=snapshot, reasons=(*reasons, *_caveats(snapshot, *_scales(snapshot))))


def _scales(s: Snapshot) -> tuple[bool, bool]:
    """Return True if the decoder's gain sets the scale of a code, and True if its dimensions set that of each other."""
    if s.has_variance:
        return False, False
    by_gain = has_gain(s)
    return by_gain, not by_gain and is_relative(s)


def _lasting_scale(s: Snapshot, previous: Regime | None, by_gain: bool) -> tuple[float, float, tuple[float, ...]]:
    """Return the scale of a code, or of what the decoder makes of it, while it was not falling, and its slow average.

    A scale that falls is compared with the one before the fall. A fast fall shows in the distance to the slow average,
    a slow one in that of the average to itself, a block of evaluations before: the third return value is that block.
    """
    now = s.resolution / RESOLUTION
    is_same = previous is not None and previous.snapshot is not None and has_gain(previous.snapshot) == by_gain
    if previous is None or not is_same or not previous.usual_scale > 0:
        return (0.0, 0.0, ()) if by_gain and s.gain.max() == 0 else (now, now, (now, 0.0, 0.0))
    if by_gain and s.gain.max() == 0:
        return previous.scale, previous.usual_scale, previous.scale_block
    usual = previous.usual_scale * (now / previous.usual_scale) ** WEIGHT_OF_SCALE
    start, count, fell = previous.scale_block or (usual, 0.0, 0.0)
    block = (start, count + 1, fell)
    if count + 1 >= BLOCK:
        block = (usual, 0.0, float(usual < MIN_HELD * start))
    kept = 1.0 if now < MIN_STEADY * usual or block[2] else KEPT_SCALE
    return max(now, kept * previous.scale), usual, block


def _shrunk(regime: Regime) -> str:
    return (
        f"the code has shrunk to 1/{regime.shrinkage:.3g} of its scale, and labels compare its dimensions with "
        "each other: what seems to be in use may be what is left of a collapse (decoder=, or log(reconstruction=, "
        "baseline=), shows that)"
    )


def _verdict(s: Snapshot, judged: Judged, criterion: str) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict and its reasons.

    Dimensions that cannot be estimated are left out. If they are the majority, there is no verdict.
    """
    if s.independent < MIN_ROWS:
        return Verdict.NOT_ESTIMABLE, (too_few_rows(s),)
    labels, reasons = judged.codes.labels, []
    undecided, passive = labels.count(UNDECIDED), labels.count(PASSIVE)
    informative, left_out = len(labels) - undecided - passive, 0
    if undecided and judged.unknown:
        unknown = (as_array(labels) == UNDECIDED) & (np.isnan(s.information) | too_few(s))
        left_out = int(np.count_nonzero(unknown))
        if left_out:
            reasons.append(_left_out(unknown))
    held = [*moving_labels(s, judged.codes), *held_labels(s, judged.codes)]
    reasons += held
    if 2 * left_out > len(labels):
        return Verdict.NOT_ESTIMABLE, ("most dimensions could not be estimated", *reasons)
    undecided -= left_out
    between = _between(s, labels) if undecided else NONE
    if undecided and not passive and not informative and 2 * np.count_nonzero(between) <= undecided:
        return Verdict.NOT_ESTIMABLE, (
            "no dimension has a label" if held else "no dimension could be decided", *reasons,
        )  # fmt: skip
    share = undecided / max(undecided + passive + informative, 1)
    if share > MAX_UNDECIDED_SHARE:
        state = "are undecided" if held else f"lie between the two groups{_floor(s, between, undecided)}"
        if criterion != "information":
            state = f"have no label by {criterion}"
        return Verdict.GRADED, (f"{share:.0%} of the dimensions {state}", *reasons)
    if not informative:
        none = "no dimension is labelled active or mixed" if held or undecided else "no dimension carries information"
        return Verdict.COLLAPSED, (none, *reasons)
    if not passive:
        return Verdict.ALL_ACTIVE, (f"no dimension is {'labelled ' if held else ''}passive", *reasons)
    if not (math.isfinite(judged.weakest) and math.isfinite(judged.strongest)):
        return Verdict.NOT_ESTIMABLE, ("the distance of the two groups is not known", *reasons)
    distance = _scale(judged.weakest) - _scale(judged.strongest)
    groups = (
        f"{informative} informative and {passive} passive dimensions; the weakest informative one carries "
        f"{judged.weakest:.3f} nats, the strongest passive one {judged.strongest:.3f}"
    )
    if distance >= MIN_GAP:
        return Verdict.POLARISED, (groups, *reasons)
    return Verdict.GRADED, (f"{groups} (two groups need 3 times as much, with {FLOOR} nats added to both)", *reasons)


def _between(s: Snapshot, labels: bytes) -> NDArray[np.bool_]:
    """Return which undecided dimensions surely lie between the cuts: known, and of neither group (D,)."""
    low, high = s.information - Z * s.information_se, s.information + Z * s.information_se
    cut = INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY
    return np.asarray((as_array(labels) == UNDECIDED) & (low > PASSIVE_NATS) & (high < cut), np.bool_)


def _floor(s: Snapshot, between: NDArray[np.bool_], undecided: int) -> str:
    """Say that the undecided dimensions sit on a floor, if all surely lie between the cuts, and at one value."""
    nats = s.information[between]
    if not s.has_variance or len(nats) < max(undecided, MIN_ON_FLOOR) or np.ptp(nats) > FLOOR_RANGE * np.median(nats):
        return ""
    return f", all at {np.median(nats):.2g} nats: a free-bits floor?"


def _scale(information: float) -> float:
    return math.log(max(information, 0.0) + FLOOR)


def _weakest_and_strongest(information: Array, labels: bytes) -> tuple[float, float]:
    """Return the least information of an informative dimension, and the largest of a passive one.

    What is not finite is left out, since a published criterion labels dimensions of which ours knows nothing. Infinite
    if nothing else is left.
    """
    known = np.isfinite(information)
    informative, passive = information[where_informative(labels) & known], information[where_passive(labels) & known]
    return float(informative.min(initial=math.inf)), float(passive.max(initial=-math.inf))


def _left_out(unknown: NDArray[np.bool_]) -> str:
    """Name the first of the `unknown` dimensions (D,), which the verdict leaves out."""
    which = np.flatnonzero(unknown).tolist()
    named = ", ".join(map(str, which[:MAX_NAMED])) + (", …" if len(which) > MAX_NAMED else "")
    where = f"dimension {named}" if len(which) == 1 else f"dimensions {named}"
    return f"{len(which)} of {len(unknown)} dimensions could not be estimated: too few finite rows in {where}"


def _caveats(s: Snapshot, by_gain: bool, compares: bool) -> tuple[str, ...]:
    """List what a model without a variance representation leaves open."""
    if s.has_variance:
        return ()
    caveats = ["no variance representation: active and mixed cannot be distinguished"]
    if by_gain:
        caveats += _effect(s)
    elif compares:
        caveats.append(
            "no posterior noise sets a scale: a decoder that is free to rescale its input can undo any scale of the "
            "code, so labels compare dimensions with each other, and a code that has shrunk to nothing looks like any "
            "other (decoder= shows what the decoder sees; for a Lipschitz decoder, resolution= gives the scale)"
        )
    if s.surplus > 0:
        caveats.append(
            f"the code is low-rank but not axis-aligned: {s.surplus:.0f} more dimensions are in use than directions "
            "that they vary in"
        )
    return tuple(caveats)


def _is_open(s: Snapshot) -> bool:
    """Return True if the effect of a code is neither surely below the cut nor surely above it."""
    return not s.has_variance and abs(s.effect - MIN_EFFECT) < Z * s.effect_se


def _effect(s: Snapshot) -> list[str]:
    """Say whether the decoder uses the code at all, if that was measured and is not surely so."""
    if s.explained < MIN_EXPLAINED:
        return [
            f"the code explains nothing: the reconstruction term is {1 - s.explained:.1%} of the baseline, and less "
            f"than {1 - MIN_EXPLAINED:.0%} is needed"
        ]
    if math.isnan(s.effect) or (s.effect >= MIN_EFFECT and s.gain.any() and not _is_open(s)):
        return []
    ignores = "the decoder ignores the code" if not s.gain.any() else "it is not sure that the decoder uses the code"
    return [
        f"{ignores}: that of another input changes the output by {s.effect:.2g} ± {s.effect_se:.1g} of the variance of "
        f"the data, and {MIN_EFFECT:g} are needed"
    ]
