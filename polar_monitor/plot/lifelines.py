"""Lifelines: one row a dimension over true steps, nats on one scale for all rows, with the forecasts."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .figure import FALLING, GREY, USED, document_of, new_figure

ROW_INCHES = 0.42


def lifelines(run: str | os.PathLike[str] | dict[str, Any], *, name: str = "", mode: str = "train") -> Any:
    """Return a matplotlib figure of the lifelines of a run.

    Args:
        run: The folder of a run, or its polar.jsonl.
        name: Name of the latent, for a model with several.
        mode: "train" or "eval".

    Raises PolarMonitorError for a run that cannot be read, and ImportError without matplotlib.
    """
    data = document_of(run, name, mode)
    rows, steps, now = data["lifelines"], np.array(data["steps"]), data["step"]
    figure, axes = new_figure(9.0, 1.5 + ROW_INCHES * (len(rows) + len(data["folded"])))
    values = [np.array([np.nan if v is None else v for v in row["nats"]], float) for row in rows]
    top = max([0.05, *(float(np.nanmax(v)) for v in values if np.isfinite(v).any())])
    names, low = [], 0.0
    for row, nats in zip(rows, values, strict=True):
        low -= 1.0
        used = row["state"] in ("in use", "fading")
        level = low + 0.85 * np.maximum(nats, 0.0) / top
        axes.fill_between(steps, low, level, color=USED if used else GREY, linewidth=0)
        if row["healthy"] is not None:
            fall = steps >= row["healthy"]
            axes.fill_between(steps, low, level, where=fall, facecolor=FALLING, hatch="///", edgecolor="white", lw=0)
        if row["forecast"] is not None:
            step, early, late = row["forecast"]
            end = now + 0.35 * max(now - steps[0], 1)
            axes.plot([early, min(late or end, end)], [low, low], color=FALLING, lw=3, solid_capstyle="butt")
            axes.plot([now, min(step, end)], [level[-1], low], color=FALLING, ls=":")
        last = "–" if np.isnan(nats[-1]) else f"{nats[-1]:.2f}"
        text = f"{last}   {row['next']}" + (f" ({row['detail']})" if row["detail"] else "")
        axes.text(
            1.01,
            low + 0.1,
            text,
            transform=axes.get_yaxis_transform(),
            fontsize=8,
            color=FALLING if row["state"] == "fading" else "#57606a",
        )
        names.append((low, f"dim {row['dimension']}"))
    for fold in data["folded"]:
        low -= 1.0
        names.append((low, f"{len(fold['dimensions'])} more"))
        axes.text(1.01, low + 0.1, fold["text"], transform=axes.get_yaxis_transform(), fontsize=8, color="#57606a")
    axes.axvline(now, color="black", ls=":", lw=1)
    axes.set_yticks([place for place, _ in names], [text for _, text in names], va="bottom", fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(ylim=(low - 0.1, 0.1), xlabel="step")
    axes.set_title(f"{data['verdict'].replace('_', ' ')}: {data['text']}", fontsize=9, loc="left", wrap=True)
    return figure
