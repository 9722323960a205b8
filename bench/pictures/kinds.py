"""Active, passive and mixed in one picture: `python -m bench.pictures.kinds` trains the example of a mixed dimension.

Left is the split plane of all dimensions, right what σ² is for the inputs, of one dimension of each kind.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import polar_monitor
from polar_monitor import Label
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "three-kinds.svg"
COLOURS = {Label.ACTIVE: "#0072b2", Label.MIXED: "#d55e00", Label.PASSIVE: "#57606a", Label.UNDECIDED: "#aab1b9"}
MARKERS = {Label.ACTIVE: "o", Label.MIXED: "D", Label.PASSIVE: "s", Label.UNDECIDED: "^"}
BINS = np.linspace(-8.0, 0.8, 56)
"""Edges of the histograms of log σ²."""


def train(steps: int) -> tuple[Any, Any]:
    """Train the model of examples/mixed_dimension.py; return the regime of all inputs and log-variances (n, D)."""
    torch.manual_seed(0)
    images, _ = data.conditional(8192, share=0.5)
    model = BetaVae(images.shape[1], latents=6)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        loss = model.loss(images[torch.randint(len(images), (128,))], beta=4.0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        mean, logvar = model.encode(images)
    return polar_monitor.classify(mean, logvar=logvar), logvar.numpy()


def draw(regime: Any, logvar: Any) -> Any:
    """Return the figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=(1.1, 1.0))
    plane, snapshot = figure.add_subplot(grid[:, 0]), regime.snapshot
    for j, label in enumerate(regime.labels):
        plane.plot(snapshot.variance[j], snapshot.posterior_variance[j], MARKERS[label], color=COLOURS[label], ms=8)
    for label in dict.fromkeys(regime.labels):
        alike = [j for j, one in enumerate(regime.labels) if one is label]
        place = float(snapshot.variance[alike].max()), float(snapshot.posterior_variance[alike].mean())
        text = f"{', '.join(map(str, alike))}: {label}"
        plane.annotate(text, place, xytext=(9, -3), textcoords="offset points", fontsize=8, color=COLOURS[label])
    plane.set(xscale="log", yscale="log", xlim=(1e-5, 20), ylim=(3e-3, 3.0))
    plane.set(xlabel="variance of the mean over the inputs, Var μ", ylabel="mean noise variance, E σ²")
    plane.set_title("the split plane: each dimension is a point", fontsize=9, loc="left")
    for row, label in enumerate((Label.ACTIVE, Label.MIXED, Label.PASSIVE)):
        axes = figure.add_subplot(grid[row, 1])
        j = max((j for j, one in enumerate(regime.labels) if one is label), key=lambda j: snapshot.information[j])
        axes.hist(np.clip(logvar[:, j], BINS[0], BINS[-1]), BINS, color=COLOURS[label])
        axes.axvline(0.0, color="black", ls="--", lw=0.8)
        axes.set_yticks([])
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_title(f"dimension {j}, {label}: {snapshot.information[j]:.2f} nats", fontsize=9, loc="left")
    axes.set_xlabel("log σ² over the inputs; the dashed line is the prior, σ² = 1")
    plane.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--to", type=Path, default=PICTURE)
    options = parser.parse_args()
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "kinds"
    regime, logvar = train(options.steps)
    print(regime)
    draw(regime, logvar).savefig(options.to, metadata={"Date": None})


if __name__ == "__main__":
    main()
