"""The form of a published criterion: data that gives labels, explanations and a row of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..statistics.snapshot import Array, Snapshot
from .label import Label

Labels = tuple[Label, ...]

COMPARE: dict[str, Callable[[Array, float], NDArray[np.bool_]]] = {
    ">": np.greater,
    "≥": np.greater_equal,
    "<": np.less,
    "≤": np.less_equal,
}
IN_WORDS = {">": "above", "≥": "at least", "<": "below", "≤": "at most"}
OPPOSITE = {">": "≤", "≥": "<", "<": "≥", "≤": ">"}


class Statistic(NamedTuple):
    """A number of each dimension that a criterion looks at."""

    symbol: str
    """Name for readers, such as "Var μ"."""
    of: Callable[[Snapshot], Array]
    """Function that computes it (D,) from a snapshot."""
    unit: str = ""
    """"nats", "%" (a share of the inputs), or nothing."""

    def show(self, value: float) -> str:
        """Return a value with its unit: two significant digits, a share as a percentage."""
        return f"{100.0 * value:.1f} %" if self.unit == "%" else f"{digits(value)} {self.unit}".rstrip()


class Condition(NamedTuple):
    """A comparison of a statistic with a fixed cut."""

    statistic: Statistic
    relation: str
    """One of the keys of `COMPARE`."""
    cut: float

    def holds(self, s: Snapshot) -> NDArray[np.bool_]:
        """Return where it is true (D,); NaN is false."""
        with np.errstate(invalid="ignore"):
            return COMPARE[self.relation](self.statistic.of(s), self.cut)

    def compare(self, holds: bool) -> str:
        """Return the cut in words, or the opposite if the condition does not hold: 'at most 0.1'."""
        relation = self.relation if holds else OPPOSITE[self.relation]
        return f"{IN_WORDS[relation]} {_exact(self.cut, self.statistic.unit)}"

    def __str__(self) -> str:
        return f"{self.statistic.symbol} {self.relation} {_exact(self.cut, self.statistic.unit)}"


@dataclass(frozen=True, eq=False)
class Criterion:
    """A published rule: call it with a `Snapshot`, and it returns one label a dimension.

    A dimension is undecided where a statistic is not known.
    """

    name: str
    rules: Mapping[Label, tuple[Condition, ...]]
    """For each label the conditions that must all hold. The last label that fits wins."""
    otherwise: Label
    """Label of a dimension that fits no rule."""
    source: str
    leaves_out: str
    """Number that the criterion does not look at: a key of `disagreement.CONTEXT`."""
    needs_variance: bool = True

    def __call__(self, s: Snapshot) -> Labels:
        """Return one label a dimension."""
        labels = np.empty(s.dimensions, dtype=object)
        labels.fill(self.otherwise)  # np.full would leave plain strings, which are not the label itself
        for label, conditions in self.rules.items():
            labels[np.logical_and.reduce([condition.holds(s) for condition in conditions])] = label
        for statistic in self._statistics():
            labels[~np.isfinite(statistic.of(s))] = Label.UNDECIDED
        return tuple(labels.tolist())

    def __str__(self) -> str:
        return f"{self.cut} ({self.source})"

    @property
    def labels(self) -> tuple[Label, ...]:
        """Labels that it can give where its statistics are known."""
        return (*self.rules, self.otherwise)

    @property
    def knows_mixed(self) -> bool:
        """True if it distinguishes mixed dimensions from active and passive ones."""
        return Label.MIXED in self.labels

    @property
    def statistic(self) -> str:
        """Names of the statistics that it looks at."""
        return ", ".join(dict.fromkeys(statistic.symbol for statistic in self._statistics()))

    @property
    def cut(self) -> str:
        """Conditions of each label, and the label of what fits none."""
        rules = (f"{label} if {' and '.join(map(str, conditions))}" for label, conditions in self.rules.items())
        return "; ".join([*rules, f"otherwise {self.otherwise}"])

    def explain(self, s: Snapshot, j: int) -> str:
        """Return the numbers of dimension j that decide its label, beside their cuts."""
        label = self(s)[j]
        if label is Label.UNDECIDED:
            return "a statistic is not known, or no rule fits"
        holds = label in self.rules
        conditions = (
            self.rules[label] if holds else [next(c for c in rule if not c.holds(s)[j]) for rule in self.rules.values()]
        )
        facts: dict[str, list[str]] = {}
        for condition in conditions:
            statistic = condition.statistic
            fact = f"{statistic.symbol} = {statistic.show(float(statistic.of(s)[j]))}"
            facts.setdefault(fact, []).append(condition.compare(holds))
        return ", ".join(f"{fact} is {' and '.join(dict.fromkeys(cuts))}" for fact, cuts in facts.items())

    def _statistics(self) -> Iterator[Statistic]:
        for conditions in self.rules.values():
            for condition in conditions:
                yield condition.statistic


def digits(value: float) -> str:
    """Return a number with two significant digits and a typographic minus."""
    return f"{value + 0.0:.2g}".replace("-", "−")


def _exact(cut: float, unit: str) -> str:
    """Return a cut with three significant digits and its unit."""
    return f"{100.0 * cut:.3g} %" if unit == "%" else f"{cut:.3g} {unit}".rstrip()
