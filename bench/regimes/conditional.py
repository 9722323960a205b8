"""The live monitor on iVAEs, given their conditional prior: `python -m bench.regimes.conditional`.

Each model is trained with two monitors, one with `prior=…` and one without. At the end the labels of the first are
compared with those of `classify` on the same rows, on held-out rows, and with the truth of the use beyond what the
auxiliary variable gives. Writes a table into docs/results/README.md.
"""

from __future__ import annotations

import argparse
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import polar_monitor
from bench.zoo import train
from polar_monitor.demo import models
from polar_monitor.regime.label_codes import decode

from .report import pages
from .report.provenance import ROOT
from .scoring.agreement import two_way
from .scoring.tables import markdown
from .training import grid, materials, truth
from .training.intervention import intervene
from .training.train import EVALUATIONS, INTERVENED

SEEDS = (41, 42, 43)
"""None of them is one that a number was chosen on."""
BATCH, WINDOW = 128, 4096
"""Rows of a step, and of the monitor's window."""


class IVae(models.IVae):
    """The study's iVAE, whose forward returns its prior too."""

    def forward(self, x: Tensor, u: Tensor | None = None) -> Any:
        """Return output, mean, log-variance, and the mean and log-variance of the prior."""
        prior = self.prior(u)
        return *super().forward(x, u), *prior

    def loss(self, x: Tensor, beta: float, u: Tensor | None = None) -> Tensor:
        """Return the negative evidence lower bound with KL times β."""
        output, mean, logvar, *prior = self(x, u)
        kl = models.divergence(mean, logvar, (prior[0], prior[1])).sum(1)
        return (self.likelihood(x, output) + beta * kl).mean()


class Watched(NamedTuple):
    """One training: its labels as words (D,) each."""

    truth: tuple[str, ...]
    """Of the use beyond what the auxiliary variable gives."""
    live: tuple[str, ...]
    """By the monitor, at the end."""
    newest: tuple[str, ...]
    """The same from its last window alone, without the labels before."""
    same_rows: tuple[str, ...]
    """By `classify` on the rows of that window."""
    held_out: tuple[str, ...]
    """By `classify` on rows that are not trained on."""
    without: tuple[str, ...]
    """By a monitor that does not know the prior."""


def watched(spec: grid.Spec) -> Watched:
    """Train one model with both monitors."""
    torch.manual_seed(spec.seed)
    seen, unseen = materials.rows(spec)
    assert seen.u is not None
    assert unseen.u is not None
    model = IVae(seen.x.shape[1], seen.u.shape[1], 6, 64)
    rows: deque[list[Tensor]] = deque(maxlen=WINDOW // BATCH)

    def prior(out: Any) -> tuple[Tensor, Tensor]:
        """Return mean and variance, and keep what the monitor records: it leaves out steps where it is paused."""
        rows.append([side.detach().clone() for side in out[1:]])
        return out[3], out[4].exp()

    read = {"mean": lambda out: out[1], "logvar": lambda out: out[2]}
    options = {"sinks": (), "every": spec.steps // EVALUATIONS, "window": WINDOW, "max_overhead": 1.0}
    monitor = polar_monitor.attach(model, **read, prior=prior, name="beyond", **options)  # type: ignore[arg-type]
    raw = polar_monitor.attach(model, **read, name="raw", **options)  # type: ignore[arg-type]
    train(model, seen.x, weight=spec.strength, steps=spec.steps, u=seen.u, rate=spec.rate, batch=BATCH)
    monitor.evaluate()
    regime, without = monitor.regime(), raw.regime()
    assert regime is not None
    assert without is not None
    monitor.detach()
    raw.detach()
    mean, logvar, centre, width = (torch.cat(side) for side in zip(*rows, strict=True))
    same = polar_monitor.classify(mean, logvar=logvar, prior=(centre, width.exp()))
    model.eval()
    with torch.no_grad():
        _, mean, logvar, centre, width = model(unseen.x, unseen.u)
    held_out = polar_monitor.classify(mean, logvar=logvar, prior=(centre, width.exp()))
    rises = intervene(model, unseen.x[:INTERVENED], unseen.u[:INTERVENED], seed=spec.seed)
    assert rises.by_prior is not None
    return Watched(
        truth.labels(rises.by_prior, spec.price),
        *(tuple(map(str, labels)) for labels in (regime.labels, decode(regime.codes.latest), same.labels)),
        *(tuple(map(str, labels)) for labels in (held_out.labels, without.labels)),
    )


def table(found: Sequence[Watched]) -> str:
    """Return how often the labels of each kind are those of another and the truth, in percent of dimensions."""
    sides = {name: np.array([label for one in found for label in getattr(one, name)]) for name in Watched._fields}
    clear = sides["truth"] != "unclear"
    rows = []
    for said, name in (
        ("monitor with the prior, at the end", "live"),
        ("the same, from its last window alone", "newest"),
        ("`classify` with the prior, rows of that window", "same_rows"),
        ("`classify` with the prior, held-out rows", "held_out"),
        ("monitor without the prior", "without"),
    ):
        three = (sides[name] == sides["truth"])[clear].mean()
        two = (two_way(sides[name]) == two_way(sides["truth"]))[clear].mean()
        equal = (sides[name] == sides["same_rows"]).sum()
        rows.append([said, f"{equal} of {len(clear)}", f"{100 * three:.1f}", f"{100 * two:.1f}"])
    head = ["labels by", "equal to `classify` on the same rows", "three-way", "two-way"]
    return markdown([*head[:2], f"{head[2]}, {clear.sum()} dimensions", head[3]], rows)


def main() -> None:
    """Train the models, write the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    logging.getLogger("polar_monitor").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    strengths = grid.STRENGTHS["ivae", "auxiliary"]
    specs = [grid.Spec("ivae", "auxiliary", strength, seed) for seed in SEEDS for strength in strengths]
    text = table([watched(spec) for spec in specs])
    page = ROOT / "docs" / "results" / "README.md"
    page.write_text(pages.fill(page.read_text(encoding="utf-8"), {"conditional-live": text}), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
