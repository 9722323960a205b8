"""The pictures of the study, PNG and SVG, from the columns that are committed with it. Only here is matplotlib needed.

Colours are Okabe and Ito's, which the colour-blind can tell apart; shapes differ too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..scoring.agreement import NO_DECODER, OURS, OWN, applies, compare, judged, rules
from ..scoring.columns import Columns, read, where
from ..scoring.intervals import wilson
from ..scoring.power import SHARES
from .collect import CURVE, DIMENSIONS, POINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"active": "#0072B2", "mixed": "#E69F00", "passive": "#777777", "unclear": "#CC79A7"}
MARKERS = {"active": "o", "mixed": "D", "passive": "v", "unclear": "x"}
RULES = {"ours": ("#D55E00", "o"), "bonheme": ("#0072B2", "s"), "clapham_code": ("#009E73", "^")}
WIDTH = 9.0
"""Inches: at the width of a page the letters are of the size of the text."""


def axes(rows: int, columns: int, height: float) -> tuple[Figure, Any]:
    """A figure of the study's width and its axes, without frames that say nothing."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams |= {
        "svg.hashsalt": "regimes", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
        "legend.frameon": False, "savefig.dpi": 150,
    }  # fmt: skip
    figure, grid = pyplot.subplots(rows, columns, figsize=(WIDTH, height), constrained_layout=True, squeeze=False)
    return figure, grid


def save(figure: Figure, folder: Path, name: str) -> None:
    """As PNG and SVG, the same bytes for the same data."""
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png")
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def agreement(c: Columns, folder: Path) -> None:
    """Agreement of every rule, and ours less theirs, both with intervals, on the dimensions that each applies to."""
    from matplotlib.lines import Line2D

    everywhere = np.ones(len(c["truth"]), np.bool_)
    found = {name: compare(c, c[f"by_{name}"], c["by_ours"], 3, everywhere) for name in OWN}
    found |= {name: compare(c, c[f"by_{name}"], c["by_ours"], 3, applies(c, name)) for name in rules(c)}
    names = sorted(found, key=lambda name: found[name].share.value)
    figure, ((left, right),) = axes(1, 2, 0.32 * len(names) + 1.2)
    for y, name in enumerate(names):
        colour = RULES[OURS][0] if name in OWN else "black"
        _interval(left, y, found[name].share, colour)
        if name not in OWN:
            _interval(right, y, found[name].ahead, RULES[OURS][0])
            without = compare(c, c[f"by_{name}"], c[f"by_{NO_DECODER}"], 3, applies(c, name)).ahead
            _interval(right, y + 0.25, without, "#999999")
    left.set_yticks(range(len(names)), [OWN.get(name, name) for name in names])
    left.set_xlim(0, 101)
    left.set_xlabel("dimensions that agree with the truth, %")
    right.set_yticks(range(len(names)), [""] * len(names))
    right.axvline(0, color="#999999", linewidth=1)
    right.set_xlabel("ours − theirs on the same dimensions, %")
    handles = [Line2D([], [], color=colour, marker="o") for colour in (RULES[OURS][0], "#999999")]
    right.legend(handles, ["ours", "ours, no decoder"], loc="upper right")
    for axis in (left, right):
        axis.set_ylim(-0.6, len(names) - 0.4)
    save(figure, folder, "agreement")


def _interval(axis: Axes, y: float, share: Any, colour: str) -> None:
    axis.plot([100 * share.low, 100 * share.high], [y, y], color=colour, linewidth=1.5)
    axis.plot([100 * share.value], [y], "o", color=colour, markersize=5)


def truth(c: Columns, folder: Path) -> None:
    """What replacing a dimension costs, in units of its model's scale, against its information; with the cuts."""
    from polar_monitor.statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE

    figure, (panels,) = axes(1, 2, 4.0)
    for axis, has, cut in zip(panels, (1, 0), (INFORMATIVE, INFORMATIVE_MEAN_ONLY), strict=True):
        part = where(c, c["has_variance"] == has)
        for label, colour in COLOURS.items():
            rows = part["truth"] == label
            x, y = part["information"][rows], part["rise"][rows] / part["scale"][rows]
            axis.plot(np.maximum(x, 1e-4), np.maximum(y, 1e-5), MARKERS[label], color=colour, markersize=4,
                      alpha=0.7, label=label, linestyle="none", markerfacecolor="none")  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        for at in (PASSIVE, cut):
            axis.axvline(at, color="#999999", linewidth=1, linestyle="--")
    panels[0].set(xlabel="information I(x; z), nats", ylabel="rise of the loss / price of a nat, nats",
                  title="with a variance")  # fmt: skip
    panels[1].set(xlabel="resolved entropy H_τ(μ), nats", ylabel="rise of the loss / 5 % of the code's",
                  title="without one")  # fmt: skip
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), title="truth about the dimension")
    save(figure, folder, "truth")


def power(c: Columns, folder: Path) -> None:
    """How often each rule says "mixed", against the share of inputs that use the dimension, for three windows."""
    windows = (512, 4096, 16384)
    figure, (panels,) = axes(1, len(windows), 3.4)
    for axis, window in zip(panels, windows, strict=True):
        for rule, (colour, marker) in RULES.items():
            rows = where(c, (c["window"] == window) & (c["rule"] == rule) & (c["share"] > 0))
            found = [wilson(int(m), int(n)) for m, n in zip(rows["mixed"], rows["dimensions"], strict=True)]
            value = 100 * np.array([f.value for f in found])
            ends = 100 * np.maximum(np.array([[f.value - f.low, f.high - f.value] for f in found]).T, 0.0)
            axis.errorbar(100 * rows["share"], value, ends, color=colour, marker=marker, markersize=4, label=rule)
        axis.set_xscale("log")
        axis.set_xticks([100 * share for share in SHARES], [f"{100 * share:g}" for share in SHARES])
        axis.minorticks_off()
        axis.set(xlabel="inputs that use it, %", title=f"window {window}", ylim=(-3, 103))
    panels[0].set_ylabel('said to be "mixed", %')
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    save(figure, folder, "power")


def coupling(c: Columns, folder: Path) -> None:
    """h(μ) against KL and against Var μ over all snapshots of all runs, and the bounds above which no point may be."""
    figure, (panels,) = axes(1, 2, 4.0)
    for axis, name, factor in zip(panels, ("kl", "variance"), (4, 2), strict=True):
        known = np.isfinite(c[name]) & (c[name] > 0)
        for label, colour in COLOURS.items():
            rows = known & (c["truth"] == label)
            axis.plot(c[name][rows], c["entropy"][rows], MARKERS[label], color=colour, markersize=3, alpha=0.5,
                      label=label, linestyle="none", markerfacecolor="none")  # fmt: skip
        x = np.geomspace(c[name][known].min(), c[name][known].max(), 200)
        axis.plot(x, 0.5 * np.log(factor * math.pi * math.e * x), color="black", linewidth=1.2)
        axis.set_xscale("log")
        axis.set_ylim(bottom=max(-8.0, float(c["entropy"].min()) - 0.3))
    panels[0].set(xlabel="KL(q(z | x) ‖ p(z)), nats", ylabel="h(μ), nats", title="h(μ) ≤ ½ log(4πe KL)")
    panels[1].set(xlabel="Var μ", title="h(μ) ≤ ½ log(2πe Var μ)")
    handles, names = panels[1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), title="truth about the dimension")
    save(figure, folder, "coupling")


def draw(data: Path, folder: Path, parts: Sequence[str]) -> None:
    """The pictures of the chosen parts, from the folder of CSV files."""
    if "agreement" in parts:
        c = judged(read(data / DIMENSIONS))
        agreement(c, folder)
        truth(c, folder)
    if "power" in parts:
        power(read(data / CURVE), folder)
    if "coupling" in parts:
        coupling(read(data / POINTS), folder)
