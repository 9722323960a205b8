"""Evaluation loop: runs at every optimiser step, evaluates when the schedule says so and publishes the result.

It runs on the training thread, raises nothing (unless strict), and charges its own time to the governor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .._torch_compat import is_capturing
from ..alerts.alert_log import AlertLog
from ..capture.hooks import HookSet
from ..evaluation import Evaluation, Health
from ..regime.regime import Regime
from ..schedule.missing_steps import weak_reference
from ..schedule.process import forks
from ..schedule.schedule import Begun, Schedule
from ..sinks.group import SinkGroup
from ..statistics.precompile import compile_missing
from .diagnostics import Diagnostics
from .failures import INTERNAL_ERROR, FailurePolicy
from .options import Options
from .pipeline import ModePipeline
from .publisher import Publisher
from .training_context import TrainingContextBuffer

if TYPE_CHECKING:
    from .sources.latent_search import LatentSearch


Evaluate = Callable[[Begun, list[Evaluation]], None]
"""Function that appends the evaluations of all modes to a list."""


class EvaluationLoop:
    """State of a run: its pipelines, schedule, alerts and counters."""

    def __init__(self, options: Options, sinks: SinkGroup, stop: Callable[[], None]) -> None:
        self.options = options
        self.sinks = sinks
        self.pipelines: dict[str, ModePipeline] = {}
        self.hooks: HookSet | None = None
        self.search: LatentSearch | None = None
        """Search of the latent in the first forwards, until it ends."""
        self.failures = FailurePolicy(options.strict)
        self.training_context = TrainingContextBuffer()
        self.diagnostics = Diagnostics(self.pipelines)
        self.schedule = Schedule(options.pace)
        self.alerts = AlertLog()
        self.evaluations = 0
        self.suspended = 0
        """Number of nested contexts in which no step is counted."""
        self.publisher = Publisher(sinks, options.on_alert, partial(self.failed, fatal=False))
        self.ended = False
        """True after the last evaluation: no step and no row counts any more."""
        self._on_disable = weak_reference(stop)
        self._is_compiled = False
        self._forks = forks()

    # -- parts ------------------------------------------------------------------------------------------------------

    def make_pipelines(self, kind: str | None, dimensions: int | None) -> None:
        """Make one pipeline for each mode. Raises PolarMonitorError for a prior of another shape."""
        settings = self.options.settings
        self.pipelines.update({mode: ModePipeline(mode, kind, settings, dimensions) for mode in self.options.modes})
        self.schedule_training()

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
        self.publisher.release_user_objects()

    def schedule_training(self) -> None:
        """Let the schedule follow the rows of training."""
        train = self.pipelines.get("train")
        self.schedule.ring = None if train is None else train.ring
        self.schedule.training_only = train is not None and len(self.pipelines) == 1

    # -- one step ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Run after each optimiser step."""
        if self.suspended or self.ended:
            return
        if forks() != self._forks:
            self.diagnostics.warn_of_fork()
            return
        due = self.schedule.count()
        looks = self.search is not None and self.schedule.steps >= self.search.due
        if not (due or looks) or self.publisher.busy or is_capturing():  # CUDA may end the capture at a copy or a query
            return
        self.schedule.start_charging()
        try:
            if looks and self.search is not None:
                self.search.step()
            if due and not self.schedule.wakes():
                self._step()
        except Exception as failure:
            self.failed(failure)
        self.schedule.charge()

    def _step(self) -> None:
        for pipeline in self.pipelines.values():
            pipeline.ring.commit(self.schedule.steps)
        if self.schedule.begin_step():
            self.diagnostics.step(self.schedule.steps)
        if self.pipelines and self.schedule.due():
            self._request()
        if self.schedule.requested is not None and self._arrived():
            self.conclude(partial(self._evaluate_modes, False))

    def failed(self, failure: Exception, *, fatal: bool = True, message: str = INTERNAL_ERROR) -> None:
        """Record a failure of the monitor, and end it after too many fatal ones in a row. Raises it if strict."""
        if self.failures.swallow(failure, fatal=fatal, message=message):
            self._stop()

    def _stop(self) -> None:
        if self.search is not None:
            self.search.stop()
        if (stop := self._on_disable()) is not None:
            stop()

    # -- one evaluation ---------------------------------------------------------------------------------------------

    def evaluate(self) -> tuple[Evaluation, ...]:
        """Evaluate the rows that no evaluation has had yet, and return the latest evaluation of each mode with rows.

        Without new rows that is the one before, with `observed` 0. Nothing in a process forked from the monitor's.
        """
        if forks() != self._forks:
            return ()
        fresh, answers = {evaluation.mode: evaluation for evaluation in self.evaluate_new()}, []
        if self.schedule.paused and not self.publisher.busy:
            self.schedule.record_all()  # so that a call some steps later has new rows
        for mode, pipeline in self.pipelines.items():
            self.complete(pipeline)
            answers.append(fresh.get(mode) or pipeline.seen_later(self.schedule.steps, self.health()))
        return tuple(answer for answer in answers if answer is not None)

    def evaluate_new(self) -> tuple[Evaluation, ...]:
        """Evaluate the rows that no evaluation has had yet, with all statistics. Returns a record for each mode.

        Does nothing in a fork, while sinks and callbacks get an evaluation, and where ranks evaluate together.
        """
        if forks() != self._forks or self.publisher.busy or self.schedule.shared is not None:
            return ()
        self.schedule.start_charging()
        requested = self.schedule.requested
        try:
            if requested is None:
                self._request()
            self.training_context.wait()
            for pipeline in self.pipelines.values():
                pipeline.wait()
                pipeline.ingest()
            if any(pipeline.observed for pipeline in self.pipelines.values()):
                return self.conclude(partial(self._evaluate_modes, True))
            self.schedule.requested = requested
            self.schedule.charge()
        except Exception as failure:
            self.failed(failure)
        return ()

    def end(self) -> None:
        """Evaluate what no evaluation has had yet, unless failures have ended the monitor; count no step any more."""
        try:
            if not self.ended and (self.hooks is None or not self.hooks.ended):
                self.evaluate_new()
        finally:
            self.ended = True
            self._stop()

    def warn_at_end(self) -> None:
        """Warn if the run ends and no step was counted. Does nothing in a fork."""
        try:
            if forks() == self._forks and not self.ended:
                self.diagnostics.warn_at_end(self.schedule.steps)
        except Exception as failure:
            self.failed(failure, fatal=False)

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

    def conclude(self, evaluate: Evaluate, at: int | None = None) -> tuple[Evaluation, ...]:
        """Publish what `evaluate` appends to a list, and plan the next evaluation; `at` is its step, None for now."""
        if not self._is_compiled:
            self.schedule.leave_out(compile_missing())
            self._is_compiled = True
        begun = self.schedule.begin(at)
        done: list[Evaluation] = []
        try:
            try:
                evaluate(begun, done)
            finally:  # before any code of the user runs: it may save the state, load another one, or detach
                self.schedule.plan_next(begun, any(pipeline.restless for pipeline in self.pipelines.values()))
        finally:
            try:
                self.publisher.publish(done, lambda: self.schedule.resumed)
            finally:
                self.schedule.finish(begun, any(e.snapshot is None or e.snapshot.full for e in done))
        if not self.diagnostics.taps_failed(any(evaluation.observed for evaluation in done)):
            self.failures.reset()
        elif self.failures.repeat("" if self.hooks is None else self.hooks.last_error):
            self._stop()
        return tuple(done)

    def _evaluate_modes(self, full: bool, begun: Begun, done: list[Evaluation]) -> None:
        """Append one evaluation for each mode with rows, and for training if it should have rows."""
        context = self.training_context.take()
        for pipeline in self.pipelines.values():
            pipeline.ingest()
            if pipeline.observed or (pipeline.mode == "train" and not full and self.schedule.expects_rows(begun.step)):
                done.append(pipeline.evaluate(begun.step, context, self.count_evaluation, full))
                self.alerts.add(done[-1].alerts)
                pipeline.raise_failure()
                if done[-1].observed == 0:
                    self.diagnostics.warn_of_silence(self.schedule.steps)
        self.schedule.measured(begun)

    def count_evaluation(self) -> Health:
        """Count one evaluation, and return the counters for its record."""
        self.evaluations += 1
        return self.health()

    # -- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule and the number of evaluations, as plain numbers."""
        return {**self.schedule.state_dict(), "evaluations": self.evaluations}

    def health(self) -> Health:
        """Return the monitor's counters of its own work."""
        return self.diagnostics.health(self.schedule, self.failures, self.evaluations, self.sinks)

    @property
    def regimes(self) -> dict[str, Regime | None]:
        """Latest regime of each mode."""
        return {mode: pipeline.regime for mode, pipeline in self.pipelines.items()}
