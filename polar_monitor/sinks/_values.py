"""One evaluation as TensorBoard values. Imported by the TensorBoard sink only, once it is constructed.

Tags: `polar/<prefix><what>` for the model, `polar_dims/<prefix><what>/<dimension>` for single dimensions; the prefix is
empty for the only latent in training, else `<name>/`, `eval/` or `<name>/eval/`. Information and entropy are in nats.
A value that is not finite is left out: a gap in the line says that there was nothing to measure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from ..evaluation import Evaluation
from ..label import Label
from ..regime import Regime, Verdict
from ..snapshot import Array, Snapshot
from ._proto import alert_markdown, escape, histogram_proto, scalar, text
from ._strip import CODES, ROWS, Strip

DIMENSIONS = 32
"""Dimensions with lines of their own."""


def prefix(name: str, mode: str) -> str:
    """What stands between the group and the rest of a tag; characters that tags do not allow become "_"."""
    parts = [re.sub(r"[^\w.\-/]+", "_", part) for part in (name, "" if mode == "train" else mode) if part]
    return "".join(f"{part}/" for part in parts)


def extremes(information: Array, most: int) -> tuple[int, ...]:
    """All dimensions, or of more than `most` the halves with the highest and the lowest information, in order."""
    if len(information) <= most:
        return tuple(range(len(information)))
    order = np.argsort(np.nan_to_num(information, nan=-np.inf), kind="stable")
    return tuple(sorted([*order[: most // 2].tolist(), *order[len(order) - most // 2 :].tolist()]))


class Channel:
    """The tags of one latent in one mode, and what must be remembered between its evaluations."""

    def __init__(self, name: str, mode: str) -> None:
        self.prefix = prefix(name, mode)
        self._dimensions = 0
        self._tags: tuple[tuple[int, str], ...] = ()
        self._verdict: Verdict | None = None
        self._strip: Strip | None = None
        self._evaluations, self._due = 0, 1
        self._drawn = True

    def values(self, evaluation: Evaluation) -> list[Any]:
        """All `Summary.Value`s of one evaluation."""
        head = f"polar/{self.prefix}"
        values = [Summary.Value(tag=f"{head}observations", simple_value=evaluation.observed)]
        values += scalar(f"{head}overhead", evaluation.health.overhead)
        if evaluation.snapshot is not None:
            values += self._measured(evaluation.snapshot)
        if evaluation.regime is not None and evaluation.snapshot is not None:
            values += self._judged(evaluation.regime)
        if evaluation.alerts:
            values.append(text(f"{head}alerts", "\n\n---\n\n".join(map(alert_markdown, evaluation.alerts))))
        return values

    def strip(self) -> list[Any]:
        """The state strip, unless the newest evaluation is already drawn."""
        if self._strip is None or self._drawn:
            return []
        png, width, height = self._strip.png()
        self._drawn = True
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
        return [Summary.Value(tag=f"polar/{self.prefix}states", image=image)]

    def _measured(self, s: Snapshot) -> Iterator[Any]:
        if s.dimensions != self._dimensions:
            # Chosen once: a set that followed the ranking would give lines with holes.
            digits = max(3, len(str(s.dimensions - 1)))
            self._tags = tuple((j, f"{j:0{digits}d}") for j in extremes(s.information, DIMENSIONS))
            self._strip = Strip(extremes(s.information, ROWS))
            self._dimensions = s.dimensions
        known = s.information[np.isfinite(s.information)]
        if known.size:
            yield Summary.Value(tag=f"polar/{self.prefix}information", simple_value=float(known.sum()))
        dims = f"polar_dims/{self.prefix}"
        for what, array in (("information", s.information), ("entropy", s.entropy_knn)):
            numbers = array.tolist()
            for j, number in self._tags:
                yield from scalar(f"{dims}{what}/{number}", numbers[j])
        if s.histograms:
            for j, number in self._tags:
                histogram = histogram_proto(s.histograms[j])
                if histogram is not None:
                    yield Summary.Value(tag=f"{dims}mean/{number}", histo=histogram)

    def _judged(self, regime: Regime) -> Iterator[Any]:
        for label in Label:
            yield Summary.Value(tag=f"polar/{self.prefix}{label}", simple_value=regime.labels.count(label))
        dims = f"polar_dims/{self.prefix}"
        for j, number in self._tags:
            yield Summary.Value(tag=f"{dims}state/{number}", simple_value=CODES[regime.labels[j]])
        if regime.verdict is not self._verdict:
            self._verdict = regime.verdict
            said = "".join(f"\n* {escape(reason)}" for reason in regime.reasons)
            yield text(f"polar/{self.prefix}verdict", f"**{regime.verdict}**\n{said}")
        if self._strip is None:
            return
        self._strip.add(regime.step, regime.labels)
        self._drawn = False
        self._evaluations += 1
        if self._evaluations >= self._due:
            # The picture is never older than a tenth of the run, and their number grows with its logarithm only.
            self._due = self._evaluations + max(1, self._evaluations // 10)
            yield from self.strip()
