"""Lifelines of eleven causes of collapse, from the logs that their runs would have: pictures of the page on collapse.

A stored run is written as the `polar.jsonl` of a monitor that looks every 20 steps, and `polar_monitor.plot` draws it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.evaluation import Evaluation, Health
from polar_monitor.plot import lifelines
from polar_monitor.sinks.jsonl import JsonlSink

from .scoring.density import DENSEST, thinned
from .scoring.replay import observations, raised
from .training.record import Run, load

CAUSES = {
    "beta-ramp": ("beta_ramp-1", 2300, "β rises by a constant factor a step"),
    "beta-jump": ("beta_jump-2", 1200, "β is multiplied in one step"),
    "reduction": ("reduction-1", 1250, "the reconstruction becomes a mean over pixels, the KL term stays a sum"),
    "decoder-variance": ("decoder_variance-1", 2900, "the decoder's variance grows"),
    "powerful-decoder": ("teacher_forcing-1", 2200, "the decoder is given the pixels above"),
    "lagging-encoder": ("lagging-5", 2100, "a strong decoder, and an encoder that learns too slowly"),
    "rate-spike": ("rate_spike-3", 1500, "the learning rate is far too high for some steps"),
    "weight-decay": ("weight_decay-1", 2600, "the weight decay of the encoder grows"),
    "dying-relu": ("dying_relu-2", 2960, "the ReLUs before the head of the mean die"),
    "variance-collapse": ("sharp-1", 1600, "β ≈ 10⁻⁶: σ → 0"),
    "never-in-use": ("never-1", 1000, "β is far too large from the first step"),
}
"""Picture: the stored run, the step at which one looks, and what happens in it."""
MIN_HEIGHT = 1.9


def write_log(run: Run, until: int, folder: Path) -> Path:
    """Write the log of a run up to a step, its loop logging β, the learning rate and the reconstruction term."""
    seen = [o for o in observations(run, told=True) if o.step <= until]
    alerts = raised(seen, run.warmup, AlertRules())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "polar.jsonl"
    path.unlink(missing_ok=True)
    sink = JsonlSink(path)
    for number, o in enumerate(seen, 1):
        own = tuple(alert for alert in alerts if alert.step == o.step)
        health = Health(
            steps=o.step, calls=o.step, steps_rested=0, rows_seen=o.observed * number, rows_dropped=0, rows_empty=0,
            errors=0, last_error="", overhead=0.0, every=run.every, evaluations=number, sink_drops=0,
        )  # fmt: skip
        seconds = float(o.step)
        sink.write(Evaluation(o.step, seconds, "", "train", o.observed, o.snapshot, o.regime, own, health, o.context))
    sink.close()
    return path


def draw(run: Run, until: int, title: str, folder: Path) -> Any:
    """Return the lifelines of one run up to a step as a figure."""
    figure = lifelines(write_log(run, until, folder))
    verdict = figure.get_suptitle().partition(":")[0]
    figure.suptitle(f"{title} (verdict: {verdict})", fontsize=10, x=0.01, ha="left")
    figure.set_size_inches(9.0, max(0.85 * figure.get_figheight(), MIN_HEIGHT))
    (axes,) = figure.axes
    axes.set_xlim(left=0)
    for area in axes.collections:
        if area.get_hatch() == "....":
            area.set_hatch(".")  # each dot is a path of the SVG
    return figure


def draw_causes(cache: Path, output: Path) -> None:
    """Draw all eleven."""
    with tempfile.TemporaryDirectory() as work:
        for name, (stored, until, title) in CAUSES.items():
            figure = draw(thinned(load(cache / f"{stored}.npz"), DENSEST), until, title, Path(work) / name)
            figure.savefig(output / f"cause-{name}.svg", metadata={"Date": None})
