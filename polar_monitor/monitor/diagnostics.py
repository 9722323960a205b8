"""Health of the monitor, and warnings if it sees nothing: no latent, no validation, outputs it cannot record."""

from __future__ import annotations

from collections.abc import Mapping

from ..capture.compiled import is_compiled_in
from ..capture.hooks import HookSet
from ..capture.ring import PairedRingBuffer
from ..capture.rounding import reason_unrecorded
from ..errors import WarnOnce, warn
from ..evaluation import Health
from ..schedule.schedule import Schedule
from ..sinks.group import SinkGroup
from . import summary
from .failures import FailurePolicy
from .pipeline import ModePipeline

SILENT_FROM_START = 50
"""Steps without a forward before the first one, or before the first one after a resume, that raise the warning."""
SILENT_LATER = 200
"""Steps without a forward after some were seen: training may do something else for a while."""
MAX_FORWARDS_AT_END = 50
"""Forwards in training without any step that are reported at the end of a run."""
REMEDY_OF_CHANGES = (
    ": call polar_monitor.attach(model, …) again, with the same arguments, to watch the model as it is now"
)
NO_VALIDATION = 10_000
"""Steps without a forward in eval mode that raise the warning."""

REMEDY_OF_CHANGES = (
    ": call polar_monitor.attach(model, …) again, with the same arguments, to watch the model as it is now"
)
"""Line to write if the names of what is watched mean other modules now."""


class Diagnostics:
    """Counter of the steps without a forward, which warns once for each cause."""

    def __init__(self, pipelines: Mapping[str, ModePipeline]) -> None:
        self.hooks: HookSet | None = None
        self._pipelines = pipelines
        """Shared with the evaluation loop, by mode."""
        self._once = WarnOnce()
        self._calls = 0
        """Forwards in training seen up to the previous step."""
        self._quiet = 0
        """Recording steps since the latest forward in training."""
        self._in_eval = 0
        """Forwards in eval mode up to the first of these steps."""
        self._seen = False
        """True if there was a forward in this process, or since the latest resume."""
        self._unvalidated = 0
        """Steps without a forward in eval mode, in this process."""
        self._tap_errors = 0
        """Errors of the taps up to the latest evaluation."""

    def resume(self) -> None:
        """Expect a first forward again: a state was loaded."""
        self._quiet, self._seen = 0, False

    def step(self, step: int) -> None:
        """Check after a recording step: warn soon if no latent was ever seen, later if there were some before."""
        train = self._pipelines.get("train")
        if train is not None:
            calls, self._quiet = train.ring.calls, self._quiet + 1
            if calls != self._calls:
                self._calls, self._quiet, self._seen = calls, 0, True
            elif self._seen and self.hooks is None:
                pass  # rows that are observed by hand may be rare
            elif self._quiet == 1:
                self._in_eval = self._forwards_in_eval()
            elif self._quiet == (SILENT_LATER if self._seen else SILENT_FROM_START) and not _may_be_compiled(train):
                self.warn_of_silence(step)
        if "eval" in self._pipelines:
            self._unvalidated += 1
            if self._unvalidated == NO_VALIDATION:
                self.warn_of_no_validation()

    def warn_of_no_validation(self) -> None:
        """Warn if eval mode is watched, no forward in it was seen, and there was time for one."""
        pipeline, hooks = self._pipelines.get("eval"), self.hooks
        early = self._unvalidated < SILENT_FROM_START
        if pipeline is None or hooks is None or early or pipeline.seen or pipeline.ring.seen_any_forward:
            return
        if self._once("no validation"):
            warn(
                f"modes= contains 'eval', but {hooks.where} gave no latent in eval mode in {self._unvalidated} steps. "
                "If you have no validation, write modes=('train',). If you have one, call the model itself (model(x), "
                "not model.encode(x)) after model.eval()"
            )

    def warn_of_fork(self) -> None:
        """Warn, in a process that was forked from the monitor's, that a training there is not watched."""
        if self._once("fork"):
            where = "this monitor" if self.hooks is None else f"the monitor of {self.hooks.where}"
            warn(
                f"the model is trained in a process that was forked after attach(), and {where} stays with the first "
                "process, so nothing is recorded here: call polar_monitor.attach(model) in the process that trains"
            )

    def warn_of_changes(self) -> None:
        """Warn if other modules than those that are watched have their names now, or if hooks were taken off."""
        changes = () if self.hooks is None else self.hooks.changes()
        if changes and self._once("changes"):
            warn("; ".join(changes) + REMEDY_OF_CHANGES)

    def warn_at_end(self, steps: int) -> None:
        """Warn, when the run ends, of steps without forwards, and of forwards in training without a step.

        Compiled ones are not counted before.
        """
        train, hooks = self._pipelines.get("train"), self.hooks
        if train is None or hooks is None or hooks.ended:
            return
        self.warn_of_changes()
        if steps:
            if not (train.seen or train.rows_dropped or train.ring.seen_any_forward or _compiled_forwards(train)):
                self.warn_of_silence(steps)
            return
        forwards = train.ring.calls + _compiled_forwards(train)
        if forwards >= MAX_FORWARDS_AT_END and hooks.model_trains and self._once("no step"):
            warn(
                f"{forwards} forwards with {hooks.where} in training were seen, but no step of an optimiser that holds "
                "the model's parameters, so nothing was evaluated before the end. If your loop compiles the step, or "
                "updates the parameters without torch.optim, call monitor.step() after each update"
            )
        elif not forwards and hooks.was_copied and self._once("silence"):
            warn(
                f"no forward with {hooks.where} was seen, but the model was copied (deepcopy, pickle, another "
                "process), and copies are not watched: call polar_monitor.attach(model) with the one that is trained, "
                "in its process"
            )

    def warn_of_silence(self, step: int) -> None:
        """Warn that no latent is seen, with the likely cause, unless an earlier warning named the cause."""
        pipelines, hooks = self._pipelines, self.hooks
        if any(pipeline.refused_unit or pipeline.refused_width for pipeline in pipelines.values()):
            return  # which was reported
        ring = (pipelines.get("train") or next(iter(pipelines.values()))).ring
        if hooks is not None:
            if hooks.model_compiled_before and not ring.seen_any_forward:
                return  # `attach` has warned, with this cause
            if "taps" in self._once and hooks.errors > self._tap_errors:
                return  # the taps still fail, which was reported
        changes = () if hooks is None else hooks.changes()
        if changes and not self._once("changes"):
            return  # which was reported
        if self._once("silence"):
            where = "observe()" if hooks is None else hooks.where
            changed = "; ".join(changes) + REMEDY_OF_CHANGES if changes else ""
            cause = changed or self._left_in_eval() or _cause(ring, hooks)
            warn(f"no latent seen from {where} in {self._quiet or step} steps; {cause}")

    def _forwards_in_eval(self) -> int:
        validated = self._pipelines.get("eval")
        seen = 0 if validated is None else validated.ring.calls
        return seen if self.hooks is None else seen + self.hooks.unwatched

    def _left_in_eval(self) -> str:
        """Say that the forwards of the silent steps were in eval mode; nothing if they were not, or are watched."""
        if self.hooks is None or "train" not in self._pipelines or not self.hooks.in_eval:
            return ""
        forwards = self._forwards_in_eval() - self._in_eval
        what = f"{forwards} forwards in them were" if forwards > 0 else "the model is"
        watch = "" if "eval" in self._pipelines else ', or watch modes=("train", "eval") if a part is frozen on purpose'
        return f"{what} in eval mode: call model.train() before the training goes on{watch}"

    def taps_failed(self, observed: bool) -> bool:
        """Return True if taps failed since the previous evaluation and no row was observed.

        Warns of the first, and of changes: an evaluation ends with this.
        """
        self.warn_of_changes()
        before, self._tap_errors = self._tap_errors, 0 if self.hooks is None else self.hooks.errors
        if self.hooks is not None and self._tap_errors and "silence" not in self._once and self._once("taps"):
            warn(f"the latent from {self.hooks.where} could not be recorded: {self.hooks.last_error}")
        return not observed and self._tap_errors != before

    def health(self, schedule: Schedule, failures: FailurePolicy, evaluations: int, sinks: SinkGroup) -> Health:
        """Collect the monitor's counters of its own work."""
        pipelines, governor = self._pipelines.values(), schedule.governor
        tap_errors, tap_error = (0, "") if self.hooks is None else (self.hooks.errors, self.hooks.last_error)
        rule_error = next((pipeline.alerts.last_error for pipeline in pipelines if pipeline.alerts.errors), "")
        return Health(
            steps=schedule.steps,
            calls=sum(pipeline.ring.calls for pipeline in pipelines),
            steps_rested=schedule.duty_cycle.steps(schedule.steps),
            rows_seen=sum(pipeline.seen for pipeline in pipelines),
            rows_dropped=sum(pipeline.rows_dropped for pipeline in pipelines),
            rows_empty=sum(pipeline.ring.empty for pipeline in pipelines),
            errors=failures.count + tap_errors + sinks.errors + sum(pipeline.alerts.errors for pipeline in pipelines),
            last_error=failures.last or tap_error or sinks.last_error or rule_error,
            overhead=governor.overhead,
            every=governor.every,
            evaluations=evaluations,
            sink_drops=sinks.drops,
            allowance_used=governor.allowance.used,
            rows_skipped=sum(pipeline.skipped for pipeline in pipelines),
            log_reused=sinks.reused,
            log_incomplete=sinks.incomplete,
            ranks=1 if schedule.shared is None else schedule.shared.ranks,
            ranks_without_rows=0 if schedule.shared is None else schedule.shared.without_rows,
        )


def _may_be_compiled(pipeline: ModePipeline) -> bool:
    """Return True if compiled code may have run since the latest evaluation; a device would have to be waited for."""
    cursor = pipeline.ring.mean.traced_cursor
    return cursor is not None and (cursor.device.type != "cpu" or bool(cursor[2]))


def _compiled_forwards(pipeline: ModePipeline) -> int:
    """Return the compiled forwards since the latest read; a device is waited for."""
    cursor = pipeline.ring.mean.traced_cursor
    return 0 if cursor is None or cursor.is_meta else int(cursor[2])


def _cause(ring: PairedRingBuffer, hooks: HookSet | None) -> str:
    """Name the likely cause of a silence, and what to do."""
    if reason := reason_unrecorded(buffer.key for buffer in ring.buffers):
        return reason
    if ring.mask_needed and hooks is not None and hooks.class_compiled_now():
        return (
            "mask= is read in eager forwards only, and the model runs compiled: do not compile it, or call "
            "monitor.observe(mean, mask=…) in the loop"
        )
    if ring.mean.traced is None and is_compiled_in(ring.mean.key):
        return (
            "the model runs compiled, and the latent's number of dimensions is no constant of the compiled code, which "
            "then has no room to record it: compile without dynamic=True, so that the sizes that vary alone are dynamic"
        )
    if ring.misaligned:
        names = () if hooks is None else hooks.names
        pair = " and ".join(names) if len(names) == 2 else "the modules of the mean and of the spread"
        return f"dropped {ring.misaligned} rows: {pair} were called a different number of times in a step"
    if ring.empty:
        return f"{ring.empty} of {ring.calls} forwards gave no rows"
    if hooks is not None and hooks.last_error:
        return f"the last error: {hooks.last_error}"
    if hooks is not None and hooks.moved:
        return (
            "the compiled model is on another device than at attach(), and compiled code cannot allocate there: call "
            "attach() after model.to(…) and before the first forward"
        )
    if hooks is not None and hooks.class_compiled_before:
        return (
            "compiled code of another model of the same class, which contains no hooks, may be in use: call "
            "torch._dynamo.reset() once"
        )
    return summary.SILENT
