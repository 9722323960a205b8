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
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluation import Evaluation
from ..regime.label import Label
from ..regime.label_codes import where_informative
from ..statistics.snapshot import Array, unknown

MAX_DIMENSIONS = 32
"""Dimensions with lines of their own from the first evaluation on, beside those in use."""
MAX_LINES = 128
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
LETTERS = {label[0]: label for label in Label}
"""Label of each first letter."""
INFORMATIVE_BIT = 0b10
"""Bit that the codes of active and mixed dimensions have, and the others have not."""
STATE_OF_LETTER = {label[0]: code for label, code in STATE_CODES.items()}


class Scalars:
    """Returns the numbers of an evaluation as {tag: number}. Each sink has its own, since the first evaluation counts.

    If there are more than 32 dimensions, the first evaluation of a latent and mode chooses those with the highest and
    the lowest information. From then on each dimension that comes into use gets its line, which begins there. A line
    goes on when its dimension is out of use again, so that its fall is seen, until 128 lines leave no room for others.

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
        numbers = tags.numbers(evaluation)
        return {tag: number for tag, number in zip(tags.tags, numbers, strict=False) if math.isfinite(number)}


class ScalarTags:
    """The tags of one latent in one mode, with its chosen dimensions."""

    def __init__(self, name: str, mode: str) -> None:
        self.prefix = tag_prefix(name, mode)
        self.chosen: tuple[int, ...] = ()
        """Dimensions with lines of their own, in order."""
        self._dimensions = -1
        self._choose(0, ())

    def numbers(self, evaluation: Evaluation) -> list[float]:
        """Return the numbers of `tags`, in order; some are not finite. They end where there is nothing to say.

        First what was observed, then what was measured, then what was judged.
        """
        numbers: list[float] = [evaluation.observed, evaluation.health.overhead]
        snapshot, regime = evaluation.snapshot, evaluation.regime
        if snapshot is None:
            return numbers
        information = snapshot.information
        if snapshot.dimensions != self._dimensions:
            self._choose(snapshot.dimensions, extremes(information, MAX_DIMENSIONS))
        if regime is not None and len(self.chosen) < snapshot.dimensions:
            self._follow(regime.codes.labels, information)
        total = float(information.sum())
        if not math.isfinite(total):
            known = information[np.isfinite(information)]
            total = float(known.sum()) if known.size else math.nan
        numbers.append(total)
        for _, statistic, _ in DIMENSION_SCALARS:
            values = getattr(snapshot, statistic)
            numbers += self._unknown if values is self._missing else values[self._places].tolist()
        if regime is not None:
            letters = label_letters(regime.labels)
            numbers += [letters.count(letter) for letter in LETTERS]
            numbers += [STATE_OF_LETTER[letters[j]] for j in self.chosen]
            numbers += self._worth(evaluation)
        return numbers

    def _worth(self, evaluation: Evaluation) -> list[float]:
        """Return the worth of the chosen dimensions, if they were probed since the previous evaluation."""
        worth = [] if evaluation.worth is None else evaluation.worth["worth"]
        return [float(worth[j]) for j in self.chosen] if len(worth) == self._dimensions else []

    def dimension_tags(self, word: str) -> tuple[str, ...]:
        """Return the tag of each chosen dimension for a word such as "information"."""
        digits = max(3, len(str(self._dimensions - 1)))
        return tuple(f"polar_dims/{self.prefix}{word}/{j:0{digits}d}" for j in self.chosen)

    def _follow(self, labels: bytes, information: Array) -> None:
        """Give a line to each dimension that came into use; the faintest of those out of use make room for it."""
        codes = int.from_bytes(labels, "little")
        if not codes & self._others or (codes & self._lines).bit_count() >= MAX_LINES:
            return  # none has come into use, or all lines are in use: at most evaluations
        used, has_line = where_informative(labels), np.zeros(self._dimensions, np.bool_)
        has_line[self._places] = True
        new = np.flatnonzero(used & ~has_line)
        nats = np.nan_to_num(information, nan=-np.inf)
        idle = np.flatnonzero(has_line & ~used)
        kept = np.flatnonzero(has_line & used)
        new = new[np.argsort(-nats[new], kind="stable")][: max(MAX_LINES - kept.size, 0)]
        idle = idle[np.argsort(-nats[idle], kind="stable")][: MAX_LINES - kept.size - new.size]
        if new.size:
            self._choose(self._dimensions, tuple(np.sort(np.concatenate((kept, new, idle))).tolist()))

    def _choose(self, dimensions: int, chosen: tuple[int, ...]) -> None:
        """Choose the dimensions with lines of their own, and make the tags of all numbers."""
        self._dimensions, self.chosen = dimensions, chosen
        self._places = np.array(chosen, np.intp)
        marks = bytearray(dimensions)
        for j in chosen:
            marks[j] = INFORMATIVE_BIT
        self._lines = int.from_bytes(marks, "little")
        self._others = self._lines ^ int.from_bytes(bytes([INFORMATIVE_BIT]) * dimensions, "little")
        self._missing, self._unknown = unknown(dimensions) if dimensions > 0 else None, [math.nan] * len(chosen)
        words = ("observations", "overhead", "information")
        self.tags = (
            *(f"polar/{self.prefix}{word}" for word in words),
            *(tag for line in DIMENSION_SCALARS for tag in self.dimension_tags(line.word)),
            *(f"polar/{self.prefix}{label}" for label in Label),
            *self.dimension_tags("state"),
            *self.dimension_tags("worth"),
        )
        """Tags of all numbers. They change when a dimension gets a line."""


def label_letters(labels: Sequence[Label]) -> str:
    """Return the first letter of each label, which names it: text is counted and written faster than labels are."""
    return "".join([label[0] for label in labels])


def tag_prefix(name: str, mode: str) -> str:
    """Return the part of a tag that names latent and mode; characters that tags do not allow become "_"."""
    parts = [re.sub(r"[^\w.\-/]+", "_", part) for part in (name, "" if mode == "train" else mode) if part]
    return "".join(f"{part}/" for part in parts)


def extremes(information: Array, limit: int) -> tuple[int, ...]:
    """Return all dimensions, or the `limit` with the most and the least information, half of each, in order."""
    if len(information) <= limit:
        return tuple(range(len(information)))
    order = np.argsort(np.nan_to_num(information, nan=-np.inf), kind="stable")
    return tuple(sorted([*order[: limit // 2].tolist(), *order[len(order) - limit // 2 :].tolist()]))
