"""The conductor: at every optimiser step it decides whether to evaluate, does so, and hands the result on.

It runs on the caller's thread, raises nothing (unless strict), and measures its own time for the governor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from ..alerts.alert import Alert, AlertKind, line
from ..capture.hooks import HookSet
from ..context import Context
from ..errors import warn
from ..evaluation import Evaluation, Health
from ..schedule.duty_cycle import HookDutyCycle
from ..schedule.governor import Governor
from ..sinks.group import SinkGroup
from . import summary
from .failures import FailurePolicy
from .options import Options
from .pipeline import ModePipeline
from .process import forks
from .training_context import TrainingContextBuffer

log = logging.getLogger("polar_monitor")

SILENCE = 50
"""Steps without any forward, from the first, a resume or the waking after it, after which the silence is told."""
GONE = 200
"""The same where there have been some before: training may do something else for a while."""
NO_VALIDATION = 10_000
"""Steps without any forward in eval mode after which it is told that there was none."""
MOST = 10_000
"""Alerts that are kept."""
STOPPING = (AlertKind.COLLAPSE, AlertKind.NON_FINITE)
"""Kinds whose first alert is kept for good."""


class EvaluationLoop:
    """The state of a run: its lanes, its alerts, its counters, and when the next evaluation is due."""

    def __init__(self, options: Options, sinks: SinkGroup, stop: Callable[[], None]) -> None:
        self.options = options
        self.sinks = sinks
        self.lanes: dict[str, ModePipeline] = {}
        self.wiring: HookSet | None = None
        self.governor = Governor(options.every, options.max_overhead)
        self.faults = FailurePolicy(options.strict)
        self.told = TrainingContextBuffer()
        self.alerts: list[Alert] = []
        self.steps = 0
        self.next = options.every
        """Step of the next evaluation."""
        self.evaluations = 0
        self.paused = False
        """No step is counted."""
        self._stop = stop
        self.rest = HookDutyCycle()
        self._asked: int | None = None
        self._evaluated = -1
        self._handing = False
        """An evaluation is being handed to the sinks and callbacks."""
        self._resumed = 0
        """How often a state has been taken back."""
        self._calls = 0
        """Forwards in training seen up to the last step."""
        self._quiet = 0
        """Steps awake since the last of them."""
        self._heard = False
        """There was one in this process, or since the last resume."""
        self._unvalidated = 0
        """Steps without any forward in eval mode, in this process."""
        self._told: set[str] = set()
        self._tapped = 0
        """Failures of the taps up to the last evaluation."""
        self._since = 0.0
        """Until when our own time has been charged."""
        self._forks = forks()

    @property
    def first(self) -> ModePipeline:
        """The lane of the first mode, by which the pace is set."""
        return self.lanes[self.options.modes[0]]

    def make_lanes(self, kind: str | None, dimensions: int | None) -> None:
        """One lane for each mode. Raises PolarMonitorError for a prior of another shape."""
        self.lanes = {mode: ModePipeline(mode, kind, self.options.settings, dimensions) for mode in self.options.modes}

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
        self.next, self.evaluations, self._asked = state["next"], state["evaluations"], None
        self.alerts = []
        self._keep(alerts)
        self._resumed += 1
        self._quiet, self._heard = 0, False
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
        if self.steps < self.rest.until or self._handing:
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
            self._listen()
            if self.steps >= self.next and self._asked is None and self.governor.affords(self.steps):
                self._ask()
            if self._asked is not None and self.told.ready() and all(lane.ready() for lane in self.lanes.values()):
                self._conclude()
        except Exception as failure:
            self.failed(failure)
        self._charge()

    def failed(self, failure: Exception, *, fatal: bool = True) -> None:
        """Tell of a failure of ours, and end the monitor after too many fatal ones in a row. Raises it when strict."""
        if self.faults.swallow(failure, fatal=fatal):
            self._stop()

    def let_go(self) -> None:
        """Drop what the user has given and may hold the model: callback, rules, sinks. The monitor has ended."""
        settings = replace(self.options.settings, extra=())
        self.options = replace(self.options, settings=settings, on_alert=None)
        for lane in self.lanes.values():
            lane.settings, lane.alarms.custom_rules = settings, ()
        self.sinks.sinks = ()

    def _charge(self) -> None:
        """Add the time since the last charge to our own."""
        now = perf_counter()
        self.governor.own += now - self._since
        self._since = now

    def evaluate(self) -> tuple[Evaluation, ...]:
        """Evaluate now the rows recorded since the last time; one record a mode that has any.

        At rest there are none that are new: the hooks come back, and some steps later there are. Nor are there any
        while an evaluation is handed to the sinks and callbacks.
        """
        if forks() != self._forks or not self.lanes or self._handing:
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
            self.failed(failure)
            return ()

    def take_in(self) -> None:
        """Take in the rows that wait; what they break in us is no reason why a checkpoint could not be saved."""
        try:
            for lane in self.lanes.values():
                lane.drains += lane.ring.requests()
                lane.wait()
                lane.ingest()
        except Exception as failure:
            self.failed(failure)

    def _ask(self) -> None:
        for lane in self.lanes.values():
            lane.drains += lane.ring.requests()
        self.told.ask()
        self._asked = self.steps

    def _conclude(self) -> tuple[Evaluation, ...]:
        begin, now, every, resumed = perf_counter(), self.steps, self.governor.every, self._resumed
        step, self._asked = self._asked if self._asked is not None else now, None
        done: list[Evaluation] = []
        try:
            try:
                context = self.told.take()
                for lane in self.lanes.values():
                    lane.ingest()
                    if lane.observed or (lane.mode == "train" and not self.rest.recent and step > self._evaluated):
                        done.append(self._evaluate(lane, step, context))
                self._evaluated = step
            finally:  # before anything that is not ours runs: it may save our state, take one back or detach us
                self.next = now + every
                self._plan()
        finally:
            try:
                self._hand_on(done)
            finally:
                if self.wiring is not None:
                    self.governor.own += self.wiring.seconds()
                self._charge()
                self.governor.evaluated(perf_counter() - begin, self.steps)
                if self.governor.every != every and self._resumed == resumed:
                    self.next = now + self.governor.every
                    self._plan()
        self._look_at_taps(any(evaluation.observed for evaluation in done))
        return tuple(done)

    def _evaluate(self, lane: ModePipeline, step: int, context: Context) -> Evaluation:
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
        self._keep(alerts)
        return evaluation

    def _keep(self, alerts: Iterable[Alert]) -> None:
        """Add alerts; the oldest are dropped, but for the first of each kind that a loop may want to end for."""
        self.alerts += alerts
        excess = len(self.alerts) - MOST
        if excess > 0:
            kept = {alert.kind: alert for alert in reversed(self.alerts[:excess]) if alert.kind in STOPPING}
            self.alerts[:excess] = reversed(kept.values())

    def _hand_on(self, evaluations: Sequence[Evaluation]) -> None:
        """Give evaluations to the sinks, their alerts to the log and the callback, until one of these goes back."""
        resumed = self._resumed
        alerts = [alert for evaluation in evaluations for alert in evaluation.alerts]
        self._handing = True
        try:
            for evaluation in evaluations:
                self.sinks.write(evaluation)
                if self._resumed != resumed:
                    return
            if alerts:
                self.sinks.flush()
            for alert in alerts:
                log.warning("%s", line(alert))
                self._call(alert)
                if self._resumed != resumed:
                    return
        finally:
            self._handing = False

    def _call(self, alert: Alert) -> None:
        if self.options.on_alert is not None:
            try:
                self.options.on_alert(alert)
            except Exception as failure:
                self.failed(failure, fatal=False)

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
        elif self.rest.until:  # planned for a later evaluation
            self._record()

    def _record(self) -> None:
        lane = self.lanes.get("train")
        self._quiet = 0
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

    def _listen(self) -> None:
        """Tell of a latent that is not seen, soon where it never was and later where it was, and of no validation."""
        train, other = self.lanes.get("train"), self.lanes.get("eval")
        if train is not None:
            calls, self._quiet = train.ring.calls, self._quiet + 1
            if calls != self._calls:
                self._calls, self._quiet, self._heard = calls, 0, True
            elif self._heard and self.wiring is None:
                pass  # who gives rows by hand may do so seldom
            elif self._quiet == (GONE if self._heard else SILENCE) and not self._traced(train):
                self._warn_of_silence()
        if other is not None:
            self._unvalidated += 1
            if self._unvalidated == NO_VALIDATION:
                self.warn_of_no_validation()

    @staticmethod
    def _traced(lane: ModePipeline) -> bool:
        """Whether compiled code may have run since the last evaluation; on a device only a wait for it could tell."""
        cursor = lane.ring.mean.traced_cursor
        return cursor is not None and (cursor.device.type != "cpu" or bool(cursor[2]))

    def warn_of_no_validation(self) -> None:
        """Tell that no forward in eval mode was seen, if it is watched and there has been time for one."""
        lane = self.lanes.get("eval")
        if (
            lane is None
            or self.wiring is None
            or self._unvalidated < SILENCE
            or lane.seen
            or lane.ring.seen_any_forward
        ):
            return
        self._tell(
            "unvalidated",
            f"no latent seen from {self.wiring.where} in eval mode in {self._unvalidated} steps, though it is among "
            f"the modes; if there was a validation, {summary.SILENT}",
        )

    def _warn_of_silence(self) -> None:
        where, why, ring = "observe()", summary.SILENT, self.lanes.get("train", self.first).ring
        if self.wiring is not None:
            where = self.wiring.where
            if self.wiring.model_compiled_before and not ring.seen_any_forward:
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
            elif self.wiring.class_compiled_before:
                why = (
                    "compiled code of another model of its class, which has no hooks, may be in use: call "
                    "torch._dynamo.reset() once"
                )
        if ring.empty:
            why = f"{ring.empty} of {ring.calls} forwards gave no rows"
        if ring.misaligned:
            why = (
                f"{ring.misaligned} rows were given up: the modules of mean and spread are not called equally often "
                "in a step"
            )
        self._tell("silent", f"no latent seen from {where} in {self._quiet or self.steps} steps; {why}")

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
            warn(said)

    def health(self) -> Health:
        """How the monitor itself is doing."""
        lanes = self.lanes.values()
        tapped, said = (0, "") if self.wiring is None else (self.wiring.errors, self.wiring.last_error)
        return Health(
            steps=self.steps,
            calls=sum(lane.ring.calls for lane in lanes),
            steps_rested=self.rest.steps(self.steps),
            rows_seen=sum(lane.seen for lane in lanes),
            rows_dropped=sum(lane.dropped + lane.ring.lost + lane.ring.refused for lane in lanes),
            rows_empty=sum(lane.ring.empty for lane in lanes),
            errors=self.faults.count + tapped,
            last_error=self.faults.last or said,
            overhead=self.governor.overhead,
            every=self.governor.every,
            evaluations=self.evaluations,
            sink_drops=self.sinks.drops,
        )
