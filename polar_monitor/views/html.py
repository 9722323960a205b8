"""A run as a fragment of HTML for notebooks: the sentence, and a table with a small lifeline for each dimension.

It has no script and no style sheet, so that it looks the same in a saved notebook.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from ..regime.regime_html import LEFT, RIGHT
from .rows import with_detail

COLOURS = {"in use": "#0072b2", "fading": "#d55e00", "undecided": "#a67600"}
"""Colour of each state that is not out of use."""
GREY = "#8b949e"
WIDTH, HEIGHT = 230, 20
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
    over = f"steps {run['steps'][0]:,} to {run['step']:,}, to {top:.2f} {run['unit']}"
    heads = (("dim", RIGHT), ("state", LEFT), (run["unit"], RIGHT), (over, LEFT), ("since", RIGHT), ("next", LEFT))
    head = "".join(f"<th style='{side}'>{name}</th>" for name, side in heads)
    return (
        f"<div><p><b>{html.escape(run['verdict'].replace('_', ' '))}</b> · step {run['step']:,} · {words}</p>"
        f"{_reason(run['reason'])}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{''.join(f'<p>{html.escape(line)}</p>' for line in more)}</div>"
    )


def _reason(reason: dict[str, Any] | None) -> str:
    """Return the newest alert that has a cause: why, what to do, and the last healthy step."""
    if reason is None:
        return ""
    back = None if reason["healthy"] is None else f"{reason['healthy']:,}"
    head = f"{reason['kind']}, step {reason['step']:,}"
    parts = ((head, reason["message"]), ("Why", reason["why"]), ("Do", reason["do"]), ("Last healthy step", back))
    lines = "<br/>".join(f"<b>{html.escape(name)}</b> {html.escape(text)}" for name, text in parts if text)
    return f"<p style='border-left:3px solid {COLOURS['fading']};padding-left:10px'>{lines}</p>"


def _row(row: dict[str, Any], steps: Sequence[int], top: float) -> str:
    nats = row["nats"][-1]
    number = "–" if nats is None else f"{nats:.2f}"
    cells = (
        (str(row["dimension"]), RIGHT),
        (html.escape(row["state"]), LEFT),
        (number, RIGHT),
        (lifeline(row, steps, top), LEFT),
        (f"{row['since']:,}", RIGHT),
        (html.escape(with_detail(row)), LEFT),
    )
    return "<tr>" + "".join(f"<td style='{side}'>{cell}</td>" for cell, side in cells) + "</tr>"


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
