"""Do passive dimensions help downstream? Probes of β-VAEs trained on digits and sprites, with controls.

For each trained model `polar_monitor.downstream.compare` probes its mean representation for every target. The gain is
that of all dimensions over all with the passive ones shuffled: the same number of columns, of which the passive ones
say nothing. Intervals in the table are over models (t, one gain a model), so they say what another training seed would
give; those of a single row, which rest on the folds, say what other inputs would.
"""

from __future__ import annotations

import math
import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import polar_monitor
from bench.zoo import train
from polar_monitor import downstream
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.downstream.probes import SCALE_FREE, scalings
from polar_monitor.downstream.resampling import corrected, holm

LATENTS, HIDDEN, RATE = 10, 128, 2e-3
INPUTS = 16384
"""Sprites to train on; as many digits as there are."""
LABELLED, PROBED = 4096, 1500
"""Sprites that were not trained on: for the labels of the dimensions, and the first of them for the probes."""
PROCESSES = 2
REPEATS = {"linear": 4, "tuned": 1, "boosted": 1}
"""Repeats of the five folds: the linear probe is the question, the others take longer."""
QUICK = ("linear",)


class Plan(NamedTuple):
    """How the models of one data set are trained."""

    beta: float
    steps: int
    seeds: int


PLANS = {"digits": Plan(1.0, 3000, 6), "sprites": Plan(2.0, 2000, 6)}
PROBED_ON = {
    "digits": "the digits that the encoder was trained on (without their classes)",
    "sprites": "sprites that the encoder was not trained on",
}
"""Which inputs the probes are fitted and tested on, on rows apart."""
COLUMNS = {
    "active": "active alone",
    "informative": "active and mixed",
    "all": "all",
    "shuffled": "passive shuffled",
    "passive": "passive alone",
    "random": "chance",
}
"""The arms, and what the table calls them."""


@dataclass(frozen=True)
class Row:
    """One model, target, probe and scaling. Scores are accuracy or R²."""

    data: str
    seed: int
    target: str
    metric: str
    probe: str
    scaling: str
    informative: int
    passive: int
    scores: dict[str, float]
    """By arm; `random` is chance."""
    gain: float
    low: float
    high: float
    p: float
    active: int | None = None
    """Of the informative dimensions, the others are mixed; None in data from before this was kept."""


def study(quick: bool) -> list[Row]:
    """The rows of all models: six a data set with all probes, or with `quick` one a data set with the linear probe.

    A quick row has the numbers of the full one.
    """
    jobs = [(name, seed) for name, plan in PLANS.items() for seed in range(1 if quick else plan.seeds)]
    probes = QUICK if quick else tuple(REPEATS)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(model_rows, name, seed, probes) for name, seed in jobs]
        return [row for one in found for row in one.result()]


def model_rows(name: str, seed: int, probes: Iterable[str]) -> list[Row]:
    """Train one model and probe it; no rows if it has no passive or no informative dimension."""
    torch.set_num_threads(1)
    mean, regime, targets = representation(name, seed)
    if not (regime.informative and regime.count(polar_monitor.Label.PASSIVE)):
        return []
    return [
        row
        for target, y in targets.items()
        for probe in probes
        for row in _rows(
            name,
            seed,
            target,
            downstream.compare(mean[: len(y)], y, regime, probes=probe, repeats=REPEATS[probe], seed=seed),
        )
    ]


def representation(name: str, seed: int) -> tuple[NDArray[np.float32], Any, dict[str, NDArray[Any]]]:
    """Mean representation (n, D) of a model trained for this, its regime, and the targets (m,) of its first m rows.

    Digits are too few to hold any back from the model, which sees no targets; the probes are tested on held-out rows.
    """
    plan = PLANS[name]
    if name == "digits":
        x, factors = data.digits()
        seen, targets = x, {"digit": factors[:, 0].astype(int)}
    else:
        x, _ = data.sprites(INPUTS, seed)
        seen, factors = data.sprites(LABELLED, 1000 + seed)
        shape, scale, _, across, down = factors[:PROBED].T
        targets = {"shape": shape.astype(int), "scale": scale, "x": across, "y": down}
    torch.manual_seed(seed)
    model = BetaVae(x.shape[1], LATENTS, HIDDEN)
    train(model, x, weight=plan.beta, steps=plan.steps, rate=RATE)
    with torch.no_grad():
        _, mean, logvar = model(seen)
    return mean.numpy(), polar_monitor.classify(mean, logvar=logvar), targets


def _rows(name: str, seed: int, target: str, found: downstream.Comparison) -> Iterable[Row]:
    (probe,) = found.probes
    for scaling in scalings(probe):
        gain = found.gain("all", "shuffled", probe=probe, scaling=scaling)
        yield Row(
            data=name,
            seed=seed,
            target=target,
            metric=found.metric,
            probe=probe,
            scaling="any" if probe in SCALE_FREE else scaling,
            informative=len(found.arms["informative"].columns),
            passive=len(found.arms["passive"].columns),
            scores={arm: found.score(arm, probe=probe, scaling=scaling) for arm in found.arms},
            gain=gain.value,
            low=gain.low,
            high=gain.high,
            p=gain.p,
            active=len(found.arms["active"].columns) if "active" in found.arms else 0,
        )


def table(rows: Sequence[Row]) -> str:
    """Markdown: what passive dimensions add, over models, and what standardising alone changes."""
    groups: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.data, row.target, row.probe, row.scaling].append(row)
    overall = {key: _over_models(group) for key, group in groups.items()}
    adjusted = dict(zip(groups, holm([found[3] for found in overall.values()]), strict=True))
    lines = [
        f"| data | target | probe | scaling | {' | '.join(COLUMNS.values())} "
        "| gain of passive [95 %] | p (Holm) | models up, down |",
        "| --- " * (7 + len(COLUMNS)) + "|",
    ]
    for key, group in groups.items():
        up, down = sum(row.low > 0 for row in group), sum(row.high < 0 for row in group)
        cells = [
            key[0],
            f"{key[1]} ({group[0].metric})",
            *key[2:],
            *(_mean_score(group, arm) for arm in COLUMNS),
            _interval(*overall[key][:3]),
            f"{adjusted[key]:.2g}",
            f"{up}, {down} of {len(group)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*_heads(rows), "", *lines, "", *_standardising(groups)])


def _mean_score(group: Sequence[Row], arm: str) -> str:
    """Mean over models; of the models that have the arm, and how many these are, where some have no such dimension."""
    scores = [row.scores[arm] for row in group if arm in row.scores]
    of = "" if len(scores) == len(group) else f" ({len(scores)} of {len(group)})"
    return f"{np.mean(scores):.3f}{of}" if scores else "-"


def _heads(rows: Sequence[Row]) -> Iterable[str]:
    for name, plan in PLANS.items():
        models = {row.seed: row for row in rows if row.data == name}.values()
        if models:
            counts = [("informative", [row.informative for row in models])]
            if all(row.active is not None for row in models):
                mixed = [row.informative - (row.active or 0) for row in models]
                counts = [("active", [row.active or 0 for row in models]), ("mixed", mixed)]
            counts.append(("passive", [row.passive for row in models]))
            said = "; ".join(f"{label} {', '.join(map(str, numbers))}" for label, numbers in counts)
            yield (
                f"* {name}: {len(models)} β-VAEs, β = {plan.beta:g}, {LATENTS} dimensions, of which {said}. "
                f"Probed on {PROBED_ON[name]}."
            )


def _over_models(group: Sequence[Row]) -> tuple[float, float, float, float]:
    """Mean gain, its interval and p over models; a single model's own are over folds."""
    if len(group) == 1:
        return group[0].gain, group[0].low, group[0].high, group[0].p
    return corrected([row.gain for row in group], ratio=0.0)


def _standardising(groups: dict[tuple[str, str, str, str], list[Row]]) -> Iterable[str]:
    yield "| data | target | probe | all dimensions: standardised over raw | passive alone: standardised over raw |"
    yield "| --- " * 5 + "|"
    for (name, target, probe, scaling), group in groups.items():
        if scaling == "raw":
            after = groups[name, target, probe, "standardised"]
            cells = []
            for arm in ("all", "passive"):
                d = [b.scores[arm] - a.scores[arm] for a, b in zip(group, after, strict=True)]
                cells.append(_interval(*(corrected(d, 0.0)[:3] if len(d) > 1 else (d[0], math.nan, math.nan))))
            yield f"| {name} | {target} | {probe} | {cells[0]} | {cells[1]} |"


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:+.4f}" + (f" [{low:+.4f}, {high:+.4f}]" if math.isfinite(low) else "")
