"""Evaluation loop: runs at every optimiser step, evaluates when the schedule says so and publishes the result.

It runs on the training thread, raises nothing (unless strict), and charges its own time to the governor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..alerts.alert import Alert, format_alert
from ..capture.hooks import HookSet
from ..evaluation import Evaluation, Health
from ..schedule.missing_steps import weak_reference
from ..schedule.schedule import Begun, Schedule
from ..sinks.group import SinkGroup
from ..statistics.precompile import compile_missing
from .alert_log import AlertLog
from .diagnostics import Diagnostics
from .failures import INTERNAL_ERROR, ON_ALERT_FAILED, FailurePolicy
from .options import Options
from .pipeline import ModePipeline
from .process import forks
from .training_context import TrainingContextBuffer

log = logging.getLogger("polar_monitor")


class EvaluationLoop:
    """State of a run: its pipelines, schedule, alerts and counters."""

    def __init__(self, options: Options, sinks: SinkGroup, stop: Callable[[], None]) -> None:
        self.options = options
        self.sinks = sinks
        self.pipelines: dict[str, ModePipeline] = {}
        self.hooks: HookSet | None = None
        self.failures = FailurePolicy(options.strict)
        self.training_context = TrainingContextBuffer()
        self.diagnostics = Diagnostics(self.pipelines)
        self.schedule = Schedule(options.pace)
        self.alerts = AlertLog()
        self.evaluations = 0
        self.suspended = 0
        """Number of nested contexts in which no step is counted."""
        self._on_disable = weak_reference(stop)
        self._is_compiled = False
        self._publishing = False
        """True while sinks and callbacks get an evaluation."""
        self._forks = forks()

    # -- parts ------------------------------------------------------------------------------------------------------

    def make_pipelines(self, kind: str | None, dimensions: int | None) -> None:
        """Make one pipeline for each mode. Raises PolarMonitorError for a prior of another shape."""
        settings = self.options.settings
        self.pipelines.update({mode: ModePipeline(mode, kind, settings, dimensions) for mode in self.options.modes})
        self._schedule_training()

    def connect(self, hooks: HookSet) -> None:
        """Take the hooks of the watched model."""
        self.hooks = self.schedule.hooks = self.diagnostics.hooks = hooks
        for pipeline in self.pipelines.values():
            pipeline.spread_name = hooks.names[1] if len(hooks.names) == 2 else ""

    def release_user_objects(self) -> None:
        """Drop the user's objects that may hold the model: callback, rules, sinks. The monitor has ended."""
        settings = replace(self.options.settings, extra=())
        self.options = replace(self.options, settings=settings, on_alert=None)
        for pipeline in self.pipelines.values():
            pipeline.release_user_objects(settings)
        self.sinks.sinks = ()

    def _schedule_training(self) -> None:
        train = self.pipelines.get("train")
        self.schedule.ring = None if train is None else train.ring
        self.schedule.training_only = train is not None and len(self.pipelines) == 1

    # -- one step ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Run after each optimiser step."""
        if self.suspended or forks() != self._forks:
            return
        if not self.schedule.count() or self._publishing:
            return
        self.schedule.start_charging()
        try:
            if not self.schedule.wakes():
                self._step()
        except Exception as failure:
            self.failed(failure)
        self.schedule.charge()

    def _step(self) -> None:
        for pipeline in self.pipelines.values():
            pipeline.ring.commit(self.schedule.steps)
        if self.schedule.begin_step():
            self.diagnostics.step(self.schedule.steps)
        if self.schedule.due():
            self._request()
        if self.schedule.requested is not None and self._arrived():
            self._conclude()

    def failed(self, failure: Exception, *, fatal: bool = True, message: str = INTERNAL_ERROR) -> None:
        """Record a failure of the monitor, and end it after too many fatal ones in a row. Raises it if strict."""
        if self.failures.swallow(failure, fatal=fatal, message=message):
            self._stop()

    def _stop(self) -> None:
        if (stop := self._on_disable()) is not None:
            stop()

    # -- one evaluation ---------------------------------------------------------------------------------------------

    def evaluate(self) -> tuple[Evaluation, ...]:
        """Evaluate the rows recorded since the last time, now. Returns one record for each mode that has any.

        If there are none while the hooks are paused, it puts the hooks back, and a call some steps later has rows.
        Returns nothing either while sinks and callbacks get an evaluation.
        """
        if forks() != self._forks or not self.pipelines or self._publishing:
            return ()
        if self.schedule.paused and not any(pipeline.has_rows for pipeline in self.pipelines.values()):
            self.schedule.record_all()
            return ()
        self.schedule.start_charging()
        try:
            if self.schedule.requested is None:
                self._request()
            self.training_context.wait()
            for pipeline in self.pipelines.values():
                pipeline.wait()
            return self._conclude(full=True)
        except Exception as failure:
            self.failed(failure)
            return ()

    def ingest_pending(self) -> None:
        """Take the waiting rows into the statistics. A failure in there must not prevent a checkpoint."""
        try:
            for pipeline in self.pipelines.values():
                pipeline.ingest_pending(self.schedule.steps)
        except Exception as failure:
            self.failed(failure)

    def complete(self, pipeline: ModePipeline) -> None:
        """Compute what the latest snapshot of a mode lacks. After a failure it stays as it is."""
        try:
            if forks() == self._forks:
                pipeline.complete()
        except Exception as failure:
            self.failed(failure)

    def _request(self) -> None:
        for pipeline in self.pipelines.values():
            pipeline.request(self.schedule.steps)
        self.training_context.request()
        self.schedule.requested = self.schedule.steps  # at last: a request that fails is made again

    def _arrived(self) -> bool:
        return self.training_context.ready() and all(pipeline.ready() for pipeline in self.pipelines.values())

    def _conclude(self, full: bool = False) -> tuple[Evaluation, ...]:
        if not self._is_compiled:
            self.schedule.leave_out(compile_missing())
            self._is_compiled = True
        begun = self.schedule.begin()
        done: list[Evaluation] = []
        try:
            try:
                self._evaluate_modes(begun, done, full)
            finally:  # before any code of the user runs: it may save the state, load another one, or detach
                self.schedule.plan_next(begun)
        finally:
            try:
                self.publish(done)
            finally:
                self.schedule.finish(begun, any(e.snapshot is None or e.snapshot.full for e in done))
        if not self.diagnostics.taps_failed(any(evaluation.observed for evaluation in done)):
            self.failures.reset()
        elif self.failures.repeat("" if self.hooks is None else self.hooks.last_error):
            self._stop()
        return tuple(done)

    def _evaluate_modes(self, begun: Begun, done: list[Evaluation], full: bool) -> None:
        """Append one evaluation for each mode with rows, and for training if it should have rows."""
        context = self.training_context.take()
        for pipeline in self.pipelines.values():
            pipeline.ingest()
            if pipeline.observed or (pipeline.mode == "train" and self.schedule.expects_rows(begun.step)):
                done.append(pipeline.evaluate(begun.step, context, self._count, full))
                self.alerts.add(done[-1].alerts)
                if done[-1].observed == 0:
                    self.diagnostics.warn_of_silence(self.schedule.steps)
        self.schedule.measured(begun)

    def _count(self) -> Health:
        """Count one evaluation, and return the counters for its record."""
        self.evaluations += 1
        return self.health()

    # -- sinks and callbacks ----------------------------------------------------------------------------------------

    def publish(self, evaluations: Sequence[Evaluation]) -> None:
        """Give evaluations to the sinks and alerts to the log and the callback, until one of them loads a state."""
        resumed = self.schedule.resumed
        alerts = [alert for evaluation in evaluations for alert in evaluation.alerts]
        self._publishing = True
        try:
            for evaluation in evaluations:
                self.sinks.write(evaluation)
                if self.schedule.resumed != resumed:
                    return
            if alerts:
                self.sinks.flush()
            for alert in alerts:
                log.warning("%s", format_alert(alert))
                self._call(alert)
                if self.schedule.resumed != resumed:
                    return
        finally:
            self._publishing = False

    def _call(self, alert: Alert) -> None:
        if self.options.on_alert is not None:
            try:
                self.options.on_alert(alert)
            except Exception as failure:
                self.failed(failure, fatal=False, message=ON_ALERT_FAILED)

    # -- state ------------------------------------------------------------------------------------------------------

    def resume(
        self,
        schedule: Mapping[str, Any],
        pipelines: Mapping[str, ModePipeline],
        training_context: TrainingContextBuffer,
        alerts: Iterable[Alert],
    ) -> None:
        """Continue from the checked parts of another run's state."""
        for mode, loaded in pipelines.items():
            if mode in self.pipelines:
                self.pipelines[mode].adopt(loaded, schedule["steps"])
            else:
                self.pipelines[mode] = loaded
        self._schedule_training()
        self.training_context = training_context
        self.schedule.load_state_dict(schedule)
        self.evaluations = schedule["evaluations"]
        self.alerts = AlertLog(alerts)
        self.diagnostics.resume()
        self.sinks.resume(self.schedule.steps)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule and the number of evaluations, as plain numbers."""
        return {**self.schedule.state_dict(), "evaluations": self.evaluations}

    def health(self) -> Health:
        """Return the monitor's counters of its own work."""
        return self.diagnostics.health(self.schedule, self.failures, self.evaluations, self.sinks.drops)
