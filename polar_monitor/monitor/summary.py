"""The monitor as text: the latent, the table of dimensions, the alerts."""

from __future__ import annotations

from pathlib import Path

from ..alerts.advice import KIND_ADVICE
from ..alerts.alert import Alert, AlertKind, format_alert
from ..alerts.few_evaluations import few_evaluations
from ..evaluation import Health
from ..regime.label import Label
from ..regime.regime import Regime
from ..schedule.schedule import Schedule
from ..statistics.snapshot import Snapshot

SILENT = "likely causes: " + "; ".join(KIND_ADVICE[AlertKind.SILENT].causes)
"""Likely causes of a silence, as text."""


def explain(why: str, modes: tuple[str, ...], schedule: Schedule, log_dir: Path | None) -> str:
    """Describe the latent and its reason, the interval of evaluations, and the folder of the results."""
    governor, start = schedule.governor, ""
    steps = "step" if governor.every == 1 else f"{governor.every} steps"
    if governor.allowance.seconds and governor.max_overhead < 1:
        start = f" and {governor.allowance.seconds:g} s in all, {governor.allowance.used:.2f} s of it used"
    lines = [
        why or "no latent is watched yet: call observe(mean, logvar=…)",
        f"modes {', '.join(modes)}; evaluated every {steps} now (every={schedule.pace.every}; overhead at most "
        f"{governor.max_overhead:.1%}{start}, now {governor.overhead:.2%})",
    ]
    if log_dir is not None:
        lines.append(f"written to {log_dir}; see it with: tensorboard --logdir {log_dir}")
    return "\n".join(lines)


def summary(snapshot: Snapshot | None, regime: Regime | None, alerts: tuple[Alert, ...], health: Health) -> str:
    """Format a table of all dimensions, the verdict and the alerts."""
    if snapshot is None or regime is None:
        return (
            f"nothing has been evaluated yet: {health.steps} optimiser steps counted, {health.calls} forwards recorded"
        )
    counts = ", ".join(f"{regime.count(label)} {label}" for label in Label if regime.count(label))
    lines = [
        f"step {snapshot.step}: {regime.verdict}; {counts}",
        *(f"  {reason}" for reason in regime.reasons),
        "",
        "  dim  label        nats      ± se   reliability    KL   in use by",
    ]
    lines += [_row(snapshot, regime, j) for j in range(snapshot.dimensions)]
    if few := few_evaluations(health.evaluations):
        lines += ["", f"  {few}"]
    if alerts:
        lines += ["", *(f"  {format_alert(alert)}" for alert in alerts)]
    rows = f"{health.rows_seen} rows of {health.calls} forwards seen, {health.rows_dropped} dropped"
    lines += [
        "",
        f"  {rows}; hooks paused in {health.steps_rested} of {health.steps} steps; overhead {health.overhead:.2%}",
    ]
    return "\n".join(lines)


def _row(s: Snapshot, regime: Regime, j: int) -> str:
    return (
        f"  {j:>3}  {regime.labels[j]:<10} {s.information[j]:>6.3f}  {s.information_se[j]:>8.3f}"
        f"  {_or_dash(s.reliability[j], '10.3f')}  {_or_dash(s.kl[j], '6.2f')}  {_or_dash(s.share_active[j], '8.0%')}"
    )


def _or_dash(value: float, form: str) -> str:
    width = int(form.split(".")[0])
    return format(value, form) if value == value else "-".rjust(width)
