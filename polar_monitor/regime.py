"""Labels and verdict from a snapshot: pure, so a run can be judged again from its log.

With a variance representation a dimension is *passive* when its information is surely small, *informative* when it is
surely not; an informative dimension is *mixed* when some inputs surely use it and some surely do not, else *active*.
Without one (autoencoders) the entropy of the mean decides, and no dimension is ever called mixed: the entropy of the
mean alone cannot tell active from mixed. "Surely" is the 95 % confidence bound.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

import numpy as np

from .criteria import labels_by
from .label import INFORMATIVE_LABELS, Label
from .snapshot import Snapshot

Z = 1.96
"""Width of the confidence bounds, in standard errors."""
PASSIVE = 0.05
"""Nats: information surely below is nothing that training uses."""
INFORMATIVE = 0.15
"""Nats: information surely above is in use."""
INFORMATIVE_MEAN_ONLY = 0.35
"""Nats: the same for the resolved entropy of autoencoders, whose noise level is a convention."""
MIXED_SHARE = 0.05
"""Share of inputs that must surely be on either side for a mixed dimension."""
MIXED_GAP = 0.1
"""Nats of `variance_gap` that a mixed dimension must surely have."""
MIN_ROWS = 512
"""Independent rows below which nothing is decided."""
DWELL = 3
"""Evaluations that must agree before a label changes."""
GAP = math.log(3.0)
"""Least distance of the two groups of a polarised regime in log(information + 0.01)."""
UNDECIDED_SHARE = 0.1
"""Largest share of undecided dimensions in a verdict."""


class Verdict(enum.StrEnum):
    """Whether the model as a whole has a polarised regime."""

    POLARISED = "polarised"
    ALL_ACTIVE = "all_active"
    COLLAPSED = "collapsed"
    GRADED = "graded"
    NOT_ESTIMABLE = "not_estimable"


@dataclass(frozen=True)
class Regime:
    """The labels of all dimensions and the verdict on the model.

    `labels` are settled: they change only after three evaluations that agree. `latest` are this evaluation's own.
    """

    step: int
    labels: tuple[Label, ...]
    latest: tuple[Label, ...]
    agreeing: tuple[int, ...]
    """Evaluations in a row, this one included, that gave `latest`."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why the verdict is what it is, and what could not be judged."""
    because: tuple[str, ...]
    """One sentence a dimension: the numbers that decided."""
    criterion: str = "information"

    def explain(self, dimension: int) -> str:
        """Why `dimension` has its label, in one sentence. Raises IndexError for a dimension that does not exist."""
        if not 0 <= dimension < len(self.labels):
            raise IndexError(f"expected a dimension from 0 to {len(self.labels) - 1}, got {dimension}")
        label, latest = self.labels[dimension], self.latest[dimension]
        text = f"dimension {dimension} is {label}: {self.because[dimension]}"
        if latest is not label:
            text += f"; the last {self.agreeing[dimension]} of {DWELL} evaluations say {latest}"
        return text

    def count(self, label: Label) -> int:
        """How many dimensions have this label."""
        return sum(one is label for one in self.labels)

    @property
    def informative(self) -> tuple[int, ...]:
        """The dimensions labelled active or mixed."""
        return tuple(j for j, label in enumerate(self.labels) if label in INFORMATIVE_LABELS)


def judge(snapshot: Snapshot, previous: Regime | None = None, criterion: str = "information") -> Regime:
    """Label every dimension of `snapshot`; with the `previous` regime of the same run, hold labels until three agree.

    `criterion` is "information" (ours) or the name of a published one in `polar_monitor.criteria`.
    """
    if criterion == "information":
        latest, because = _label(snapshot)
    else:
        latest, because = labels_by(criterion, snapshot)
    labels, agreeing = _settle(latest, previous)
    regime = Regime(snapshot.step, labels, latest, agreeing, Verdict.NOT_ESTIMABLE, (), because, criterion)
    verdict, reasons = _verdict(snapshot, labels)
    return replace(regime, verdict=verdict, reasons=reasons)


def _label(s: Snapshot) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    pairs = [_label_one(s, j) for j in range(s.dimensions)]
    return tuple(label for label, _ in pairs), tuple(why for _, why in pairs)


def _label_one(s: Snapshot, j: int) -> tuple[Label, str]:
    if s.independent < MIN_ROWS:
        return Label.UNDECIDED, f"only {s.independent} independent rows, {MIN_ROWS} are needed"
    information, error = s.information[j], s.information_se[j]
    if not math.isfinite(information):
        return Label.UNDECIDED, "its information could not be estimated (no finite values)"
    low, high = information - Z * error, information + Z * error
    name = "information" if s.has_variance else f"entropy resolved at {s.resolution:.3g}"
    said = f"{name} {information:.3f} nats, 95 % interval {max(low, 0):.3f} to {high:.3f}"
    bound = s.information_upper[j] + Z * s.information_upper_se[j] if s.has_variance else math.inf
    if min(high, bound) <= PASSIVE:
        if bound < high:
            said = f"information at most {bound:.3f} nats (from the moments, with 95 % confidence)"
        return Label.PASSIVE, f"{said}, at or below {PASSIVE}"
    cut = INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY
    if low < cut:
        return Label.UNDECIDED, f"{said}, which is neither surely below {PASSIVE} nor surely above {cut}"
    if not s.has_variance:
        return Label.ACTIVE, f"{said}, above {cut} (active and mixed cannot be told apart without a variance)"
    return _active_or_mixed(s, j, f"{said}, above {cut}")


def _active_or_mixed(s: Snapshot, j: int, said: str) -> tuple[Label, str]:
    gap = s.variance_gap[j] - Z * s.variance_gap_se[j]
    active = s.share_active[j] - Z * s.share_active_se[j]
    passive = s.share_passive[j] - Z * s.share_passive_se[j]
    shares = f"{s.share_active[j]:.0%} of the inputs use it, {s.share_passive[j]:.0%} do not"
    if gap >= MIXED_GAP and min(active, passive) >= MIXED_SHARE:
        return Label.MIXED, f"{said}; {shares}, variance gap {s.variance_gap[j]:.2f} nats"
    return Label.ACTIVE, f"{said}; {shares}"


def _settle(latest: tuple[Label, ...], previous: Regime | None) -> tuple[tuple[Label, ...], tuple[int, ...]]:
    if previous is None or len(previous.labels) != len(latest):
        return latest, (1,) * len(latest)
    labels, agreeing = [], []
    for new, before, settled, streak in zip(latest, previous.latest, previous.labels, previous.agreeing, strict=True):
        run = min(streak + 1, DWELL) if new is before else 1
        agreeing.append(run)
        labels.append(new if run >= DWELL else settled)
    return tuple(labels), tuple(agreeing)


def _verdict(s: Snapshot, labels: tuple[Label, ...]) -> tuple[Verdict, tuple[str, ...]]:
    reasons = list(_caveats(s, labels))
    if s.independent < MIN_ROWS:
        return Verdict.NOT_ESTIMABLE, (f"only {s.independent} independent rows, {MIN_ROWS} are needed", *reasons)
    kinds = np.array([str(label) for label in labels])
    informative = np.isin(kinds, [str(label) for label in INFORMATIVE_LABELS])
    passive = kinds == str(Label.PASSIVE)
    undecided = float(np.mean(kinds == str(Label.UNDECIDED)))
    if undecided == 1.0:
        return Verdict.NOT_ESTIMABLE, ("no dimension could be decided", *reasons)
    if undecided > UNDECIDED_SHARE:
        return Verdict.GRADED, (f"{undecided:.0%} of the dimensions lie between the two groups", *reasons)
    if not informative.any():
        return Verdict.COLLAPSED, ("no dimension carries information", *reasons)
    if not passive.any():
        return Verdict.ALL_ACTIVE, ("no dimension is passive", *reasons)
    scale = np.log(np.maximum(s.information, 0.0) + 0.01)
    weakest, strongest = float(np.nanmin(scale[informative])), float(np.nanmax(scale[passive]))
    gap = math.exp(weakest - strongest)
    said = f"{int(informative.sum())} informative and {int(passive.sum())} passive dimensions, a factor {gap:.1f} apart"
    if weakest - strongest >= GAP:
        return Verdict.POLARISED, (said, *reasons)
    return Verdict.GRADED, (f"{said}; two groups need a factor of 3", *reasons)


def _caveats(s: Snapshot, labels: tuple[Label, ...]) -> tuple[str, ...]:
    if s.has_variance:
        return ()
    said = [
        "no variance representation: active and mixed cannot be told apart",
        "no posterior noise sets a scale: a decoder that is free to rescale its input can undo any scale of the code, "
        "so labels compare dimensions with each other (a Lipschitz decoder makes the scale identifiable)",
    ]
    informative = sum(label in INFORMATIVE_LABELS for label in labels)
    if informative >= 2 and s.effective_rank < 0.7 * informative:
        said.append(
            f"the code is low-rank but not axis-aligned: {informative} dimensions are in use, "
            f"their covariance has an effective rank of {s.effective_rank:.1f}"
        )
    return tuple(said)
