"""One evaluation as TensorBoard values. Imported by the TensorBoard sink only, once it is constructed.

Tags: `polar/<prefix><what>` for the model, `polar_dims/<prefix><what>/<dimension>` for single dimensions; the prefix is
empty for the only latent in training, else `<name>/`, `eval/` or `<name>/eval/`. Information and entropy are in nats.
A value that is not finite is left out: a gap in the line says that there was nothing to measure.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...evaluation import Evaluation
from ...regime.label import Label
from ...regime.regime import Regime, Verdict
from ...statistics.snapshot import Snapshot
from ..scalars import extremes
from .buckets import pooled
from .protobuf import add_histogram, add_scalars, add_text, alert_markdown, escape
from .state_strip import CODES, ROWS, StateStrip

DIMENSIONS = 32
"""Dimensions with lines of their own."""


def prefix(name: str, mode: str) -> str:
    """What stands between the group and the rest of a tag; characters that tags do not allow become "_"."""
    parts = [re.sub(r"[^\w.\-/]+", "_", part) for part in (name, "" if mode == "train" else mode) if part]
    return "".join(f"{part}/" for part in parts)


class Channel:
    """The tags of one latent in one mode, and what must be remembered between its evaluations."""

    def __init__(self, name: str, mode: str) -> None:
        self.prefix = prefix(name, mode)
        self.last = 0, 0.0
        """Step and time of the newest evaluation."""
        self._head = f"polar/{self.prefix}"
        self._dimensions = 0
        self._chosen: tuple[int, ...] = ()
        self._tags: dict[str, tuple[str, ...]] = {}
        self._verdict: Verdict | None = None
        self._strip: StateStrip | None = None
        self._evaluations, self._due = 0, 1
        self._drawn = True

    def add(self, evaluation: Evaluation, values: Any) -> None:
        """Add all of an evaluation to the `value` of a `Summary`."""
        self.last = evaluation.step, evaluation.time
        snapshot, regime, head = evaluation.snapshot, evaluation.regime, self._head
        numbers = evaluation.observed, evaluation.health.overhead
        add_scalars(values, (f"{head}observations", f"{head}overhead"), numbers)
        if snapshot is not None:
            if snapshot.dimensions != self._dimensions:
                self._choose(snapshot)
            self._add_measured(snapshot, values)
            if regime is not None:
                self._add_judged(regime, values)
        if evaluation.alerts:
            add_text(values, f"{head}alerts", "\n\n---\n\n".join(map(alert_markdown, evaluation.alerts)))

    def add_strip(self, values: Any) -> bool:
        """Add the state strip, unless the newest evaluation is already drawn; whether it was added."""
        if self._strip is None or self._drawn:
            return False
        png, width, height = self._strip.png()
        self._drawn = True
        values.add(
            tag=f"{self._head}states",
            image={"width": width, "height": height, "colorspace": 3, "encoded_image_string": png},
        )
        return True

    def lost(self) -> None:
        """The newest evaluation was not written, so what is written only when it changes must come again."""
        self._verdict = None
        self._drawn = self._strip is None

    def rewind(self, step: int) -> None:
        """Forget what came at `step` or later."""
        self._verdict = None
        if self._strip is not None:
            self._strip.rewind(step)
            self._drawn = True

    def _choose(self, s: Snapshot) -> None:
        """The dimensions to draw, chosen once: a set that followed the ranking would give lines with holes."""
        self._dimensions = s.dimensions
        self._chosen = extremes(s.information, DIMENSIONS)
        digits = max(3, len(str(s.dimensions - 1)))
        for what in ("information", "entropy", "state", "mean"):
            self._tags[what] = tuple(f"polar_dims/{self.prefix}{what}/{j:0{digits}d}" for j in self._chosen)
        self._strip = StateStrip(extremes(s.information, ROWS))

    def _add_measured(self, s: Snapshot, values: Any) -> None:
        known = s.information[np.isfinite(s.information)]
        if known.size:
            add_scalars(values, (f"{self._head}information",), (float(known.sum()),))
        chosen = list(self._chosen)
        for what, array in (("information", s.information), ("entropy", s.entropy_knn)):
            add_scalars(values, self._tags[what], array[chosen].tolist())
        if s.histograms:
            drawn = pooled([s.histograms[j] for j in self._chosen])
            for tag, buckets in zip(self._tags["mean"], drawn, strict=True):
                if buckets is not None:
                    add_histogram(values, tag, buckets)

    def _add_judged(self, regime: Regime, values: Any) -> None:
        counts = [regime.labels.count(label) for label in Label]
        add_scalars(values, [f"{self._head}{label}" for label in Label], counts)
        add_scalars(values, self._tags["state"], [CODES[regime.labels[j]] for j in self._chosen])
        if regime.verdict is not self._verdict:
            self._verdict = regime.verdict
            said = "".join(f"\n* {escape(reason)}" for reason in regime.reasons)
            add_text(values, f"{self._head}verdict", f"**{regime.verdict}**\n{said}")
        assert self._strip is not None
        self._strip.add(regime.step, regime.labels)
        self._drawn = False
        self._evaluations += 1
        if self._evaluations >= self._due:
            # The picture is never older than a fifth of the run, and their number grows with its logarithm only.
            self._due = self._evaluations + max(1, self._evaluations // 5)
            self.add_strip(values)
