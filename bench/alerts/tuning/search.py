"""A coordinate search over the thresholds of `AlertRules`, by replay of the tuning half at all densities.

From the thresholds as they are, each field in turn goes to the next value of its range, and on in the direction that
makes the objective smaller, until a round changes nothing or the settings are used up. All that depends on no threshold
is made once. A setting that is clearly worse than the best one on a third of the runs is not replayed on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np

from polar_monitor.alerts.alert_rules import AlertRules

from ..scoring.density import DENSITIES
from ..scoring.outcomes import Outcome, outcome, prepared
from ..scoring.score import tuning
from ..scoring.tally import concerns
from ..scoring.truth import LOOSE, events
from ..training.record import Run
from .objective import Objective, objective
from .ranges import moves, searched, unsearched

Say = Callable[[str], None]
CLEARLY = 0.5
"""A setting whose objective on a third of the runs is so much larger than that of the best one is given up."""
QUANTILES = (0.05, 0.1, 0.15, 0.5, 0.85, 0.9, 0.95)


class Search:
    """The runs, and every setting that was tried."""

    def __init__(self, runs: Iterable[Run], say: Say = print) -> None:
        self.prepared = []
        for run in runs:
            if not tuning(run):
                raise ValueError(f"{run.name}: expected runs of the tuning half (even seeds), got seed {run.seed}")
            self.prepared.append(prepared(run))
        self.say = say
        self.tried: dict[AlertRules, Objective] = {}
        self.lowest = (math.inf, math.inf)
        """The objective of the best setting, on a third of the runs and on all."""

    def outcomes(self, rules: AlertRules, begin: int = 0, step: int = 1) -> list[Outcome]:
        """Replay the runs, or every third one."""
        return [outcome(one, rules) for one in self.prepared[begin::step]]

    def value(self, rules: AlertRules, what: str) -> float:
        """The objective of a setting, from before if it was tried; that of a third of the runs if it is given up."""
        if rules not in self.tried:
            some = self.outcomes(rules, 0, 3)
            found = part = objective(some)
            given_up = part.value > self.lowest[0] + CLEARLY
            if not given_up:
                found = objective([*some, *self.outcomes(rules, 1, 3), *self.outcomes(rules, 2, 3)])
                self.lowest = min(self.lowest, (part.value, found.value), key=lambda pair: pair[1])
            self.tried[rules] = found._replace(value=math.inf) if given_up else found
            value = f"over {part.value:.1f}" if given_up else f"{found.value:.3f}"
            self.say(f"{len(self.tried):3d} {what:<28} {value:>9}   missed: {found.missed()}")
        return self.tried[rules].value

    def best(self, rules: AlertRules, settings: int) -> AlertRules:
        """The best thresholds found with so many settings, from these on."""
        if more := unsearched():
            self.say(f"no range is given for {', '.join(more)}")
        self.value(rules, "as they are")
        changed = True
        while changed and len(self.tried) < settings:
            changed = False
            for name in searched():
                better = self._along(rules, name, settings)
                changed, rules = changed or better != rules, better
        return rules

    def _along(self, rules: AlertRules, name: str, settings: int) -> AlertRules:
        """Go along one field as long as it helps."""
        for value in moves(rules, name):
            if len(self.tried) >= settings:
                return rules
            other = replace(rules, **{name: value})
            if self.value(other, f"{name} = {value}") < self.value(rules, ""):
                return self._along(other, name, settings)
        return rules


def tune(runs: Iterable[Run], settings: int = 50, rules: AlertRules | None = None, say: Say = print) -> AlertRules:
    """Search, and say what was tried, what was chosen and why."""
    search, begin = Search(runs, say), rules or AlertRules()
    say(f"{len(search.prepared)} runs of the tuning half at {', '.join(DENSITIES)}; the smaller the better:")
    chosen = search.best(begin, settings)
    before, after = search.tried[begin], search.tried[chosen]
    say(f"\nchosen: {_changes(begin, chosen) or 'the thresholds as they are'}")
    say(f"because: {before.value:.3f} → {after.value:.3f}, the smallest of {len(search.tried)} settings")
    say(f"goals that were missed:       {before.missed()}")
    say(f"goals that are missed still:  {after.missed()}\n")
    say(_quantiles(search.outcomes(chosen)))
    return chosen


def _changes(begin: AlertRules, chosen: AlertRules) -> str:
    old, new = asdict(begin), asdict(chosen)
    return ", ".join(f"{name} = {new[name]} (was {old[name]})" for name in new if new[name] != old[name])


def _quantiles(outcomes: Sequence[Outcome]) -> str:
    """True over forecast time of every FADING about a loss: the source of the factors of the forecast."""
    lines = ["Factors of the forecast: quantiles of true over forecast time", ""]
    names = ["density", "forecast", "cases", *(f"{q:.0%}" for q in QUANTILES)]
    lines += [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    every = [(density, *case) for one in outcomes for density in one.runs for case in ratios(one, density)]
    for density in (*DENSITIES, "all"):
        for title, plunged in {"of a trend": False, "after a plunge": True}.items():
            cases = np.array([c[2:] for c in every if density in ("all", c[0]) and c[1] == plunged])
            if len(cases):
                low, high = np.quantile(cases, QUANTILES, axis=0).T
                values = [f"{(low if q < 0.5 else high)[i]:.2f}" for i, q in enumerate(QUANTILES)]
                lines.append(f"| {density} | {title} | {len(cases)} | {' | '.join(values)} |")
    return "\n".join(lines)


def ratios(of: Outcome, density: str) -> Iterator[tuple[bool, float, float]]:
    """Of each FADING about a loss: whether it plunged, and true over forecast time at the loss and just before it."""
    run = of.runs[density]
    losses = events(run, LOOSE).losses
    for alarm in of.alarms[density]:
        mine = [loss for loss in losses if concerns(run, alarm, loss) and not (loss.settling and run.healthy)]
        if alarm.kind == "fading" and alarm.forecast is not None and mine:
            ahead = max(alarm.forecast.step - alarm.step, 1)
            plunged = alarm.forecast.low <= alarm.step + 1
            yield plunged, (mine[0].at - alarm.step) / ahead, (mine[0].before - alarm.step) / ahead
