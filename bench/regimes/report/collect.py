"""From trained models to the columns that every table and picture is made of, part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..scoring import columns, coupling, dimensions, passive, power
from ..training.record import Trained

DIMENSIONS, MODELS, BOUNDS, POINTS = "dimensions.csv", "models.csv", "bounds.csv", "coupling.csv"
CURVE, PAIRS, PASSIVE, LATENTS = "power.csv", "pairs.csv", "passive.json", "latents.npz"
EARLIER = Path(__file__).resolve().parents[3] / "docs" / "results" / "data" / "earlier.csv"
"""One row a dimension of models of seeds 0 and 1, of an earlier run: cuts are chosen on them."""
Collect = Callable[[Sequence[Trained], Path, bool], None]


def agreement(models: Sequence[Trained], data: Path, quick: bool) -> None:
    """One row a dimension: truth, statistics, labels."""
    rows = (row for model in models for row in dimensions.rows(model))
    columns.write(data / DIMENSIONS, columns.of_rows(rows))
    _keep_smallest(models, data)


def _keep_smallest(models: Sequence[Trained], data: Path) -> None:
    """The latents of the smallest model with a variance, from which a test makes its labels again."""
    smallest = min((m for m in models if m.logvar is not None and m.prior_mean is None), key=lambda m: m.mean.size)
    arrays = {"name": np.array(smallest.name), "mean": smallest.mean, "logvar": np.asarray(smallest.logvar)}
    np.savez_compressed(data / LATENTS, allow_pickle=False, **arrays)


def verdicts(models: Sequence[Trained], data: Path, quick: bool) -> None:
    """One row a model: its verdicts."""
    columns.write(data / MODELS, columns.of_rows(dimensions.verdict_row(model) for model in models))


def finding_2(models: Sequence[Trained], data: Path, quick: bool) -> None:
    """Detection rates over shares and windows, and the pairs; no model is needed."""
    columns.write(data / CURVE, columns.of_rows(power.curve(100 if quick else 400)))
    columns.write(data / PAIRS, columns.of_rows(power.pairs()))


def bounds(models: Sequence[Trained], data: Path, quick: bool) -> None:
    """One row a model: checks and violations; and some points for the picture."""
    columns.write(data / BOUNDS, columns.of_rows(coupling.checked(model) for model in models))
    points = (point for model in models for point in coupling.points(model))
    columns.write(data / POINTS, columns.of_rows(points))


def finding_3(models: Sequence[Trained], data: Path, quick: bool) -> None:
    """What passive dimensions are worth downstream; it trains models of its own."""
    data.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(asdict(row)) for row in passive.study(quick))
    (data / PASSIVE).write_text(f"[{lines}]\n", encoding="utf-8")


PARTS: dict[str, Collect] = {
    "agreement": agreement,
    "verdicts": verdicts,
    "power": finding_2,
    "coupling": bounds,
    "passive": finding_3,
}
