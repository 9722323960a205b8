"""The monitor as text: the latent, the table of dimensions, the alerts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..alerts.advice import KIND_ADVICE, named
from ..alerts.alert import Alert, AlertKind, format_alert
from ..alerts.few_evaluations import few_evaluations
from ..errors import printable
from ..evaluation import Health
from ..intervention.report import columns, heading
from ..intervention.worth import Worth
from ..regime.label import Label
from ..regime.regime import Regime
from ..schedule.schedule import Schedule
from ..statistics.full import LOWEST
from ..statistics.snapshot import Snapshot

MIN_NOT_FINITE = 0.01
"""Share of the window that is NaN or infinite, and is named from there on."""
SILENT = "likely causes: " + "; ".join(KIND_ADVICE[AlertKind.SILENT].causes)
"""Likely causes of a silence, as text."""


def explain(why: str, read: str, modes: tuple[str, ...], schedule: Schedule, log_dir: Path | None) -> str:
    """Describe the latent and its reason, the interval of evaluations, and the folder of the results.

    `read` says how the latent's axes are read; '' before the first row.
    """
    governor, start = schedule.governor, ""
    steps = "step" if governor.every == 1 else f"{governor.every} steps"
    if governor.allowance.seconds and governor.max_overhead < 1:
        start = f" and {governor.allowance.seconds:g} s in all, {governor.allowance.used:.2f} s of it used"
    lines = [
        printable(why) or "no latent is watched yet: call observe(mean, logvar=…)",
        *([read] if read else []),
        f"modes {', '.join(modes)}; evaluated every {steps} now (every={schedule.pace.every}; overhead at most "
        f"{governor.max_overhead:.1%}{start}, now {governor.overhead:.2%})",
    ]
    if log_dir is not None:
        folder = printable(str(log_dir), keep="")
        lines.append(f"written to {folder}; see it with: tensorboard --logdir {folder}")
    return "\n".join(lines)


def summary(
    snapshot: Snapshot | None,
    regime: Regime | None,
    alerts: tuple[Alert, ...],
    health: Health,
    worth: Worth | None = None,
) -> str:
    """Format a table of all dimensions, the verdict and the alerts; with the worths of the latest probe, if any."""
    if snapshot is None or regime is None:
        remedy = ": monitor.evaluate() evaluates them now" if health.calls else ""
        return (
            f"nothing has been evaluated yet: {health.steps:,} optimiser steps counted, {health.calls:,} forwards "
            f"recorded{remedy}"
        )
    counts = ", ".join(f"{regime.count(label)} {label}" for label in Label if regime.count(label))
    now = "" if health.steps == snapshot.step else f" (training is at step {health.steps:,})"
    lines = [
        f"step {snapshot.step:,}{now}: {regime.verdict}; {counts}",
        f"  from {snapshot.n:,} rows{_steps_of_rows(snapshot)}",
        *(f"  {printable(reason, keep='')}" for reason in regime.reasons),
        *(f"  {words}" for words in _not_finite(snapshot)),
        *(f"  {words}" for words in [left_out(snapshot)] if words),
        "",
        f"  dim  label        nats      ± se   reliability    KL   in use by{columns(worth)}",
    ]
    lines += [_row(snapshot, regime, j) + columns(worth, j) for j in range(snapshot.dimensions)]
    if worth is not None:
        lines += ["", f"  {heading(worth)}", *(f"  {sentence}" for sentence in worth.sentences())]
    if few := few_evaluations(health.evaluations):
        lines += ["", f"  {few}"]
    if alerts:
        lines += ["", *(f"  {format_alert(alert)}" for alert in alerts)]
    return "\n".join([*lines, "", f"  {_counters(health)}"])


def left_out(s: Snapshot) -> str:
    """Say which dimensions of a wide latent have no entropies and correlations; '' if all have, or none."""
    if not 0 <= s.covered < s.dimensions:
        return ""
    return (
        f"labels, information and KL of all {s.dimensions:,} dimensions; entropies, correlations, rank and histograms "
        f"of {s.covered:,}, those with most information and {LOWEST} with least: all would take too long on the "
        "training thread"
    )


def _not_finite(s: Snapshot) -> Iterator[str]:
    """Yield a line if a share of the window is NaN or infinite: the numbers of these dimensions are of the rest."""
    share = 1.0 - s.finite / max(s.independent, 1)
    if which := np.flatnonzero(share >= MIN_NOT_FINITE).tolist():
        worst = max(which, key=lambda j: float(share[j]))
        up_to, their = ("", "its") if len(which) == 1 else ("up to ", "their")
        lost = f"{up_to}{share[worst]:.0%} of the rows of {named(which)} are NaN or infinite"
        yield f"{lost}; {their} numbers are those of the other rows"


def _steps_of_rows(s: Snapshot) -> str:
    if s.rows_to < 0:
        return ""
    return f" of step {s.rows_to:,}" if s.rows_from == s.rows_to else f" of steps {s.rows_from:,} to {s.rows_to:,}"


def _counters(health: Health) -> str:
    """Format the counters; rows that were not needed are not among those that were dropped."""
    parts = [f"{health.rows_seen:,} rows of {health.calls:,} forwards seen, {health.rows_dropped:,} dropped"]
    if health.rows_skipped:
        parts.append(f"{health.rows_skipped:,} not needed, as newer ones filled the window")
    if health.steps_rested:
        parts.append(f"not recorded: {health.steps_rested:,} of {health.steps:,} steps (hooks paused)")
    if health.steps:
        used = f"{health.allowance_used:.2f}"
        allowed = f" ({used} s of it from the start allowance)" if used != "0.00" else ""
        parts.append(f"overhead {health.overhead:.2%}{allowed}")
    return "; ".join(parts)


def _row(s: Snapshot, regime: Regime, j: int) -> str:
    return (
        f"  {j:>3}  {regime.labels[j]:<10} {s.information[j]:>6.3f}  {s.information_se[j]:>8.3f}"
        f"  {_or_dash(s.reliability[j], '10.3f')}  {_or_dash(s.kl[j], '6.2f')}  {_or_dash(s.share_active[j], '8.0%')}"
    )


def _or_dash(value: float, form: str) -> str:
    width = int(form.split(".")[0])
    return format(value, form) if value == value else "-".rjust(width)
