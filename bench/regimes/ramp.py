"""A Least-Volume autoencoder whose penalty grows until nothing is left: `python -m bench.regimes.ramp`.

The same training is watched with its decoder, which `attach` finds, and without one. The truth is what swapping the
codes between inputs does to the output, on rows that are not trained on. Writes docs/images/autoencoder-ramp.svg and
the table of docs/autoencoders.md. Pictures need matplotlib (`pip install -e ".[bench]"`).
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import polar_monitor
from bench.zoo import LeastVolume
from polar_monitor.evaluation import Evaluation
from polar_monitor.statistics.thresholds import MIN_EFFECT

from .report import figures, pages
from .report.provenance import ROOT
from .scoring.tables import markdown

SEEDS = (11, 12, 13)
STEPS, EVERY, START = 2600, 50, 600
"""Of the training, between evaluations, and the step from which the penalty grows."""
FIRST, FACTOR = 0.2, 300.0
"""The penalty's weight at first, and by how much it grows in all."""
INPUTS, FACTORS, LATENTS = 20, 4, 10


@dataclass
class Watch:
    """A sink that keeps the numbers of active dimensions and the newest regime."""

    steps: list[int] = field(default_factory=list)
    active: list[int] = field(default_factory=list)
    effect: list[float] = field(default_factory=list)
    regime: polar_monitor.Regime | None = None
    """The newest one."""

    def write(self, evaluation: Evaluation) -> None:
        """Keep its step, its effect, its regime, and how many dimensions are active."""
        if evaluation.regime is not None and evaluation.snapshot is not None:
            self.steps.append(evaluation.step)
            self.active.append(evaluation.regime.count("active"))
            self.effect.append(float(evaluation.snapshot.effect))
            self.regime = evaluation.regime

    @property
    def end(self) -> str:
        """The newest regime in words."""
        assert self.regime is not None
        words = f"{self.regime.verdict}, {self.active[-1]} active"
        return words + (", and the code has shrunk" if self.regime.has_shrunk else "")

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to let go."""


@dataclass(frozen=True)
class Ramp:
    """One training: what both monitors said, and the truth at the steps of their evaluations."""

    found: Watch
    without: Watch
    alerts: dict[str, list[tuple[str, int]]]
    """Kinds and steps, by the monitor."""
    truth: list[float]
    """Effect of swapping the codes, a share of the variance of the data."""

    @property
    def collapsed(self) -> int:
        """The first step at which swapping the codes has no effect; -1 if it always has one."""
        below = (EVERY * (k + 1) for k, effect in enumerate(self.truth) if effect < MIN_EFFECT)
        return next((step for step in below if step > START), -1)


def train(seed: int) -> Ramp:
    """Train one model with both monitors."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(FACTORS, INPUTS, generator=rng)
    data, unseen = (torch.tanh(0.5 * torch.randn(n, FACTORS, generator=rng) @ mixing) for n in (5000, 512))
    model = LeastVolume(INPUTS, LATENTS, 64)
    found, without, truth = Watch(), Watch(), []
    monitor = polar_monitor.attach(model, sinks=[found], every=EVERY, max_overhead=1.0)
    by_hand = polar_monitor.PolarMonitor(sinks=[without], every=EVERY, max_overhead=1.0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for step in range(1, STEPS + 1):
        weight = FIRST * FACTOR ** min(max((step - START) / 1400, 0.0), 1.0)
        output, code = model(x := data[torch.randint(len(data), (128,), generator=rng)])
        loss = (output - x).square().sum(1).mean() + weight * model.penalty(code)
        optimizer.zero_grad()
        loss.backward()
        by_hand.observe(code)
        optimizer.step()
        by_hand.step()
        if step % EVERY == 0:
            truth.append(effect(model, unseen))
    alerts = {
        name: [(str(alert.kind), alert.step) for alert in watch.alerts]
        for name, watch in (("found", monitor), ("without", by_hand))
    }
    monitor.detach()
    by_hand.detach()
    return Ramp(found, without, alerts, truth)


@torch.no_grad()
def effect(model: LeastVolume, x: Tensor) -> float:
    """Half the mean square that another input's code changes in the output, as a share of the variance of the data."""
    model.eval()
    code, _ = model.encode(x)
    moved = 0.5 * (model.decode(code) - model.decode(code.roll(1, 0))).square().mean()
    model.train()
    return float(moved / x.var(0).mean())


def table(ramps: dict[int, Ramp]) -> str:
    """A seed a row: the truth, and the alerts and last words of both monitors."""
    rows = []
    for seed, ramp in ramps.items():
        said = []
        for name, watch in (("found", ramp.found), ("without", ramp.without)):
            steps = {kind: [step for of, step in ramp.alerts[name] if of == kind] for kind in ("collapse", "revived")}
            collapse = ", ".join(map(str, steps["collapse"])) or "none"
            said += [collapse, len(steps["revived"]), watch.end]
        rows.append([seed, ramp.collapsed if ramp.collapsed > 0 else "never", *said])
    head = ["seed", "the codes have no effect from step", "decoder found: COLLAPSE at", "REVIVED", "at the end"]
    return markdown([*head, "no decoder: COLLAPSE at", "REVIVED", "at the end"], rows)


def draw(ramp: Ramp, seed: int, path: Path) -> None:
    """The effect of the code above, how many dimensions are called active below."""
    from matplotlib import pyplot

    figure, ((above,), (below,)) = figures.axes(2, 1, 5.0)
    steps = EVERY * np.arange(1, len(ramp.truth) + 1)
    above.plot(steps, np.maximum(ramp.truth, 1e-9), color="black", lw=1.4, label="truth: codes swapped, unseen data")
    above.plot(
        ramp.found.steps,
        np.maximum(ramp.found.effect, 1e-9),
        "o",
        color="#D55E00",
        ms=3,
        label="measured while training",
    )
    above.axhline(MIN_EFFECT, color="#777777", lw=0.8, ls="--")
    above.set(yscale="log", ylabel="effect of the code")
    above.set_title(f"A penalty that grows by {FACTOR:g} from step {START} (Least Volume, seed {seed})", fontsize=10)
    below.plot(ramp.found.steps, ramp.found.active, color="#D55E00", lw=1.4, label="with the decoder")
    below.plot(ramp.without.steps, ramp.without.active, color="#0072B2", lw=1.4, ls="--", label="without one")
    below.set(xlabel="step", ylabel="dimensions called active", ylim=(-0.3, LATENTS + 0.7))
    for kind, step in ramp.alerts["found"]:
        if kind == "collapse":
            below.axvline(step, color="#D55E00", lw=0.8, ls=":")
            below.annotate("COLLAPSE", (step, LATENTS), rotation=90, fontsize=8, color="#D55E00", ha="right", va="top")
    for axis in (above, below):
        if ramp.collapsed > 0:
            axis.axvline(ramp.collapsed, color="#777777", lw=0.8)
        axis.legend(loc="lower left", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Train all seeds, draw the first, write the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.regimes.ramp", description=__doc__.partition("\n")[0])
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder with autoencoders.md and images/")
    docs = parser.parse_args().docs
    torch.set_num_threads(1)
    logging.getLogger("polar_monitor").setLevel(logging.ERROR)
    ramps = {seed: train(seed) for seed in SEEDS}
    print(text := table(ramps))
    page = docs / "autoencoders.md"
    page.write_text(pages.fill(page.read_text(encoding="utf-8"), {"ramp": text}), encoding="utf-8")
    draw(ramps[SEEDS[0]], SEEDS[0], docs / "images" / "autoencoder-ramp.svg")


if __name__ == "__main__":
    main()
