"""What a run's log says in words: states, the sentence of each moment, and what became of each dimension."""

from __future__ import annotations

from collections.abc import Iterator

from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.evaluation import Evaluation
from polar_monitor.regime.label import Label


def states(records: list[Evaluation]) -> list[list[str]]:
    """Return the state of each dimension at each evaluation: its label, or fading from the alert to the loss."""
    fading: set[int] = set()
    rows = []
    for record in records:
        labels = record.regime.labels if record.regime is not None else ()
        for alert in record.alerts:
            if alert.kind is AlertKind.FADING:
                fading |= set(alert.dimensions)
            elif alert.kind in (AlertKind.LOST, AlertKind.REVIVED):
                fading -= set(alert.dimensions)
        rows.append(["fading" if j in fading else label.value for j, label in enumerate(labels)])
    return rows


def captions(records: list[Evaluation]) -> Iterator[tuple[int, str, bool]]:
    """Yield each step at which the sentence changes: the counts of the labels, or a new alert of a loss (True)."""
    shown = ""
    for record in records:
        if record.regime is None:
            continue
        count = {label: record.regime.labels.count(label) for label in Label}
        known = ", ".join(f"{n} {label.value}" for label, n in count.items() if n)
        text = f"{record.regime.verdict.value.replace('_', ' ')}: {known}"
        warnings = [alert for alert in record.alerts if alert.kind in (AlertKind.FADING, AlertKind.LOST)]
        if warnings:
            yield record.step, f"step {record.step:,}: {short(warnings[-1])}", True
        elif text != shown:
            yield record.step, f"step {record.step:,}: {text}", False
        shown = text


def short(alert: Alert) -> str:
    """The first clause of an alert, and the step that its forecast names."""
    first = alert.message.split(":")[0]
    loss = "first loss" if len(alert.dimensions) > 1 else "loss"
    return first if alert.forecast is None else f"{first}; {loss} expected at about step {alert.forecast.step:,}"


def end(course: list[list[str]], records: list[Evaluation]) -> str:
    """The sentence under which the picture stands still."""
    lost = {j for one in records for alert in one.alerts if alert.kind is AlertKind.LOST for j in alert.dimensions}
    warned = {j for one in records for alert in one.alerts if alert.kind is AlertKind.FADING for j in alert.dimensions}
    fading = sum(state == "fading" for state in course[-1])
    quiet = sum(state == "passive" for j, state in enumerate(course[-1]) if j not in lost | warned)
    of_them = "each" if lost <= warned else f"{len(lost & warned)} of them"
    return (
        f"end, step {records[-1].step:,}: {len(lost)} lost, {of_them} after a warning; "
        f"{fading} fading, {quiet} at the prior without an alert"
    )


def outcome(j: int, records: list[Evaluation], nats: float, state: str) -> tuple[str, bool]:
    """The text at the end of a row: what became of the dimension, and whether it is an alarm."""
    warned = lost = None
    for record in records:
        for alert in record.alerts:
            if j in alert.dimensions:
                warned = record.step if alert.kind is AlertKind.FADING and warned is None else warned
                lost = record.step if alert.kind is AlertKind.LOST else lost
    if lost is not None and warned is not None:
        return f"lost; warned {lost - warned} steps before", True
    if state == "fading":
        return f"fading, {nats:.2f} nats are left", True
    return f"{state}, {nats:.2f} nats", False
