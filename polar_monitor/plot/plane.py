"""The split plane: variance of the mean against mean noise variance, on log axes, with trails."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..errors import PolarMonitorError
from .figure import FALLING, GREY, USED, document_of, new_figure

COLOURS = {"in use": USED, "fading": FALLING, "lost": FALLING}
MARKERS = {"in use": "o", "fading": "D", "lost": "x", "taken over": "s", "undecided": "^"}


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
        axes.annotate(str(j), (x[at], y[at]), xytext=(6, -3), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="variance of the mean, Var μ", ylabel="mean noise variance, E σ²")
    axes.set_title(f"{data['title']}, step {frames[at]:,}", fontsize=9, loc="left")
    return figure


def _powers(curves: list[list[float | None]]) -> list[Any]:
    return [10.0 ** np.array([np.nan if v is None else v for v in curve], float) for curve in curves]
