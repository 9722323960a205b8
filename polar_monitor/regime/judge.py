"""Judge a snapshot: settle the labels and reach a verdict on the model.

Everything here is a pure function, so a run can be judged again from its log.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..statistics.resolution import is_relative
from ..statistics.snapshot import Snapshot
from ..statistics.thresholds import MIN_ROWS
from .information import by_information, too_few, too_few_rows
from .label import INFORMATIVE_LABELS, Label
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
    latest = by_information(snapshot) if criterion == "information" else labels_by(criterion, snapshot)
    labels, agreeing = _settle(latest, previous)
    verdict, reasons = _verdict(snapshot, labels, criterion)
    return Regime(snapshot.step, labels, latest, agreeing, verdict, reasons, criterion, snapshot)


def _settle(latest: tuple[Label, ...], previous: Regime | None) -> tuple[tuple[Label, ...], tuple[int, ...]]:
    """Return the settled labels, and for each the number of evaluations in a row that gave the latest one."""
    if previous is None or len(previous.labels) != len(latest):
        return latest, (1,) * len(latest)
    labels, agreeing = [], []
    for new, before, settled, streak in zip(latest, previous.latest, previous.labels, previous.agreeing, strict=True):
        run = min(streak + 1, DWELL) if new is before else 1
        agreeing.append(run)
        labels.append(new if run >= DWELL else settled)
    return tuple(labels), tuple(agreeing)


def _verdict(s: Snapshot, labels: tuple[Label, ...], criterion: str) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict and its reasons.

    Dimensions that cannot be estimated are left out. If they are the majority, there is no verdict.
    """
    reasons = list(_caveats(s))
    if s.independent < MIN_ROWS:
        return Verdict.NOT_ESTIMABLE, (too_few_rows(s), *reasons)
    kinds = np.array([str(label) for label in labels])
    unknown = (kinds == str(Label.UNDECIDED)) & (np.isnan(s.information) | too_few(s))
    if unknown.any():
        reasons.append(_left_out(unknown))
    if 2 * np.count_nonzero(unknown) > len(kinds):
        return Verdict.NOT_ESTIMABLE, ("most dimensions could not be estimated", *reasons)
    kinds, information = kinds[~unknown], s.information[~unknown]
    informative = np.isin(kinds, [str(label) for label in INFORMATIVE_LABELS])
    passive = kinds == str(Label.PASSIVE)
    undecided = float(np.mean(kinds == str(Label.UNDECIDED)))
    if undecided == 1.0:
        return Verdict.NOT_ESTIMABLE, ("no dimension could be decided", *reasons)
    if undecided > MAX_UNDECIDED_SHARE:
        state = "lie between the two groups" if criterion == "information" else f"have no label by {criterion}"
        return Verdict.GRADED, (f"{undecided:.0%} of the dimensions {state}", *reasons)
    if not informative.any():
        return Verdict.COLLAPSED, ("no dimension carries information", *reasons)
    if not passive.any():
        return Verdict.ALL_ACTIVE, ("no dimension is passive", *reasons)
    known = np.isfinite(information)  # a published criterion labels dimensions of which ours knows nothing
    if not (informative & known).any() or not (passive & known).any():
        return Verdict.NOT_ESTIMABLE, ("the distance of the two groups is not known", *reasons)
    scale = np.log(np.maximum(information, 0.0) + 0.01)
    weakest, strongest = float(scale[informative & known].min()), float(scale[passive & known].max())
    gap = math.exp(weakest - strongest)
    groups = (
        f"{int(informative.sum())} informative and {int(passive.sum())} passive dimensions; "
        f"the weakest informative one carries {gap:.1f} times the strongest passive one"
    )
    if weakest - strongest >= MIN_GAP:
        return Verdict.POLARISED, (groups, *reasons)
    return Verdict.GRADED, (f"{groups} (two groups need 3 times)", *reasons)


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
