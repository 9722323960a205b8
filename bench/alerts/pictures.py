"""Five alarms and eleven causes as pictures, from stored runs: `python -m bench.alerts.pictures` (extra `bench`).

Evaluations are those of `every=20`. Of each dimension that was ever in use: its information, when the alarms came, what
they forecast, and when it was lost by the truth, an intervention on held-out data. Colours are Okabe and Ito's.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from polar_monitor.alerts.alert import Alert, AlertKind

from .lifelines import draw_causes
from .scoring.density import DENSEST, thinned
from .scoring.replay import replay
from .scoring.truth import events
from .training.record import Run, load

FOLDER = Path(__file__).parents[2] / "docs" / "images"
RUNS = {
    "beta-ramp": ("beta_ramp-1", "β rises by a constant factor a step"),
    "dying-relu": ("dying_relu-2", "the ReLUs before the head of the mean die"),
    "rate-spike": ("rate_spike-1", "a learning-rate spike"),
    "powerful-decoder": ("teacher_forcing-1", "the decoder is given the rows above"),
    "variance-collapse": ("sharp-1", "β ≈ 10⁻⁶: σ → 0"),
}
"""Picture: the stored run, and what happens in it."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#777777")
TOTAL = {AlertKind.DRAIN: "DRAIN", AlertKind.COLLAPSE: "COLLAPSE", AlertKind.VARIANCE_COLLAPSE: "σ → 0"}
SHOWN = 8
"""Most dimensions drawn, those with most information."""


def draw(run: Run, title: str, axes: Any) -> None:
    """One run on one pair of axes."""
    alerts, truth = replay(run)[0], events(run)
    information = np.nan_to_num(run.snapshots["information"])
    used = np.flatnonzero(truth.used.any(axis=0)) if truth.used.any() else np.arange(information.shape[1])
    used = used[np.argsort(-information[:, used].max(axis=0))][:SHOWN]
    for place, j in enumerate(used.tolist()):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(run.steps, information[:, j], color=colour, lw=1.4)
        start = int(np.argmax(information[:, j]))
        axes.annotate(
            str(j), (run.steps[start], information[start, j]), xytext=(0, 3), textcoords="offset points", color=colour,
            fontsize=8, ha="center",
        )  # fmt: skip
        for alert in alerts:
            if j in alert.dimensions:
                _mark(axes, run, alert, information[:, j], colour, place)
        for loss in truth.losses:
            if loss.dimension == j:
                axes.plot(loss.at, information[np.searchsorted(run.steps, loss.at), j], "x", color=colour, ms=8, mew=2)
    for alert in alerts:
        if alert.kind in TOTAL:
            axes.axvline(alert.step, color="#777777", lw=0.8, ls=":")
            axes.annotate(
                TOTAL[alert.kind], (alert.step, 1.0), xycoords=("data", "axes fraction"), rotation=90, fontsize=7,
                color="#555555", ha="right", va="top",
            )  # fmt: skip
    axes.set(title=title, xlabel="step", ylabel="information, nats", ylim=(-0.4, None))
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= axes.get_ylim()[1]])
    axes.title.set_fontsize(10)


def _mark(axes: Any, run: Run, alert: Alert, series: Any, colour: str, place: int) -> None:
    at = int(np.searchsorted(run.steps, alert.step))
    if alert.kind is AlertKind.FADING:
        axes.plot(alert.step, series[at], "v", color=colour, ms=8)
        if alert.forecast is not None:
            end = run.steps[-1] if alert.forecast.high is None else alert.forecast.high
            level = -0.08 - 0.035 * place
            axes.plot([alert.forecast.low, min(end, run.steps[-1])], [level, level], color=colour, lw=2, alpha=0.6)
            axes.plot(min(alert.forecast.step, run.steps[-1]), level, "|", color=colour, ms=7, mew=1.5)
    elif alert.kind is AlertKind.LOST:
        axes.plot(alert.step, series[at], "s", color=colour, ms=5, mfc="none")


def main() -> None:
    """Draw the alarms and the causes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(".alerts"), help="folder of the stored runs")
    parser.add_argument("--to", type=Path, default=FOLDER)
    options = parser.parse_args()
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams |= {"svg.hashsalt": "alarms", "axes.spines.top": False, "axes.spines.right": False}
    for name, (stored, title) in RUNS.items():
        figure, axes = pyplot.subplots(figsize=(9.0, 3.4), constrained_layout=True)
        draw(thinned(load(options.cache / f"{stored}.npz"), DENSEST), title, axes)
        figure.savefig(options.to / f"alarm-{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
    draw_causes(options.cache, options.to)


if __name__ == "__main__":
    main()
