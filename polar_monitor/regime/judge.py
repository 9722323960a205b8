"""Judge a snapshot: settle the labels and reach a verdict on the model.

Everything here is a pure function, so a run can be judged again from its log.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..statistics.resolution import is_relative
from ..statistics.snapshot import Array, Snapshot
from ..statistics.thresholds import MIN_ROWS
from .information import Judged, judge_by_information, too_few, too_few_rows
from .label_codes import PASSIVE, UNDECIDED, Codes, as_array, encode, where_informative, where_passive
from .published import labels_by
from .regime import DWELL, Regime, Verdict

MIN_GAP = math.log(3.0)
"""Smallest distance of the two groups of a polarised regime, in log(information + 0.01)."""

MAX_UNDECIDED_SHARE = 0.1
"""Largest share of undecided dimensions in a verdict other than `graded`."""

MAX_NAMED = 5
"""Largest number of dimensions that a reason names."""


def judge(snapshot: Snapshot, previous: Regime | None = None, criterion: str = "information") -> Regime:
    """Label every dimension of `snapshot` and reach a verdict.

    With the `previous` regime of the same run, a label changes only after three evaluations that agree.

    `criterion` is "information" (ours) or the name of a published one in `polar_monitor.criteria`.
    """
    if criterion == "information":
        judged = judge_by_information(snapshot)
    else:
        judged = Judged(encode(labels_by(criterion, snapshot)), snapshot.dimensions, math.nan, math.nan)
    codes = _settle(judged.codes, None if previous is None else previous.codes)
    verdict, reasons = _verdict(snapshot, codes.labels, judged, criterion)
    return Regime.from_codes(snapshot, codes, verdict, reasons, criterion)


def _settle(latest: bytes, previous: Codes | None) -> Codes:
    """Return the settled labels, and for each the number of evaluations in a row that gave the latest one."""
    if previous is None or len(previous.labels) != len(latest):
        return Codes(latest, latest, bytes([1]) * len(latest))
    settled = bytes([DWELL]) * len(latest)
    if latest == previous.latest and previous.agreeing == settled:
        return Codes(latest, latest, settled)
    new, before, streak = (as_array(codes) for codes in (latest, previous.latest, previous.agreeing))
    agreeing = np.where(new == before, np.minimum(streak + np.uint8(1), np.uint8(DWELL)), np.uint8(1))
    labels = np.where(agreeing >= DWELL, new, as_array(previous.labels))
    return Codes(labels.tobytes(), latest, agreeing.tobytes())


def _verdict(s: Snapshot, labels: bytes, judged: Judged, criterion: str) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict and its reasons.

    Dimensions that cannot be estimated are left out. If they are the majority, there is no verdict.
    """
    reasons = list(_caveats(s))
    if s.independent < MIN_ROWS:
        return Verdict.NOT_ESTIMABLE, (too_few_rows(s), *reasons)
    undecided, passive = labels.count(UNDECIDED), labels.count(PASSIVE)
    informative, left_out = len(labels) - undecided - passive, 0
    if undecided and judged.unknown:
        unknown = (as_array(labels) == UNDECIDED) & (np.isnan(s.information) | too_few(s))
        left_out = int(np.count_nonzero(unknown))
        if left_out:
            reasons.append(_left_out(unknown))
    if 2 * left_out > len(labels):
        return Verdict.NOT_ESTIMABLE, ("most dimensions could not be estimated", *reasons)
    undecided -= left_out
    if undecided and not passive and not informative:
        return Verdict.NOT_ESTIMABLE, ("no dimension could be decided", *reasons)
    share = undecided / max(undecided + passive + informative, 1)
    if share > MAX_UNDECIDED_SHARE:
        state = "lie between the two groups" if criterion == "information" else f"have no label by {criterion}"
        return Verdict.GRADED, (f"{share:.0%} of the dimensions {state}", *reasons)
    if not informative:
        return Verdict.COLLAPSED, ("no dimension carries information", *reasons)
    if not passive:
        return Verdict.ALL_ACTIVE, ("no dimension is passive", *reasons)
    weakest, strongest = judged.weakest, judged.strongest
    if labels != judged.codes or criterion != "information":
        weakest, strongest = _weakest_and_strongest(s.information, labels)
    if not (math.isfinite(weakest) and math.isfinite(strongest)):
        return Verdict.NOT_ESTIMABLE, ("the distance of the two groups is not known", *reasons)
    distance = _scale(weakest) - _scale(strongest)
    groups = (
        f"{informative} informative and {passive} passive dimensions; "
        f"the weakest informative one carries {math.exp(distance):.1f} times the strongest passive one"
    )
    if distance >= MIN_GAP:
        return Verdict.POLARISED, (groups, *reasons)
    return Verdict.GRADED, (f"{groups} (two groups need 3 times)", *reasons)


def _scale(information: float) -> float:
    return float(np.log(max(information, 0.0) + 0.01))


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


def _caveats(s: Snapshot) -> tuple[str, ...]:
    """List what a model without a variance representation leaves open."""
    if s.has_variance:
        return ()
    caveats = ["no variance representation: active and mixed cannot be distinguished"]
    if is_relative(s):
        caveats.append(
            "no posterior noise sets a scale: a decoder that is free to rescale its input can undo any scale of the "
            "code, so labels compare dimensions with each other, and a code that has shrunk to nothing looks like any "
            "other (for a Lipschitz decoder, resolution= gives the scale)"
        )
    if s.surplus > 0:
        caveats.append(
            f"the code is low-rank but not axis-aligned: {s.surplus:.0f} more dimensions are in use than directions "
            "that they vary in"
        )
    return tuple(caveats)
