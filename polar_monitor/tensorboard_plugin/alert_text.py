"""Alerts as TensorBoard's Text page has them, read back."""

from __future__ import annotations

import re

from ..alerts.alert import Alert, AlertKind, Forecast

BETWEEN = "\n\n---\n\n"
HEAD = re.compile(
    r"\*\*(?P<kind>\w+)\*\* at step (?P<step>\d+)(?:, dimensions? (?P<which>[\d, and]+?)(?P<more> others)?)?"
    r"(?:, in place of that of step (?P<amends>\d+))?"
)
FORECAST = re.compile(r"\* out of use at about step (\d+) \(from (\d+) to (no end|\d+)\)")
HEALTHY = re.compile(r"\* last healthy step: (\d+)")
LISTS = {"* possible causes": "causes", "* what to try": "advice"}


def read_alerts(text: str) -> list[Alert]:
    """Return the alerts of a text; what is no alert is left out. Evidence is not read, as it has four digits there."""
    return [alert for alert in map(_read, text.split(BETWEEN)) if alert is not None]


def _read(text: str) -> Alert | None:
    head, *lines = text.split("\n")
    match = HEAD.fullmatch(head)
    if match is None or match["kind"].lower() not in set(AlertKind):
        return None
    which = [int(number) for number in re.findall(r"\d+", match["which"] or "")]
    which = which[: -1 if match["more"] else None]  # the last number is that of the others
    lists: dict[str, list[str]] = {"causes": [], "advice": []}
    open_list = ""
    for line in lines[3:]:
        open_list = LISTS.get(line, open_list if line.startswith("    * ") else "")
        if open_list and line.startswith("    * "):
            lists[open_list].append(_plain(line[6:]))
    forecast, healthy = FORECAST.search(text), HEALTHY.search(text)
    return Alert(
        kind=AlertKind(match["kind"].lower()),
        step=int(match["step"]),
        dimension=which[0] if which else None,
        message=_plain(lines[1]) if len(lines) > 1 else "",
        evidence={},
        forecast=None if forecast is None else _forecast(*forecast.groups()),
        last_healthy_step=None if healthy is None else int(healthy[1]),
        causes=tuple(lists["causes"]),
        advice=tuple(lists["advice"]),
        dimensions=tuple(which),
        amends=None if match["amends"] is None else int(match["amends"]),
    )


def _forecast(step: str, low: str, high: str) -> Forecast:
    return Forecast(int(step), int(low), None if high == "no end" else int(high))


def _plain(markdown: str) -> str:
    """Return the text that an escaped line shows."""
    return re.sub(r"\\([\\`*_\[\]<>#|])", r"\1", markdown)
