"""Checks of a confirmed reading later in the training: a clamp may begin to hold, a norm or another unit may come in.

One step in a while is looked at, with hooks on the modules of the reading alone.
"""

from __future__ import annotations

import weakref

from torch import nn

from ..._torch_compat import runs_compiled_parts
from ...discovery.evidence.drift import Check, check
from ...discovery.evidence.latents import line_of
from ...discovery.evidence.reading import Reading
from .by_dimension import ByDimension
from .look import Blocks, Look

FIRST_CHECK, MAX_INTERVAL = 100, 2000
"""Steps before the first check, and the most between two; the interval doubles."""
STEPS = 8
"""Steps of a check, one after the other: some dimensions alone show in several only."""
FAILURES = 3
"""Checks in a row that do not fit, one step apart, before the warning."""


class LaterCheck:
    """Checks of one reading."""

    def __init__(self, model: nn.Module, reading: Reading, steps: int) -> None:
        self._model = weakref.ref(model)
        self._reading = reading
        self._look = Look(model)
        self._blocks: Blocks | None = None
        self._interval = FIRST_CHECK
        self._failures = 0
        self._by_dimension = ByDimension(reading.form.laplace)
        self.due = steps + FIRST_CHECK
        """Step at which something has to be done."""
        self.ended = False

    @property
    def seconds(self) -> float:
        """Time spent in the hooks since the last call."""
        nanoseconds, self._look.nanoseconds = self._look.nanoseconds, 0
        return nanoseconds * 1e-9

    def stop(self) -> None:
        """End the checks and take all hooks off."""
        self.ended = True
        self.pause()

    def pause(self) -> None:
        """Take the hooks off until the next check."""
        self._look.stop()

    def step(self, steps: int) -> str:
        """Look at a step, or judge what one has shown. Returns a warning if the reading does not fit any more."""
        model = self._model()
        if model is None or runs_compiled_parts(model):
            self.stop()
            return ""
        self.due = steps + 1
        if self._blocks is None and not self._look.is_on:
            reading = self._reading
            self._look.start({reading.mean.module, reading.spread.module, reading.sample.module, *reading.takers})
            return ""
        if self._blocks is None:
            self._blocks = self._look.end_step()
            self._look.stop()
        if self._blocks is None:
            self._plan(steps)
            return ""
        if not self._blocks.ready():
            return ""
        seen, self._blocks = self._blocks.take(), None
        result = check(self._reading, seen)
        self._failures = 0 if result is None or result.fits else self._failures + 1
        if self._failures >= FAILURES:
            self.stop()
            assert result is not None
            return self._warning(result, f"residual variance {result.fit.variance:.3g} instead of 1")
        if self._failures:
            return ""
        self._by_dimension.add(None if result is None else result.squares)
        if self._by_dimension.steps < STEPS:
            return ""
        words, self._by_dimension = self._by_dimension.words, ByDimension(self._reading.form.laplace)
        if words and result is not None:
            self.stop()
            return self._warning(result, words)
        self._plan(steps)
        return ""

    def _plan(self, steps: int) -> None:
        self.due = steps + self._interval
        self._interval = min(2 * self._interval, MAX_INTERVAL)

    def _warning(self, result: Check, words: str) -> str:
        reading = self._reading
        changed = f": {result.change}" if result.change else ""
        line = "" if result.better is None else line_of(result.better)
        remedy = f" Write {line}" if line else " Read the tensors that enter the sample, or call monitor.observe()"
        return (
            f"the latent does not fit the data any more{changed} (mean from {reading.mean}, {reading.form.name} from "
            f"{reading.spread}; {words}), so KL and information are "
            f"not those of the sample.{remedy}"
        )
