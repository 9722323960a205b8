"""The monitor as text: the latent, the table of dimensions, the alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..alerts.advice import KIND_ADVICE, named
from ..alerts.alert import Alert, AlertKind, format_alert
from ..alerts.few_evaluations import few_evaluations
from ..alerts.outlook import Outlook
from ..errors import printable
from ..evaluation import Health
from ..intervention.report import columns, heading
from ..intervention.worth import Worth
from ..regime.regime import Regime
from ..regime.regime_table import counts, table, terminal_size, wrapped
from ..schedule.schedule import Schedule
from ..statistics.full import LOWEST
from ..statistics.snapshot import Snapshot

MIN_NOT_FINITE = 0.01
"""Share of the window that is NaN or infinite, and is named from there on."""
OLD_SHARE, OLD_STEPS = 0.5, 100
"""Share of the steps, and steps, after which the newest evaluation is too old to speak for the model."""
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
    was_used: Sequence[bool] = (),
    complete: bool = False,
) -> str:
    """Format the verdict, the dimensions and the newest alerts on one screen, or all of them if `complete`.

    The worths are those of the latest probe, if any. `was_used` is True for a dimension that once was in use for long.
    """
    if snapshot is None or regime is None:
        remedy = ": monitor.evaluate() evaluates them now" if health.calls else ""
        return (
            f"nothing has been evaluated yet: {health.steps:,} optimiser steps counted, {health.calls:,} forwards "
            f"recorded{remedy}"
        )
    width, height = terminal_size()
    regime = regime if regime.snapshot is snapshot else replace(regime, snapshot=snapshot)
    now = "" if health.steps == snapshot.step else f" (training is at step {health.steps:,})"
    head = [f"step {snapshot.step:,}{now}: {regime.verdict}; {counts(regime)}"]
    facts = [f"from {snapshot.n:,} rows{_steps_of_rows(snapshot)}", *_age(snapshot.step, health.steps)]
    facts += [*regime.reasons, *_not_finite(snapshot)]
    facts += [left_out(snapshot)] if left_out(snapshot) else []
    head += [line for fact in facts for line in wrapped(fact, width)]
    notes = [] if worth is None else [heading(worth), *worth.sentences()]
    notes += [few] if (few := few_evaluations(health.evaluations)) else []
    foot = [line for note in notes for line in wrapped(note, width)]
    counters = wrapped(_counters(health), width)
    room = None if complete else height - 1 - len(head) - 1 - len(foot) - bool(foot) - len(counters) - 1
    news = _newest(alerts, width, room)
    rows = None if room is None else room - 1 - len(news) - bool(news)
    outlook = Outlook(alert for alert in alerts if alert.step <= snapshot.step)
    labels, nats = regime.labels, snapshot.information
    gone = outlook.gone(labels) if worth is None else range(snapshot.dimensions)
    body = table(
        regime, width, rows, gone=gone,
        remark=lambda j: outlook.remark(j, labels[j], float(nats[j]), snapshot.step),
        more=lambda j: columns(worth, j),
        judgement=lambda rest: _judgement(regime, rest, was_used),
    )  # fmt: skip
    return "\n\n".join("\n".join(part) for part in (head, body, foot, news, counters) if part)


def _newest(alerts: Sequence[Alert], width: int, room: int | None) -> list[str]:
    """Return the newest alerts in up to a third of the room, at least one, and how many are older."""
    lines: list[str] = []
    for shown, alert in enumerate(reversed(alerts)):
        text = wrapped(format_alert(alert), width)
        if room is not None and lines and len(lines) + len(text) > room // 3:
            older = len(alerts) - shown
            return [f"  {older} older alert{'s' * (older != 1)}: monitor.alerts", *lines]
        lines = [*text, *lines]
    return lines


def _judgement(regime: Regime, rest: Sequence[int], was_used: Sequence[bool]) -> str:
    """Return what dimensions that deserve no row are; they are healthy where others are in use."""
    if len(was_used) != len(regime.labels) or any(was_used[j] for j in rest):
        return "passive"
    return "in use only at the start, or never" + (": healthy" if regime.informative else "")


def left_out(s: Snapshot) -> str:
    """Say which dimensions of a wide latent have no entropies and correlations; '' if all have, or none."""
    if not 0 <= s.covered < s.dimensions:
        return ""
    return (
        f"labels, information and KL of all {s.dimensions:,} dimensions; entropies, correlations, rank and histograms "
        f"of {s.covered:,}, those with most information and {LOWEST} with least: all would take too long on the "
        "training thread"
    )


def put_off(dimensions: int) -> str:
    """Say what the first snapshot of a wide latent lacks, and how to get it."""
    return (
        f"the first evaluation of {dimensions:,} dimensions gives labels, information and KL; entropies, correlations, "
        "rank and histograms come with a later one, or with monitor.snapshot(): all at once would take too long on "
        "the training thread"
    )


def _not_finite(s: Snapshot) -> Iterator[str]:
    """Yield a line if a share of the window is NaN or infinite: the numbers of these dimensions are of the rest."""
    share = 1.0 - s.finite / max(s.independent, 1)
    if which := np.flatnonzero(share >= MIN_NOT_FINITE).tolist():
        worst = max(which, key=lambda j: float(share[j]))
        up_to, their = ("", "its") if len(which) == 1 else ("up to ", "their")
        lost = f"{up_to}{share[worst]:.0%} of the rows of {named(which)} are NaN or infinite"
        yield f"{lost}; {their} numbers are those of the other rows"


def _age(evaluated: int, now: int) -> list[str]:
    """Return a line on an evaluation of long ago, as on a busy machine or with an `every` that never came again."""
    if now - evaluated < max(OLD_STEPS, OLD_SHARE * now):
        return []
    return [f"that was {now - evaluated:,} steps ago: monitor.evaluate(batch) judges the model as it is now"]


def _steps_of_rows(s: Snapshot) -> str:
    if s.rows_to < 0:
        return ""
    return f" of step {s.rows_to:,}" if s.rows_from == s.rows_to else f" of steps {s.rows_from:,} to {s.rows_to:,}"


def _ranks(health: Health) -> str:
    """Say how many ranks were merged, and that some had no rows."""
    merged, empty = f"merged from {health.ranks} ranks (these counters are of one)", health.ranks_without_rows
    if not empty:
        return merged
    which = "one of which had no rows" if empty == 1 else f"{empty} of which had no rows"
    return f"{merged}, {which}: no data, or the latent is not decided there (monitor.explain() on that rank says so)"


def _counters(health: Health) -> str:
    """Format the counters; rows that were not needed are not among those that were dropped."""
    parts = [f"{health.rows_seen:,} rows of {health.calls:,} forwards seen, {health.rows_dropped:,} dropped"]
    if health.ranks > 1:
        parts.append(_ranks(health))
    if health.rows_skipped:
        parts.append(f"{health.rows_skipped:,} not needed, as newer ones filled the window")
    if health.steps_rested:
        parts.append(f"not recorded: {health.steps_rested:,} of {health.steps:,} steps (hooks paused)")
    if health.steps:
        used = f"{health.allowance_used:.2f}"
        allowed = f" ({used} s of it from the start allowance)" if used != "0.00" else ""
        parts.append(f"overhead {health.overhead:.2%}{allowed}")
    return "; ".join(parts)
