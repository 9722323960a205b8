"""The regime: settled labels and the verdict on the model. Pure, so a run can be judged again from its log."""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..statistics.snapshot import Snapshot
from .disagreement import THREE, disagree, disagreements, fact, opinions
from .information import by_information, sentence
from .label import INFORMATIVE_LABELS, Label
from .published import CRITERIA, SHARP, delta_kl

DWELL = 3
"""Evaluations that must agree before a label changes."""


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
