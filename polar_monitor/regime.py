"""The regime: settled labels and the verdict on the model. Pure, so a run can be judged again from its log."""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .criteria import CRITERIA, SHARP, delta_kl, labels_by
from .disagreement import THREE, disagree, disagreements, fact, opinions
from .label import INFORMATIVE_LABELS, Label
from .rule import by_information, sentence, too_few
from .statistics.resolution import is_relative
from .statistics.snapshot import Snapshot
from .statistics.thresholds import MIN_ROWS

DWELL = 3
"""Evaluations that must agree before a label changes."""
GAP = math.log(3.0)
"""Least distance of the two groups of a polarised regime in log(information + 0.01)."""
UNDECIDED_SHARE = 0.1
"""Largest share of undecided dimensions in a verdict."""
NAMED = 5
"""Dimensions that a reason names at most."""


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
    criterion: str = "information"
    snapshot: Snapshot | None = field(default=None, repr=False, compare=False)
    """What was judged; not part of `to_dict`."""

    def explain(self, dimension: int | None = None) -> str:
        """Why `dimension` has its label, and under it a line for each published criterion that says otherwise.

        Without a dimension: why the verdict is what it is, and what the criteria say of the model. Raises TypeError
        for what is no whole number, IndexError for a dimension that does not exist.

        Example:
            >>> import numpy as np, polar_monitor
            >>> mean = np.full((1000, 1), 2.0)
            >>> regime = polar_monitor.classify(mean, var=np.ones((1000, 1)))
            >>> print(regime.explain(0).splitlines()[2])
              kl says active: KL = 2 is above 0.1 nats, but 2 nats are the aggregate posterior's distance from the \
prior (KL − I_G), not information
        """
        if dimension is None:
            return "\n  ".join([f"the verdict is {self.verdict}", *self.reasons, *self._counts()])
        try:
            dimension = operator.index(dimension)
        except TypeError:
            raise TypeError(
                f"expected the number of a dimension, a whole number from 0 to {len(self.labels) - 1}, "
                f"got {dimension!r}: explain(0), or explain() for the model"
            ) from None
        if not 0 <= dimension < len(self.labels):
            raise IndexError(f"expected a dimension from 0 to {len(self.labels) - 1}, got {dimension}")
        label, latest = self.labels[dimension], self.latest[dimension]
        text = f"dimension {dimension} is {label}"
        if self.criterion != "information":
            text += f": criterion {self.criterion}: {(CRITERIA[self.criterion].__doc__ or '').splitlines()[0]}"
        elif self.snapshot is not None:
            text += f": {sentence(self.snapshot, dimension, latest)}"
        if latest is not label:
            text += f"; the last {self.agreeing[dimension]} of {DWELL} evaluations say {latest}"
        return "\n  ".join([text, *self._others(dimension)])

    def _others(self, j: int) -> Iterator[str]:
        """What the other criteria say of the numbers of this evaluation, where it is not the same."""
        s, latest = self.snapshot, self.latest[j]
        if s is None:
            return
        if self.criterion == "information":
            if latest is not Label.UNDECIDED:
                yield from disagreements(s, j, latest)
            elif said := opinions(s, j):
                yield f"the published criteria: {said}"
            return
        yield f"the numbers: {fact(self.criterion, s, j, latest)}"
        ours = by_information(s)[j]
        three = self.criterion in THREE
        if disagree(latest, ours, three) or latest is Label.UNDECIDED:
            yield f"information says {ours}: {sentence(s, j, ours)}"
        for name, criterion in CRITERIA.items():
            if disagree(said := criterion(s)[j], latest, three and name in THREE):
                yield f"{name} says {said}: {fact(name, s, j, said)}"

    def _counts(self) -> Iterator[str]:
        """How many dimensions each criterion calls active, and Δ_KL where the prior is N(0, 1)."""
        if self.snapshot is None:
            return
        change = delta_kl(self.snapshot)
        if math.isfinite(change):
            yield f"Δ_KL of Rolinek et al. is {change:.1%}; below {SHARP:.0%} they call a regime polarised"
        for label in INFORMATIVE_LABELS:
            of = {name: sum(said is label for said in rule(self.snapshot)) for name, rule in CRITERIA.items()}
            if any(of.values()):
                yield f"{label} by criterion: " + ", ".join(f"{name} {n}" for name, n in of.items() if n)

    def count(self, label: Label) -> int:
        """How many dimensions have this label."""
        return sum(one is label for one in self.labels)

    @property
    def informative(self) -> tuple[int, ...]:
        """The dimensions labelled active or mixed."""
        return tuple(j for j, label in enumerate(self.labels) if label in INFORMATIVE_LABELS)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        return {name: value for name, value in vars(self).items() if name != "snapshot"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], snapshot: Snapshot | None = None) -> Regime:
        """The inverse of `to_dict`. Raises KeyError for a missing name, ValueError for an unknown label."""
        return cls(
            step=int(data["step"]),
            labels=tuple(Label(label) for label in data["labels"]),
            latest=tuple(Label(label) for label in data["latest"]),
            agreeing=tuple(int(n) for n in data["agreeing"]),
            verdict=Verdict(data["verdict"]),
            reasons=tuple(data["reasons"]),
            criterion=str(data["criterion"]),
            snapshot=snapshot,
        )


def judge(snapshot: Snapshot, previous: Regime | None = None, criterion: str = "information") -> Regime:
    """Label every dimension of `snapshot`; with the `previous` regime of the same run, hold labels until three agree.

    `criterion` is "information" (ours) or the name of a published one in `polar_monitor.criteria`.
    """
    latest = by_information(snapshot) if criterion == "information" else labels_by(criterion, snapshot)
    labels, agreeing = _settle(latest, previous)
    verdict, reasons = _verdict(snapshot, labels, criterion)
    return Regime(snapshot.step, labels, latest, agreeing, verdict, reasons, criterion, snapshot)


def _settle(latest: tuple[Label, ...], previous: Regime | None) -> tuple[tuple[Label, ...], tuple[int, ...]]:
    if previous is None or len(previous.labels) != len(latest):
        return latest, (1,) * len(latest)
    labels, agreeing = [], []
    for new, before, settled, streak in zip(latest, previous.latest, previous.labels, previous.agreeing, strict=True):
        run = min(streak + 1, DWELL) if new is before else 1
        agreeing.append(run)
        labels.append(new if run >= DWELL else settled)
    return tuple(labels), tuple(agreeing)


def _verdict(s: Snapshot, labels: tuple[Label, ...], criterion: str) -> tuple[Verdict, tuple[str, ...]]:
    """Over the dimensions that can be estimated; of a minority of them nothing follows for the model."""
    reasons = list(_caveats(s))
    if s.independent < MIN_ROWS:
        return Verdict.NOT_ESTIMABLE, (f"only {s.independent} independent rows, {MIN_ROWS} are needed", *reasons)
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
    if undecided > UNDECIDED_SHARE:
        how = "lie between the two groups" if criterion == "information" else f"have no label by {criterion}"
        return Verdict.GRADED, (f"{undecided:.0%} of the dimensions {how}", *reasons)
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
    said = f"{int(informative.sum())} informative and {int(passive.sum())} passive dimensions, a factor {gap:.1f} apart"
    if weakest - strongest >= GAP:
        return Verdict.POLARISED, (said, *reasons)
    return Verdict.GRADED, (f"{said}; two groups need a factor of 3", *reasons)


def _left_out(unknown: NDArray[np.bool_]) -> str:
    """Which dimensions (D,) the verdict is not about; the first few by number."""
    which = np.flatnonzero(unknown).tolist()
    named = ", ".join(map(str, which[:NAMED])) + (", …" if len(which) > NAMED else "")
    where = f"dimension {named}" if len(which) == 1 else f"dimensions {named}"
    return f"{len(which)} of {len(unknown)} dimensions could not be estimated: too few finite rows in {where}"


def _caveats(s: Snapshot) -> tuple[str, ...]:
    if s.has_variance:
        return ()
    said = ["no variance representation: active and mixed cannot be told apart"]
    if is_relative(s):
        said.append(
            "no posterior noise sets a scale: a decoder that is free to rescale its input can undo any scale of the "
            "code, so labels compare dimensions with each other, and a code that has shrunk to nothing looks like any "
            "other (for a Lipschitz decoder, resolution= gives the scale)"
        )
    if s.surplus > 0:
        said.append(
            f"the code is low-rank but not axis-aligned: {s.surplus:.0f} more dimensions are in use than directions "
            "that they vary in"
        )
    return tuple(said)
