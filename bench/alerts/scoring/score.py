"""How good an alarm rule is over many runs, whoever made it. Intervals are 95 % bootstrap intervals over runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from .tally import Tally

DRAWS = 500


class Figure(NamedTuple):
    """A value with its interval, and how many cases it rests on."""

    value: float
    low: float
    high: float
    cases: int

    def __str__(self) -> str:
        if not self.cases or not np.isfinite(self.value):
            return "–"
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


Statistic = Callable[[Sequence[Tally]], tuple[float, int]]


def _share(name: str) -> Statistic:
    def share(tallies: Sequence[Tally]) -> tuple[float, int]:
        cases = [case for t in tallies for case in getattr(t, name)]
        return (float(np.mean(cases)) if cases else np.nan), len(cases)

    return share


def _warned(tallies: Sequence[Tally]) -> tuple[float, int]:
    leads = np.array([lead for t in tallies for lead in t.leads])
    return (float(np.mean(np.isfinite(leads))) if leads.size else np.nan), leads.size


def _lead(tallies: Sequence[Tally]) -> tuple[float, int]:
    leads = np.array([lead for t in tallies for lead in t.leads])
    leads = np.nan_to_num(leads, nan=0.0)
    return (float(np.median(leads)) if leads.size else np.nan), leads.size


def _per_ten(name: str, healthy: bool) -> Statistic:
    def rate(tallies: Sequence[Tally]) -> tuple[float, int]:
        counts = [getattr(t, name) for t in tallies if t.healthy == healthy]
        return (10 * float(np.mean(counts)) if counts else np.nan), len(counts)

    return rate


STATISTICS: dict[str, Statistic] = {
    "losses warned of": _warned,
    "by FADING": _share("own"),
    "median lead": _lead,
    "sudden losses alerted": _share("told"),
    "false per 10 healthy": _per_ten("false", True),
    "false per 10 collapsing": _per_ten("false", False),
    "false LOST per 10 healthy": _per_ten("false_lost", True),
    "false COLLAPSE per 10 healthy": _per_ten("false_collapse", True),
    "forecast holds": _share("held"),
}
"""In the median lead a loss without a warning counts as a lead of 0."""


def score(tallies: Sequence[Tally], seed: int = 0) -> Mapping[str, Figure]:
    """All figures; the intervals draw whole runs, since the losses of one run are alike."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(tallies), (DRAWS, len(tallies)))
    figures = {}
    for name, statistic in STATISTICS.items():
        value, cases = statistic(tallies)
        spread = np.array([statistic([tallies[i] for i in draw])[0] for draw in draws]) if cases else np.array([np.nan])
        spread = spread[np.isfinite(spread)]
        low, high = np.quantile(spread, [0.025, 0.975]) if spread.size else (np.nan, np.nan)
        figures[name] = Figure(value, float(low), float(high), cases)
    return figures


class Seeded(Protocol):
    """A run, or what makes one."""

    @property
    def seed(self) -> int:
        """Its seed."""


def tuning(run: Seeded) -> bool:
    """Whether a run belongs to the half that thresholds may be tuned on: the even seeds of every kind."""
    return run.seed % 2 == 0
