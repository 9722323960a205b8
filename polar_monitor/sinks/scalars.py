"""The numbers of an evaluation under their tags: `Evaluation -> {tag: number}`, the same ones for every tracker.

Tags are `polar/<prefix><word>` for the model and `polar_dims/<prefix><word>/<dimension>` for single dimensions. The
prefix is empty for the only latent in training, else `<name>/`, `eval/` or `<name>/eval/`. Information and entropy are
in nats. A number that is not finite is left out: a gap in the line says that there was nothing to measure.

To add a statistic of the dimensions, give `Snapshot` a field and `DIMENSION_SCALARS` a line: TensorBoard and all other
trackers draw it then, with a chart of its own; the JSONL log has every field of `Snapshot` anyway.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from ..evaluation import Evaluation
from ..regime.label import Label
from ..statistics.snapshot import Array, Snapshot

MAX_DIMENSIONS = 32
"""Dimensions with lines of their own."""


class DimensionScalar(NamedTuple):
    """One line for each chosen dimension."""

    word: str
    """Its place in the tag."""
    statistic: str
    """Attribute of `Snapshot`, an array of one number for each dimension."""
    title: str
    """Title of its chart on TensorBoard's Custom Scalars page."""


DIMENSION_SCALARS = (
    DimensionScalar("information", "information", "Information by dimension (nats)"),
    DimensionScalar("entropy", "entropy_knn", "Entropy of the mean by dimension (nats)"),
)
STATE_CODES = {Label.PASSIVE: 0, Label.UNDECIDED: 1, Label.MIXED: 2, Label.ACTIVE: 3}
"""Number that stands for a state in plots."""


class Scalars:
    """Returns the numbers of an evaluation as {tag: number}. Each sink has its own, since the first evaluation counts.

    Of more than 32 dimensions the first evaluation of a latent and mode chooses those with the highest and the lowest
    information. The choice stays, as a set that followed the ranking would give lines with holes.

    Example:
        >>> from polar_monitor.sinks.scalars import Scalars
        >>> scalars = Scalars()
        >>> for tag, number in scalars(evaluation).items():  # doctest: +SKIP
        ...     tracker.log(tag, number, step=evaluation.step)
    """

    def __init__(self) -> None:
        self._tags: dict[tuple[str, str], ScalarTags] = {}

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        """Return the finite numbers of one evaluation under their tags."""
        key = evaluation.name, evaluation.mode
        if key not in self._tags:
            self._tags[key] = ScalarTags(*key)
        tags = self._tags[key]
        return tags.measured(evaluation) | tags.judged(evaluation)


class ScalarTags:
    """The tags of one latent in one mode, with its chosen dimensions."""

    def __init__(self, name: str, mode: str) -> None:
        self.prefix = tag_prefix(name, mode)
        self.chosen: tuple[int, ...] = ()
        """Dimensions with lines of their own, in order."""
        self._dimensions = 0
        self._tags: dict[str, tuple[str, ...]] = {}
        """Tags of the chosen dimensions for each word."""

    def measured(self, evaluation: Evaluation) -> dict[str, float]:
        """Return what was measured: observations, overhead, information, and the statistics of the dimensions."""
        head, snapshot = f"polar/{self.prefix}", evaluation.snapshot
        numbers = {f"{head}observations": evaluation.observed, f"{head}overhead": evaluation.health.overhead}
        if snapshot is not None:
            self._choose(snapshot)
            known = snapshot.information[np.isfinite(snapshot.information)]
            if known.size:
                numbers[f"{head}information"] = float(known.sum())
            chosen = list(self.chosen)
            for word, statistic, _ in DIMENSION_SCALARS:
                numbers |= zip(self.dimension_tags(word), getattr(snapshot, statistic)[chosen].tolist(), strict=True)
        return {tag: number for tag, number in numbers.items() if math.isfinite(number)}

    def judged(self, evaluation: Evaluation) -> dict[str, float]:
        """Return what was judged: the number of dimensions with each label, and the state of the chosen ones."""
        snapshot, regime = evaluation.snapshot, evaluation.regime
        if snapshot is None or regime is None:
            return {}
        self._choose(snapshot)
        numbers: dict[str, float] = {f"polar/{self.prefix}{label}": regime.labels.count(label) for label in Label}
        states = (STATE_CODES[regime.labels[j]] for j in self.chosen)
        numbers |= zip(self.dimension_tags("state"), states, strict=True)
        return numbers

    def dimension_tags(self, word: str) -> tuple[str, ...]:
        """Return the tag of each chosen dimension for a word such as "information"."""
        if word not in self._tags:
            digits = max(3, len(str(self._dimensions - 1)))
            self._tags[word] = tuple(f"polar_dims/{self.prefix}{word}/{j:0{digits}d}" for j in self.chosen)
        return self._tags[word]

    def _choose(self, snapshot: Snapshot) -> None:
        if snapshot.dimensions != self._dimensions:
            self._dimensions = snapshot.dimensions
            self.chosen = extremes(snapshot.information, MAX_DIMENSIONS)
            self._tags = {}


def tag_prefix(name: str, mode: str) -> str:
    """Return the part of a tag that names latent and mode; characters that tags do not allow become "_"."""
    parts = [re.sub(r"[^\w.\-/]+", "_", part) for part in (name, "" if mode == "train" else mode) if part]
    return "".join(f"{part}/" for part in parts)


def extremes(information: Array, limit: int) -> tuple[int, ...]:
    """Return all dimensions, or of more than `limit` the halves with the most and the least information, in order."""
    if len(information) <= limit:
        return tuple(range(len(information)))
    order = np.argsort(np.nan_to_num(information, nan=-np.inf), kind="stable")
    return tuple(sorted([*order[: limit // 2].tolist(), *order[len(order) - limit // 2 :].tolist()]))
