"""Checks of a confirmed reading later in the training: a clamp may begin to hold, a norm or another unit may come in.

One step in a while is looked at, with hooks on the modules of the reading alone.
"""

from __future__ import annotations

import weakref

from torch import nn

from ..._torch_compat import runs_compiled_parts
from ...discovery.evidence.latents import line_for, line_of
from ...discovery.evidence.later.drift import MIN_CHECKED, Numbers, check, is_rescaled, unit_of
from ...discovery.evidence.later.rivals import Rivals
from ...discovery.evidence.reading import Reading
from .by_dimension import ByDimension
from .look import Blocks, Look

FIRST_CHECK, MAX_INTERVAL, SOON = 100, 2000, 25
"""Steps before the first check, and the most between two; the interval doubles. After these a reading that is not
confirmed is checked again."""
STEPS = 8
"""Steps of a check, one after the other: some dimensions alone show in several only."""
FAILURES = 3
"""Checks in a row that do not fit, one step apart, before a reading is dropped."""
MIN_EXPLAINED, MAX_WAITED = 16_384, 40
"""Numbers of a sample that an explanation needs, and steps that are looked at for them."""


class LaterCheck:
    """Checks of one reading."""

    def __init__(self, model: nn.Module, reading: Reading, steps: int, asked: str = "") -> None:
        self._model = weakref.ref(model)
        self._reading = reading
        self._look = Look(model)
        self._blocks: Blocks | None = None
        self._interval = FIRST_CHECK if reading.is_confirmed else SOON
        self._failures = self._waited = 0
        self._doubt = "no reading fits" if asked else ""
        """Words for why the reading is dropped: only numbers for an explanation are waited for."""
        self._by_dimension = ByDimension(reading.form.laplace)
        self._rivals = None if reading.way else Rivals(reading.form)
        self._numbers: Numbers | None = None
        """Those of the latest step."""
        self._asked = asked
        """Beginning of the warning, if nothing is watched."""
        self.due = steps + (FIRST_CHECK if reading.is_confirmed else 1)
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
        numbers = None if result is None else result.numbers
        failures = self._failures
        self._failures = 0 if result is None or result.fits else failures + 1
        if self._failures == 1 and self._rivals is not None and not self._doubt:
            self._rivals.forget()  # they are of the time before
        self._keep(numbers)
        if result is not None and self._failures == FAILURES and not self._doubt:
            self._doubt = f"residual variance {result.fit.variance:.3g} instead of 1"
        if self._doubt:
            self._waited += 1
            if not self._has_enough:
                return ""
            self.stop()
            return self._warning(self._doubt)
        if self._failures:
            return ""
        self._by_dimension.add(None if result is None else result.squares)
        if self._by_dimension.steps < STEPS:
            return ""
        self._doubt, self._by_dimension = self._by_dimension.words, ByDimension(self._reading.form.laplace)
        if not self._doubt and self._rivals is not None and self._rivals.ahead:
            self._doubt = "residuals that a little processing of the heads explains better"
        if not self._doubt:
            self._plan(steps)
        return ""

    @property
    def _has_enough(self) -> bool:
        """True if an explanation is tried now: there are numbers enough, or no more are waited for."""
        if self._rivals is None or self._numbers is None or self._waited >= MAX_WAITED:
            return True
        return self._rivals.numbers >= MIN_EXPLAINED

    def _keep(self, numbers: Numbers | None) -> None:
        self._numbers = numbers
        if numbers is not None and self._rivals is not None and numbers.z.size >= MIN_CHECKED:
            self._rivals.add(*numbers)

    def _plan(self, steps: int) -> None:
        self.due = steps + self._interval
        self._interval = min(2 * self._interval, MAX_INTERVAL)
        if self._rivals is not None:
            self._rivals.begin()

    def _warning(self, words: str) -> str:
        reading = self._reading
        change, line = self._instead()
        if self._asked:
            return f"{self._asked}\n{change}. If it is the latent, write {line}" if line else self._asked
        remedy = f" Write {line}" if line else f" {_fill_in(reading)}"
        return (
            f"the latent does not fit the data{f': {change}' if change else ''} (mean from {reading.mean}, "
            f"{reading.form.name} from {reading.spread}; {words}), so KL and information are not those of the sample."
            f"{remedy}"
        )

    def _instead(self) -> tuple[str, str]:
        """Return words for what the heads become before the sample, and the line to write; '' for what is not known."""
        reading, numbers = self._reading, self._numbers
        result = None if self._rivals is None else self._rivals.explanation()
        if result is not None:
            line = line_for(reading.mean, reading.spread, result.mean.code, result.spread.code, result.spread.unit)
            return f"what fits is {result.words(reading.mean, reading.spread)}", line
        if numbers is not None and is_rescaled(reading, numbers):
            return "the mean is scaled or shifted after the module, as a normalisation layer does", ""
        other = unit_of(reading, numbers) if numbers is not None and reading.form.laplace else None
        return ("", "") if other is None else (f"its spread is {other.form.name}", line_of(other))


def _fill_in(reading: Reading) -> str:
    """Return the lines to choose from where nothing is known of what the heads become."""
    pair = (
        f'attach(model, mean=("{reading.mean.module}", lambda out: …), std=("{reading.spread.module}", lambda out: …))'
    )
    return f"Write {pair} with what the forward makes of them, or call monitor.observe(mean, std=…) where it has them"
