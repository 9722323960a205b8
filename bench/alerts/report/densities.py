"""The alerts at five densities: one table of the goals, and how it depends on what was decided about the scoring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ..scoring.agreement import SENSITIVITY, Seen, compared
from ..scoring.density import DENSEST, DENSITIES
from ..scoring.goals import GOALS, by_kind, figures
from ..scoring.outcomes import Outcome, total
from ..scoring.score import tuning
from ..scoring.truth import events
from ..training.record import Run
from .tables import markdown

COUNTS = {"quick": "losses too quick for it", "unseen": "unseen", "settling": "settling", "alarms": "alerts"}
HALVES = {"Held-out half": False, "Tuning half": True}


def densities(outcomes: Sequence[Outcome]) -> str:
    """Every goal at every density, by half. A figure that misses its goal has a `!`."""
    parts = []
    for title, half in HALVES.items():
        chosen = [one for one in outcomes if tuning(one.runs[DENSEST]) is half]
        if not chosen:
            continue
        healthy = sum(one.runs[DENSEST].healthy for one in chosen)
        parts.append(f"### {title}: {len(chosen)} runs, {healthy} healthy\n")
        rows = []
        for density in DENSITIES:
            tallies = [one.tally(density) for one in chosen]
            agreed = None if density == DENSEST else total(one.agreement(density) for one in chosen)
            found = figures(tallies, agreed)
            cells = [_cell(goal.missed(value), value, cases) for goal, (value, cases) in found.items()]
            counts = [str(sum(getattr(t, name) for t in tallies)) for name in COUNTS]
            rows.append([density, *cells, *counts])
        names = ["density", *(goal.name for goal in GOALS), *COUNTS.values()]
        parts.append(markdown(names, rows))
    return "\n".join(parts)


def settling(outcomes: Sequence[Outcome]) -> str:
    """How the figures change where a loss that others take over counts as a loss like any other."""
    rows = []
    for density in DENSITIES:
        for title, choosing in {"settling": True, "a loss": False}.items():
            tallies = [one.tally(density, choosing) for one in outcomes]
            found = list(figures(tallies).items())[:4]
            rest = sum(t.false_settling for t in tallies)
            rows.append([density, title, *(_cell(goal.missed(v), v, n) for goal, (v, n) in found), str(rest)])
    names = ["density", "what others take over is", *(goal.name for goal in GOALS[:4]), "false ones about settling"]
    return markdown(names, rows)


def tolerances(outcomes: Sequence[Outcome]) -> str:
    """How the agreement depends on what counts as agreeing, and what disagrees most."""
    others = [density for density in DENSITIES if density != DENSEST]
    rows = []
    for title, tolerance in SENSITIVITY.items():
        found = [total(one.agreement(density, tolerance) for one in outcomes) for density in others]
        rows.append([title, *(f"{a.agreeing / a.alerts:.2f} of {a.alerts}" if a.alerts else "–" for a in found)])
    return markdown([f"agrees with {DENSEST} within", *others], rows) + "\n" + _by_kind_of_alert(outcomes, others)


def _by_kind_of_alert(outcomes: Sequence[Outcome], others: Sequence[str]) -> str:
    counts = defaultdict[tuple[str, str], list[bool]](list)
    for one in outcomes:
        for density in others:
            pair = [Seen(one.runs[name], one.alarms[name]) for name in (DENSEST, density)]
            for a, b in (pair, pair[::-1]):
                for alarm, agrees in compared(a, b):
                    counts[alarm.kind, density].append(agrees)
    kinds = dict.fromkeys(kind for kind, _ in counts)
    rows = [[kind, *(_share(counts[kind, density]) for density in others)] for kind in kinds]
    return markdown(["kind of alert", *others], rows)


def forecasts(outcomes: Sequence[Outcome]) -> str:
    """The share of the forecasts that hold, by kind of run, at each density and at all of them together."""
    tallies = {density: [one.tally(density) for one in outcomes] for density in DENSITIES}
    pooled = by_kind([t for each in tallies.values() for t in each])
    rows = []
    for kind in pooled:
        cells = [by_kind(each).get(kind) for each in tallies.values()]
        rows.append([kind, *("–" if c is None else _cell(_far(c.value), *c) for c in (*cells, pooled[kind]))])
    return markdown(["kind of run", *DENSITIES, "all"], rows)


def first_use(runs: Sequence[Run]) -> str:
    """The step at which a healthy model has its first dimension in use by the truth, kind by kind."""
    found = defaultdict[str, list[int | None]](list)
    for run in runs:
        if run.healthy:
            found[run.kind].append(events(run).first_use)
    rows = []
    for kind, steps in found.items():
        known = [step for step in steps if step is not None]
        middle, last = (f"{np.median(known):.0f}", str(max(known))) if known else ("–", "–")
        rows.append([kind, str(len(steps)), middle, last, str(len(steps) - len(known))])
    return markdown(["kind", "runs", "median step", "latest", "never"], rows)


def _far(share: float) -> float:
    return float(not 0.7 <= share <= 0.9)


def _cell(missed: float, value: float, cases: int) -> str:
    return f"{value:.2f}{'!' if missed else ''} ({cases})" if np.isfinite(value) else "–"


def _share(each: Sequence[bool]) -> str:
    return f"{np.mean(each):.2f} of {len(each)}" if each else "–"
