"""What the alerts say about themselves: the causes they name, how their forecasts turned out, and what they cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from polar_monitor.alerts.advice import CAUSE_ADVICE, Cause
from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge

from ..scoring.replay import replay
from ..scoring.score import tuning
from ..scoring.tally import Warned, concerns, plain, tally
from ..scoring.truth import LOOSE, events
from ..training.record import Run

GROUPS = {"of the model": ("drain", "collapse"), "FADING": ("fading",)}
NAMES = tuple(CAUSE_ADVICE[cause].name for cause in Cause)
NEED_CONTEXT = NAMES[Cause.BETA_RISES : Cause.UNITS_DIE]
"""Causes that are named only if the training loop logs its numbers."""
_PRESSED = ((Cause.NOISE_GROWS, Cause.ALL_AT_ONCE), (Cause.BETA_RISES,))
RIGHT: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "beta_ramp": _PRESSED,
    "beta_jump": _PRESSED,
    "linear": _PRESSED,
    "reduction": (_PRESSED[0], (Cause.RECONSTRUCTION_RESCALED, Cause.RECONSTRUCTION_COUNTS_LESS)),
    "decoder_variance": (_PRESSED[0], (Cause.RECONSTRUCTION_COUNTS_LESS,)),
    "teacher_forcing": (_PRESSED[0], (Cause.POWERFUL_DECODER,)),
    "lagging": (_PRESSED[0], (Cause.POWERFUL_DECODER, Cause.BETA_RISES)),
    "rate_spike": (
        (Cause.ALL_AT_ONCE, Cause.DEAD_ENCODER),
        (Cause.ALL_AT_ONCE, Cause.DEAD_ENCODER, Cause.LEARNING_RATE_RISES),
    ),
    "dying_relu": ((Cause.ALL_AT_ONCE, Cause.DEAD_ENCODER, Cause.UNITS_DIE),) * 2,
    "weight_decay": ((Cause.MEANS_SHRINK,),) * 2,
}
"""Of each kind of run, the causes that are true of it: where the loop logs nothing, and where it logs all."""
QUANTILES = (0.05, 0.1, 0.5, 0.85, 0.9, 0.95)


def cause(alert: Alert) -> str:
    """Return the short name of the cause that an alert names first, or "unknown"."""
    names = {(one.explanation,): one.name for one in CAUSE_ADVICE.values()}
    return names.get(alert.causes[:1], NAMES[Cause.UNKNOWN])


def confusion(runs: Sequence[Run], told: bool = True) -> str:
    """Kind by kind of the collapsing runs: which causes DRAIN and COLLAPSE name, and which FADING does."""
    seen = [name for name in NAMES if told or name not in NEED_CONTEXT]
    lines = ["| kind | alerts | " + " | ".join(seen) + " |", "| --- " * (2 + len(seen)) + "|"]
    for kind in dict.fromkeys(run.kind for run in runs if not run.healthy):
        alerts = [alert for run in runs if run.kind == kind for alert in replay(run, told=told)[0]]
        for title, kinds in GROUPS.items():
            found = Counter(cause(alert) for alert in alerts if alert.kind in kinds)
            if found:
                lines.append(f"| {kind} | {title} | " + " | ".join(str(found[name] or "") for name in seen) + " |")
    return "\n".join(lines) + "\n"


def judged(runs: Sequence[Run]) -> str:
    """Of all alerts in collapsing runs, by half: how many name a cause that is one of that kind of run, or none."""
    lines = ["| half | the loop logs | alerts | right | no cause named | another cause |", "| --- " * 6 + "|"]
    for title, half in {"held-out": False, "tuning": True}.items():
        chosen = [run for run in runs if tuning(run) is half and run.kind in RIGHT]
        for told in (False, True):
            found = Counter(
                "right" if cause(alert) in (NAMES[p] for p in RIGHT[run.kind][told]) else cause(alert)
                for run in chosen
                for alert in replay(run, told=told)[0]
                if alert.kind in ("fading", "drain", "collapse", "lost")
            )
            if total := sum(found.values()):
                right, unknown = found["right"], found[NAMES[Cause.UNKNOWN]]
                numbers = [f"{n} ({n / total:.0%})" for n in (right, unknown, total - right - unknown)]
                words = "β, learning rate, reconstruction" if told else "nothing"
                lines.append(f"| {title} | {words} | {total} | {' | '.join(numbers)} |")
    return "\n".join(lines) + "\n"


def ratios(runs: Sequence[Run]) -> Iterator[tuple[bool, float, float]]:
    """Of each FADING about a loss: whether it plunged, and true over forecast time at the loss and before it."""
    for run in runs:
        losses = events(run, LOOSE).losses
        for alert in replay(run)[0]:
            if alert.kind != "fading" or alert.forecast is None:
                continue
            about = [Warned("fading", alert.step, j) for j in alert.dimensions]
            mine = [loss for loss in losses if any(concerns(run, one, loss) for one in about)]
            if mine:
                ahead = max(alert.forecast.step - alert.step, run.every)
                there, before = mine[0].at - alert.step, mine[0].before - alert.step
                yield alert.forecast.low == alert.step + 1, there / ahead, before / ahead


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


def calibration(runs: Sequence[Run]) -> str:
    """How many losses the stated 80 % interval holds, by half and by what the forecast rests on."""
    lines = ["| half | the loop logs | of a trend | after a plunge |", "| --- " * 4 + "|"]
    for title, half in {"held-out": False, "tuning": True}.items():
        chosen = [run for run in runs if tuning(run) is half]
        for told in (False, True) if chosen else ():
            held = {True: [0, 0], False: [0, 0]}
            for run in chosen:
                warned = [one for one in plain(replay(run, told=told)[0]) if one.forecast is not None]
                for one in warned:
                    assert one.forecast is not None
                    holds = tally(run, [one]).held
                    held[one.forecast.low == one.step + 1][0] += sum(holds)
                    held[one.forecast.low == one.step + 1][1] += len(holds)
            cells = " | ".join(f"{part} of {whole}" for part, whole in (held[False], held[True]))
            lines.append(f"| {title} | {'β, learning rate, reconstruction' if told else 'nothing'} | {cells} |")
    return "\n".join(lines) + "\n"


def cost(run: Run, dimensions: int = 512) -> str:
    """Milliseconds of all rules in one evaluation: the run's dimensions over and over, up to a number."""
    copies = -(-dimensions // run.labels.shape[1])
    engine, regime, rules = AlertEngine(), None, AlertRules()
    taken: list[float] = []
    for step, observed, snapshot in run.evaluations():
        wide = {k: np.tile(v, copies)[:dimensions] for k, v in vars(snapshot).items() if isinstance(v, np.ndarray)}
        many = replace(snapshot, **wide)
        regime = judge(many, regime)
        begun = time.perf_counter()
        engine.evaluate(Observation(step, observed, many, regime), rules, run.warmup)
        taken.append(1e3 * (time.perf_counter() - begun))
    middle, most = np.quantile(taken, [0.5, 0.95])
    return f"{dimensions} dimensions of {run.name}: median {middle:.2f} ms an evaluation, 95 % quantile {most:.2f} ms\n"
