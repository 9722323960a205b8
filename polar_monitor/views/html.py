"""A run as a fragment of HTML for notebooks: the sentence, and a table with a small lifeline for each dimension.

It has no script and no style sheet, so that it looks the same in a saved notebook.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from .rows import with_detail

COLOURS = {"in use": "#0072b2", "fading": "#d55e00", "undecided": "#a67600"}
"""Colour of each state that is not out of use."""
GREY = "#8b949e"
WIDTH, HEIGHT = 180, 20
"""Pixels of a lifeline."""
MAX_SHOWN = 16
"""Rows of the table."""


def run_html(run: dict[str, Any]) -> str:
    """Return a document of `views.document` as HTML."""
    words = "".join(f"<b>{html.escape(text)}</b>" if kind else html.escape(text) for text, kind in run["sentence"])
    top = max((v for row in run["lifelines"] for v in row["nats"] if v), default=0.0) or 1.0
    rows = "".join(_row(row, run["steps"], top) for row in run["lifelines"][:MAX_SHOWN])
    more = [f"{len(run['lifelines']) - MAX_SHOWN} more rows"] if len(run["lifelines"]) > MAX_SHOWN else []
    more += [f"{len(fold['dimensions']):,} more: {fold['text']}" for fold in run["folded"]]
    head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("dim", "state", run["unit"], "", "next"))
    return (
        f"<div><p><b>{html.escape(run['verdict'].replace('_', ' '))}</b> · step {run['step']:,} · {words}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{''.join(f'<p>{html.escape(line)}</p>' for line in more)}</div>"
    )


def _row(row: dict[str, Any], steps: Sequence[int], top: float) -> str:
    nats = row["nats"][-1]
    number = "–" if nats is None else f"{nats:.2f}"
    cells = (str(row["dimension"]), row["state"], number, None, with_detail(row))
    drawn = (lifeline(row, steps, top) if cell is None else html.escape(cell) for cell in cells)
    return f"<tr>{''.join(f'<td style=text-align:left>{cell}</td>' for cell in drawn)}</tr>"


def lifeline(row: dict[str, Any], steps: Sequence[int], top: float) -> str:
    """Return a lifeline as SVG; what falls since the last healthy step is orange."""
    span = max(steps[-1] - steps[0], 1)
    points = [
        ((step - steps[0]) / span * WIDTH, HEIGHT - max(v or 0.0, 0.0) / top * (HEIGHT - 2))
        for step, v in zip(steps, row["nats"], strict=True)
    ]
    turn = len(points) if row["healthy"] is None else sum(step <= row["healthy"] for step in steps)
    state = "in use" if row["state"] == "fading" else row["state"]
    areas = _area(points[: turn + 1], COLOURS.get(state, GREY)) + _area(points[max(turn - 1, 0) :], COLOURS["fading"])
    if turn == len(points):
        areas = _area(points, COLOURS.get(state, GREY))
    return f"<svg width='{WIDTH}' height='{HEIGHT}' role='img' aria-label='nats over steps'>{areas}</svg>"


def _area(points: Sequence[tuple[float, float]], colour: str) -> str:
    if not points:
        return ""
    line = " ".join(f"L{x:.1f},{y:.1f}" for x, y in points)
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    return f"<path d='M{first:.1f},{HEIGHT} {line} L{last:.1f},{HEIGHT}Z' fill='{colour}'/>"
