"""One line a run: what happened by the truth, and what the monitor said. Numbers after `@` and `→` are steps."""

from __future__ import annotations

from ..scoring.truth import Loss, events
from ..training.record import Run

SHORT = {"fading": "F", "lost": "L", "revived": "R", "drain": "DRAIN", "collapse": "COLLAPSE"}


def line(run: Run) -> str:
    """Dimensions in use at 25, 50, 75 % and the end of the run, losses (onset→loss, plateau in nats; `!` is sudden, `~`
    settling), live alerts."""
    happened = events(run)
    used = happened.used.sum(axis=1)
    last = len(used) - 1
    counts = "/".join(str(used[round(share * last)]) for share in (0.25, 0.5, 0.75, 1.0))
    losses = " ".join(map(_loss, happened.losses)) or "no loss"
    total = "" if happened.collapse is None else f", all at {happened.collapse}"
    said = " ".join(
        f"{SHORT.get(alert.kind, alert.kind.upper())}{','.join(map(str, alert.dimensions))}@{alert.step}"
        for alert in run.alerts
    )
    return (
        f"{run.name:<20} {run.said}, {len(run.steps)} evaluations, {run.seconds:.0f} s; in use {counts}; "
        f"{losses}{total}; said {said or 'nothing'}"
    )


def _loss(loss: Loss) -> str:
    marks = f"{'!' if loss.sudden else ''}{'~' if loss.settling else ''}"
    return f"{loss.dimension}:{loss.onset}→{loss.at}({loss.plateau:.1f}){marks}"
