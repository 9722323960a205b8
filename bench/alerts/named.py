"""What the alerts say about themselves: the causes they name, how their forecasts turned out, and what they cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from polar_monitor.alerts import Alert, AlertRules
from polar_monitor.causes import NAMES, SAID
from polar_monitor.regime import judge
from polar_monitor.watch import WatchState, watch

from .record import Run
from .replay import replay
from .score import tuning
from .tally import Warned, concerns
from .truth import LOOSE, events

QUANTILES = (0.05, 0.1, 0.5, 0.85, 0.9, 0.95)


def cause(alert: Alert) -> str:
    """The short name of the one cause that an alert names, or "unknown"."""
    return NAMES[SAID.index(alert.causes[0])] if len(alert.causes) == 1 and alert.causes[0] in SAID else NAMES[0]


def confusion(runs: Sequence[Run]) -> str:
    """Kind by kind of the collapsing runs: which causes DRAIN and COLLAPSE name, and which FADING does."""
    lines = ["| kind | alerts | " + " | ".join(NAMES) + " |", "| --- " * (2 + len(NAMES)) + "|"]
    for kind in dict.fromkeys(run.kind for run in runs if not run.healthy):
        alerts = [alert for run in runs if run.kind == kind for alert in replay(run)[0]]
        for title, kinds in {"of the model": ("drain", "collapse"), "FADING": ("fading",)}.items():
            found = Counter(cause(alert) for alert in alerts if alert.kind in kinds)
            if found:
                lines.append(f"| {kind} | {title} | " + " | ".join(str(found[name]) for name in NAMES) + " |")
    return "\n".join(lines) + "\n"


def ratios(runs: Sequence[Run]) -> Iterator[tuple[bool, float, float]]:
    """Of each FADING about a loss: whether it plunged, and true over forecast time at the loss and before it."""
    for run in runs:
        losses = events(run, LOOSE).losses
        for alert in replay(run)[0]:
            if alert.kind != "fading" or alert.forecast is None:
                continue
            warned = Warned("fading", alert.step, alert.dimension)
            mine = [loss for loss in losses if concerns(run, warned, loss)]
            if mine:
                ahead = max(alert.forecast.step - alert.step, run.every)
                there, before = (int(run.steps[mine[0].at - k]) - alert.step for k in (0, 1))
                yield alert.forecast.low < alert.step, there / ahead, before / ahead


def factors(runs: Sequence[Run]) -> str:
    """Quantiles of true over forecast time on the tuning half: the source of the factors in `forecast`."""
    found = list(ratios([run for run in runs if tuning(run)]))
    names = ["forecast", "cases", *(f"{q:.0%} quantile" for q in QUANTILES)]
    lines = [f"| {' | '.join(names)} |", "| --- " * len(names) + "|"]
    for title, plunged in {"of a trend": False, "after a plunge": True}.items():
        cases = np.array([(there, before) for p, there, before in found if p == plunged])
        if cases.size:
            low, high = np.quantile(cases, QUANTILES, axis=0).T
            values = [f"{value:.2f}" for value in [*low[:2], *high[2:]]]
            lines.append(f"| {title} | {len(cases)} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def cost(run: Run, dimensions: int = 512) -> str:
    """Milliseconds of all rules in one evaluation: the run's dimensions over and over, up to a number."""
    copies = -(-dimensions // run.labels.shape[1])
    state, regime, taken = WatchState(), None, []
    for step, observed, snapshot in run.evaluations():
        wide = {k: np.tile(v, copies)[:dimensions] for k, v in vars(snapshot).items() if isinstance(v, np.ndarray)}
        many = replace(snapshot, **wide)
        regime = judge(many, regime)
        begun = time.perf_counter()
        state, _ = watch(state, step, observed, many, regime, AlertRules(), run.warmup)
        taken.append(1e3 * (time.perf_counter() - begun))
    middle, most = np.quantile(taken, [0.5, 0.95])
    return f"{dimensions} dimensions of {run.name}: median {middle:.2f} ms an evaluation, 95 % quantile {most:.2f} ms\n"
