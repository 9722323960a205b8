"""The split plane: variance of the mean against mean noise variance, on log axes, with trails."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import PolarMonitorError
from .figure import FALLING, GREY, QUIET, USED, document_of, new_figure

COLOURS = {"in use": USED, "fading": FALLING, "lost": FALLING}
MARKERS = {"in use": "o", "fading": "D", "lost": "x", "taken over": "s", "undecided": "^"}
IN_USE = "in use: means differ, noise is small"
USUAL = (1e-4, 10.0, 1e-3, 2.0)
"""Limits of both axes, if nothing lies beyond them."""


def plane(
    run: str | os.PathLike[str] | dict[str, Any], *, step: int | None = None, name: str = "", mode: str = "train"
) -> Any:
    """Return a matplotlib figure of the plane at a step; None is the newest evaluation.

    Raises PolarMonitorError for a run that cannot be read or has no variance, and ImportError without matplotlib.
    """
    data = document_of(run, name, mode)
    drawn = data["plane"]
    if drawn is None:
        raise PolarMonitorError("plane: this latent has no variance, so there is no plane of mean and noise")
    frames = np.array(data["frames"])
    at = len(frames) - 1 if step is None else max(int(np.searchsorted(frames, step, side="right")) - 1, 0)
    states = {row["dimension"]: row["state"] for row in data["lifelines"]}
    figure, axes = new_figure(5.0, 4.5)
    names: list[tuple[float, float, str]] = []
    for j, x, y in zip(drawn["dimensions"], _powers(drawn["mean"]), _powers(drawn["noise"]), strict=True):
        state = states.get(j)
        if not np.isfinite([x[at], y[at]]).all():
            continue
        if state is None:
            axes.plot(x[at], y[at], ".", color=GREY, ms=4)
            continue
        colour = COLOURS.get(state, GREY)
        axes.plot(x[: at + 1], y[: at + 1], color=colour, alpha=0.5, lw=0.8)
        axes.plot(x[at], y[at], MARKERS[state], color=colour, ms=7)
        names.append((x[at], y[at], str(j)))
    axes.set(xscale="log", yscale="log", xlabel="variance of the mean, Var μ", ylabel="mean noise variance, E σ²")
    _limits(axes)
    _annotate(axes, names)
    axes.legend(handles=_shapes(dict.fromkeys(states.values())), frameon=False, fontsize=8, loc="lower left")
    for place, text, side in (((0.02, 0.985), "out of use: like the prior", "left"), ((0.98, 0.02), IN_USE, "right")):
        axes.annotate(text, place, xycoords="axes fraction", fontsize=8, color=QUIET, ha=side, va="center")
    axes.set_title(f"{data['title']}, step {frames[at]:,}", fontsize=9, loc="left")
    return figure


def _shapes(states: Iterable[str]) -> list[Any]:
    """Return an entry of the legend for each state."""
    from matplotlib.lines import Line2D

    colours = ((state, COLOURS.get(state, GREY)) for state in states)
    return [Line2D([], [], marker=MARKERS[state], color=c, ls="none", label=state) for state, c in colours]


def _limits(axes: Any) -> None:
    """Show at least `USUAL`, so that pictures of several runs can be compared."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    axes.set(xlim=(min(x0, USUAL[0]), max(x1, USUAL[1])), ylim=(min(y0, USUAL[2]), max(y1, USUAL[3])))


def _annotate(axes: Any, names: list[tuple[float, float, str]]) -> None:
    """Write the numbers beside their points, below those that are there already."""
    taken: list[tuple[float, float]] = []
    for x, y, name in names:
        u, v = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
        drop = next((d for d in (0, 9, -9, 18) if all(abs(a - u) > 18 or abs(b - v + d) > 8 for a, b in taken)), None)
        if drop is not None:
            taken.append((u, v - drop))
            axes.annotate(name, (x, y), xytext=(6, -3 - drop), textcoords="offset points", fontsize=8)


def _powers(curves: list[list[float | None]]) -> list[Any]:
    return [10.0 ** np.array([np.nan if v is None else v for v in curve], float) for curve in curves]
