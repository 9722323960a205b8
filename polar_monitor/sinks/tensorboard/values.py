"""One evaluation as TensorBoard values: scalars, histograms, texts and the state strip.

Imported by the TensorBoard sink only, once it is constructed. `scalars` documents the tags of numbers. Beside them are
`polar/<prefix>verdict`, `alerts` and `states`, the histograms `polar_dims/<prefix>mean/<dimension>`, and the numbers
`overview/<prefix>…` of the HParams page.
"""

from __future__ import annotations

import math
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary

from ...evaluation import Evaluation
from ...regime.regime import Regime, Verdict
from ...statistics.drawn_histograms import chosen_histograms
from ...statistics.snapshot import Snapshot
from ..drawing_schedule import DrawingSchedule
from ..scalars import ScalarTags, extremes
from . import overview
from .buckets import common_ends, pooled
from .protobuf import add_histogram, add_text, alert_markdown, escape, scalar_heads, scalars
from .state_strip import MAX_ROWS, StateStrip

TOTAL = 2
"""Place of the total of the nats among the numbers of `ScalarTags`."""


class EvaluationValues:
    """Turns the evaluations of one latent in one mode into values, and remembers what the next one depends on."""

    def __init__(self, name: str, mode: str) -> None:
        self.last = 0, 0.0
        """Step and time of the newest evaluation."""
        self._scalars = ScalarTags(name, mode)
        self._tags: tuple[str, ...] = ()
        self._heads: tuple[bytes, ...] = ()
        """The tags, as they are in the file."""
        self._head = f"polar/{self.prefix}"
        self._overview = scalar_heads(overview.tags(self.prefix))
        self._verdict: Verdict | None = None
        """Verdict that is in the file; a verdict is written when it changes."""
        self._strip: StateStrip | None = None
        self._followed: tuple[int, ...] = ()
        """Dimensions with lines when the rows of the strip were chosen."""
        self._dimensions = 0
        self._drawings = DrawingSchedule()
        self._strip_is_written = True

    @property
    def prefix(self) -> str:
        """Part of every tag that names latent and mode."""
        return self._scalars.prefix

    def summary(self, evaluation: Evaluation) -> bytes:
        """Return all of an evaluation as a serialised `Summary`."""
        self.last = evaluation.step, evaluation.time
        numbers = self._scalars.numbers(evaluation)
        if self._scalars.tags is not self._tags:
            self._tags = self._scalars.tags
            self._heads = scalar_heads(self._tags)
        total = numbers[TOTAL] if len(numbers) > TOTAL else math.nan
        overview_numbers = overview.numbers(evaluation, total)
        return scalars(self._heads, numbers) + scalars(self._overview, overview_numbers) + self._others(evaluation)

    def _others(self, evaluation: Evaluation) -> bytes:
        """Return all but the numbers. A light evaluation has alerts, at most, and a changed verdict."""
        snapshot, regime = evaluation.snapshot, evaluation.regime
        others = Summary()
        if snapshot is not None:
            changed = regime is not None and self._add_verdict(regime, others.value)
            draws = self._drawings.due(snapshot.full, changed)
            if draws:
                self._add_histograms(snapshot, others.value)
            if regime is not None:
                self._update_strip(snapshot, regime)
                if draws:
                    self.add_strip(others.value)
        if evaluation.alerts:
            add_text(others.value, f"{self._head}alerts", "\n\n---\n\n".join(map(alert_markdown, evaluation.alerts)))
        return bytes(others.SerializeToString())

    def add_strip(self, values: Any) -> bool:
        """Add the state strip unless the newest evaluation is already drawn; return True if it was added."""
        if self._strip is None or self._strip_is_written:
            return False
        png, width, height = self._strip.png()
        self._strip_is_written = True
        values.add(
            tag=f"{self._head}states",
            image={"width": width, "height": height, "colorspace": 3, "encoded_image_string": png},
        )
        return True

    def repeat_changes(self) -> None:
        """Write verdict and drawings again: the newest evaluation, which may have had them, did not reach the file."""
        self._verdict = None
        self._drawings.repeat()
        self._strip_is_written = self._strip is None

    def rewind(self, step: int) -> None:
        """Forget the evaluations at `step` and later."""
        self._verdict = None
        if self._strip is not None:
            self._strip.rewind(step)
            self._strip_is_written = True

    def _add_histograms(self, snapshot: Snapshot, values: Any) -> None:
        if not snapshot.histograms:
            return
        drawn = pooled(chosen_histograms(snapshot.histograms, self._scalars.chosen))
        ends = common_ends(drawn)
        for tag, buckets in zip(self._scalars.dimension_tags("mean"), drawn, strict=True):
            if buckets is not None:
                add_histogram(values, tag, buckets.rows(*ends))

    def _add_verdict(self, regime: Regime, values: Any) -> bool:
        """Add the verdict if it is another one than in the file; return True if it was added."""
        if regime.verdict is self._verdict:
            return False
        self._verdict = regime.verdict
        reasons = "".join(f"\n* {escape(reason)}" for reason in regime.reasons)
        add_text(values, f"{self._head}verdict", f"**{regime.verdict}**\n{reasons}")
        return True

    def _update_strip(self, snapshot: Snapshot, regime: Regime) -> None:
        if self._strip is None or snapshot.dimensions != self._dimensions:
            self._dimensions = snapshot.dimensions
            self._strip = StateStrip(extremes(snapshot.information, MAX_ROWS))
        elif self._scalars.chosen is not self._followed:  # a dimension that came into use has its row
            rest = [j for j in self._strip.rows if j not in set(self._scalars.chosen)]
            self._strip.follow(sorted([*self._scalars.chosen, *rest][:MAX_ROWS]))
        self._followed = self._scalars.chosen
        self._strip.add(regime.step, regime.labels)
        self._strip_is_written = False
