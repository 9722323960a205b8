"""Lifelines: one row a dimension over true steps, nats on one scale for all rows, with alerts and forecasts."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays.short_floats import Array
from ..views.rows import with_detail
from .figure import FALLING, GREY, QUIET, USED, document_of, new_figure, thousands

ROW_INCHES = 0.42
HEIGHT = 0.82
"""Height of the highest row, of one between two base lines."""
MARKS = {"fading": ("v", FALLING), "lost": ("x", FALLING), "settling": ("o", QUIET), "revived": ("^", USED)}
"""Marker and colour of the alerts about a dimension."""
COLUMNS = ((32, "now"), (76, "since"), (88, "what comes next"))
"""Places, in points right of the rows, and heads of the columns; numbers end there."""


def lifelines(run: str | os.PathLike[str] | dict[str, Any], *, name: str = "", mode: str = "train") -> Any:
    """Return a matplotlib figure of the lifelines of a run.

    Args:
        run: The folder of a run, or its polar.jsonl.
        name: Name of the latent, for a model with several.
        mode: "train" or "eval".

    Raises PolarMonitorError for a run that cannot be read, and ImportError without matplotlib.
    """
    data = document_of(run, name, mode)
    rows, folds, now = data["lifelines"], data["folded"], data["step"]
    values = [_finite(row["nats"]) for row in rows]
    top = max([0.05, *(float(np.nanmax(v)) for v in values if np.isfinite(v).any())])
    figure, axes = new_figure(9.0, 1.5 + ROW_INCHES * (len(rows) + len(folds)))
    names, low = [], 0.0
    for row, nats in zip(rows, values, strict=True):
        low -= 1.0
        names.append((low, f"dim {row['dimension']}"))
        _row(axes, data, row, low + HEIGHT * np.maximum(nats, 0.0) / top, low)
        last = "–" if np.isnan(nats[-1]) else f"{nats[-1]:.2f}"
        text = with_detail(row)
        colour = FALLING if row["state"] == "fading" else QUIET
        for (place, _), words in zip(COLUMNS, (last, f"{row['since']:,}", text), strict=True):
            _words(axes, place, low + 0.08, words, "black" if words is not text else colour, right=words is not text)
    for fold in folds:
        low -= 1.0
        names.append((low, f"{len(fold['dimensions']):,} more"))
        curves = [_finite(curve) for curve in fold["nats"]]
        if curves:
            most = np.nanmax([np.maximum(np.nan_to_num(curve), 0.0) for curve in curves], axis=0)
            _area(axes, data["frames"], low, low + HEIGHT * most / top, USED if fold["state"] == "in use" else GREY)
        _words(axes, 10, low + 0.08, fold["text"], QUIET)
    for place, head in COLUMNS:
        _words(axes, place, 0.3, head, QUIET, right=head in ("now", "since"))
    _flags(axes, data)
    axes.axvline(now, color="black", ls=":", lw=1)
    axes.set_yticks([place for place, _ in names], [text for _, text in names], va="bottom", fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(ylim=(low - 0.1, 0.7), xlabel=f"step · height: {data['unit']}, one scale, 0 to {top:.2f}")
    axes.xaxis.set_major_formatter(thousands)
    figure.suptitle(_in_lines(f"{data['verdict'].replace('_', ' ')}: {data['text']}"), fontsize=10, x=0.01, ha="left")
    return figure


def _flags(axes: Any, data: dict[str, Any]) -> None:
    """Draw the alerts about the whole code; the first of each kind has its name, and two names close by two lines."""
    of_code = [alert for alert in data["alerts"] if alert["kind"] not in MARKS and alert["step"] <= data["step"]]
    named: list[str] = []
    for alert in of_code:
        axes.axvline(alert["step"], color=FALLING, alpha=0.5, ls=(0, (2, 3)), lw=0.8, zorder=0)
        if alert["kind"] not in named:
            place = (alert["step"], 0.12 + 0.38 * (len(named) % 2))
            named.append(alert["kind"])
            words = alert["kind"].replace("_", " ").upper()
            axes.annotate(words, place, color=FALLING, fontsize=7, ha="center", va="bottom")


def _row(axes: Any, data: dict[str, Any], row: dict[str, Any], level: Array, low: float) -> None:
    """Draw the areas, the forecast and the alerts of a dimension."""
    steps, now = np.array(data["steps"]), data["step"]
    used = row["state"] in ("in use", "fading")
    _area(axes, steps, low, level, USED if used else GREY, hatch=None if used else "....")
    if row["healthy"] is not None:
        fall = steps >= row["healthy"]
        axes.fill_between(steps, low, level, where=fall, facecolor=FALLING, hatch="///", edgecolor="white", lw=0)
    if row["forecast"] is not None and row["state"] == "fading":
        step, early, late = row["forecast"]
        end = now + 0.35 * max(now - steps[0], 1)
        last = min(late or end, end)
        axes.fill([now, last, max(early, now)], [level[-1], low, low], color=FALLING, alpha=0.18, lw=0)
        axes.plot([early, last], [low, low], color=FALLING, lw=3, solid_capstyle="butt")
        axes.plot([now, min(step, end)], [level[-1], low], color=FALLING, ls=":")
        if step <= end:
            axes.plot(step, low, "o", color=FALLING, ms=5, clip_on=False)
    for alert in data["alerts"]:
        if alert["kind"] in MARKS and row["dimension"] in alert["dimensions"]:
            marker, colour = MARKS[alert["kind"]]
            height = level[max(int(np.searchsorted(steps, alert["step"], side="right")) - 1, 0)]
            face = "none" if marker == "o" else colour
            axes.plot(alert["step"], height + 0.12, marker, mfc=face, mec=colour, ms=5, mew=1.2, clip_on=False)


def _area(axes: Any, steps: Any, low: float, level: Array, colour: str, hatch: str | None = None) -> None:
    axes.fill_between(steps, low, level, facecolor=colour, hatch=hatch, edgecolor="white" if hatch else "none", lw=0)
    axes.plot([steps[0], steps[-1]], [low, low], color=GREY, lw=0.5, zorder=0)


def _words(axes: Any, points: float, y: float, text: str, colour: str, right: bool = False) -> None:
    """Write a text beside the rows at a height; `right` if it ends there."""
    place = {"xycoords": axes.get_yaxis_transform(), "xytext": (points, 0), "textcoords": "offset points"}
    axes.annotate(text, (1.0, y), fontsize=8, color=colour, ha="right" if right else "left", **place)


def _finite(values: Sequence[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _in_lines(text: str, width: int = 118) -> str:
    return "\n".join(textwrap.wrap(text, width))
