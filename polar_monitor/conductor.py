"""The conductor: at every optimiser step it decides whether to evaluate, does so, and hands the result on.

It runs on the caller's thread, raises nothing (unless strict), and measures its own time for the governor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from . import describe
from .alerts import Alert
from .context import Context
from .evaluation import Evaluation, Health
from .faults import Faults, tell
from .governor import Governor
from .lane import Lane
from .options import Options
from .process import forks
from .rest import Rest
from .sinks.group import SinkGroup
from .told import Told
from .wiring import Wiring

log = logging.getLogger("polar_monitor")

SILENCE = 50
"""Steps without any row after which the first silence is told."""


class Conductor:
    """The state of a run: its lanes, its alerts, its counters, and when the next evaluation is due."""

    def __init__(self, options: Options, sinks: SinkGroup, stop: Callable[[], None]) -> None:
        self.options = options
        self.sinks = sinks
        self.lanes: dict[str, Lane] = {}
        self.wiring: Wiring | None = None
        self.governor = Governor(options.every, options.max_overhead)
        self.faults = Faults(options.strict)
        self.told = Told()
        self.alerts: list[Alert] = []
        self.steps = 0
        self.next = options.every
        """Step of the next evaluation."""
        self.evaluations = 0
        self.paused = False
        """No step is counted."""
        self._stop = stop
        self.rest = Rest()
        self._asked: int | None = None
        self._evaluated = -1
        self._told: set[str] = set()
        self._tapped = 0
        """Failures of the taps up to the last evaluation."""
        self._since = 0.0
        """Until when our own time has been charged."""
        self._forks = forks()

    @property
    def first(self) -> Lane:
        """The lane of the first mode, by which the pace is set."""
        return self.lanes[self.options.modes[0]]

    def make_lanes(self, kind: str | None, dimensions: int | None) -> None:
        """One lane for each mode. Raises PolarMonitorError for a prior of another shape."""
        self.lanes = {mode: Lane(mode, kind, self.options.settings, dimensions) for mode in self.options.modes}

    def state_dict(self) -> dict[str, Any]:
        """When the next evaluation is due, and whether it rests until then."""
        return {
            "steps": self.steps,
            "next": self.next,
            "every": self.governor.every,
            "evaluations": self.evaluations,
            "rest": self.rest.state_dict(),
        }

    def resume(self, state: Mapping[str, Any], alerts: list[Alert]) -> None:
        """Go on from another run's `state_dict`."""
        if self.rest.until:
            self._record()
        self.rest.load_state_dict(state["rest"])
        self.steps = self._evaluated = state["steps"]
        self.next, self.evaluations, self.alerts, self._asked = state["next"], state["evaluations"], alerts, None
        if self.rest.until and self.wiring is not None:
            self.wiring.mute(True)  # the hooks stay: a model that is compiled now must have them
        self.governor.every = state["every"]
        self.governor.started(self.steps)
        self.sinks.resume(self.steps)

    def tick(self) -> None:
        """One optimiser step is over."""
        if self.paused or forks() != self._forks:
            return
        self.steps += 1
        if self.steps < self.rest.until:
            return
        self._since = perf_counter()
        try:
            for lane in self.lanes.values():
                lane.ring.commit()
            if self.steps == 1:
                self.governor.started(0)
                self._plan()
            elif self.rest.until:
                self._record()
            if self.steps >= self.next and self._asked is None and self.governor.affords(self.steps):
                self._ask()
            elif self.steps == SILENCE and "train" in self.lanes and self.lanes["train"].ring.heard is False:
                self._warn_of_silence()
            if self._asked is not None and self.told.ready() and all(lane.ready() for lane in self.lanes.values()):
                self._conclude()
        except Exception as failure:
            self._failed(failure)
        self._charge()

    def _failed(self, failure: Exception) -> None:
        if self.faults.swallow(failure):
            self._stop()

    def _charge(self) -> None:
        """Add the time since the last charge to our own."""
        now = perf_counter()
        self.governor.own += now - self._since
        self._since = now

    def evaluate(self) -> tuple[Evaluation, ...]:
        """Evaluate now the rows recorded since the last time; one record a mode that has any.

        At rest there are none that are new: the hooks come back, and some steps later there are.
        """
        if forks() != self._forks or not self.lanes:
            return ()
        if self.rest.until:
            self._record()
            return ()
        self._since = perf_counter()
        try:
            if self._asked is None:
                self._ask()
            self.told.wait()
            for lane in self.lanes.values():
                lane.wait()
            return self._conclude()
        except Exception as failure:
            self._failed(failure)
            return ()

    def take_in(self) -> None:
        """Take in the rows that wait; what they break in us is no reason why a checkpoint could not be saved."""
        try:
            for lane in self.lanes.values():
                lane.drains += lane.ring.requests()
                lane.wait()
                lane.ingest()
        except Exception as failure:
            self._failed(failure)

    def _ask(self) -> None:
        for lane in self.lanes.values():
            lane.drains += lane.ring.requests()
        self.told.ask()
        self._asked = self.steps

    def _conclude(self) -> tuple[Evaluation, ...]:
        begin = perf_counter()
        step, self._asked = self._asked if self._asked is not None else self.steps, None
        done = []
        try:
            context = self.told.take()
            for lane in self.lanes.values():
                lane.ingest()
                if lane.observed or (lane.mode == "train" and not self.rest.recent and step > self._evaluated):
                    done.append(self._evaluate(lane, step, context))
            self._evaluated = step
        finally:
            if self.wiring is not None:
                self.governor.own += self.wiring.seconds()
            self._charge()
            self.governor.evaluated(perf_counter() - begin, self.steps)
            self.next = self.steps + self.governor.every
            self._plan()
        self._look_at_taps(any(evaluation.observed for evaluation in done))
        return tuple(done)

    def _evaluate(self, lane: Lane, step: int, context: Context) -> Evaluation:
        resumed = lane.resumed()
        observed, alerts = lane.evaluate(step, context)
        if observed == 0:
            self._warn_of_silence()
        self.evaluations += 1
        name = self.options.name
        evaluation = Evaluation(
            step, time.time(), name, lane.mode, observed, lane.snapshot, lane.regime, alerts, self.health(), context,
            resumed=resumed,
        )  # fmt: skip
        self.alerts += alerts
        self.sinks.write(evaluation)
        if alerts:
            self.sinks.flush()
        for alert in alerts:
            log.warning("%s", describe.line(alert))
            self._call(alert)
        return evaluation

    def _call(self, alert: Alert) -> None:
        if self.options.on_alert is not None:
            try:
                self.options.on_alert(alert)
            except Exception as failure:
                self.faults.swallow(failure, fatal=False)

    def _plan(self) -> None:
        """Take the hooks off for the steps whose rows the window would have forgotten by the next evaluation.

        Only where training alone is watched, in which rows come at every step (a validation may come at any time), and
        not where a compiled model has the hooks built in.
        """
        lane, wiring = self.lanes.get("train"), self.wiring
        alone = lane is not None and len(self.lanes) == 1 and not lane.ring.compiled
        if wiring is None or lane is None or not alone or "compiled" in self._told:
            self.rest.recent = False
        elif self.rest.begin(self.steps, self.next, lane.ring.rows, self.options.settings.window):
            wiring.off("resting")

    def _record(self) -> None:
        lane = self.lanes.get("train")
        self.rest.end(self.steps, 0 if lane is None else lane.ring.rows)
        if self.wiring is None:
            return
        if self.wiring.was_compiled():
            self._tell(
                "compiled",
                "the model was compiled while the monitor was at rest, so the compiled code has no hooks: "
                "call torch._dynamo.reset() once, now; compile before the training begins to avoid it",
            )
        self.wiring.on("resting")
        self.wiring.mute(False)

    def _warn_of_silence(self) -> None:
        where, why, ring = "observe()", describe.SILENT, self.first.ring
        if self.wiring is not None:
            where = self.wiring.where
            if self.wiring.late and not ring.heard:
                return  # told by attach, with this cause
            if "taps" in self._told and self.wiring.errors > self._tapped:
                return  # they still fail, which has been told
            if self.wiring.last_error:
                why = f"the last error: {self.wiring.last_error}"
            elif self.wiring.moved:
                why = (
                    "the compiled model is on another device than when it was attached, and compiled code cannot make "
                    "room there: attach after model.to(…), before the first call"
                )
        if ring.empty:
            why = f"{ring.empty} of {ring.calls} forwards gave no rows"
        if ring.misaligned:
            why = (
                f"{ring.misaligned} rows were given up: the modules of mean and spread are not called equally often "
                "in a step"
            )
        self._tell("silent", f"no latent seen from {where} in {self.steps} steps; {why}")

    def _look_at_taps(self, observed: bool) -> None:
        """Tell of taps that fail; those that do nothing else any more are taken off in the end, as all else of ours."""
        before, self._tapped = self._tapped, 0 if self.wiring is None else self.wiring.errors
        if self.wiring is not None and self._tapped and "silent" not in self._told:
            self._tell("taps", f"outputs of {self.wiring.where} could not be recorded: {self.wiring.last_error}")
        if observed or self._tapped == before:
            self.faults.fine()
        elif self.faults.again():
            self._stop()

    def _tell(self, once: str, said: str) -> None:
        if once not in self._told:
            self._told.add(once)
            tell(said)

    def health(self) -> Health:
        """How the monitor itself is doing."""
        lanes = self.lanes.values()
        tapped, said = (0, "") if self.wiring is None else (self.wiring.errors, self.wiring.last_error)
        return Health(
            steps=self.steps,
            calls=sum(lane.ring.calls for lane in lanes),
            steps_rested=self.rest.steps(self.steps),
            rows_seen=sum(lane.seen for lane in lanes),
            rows_dropped=sum(lane.dropped + lane.ring.lost for lane in lanes),
            rows_empty=sum(lane.ring.empty for lane in lanes),
            errors=self.faults.count + tapped,
            last_error=self.faults.last or said,
            overhead=self.governor.overhead,
            every=self.governor.every,
            evaluations=self.evaluations,
            sink_drops=self.sinks.drops,
        )
