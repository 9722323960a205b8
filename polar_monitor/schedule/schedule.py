"""Schedule of one run: at which step the next evaluation is due, and when the hooks pause before it.

It counts optimiser steps, charges the monitor's own time to the governor, and plans after each evaluation. It evaluates
nothing itself: `monitor/evaluation_loop` asks it at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import WarnOnce, warn
from .duty_cycle import HookDutyCycle
from .governor import Governor
from .looks import FIRST_STEP, Looks
from .shared import SharedSchedule

if TYPE_CHECKING:
    from ..capture.hooks import HookSet
    from ..capture.ring import PairedRingBuffer

PAUSED = "paused"
"""Reason under which the schedule takes the hooks off."""


@dataclass(frozen=True)
class Pace:
    """Arguments that say how often to evaluate."""

    every: int | None
    """Optimiser steps between evaluations; the governor may stretch them. None for the automatic rule of `Looks`."""
    max_overhead: float
    """Largest share of the loop's time, from 0 to 1; 1 turns the governor off."""
    window: int
    """Rows of the statistics: the hooks may pause while the rows would leave the window before the next evaluation."""
    start_allowance: float = 0.0
    """Seconds beyond that share, in all."""
    log_every: int | None = None
    """Steps after which the automatic rule evaluates in a quiet stretch, too."""


@dataclass(frozen=True)
class Begun:
    """An evaluation that has begun, with the state of the schedule at that time."""

    step: int
    """Step of its record."""
    now: int
    """Step at which it runs: a copy from the device may take some steps."""
    resumed: int
    seconds: float
    """Time at which it began."""


class Schedule:
    """Counter of optimiser steps that says when to evaluate and pauses the hooks in between."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.looks = Looks(pace.every, pace.log_every)
        self.governor = Governor(self.looks.longest_dense, pace.max_overhead, pace.start_allowance)
        self.duty_cycle = HookDutyCycle()
        self.hooks: HookSet | None = None
        self.ring: PairedRingBuffer | None = None
        """Ring of the rows seen in training; None if training is not watched."""
        self.training_only = False
        """True if training alone is watched."""
        self.steps = 0
        self.next = self.looks.first
        """Step of the next evaluation."""
        self.requested: int | None = None
        """Step at which rows were requested for an evaluation that is still to come."""
        self.shared: SharedSchedule | None = None
        """Schedule of ranks that evaluate together, when the user's loop lets them; none is due by itself then."""
        self.apart = False
        """True if ranks that could merge do not fit each other."""
        self.resumed = 0
        """Number of states loaded."""
        self._evaluated = -1
        """Step of the latest evaluation."""
        self._rows = 0
        """Rows recorded up to then."""
        self._rested = 0
        """Paused steps up to then."""
        self._accounted = 0
        """Step of the latest evaluation that the governor knows."""
        self._charged = 0.0
        """Time up to which the monitor's own time is charged."""
        self._once = WarnOnce()

    # -- one step ---------------------------------------------------------------------------------------------------

    def count(self) -> bool:
        """Count one optimiser step. Returns True if there is anything to do after it."""
        self.steps += 1
        return self.steps >= self.duty_cycle.until or self.requested is not None

    def wakes(self) -> bool:
        """Return True if this step only ends a pause: the hooks are back, and there is nothing else to do."""
        if not self.paused or self.steps >= self.next or self.requested is not None:
            return False
        self.resume_hooks()
        return True

    def begin_step(self) -> bool:
        """Count the rows of the step, and take the hooks off after a burst. Returns True if the hooks were on."""
        if self.paused:
            return False
        goes_on = self.ring is not None and self.duty_cycle.count(self.ring.rows)
        if self.steps == 1:
            self._add_hooks()  # the first forward is not in the time that begins here
            self.governor.started(0)
            self._begin_interval()
        elif not goes_on:
            self._pause()
        elif self.duty_cycle.silent and self.duty_cycle.recent:
            self._warn_if_compiled()
        return True

    def due(self) -> bool:
        """Return True if an evaluation is due, and none is requested yet.

        Postpones it if rows are missing or the budget is used up.
        """
        if self.steps < self.next or self.requested is not None or self.shared is not None:
            return False
        wait = self._wait_for_rows() or self.governor.wait(self.steps)
        if wait:
            self.next = self.steps + wait
            self._begin_interval()
        return not wait

    def _wait_for_rows(self) -> int:
        """Return the steps until there are rows for the automatic rule; 0 if there are."""
        if self.ring is None or self.ring.compiled:
            return 0
        rows, waited, per_input = self.ring.rows, self.steps - max(self._evaluated, 0), self.ring.rows_of_input
        missing = per_input * self.looks.missing_rows(rows // per_input, rows - self._rows, waited)
        return min(-(-missing // max(self.duty_cycle.rows_per_step, 1)), FIRST_STEP)

    def expect_rows_anew(self) -> None:
        """Expect rows from the next step on: another latent is watched from now on."""
        self._evaluated, self._rows = self.steps, 0
        self.next = max(self.next, self.steps + 1)

    def expects_rows(self, step: int) -> bool:
        """Return True if training must have given rows for an evaluation at `step`, so that none means silence."""
        return not self.duty_cycle.recent and step > self._evaluated

    # -- one evaluation ---------------------------------------------------------------------------------------------

    def begin(self, at: int | None = None) -> Begun:
        """Begin the requested evaluation; its record gets the step `at`, if given."""
        step, self.requested = self.steps if self.requested is None else self.requested, None
        step = step if at is None else at
        return Begun(step, self.steps, self.resumed, perf_counter())

    def measured(self, begun: Begun) -> None:
        """Note that all modes have been evaluated."""
        self._evaluated = begun.step
        self._rows = 0 if self.ring is None else self.ring.rows

    def plan_next(self, begun: Begun, restless: bool = True) -> None:
        """Set the step of the next evaluation and the steps to record until then. `restless` if anything happened."""
        self.looks.count(restless)
        self._want(begun)
        self.next = begun.now + self.governor.every
        self.duty_cycle.age()
        self._begin_interval()

    def finish(self, begun: Begun, full: bool = True) -> None:
        """Charge an evaluation to the governor; plan again if it sets another interval and no state was loaded."""
        self._add_hooks()
        self.charge()
        rested = self.duty_cycle.steps(self.steps)
        recorded = self.steps - self._accounted - (rested - self._rested)
        self._accounted, self._rested = self.steps, rested
        governor, wanted = self.governor, self._renewing_steps() if self._pausable else None
        before = (governor.every, governor.recordings)
        governor.evaluated(perf_counter() - begun.seconds, self.steps, full, recorded, wanted)
        if self.resumed == begun.resumed:
            self._want(begun)
            if before != (governor.every, governor.recordings):
                self.next = begun.now + governor.every
                self._begin_interval()

    def planned_interval(self) -> int:
        """Return the steps from an evaluation now to the next, of those that several ranks plan ahead."""
        self.governor.want(self.looks.interval(self.steps, self.governor.pace))
        return max(self.governor.every, self.looks.first - self.steps, 1)

    def _want(self, begun: Begun) -> None:
        """Give the governor the wanted interval."""
        self.governor.want(self.looks.interval(begun.now, self.governor.pace))

    def _add_hooks(self) -> None:
        """Charge the time that the hooks have taken to the governor."""
        if self.hooks is not None:
            self.governor.own += self.hooks.seconds()

    def start_charging(self) -> None:
        """Measure the monitor's own time from here on."""
        self._charged = perf_counter()

    def charge(self) -> None:
        """Charge the time since the last charge to the governor."""
        now = perf_counter()
        self.governor.own += now - self._charged
        self._charged = now

    def leave_out(self, seconds: float) -> None:
        """Leave the last `seconds` out of the monitor's own time and of the loop's, as those before the first step."""
        self._charged += seconds
        self.governor.leave_out(seconds)

    # -- pauses of the hooks ----------------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """True while the hooks pause."""
        return self.duty_cycle.until > 0

    @property
    def _pausable(self) -> bool:
        """True if training alone is watched, which gives rows at every step, and no compiled model has the hooks."""
        ring, wanted = self.ring, self.hooks is not None and self.training_only
        return wanted and ring is not None and not ring.compiled and "compiled" not in self._once

    def _renewing_steps(self) -> int:
        """Return the number of recorded steps that renew the window."""
        return -(-self.pace.window // max(self.duty_cycle.rows_per_step, 1))

    def _begin_interval(self) -> None:
        """Plan the steps to record until the next evaluation: those that renew the window, if the budget allows it."""
        recordings, wanted = self.governor.recordings, self.pace.window
        if recordings is not None:
            wanted = min(wanted, recordings * self.duty_cycle.rows_per_step)
        self.duty_cycle.begin(self.steps, 0 if self.ring is None else self.ring.rows, wanted)
        self._pause()

    def _pause(self) -> None:
        """Take the hooks off until the next step to record, or put them back if that is the next one."""
        if self.hooks is None or not self._pausable:
            self.duty_cycle.recent = 0
        elif self.duty_cycle.pause(self.steps, self.next):
            self.hooks.off(PAUSED)
            return
        if self.paused:
            self.resume_hooks()

    def resume_hooks(self) -> None:
        """End the pause: put the hooks back."""
        self.duty_cycle.end(self.steps)
        if self.hooks is not None:
            self.hooks.on(PAUSED)
            self.hooks.mute(False)

    def _warn_if_compiled(self) -> None:
        """Warn, after a step without a row, if the model was compiled without the hooks; they stay on from then on."""
        if self.hooks is not None and self.hooks.compiled_without() and self._once("compiled"):
            warn(
                "the model was compiled while the hooks were paused, so the compiled code has no hooks and records "
                "nothing: call torch._dynamo.reset() once, now; compile before the training begins to avoid it"
            )

    def record_all(self) -> None:
        """Record every step until the next evaluation: somebody asked for new rows and there are none."""
        self.duty_cycle.hold()
        if self.paused:
            self.resume_hooks()

    # -- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return when the next evaluation is due and how long the hooks pause, as plain numbers."""
        return {
            "steps": self.steps,
            "next": self.next,
            "every": self.governor.every,
            "quiet": self.looks.quiet,
            "allowance": self.governor.allowance.state(),
            "duty_cycle": self.duty_cycle.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checked `state_dict`."""
        if self.paused:
            self.resume_hooks()
        self.duty_cycle.load_state_dict(state["duty_cycle"])
        self.steps = self._evaluated = state["steps"]
        self.next, self.requested = state["next"], None
        self.resumed += 1
        if self.paused and self.hooks is not None:
            self.hooks.mute(True)  # the hooks stay on: a model that is compiled now must contain them
        self.looks.quiet = state["quiet"]
        self._accounted, self._rested = self.steps, self.duty_cycle.steps(self.steps)
        self._rows = -1  # a resumed run does not wait for new ones
        self.governor.resume(self.steps, state["every"], state["allowance"])
