"""Evaluations that all ranks of a process group share: `PolarMonitor.sync`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..alerts.alert_log import AlertLog
from ..context import Context
from ..distributed.exchange import exchange
from ..distributed.ranks import GONE, Ranks, is_shared
from ..distributed.share import Share
from ..errors import PolarMonitorError, warn
from ..evaluation import Evaluation, Health
from ..schedule.schedule import Begun
from ..schedule.shared import SharedSchedule
from .pipeline import ModePipeline

if TYPE_CHECKING:
    from .evaluation_loop import EvaluationLoop

MODES = ("train", "eval")
"""Modes in the order in which they are exchanged; every rank exchanges both."""
FIELDS = ("beta", "learning_rate", "baseline", "weight_decay")
"""Numbers of the loop that rank 0 gives; the reconstruction term is the mean over the ranks that logged it."""


def sync(loop: EvaluationLoop, due: bool, group: Any) -> tuple[Evaluation, ...]:
    """Merge the rows of all ranks, and evaluate them on each; see `PolarMonitor.sync`."""
    if not is_shared(group):
        if loop.schedule.shared is not None:
            raise PolarMonitorError(GONE)
        return () if due else loop.evaluate()
    shared = loop.schedule.shared or _begin(loop)
    if loop.publisher.busy or loop.ended or (due and not shared.counts()):
        return ()
    loop.schedule.start_charging()
    ranks = Ranks(group)
    loop.publisher.repeats = ranks.rank > 0
    shares, step = [_share(loop, mode) for mode in MODES], loop.schedule.steps
    plan = step, shared.plan(step, loop.schedule.planned_interval())
    notes = _notes(loop, first=not loop.publisher.repeats)
    try:
        got = exchange(shares, plan, notes, _agreed(loop), ranks)
    except BaseException:
        loop.sinks.flush()  # another rank may be gone, and this the end of the run
        raise
    step, calls = got.plan.tolist()
    shared.agree(loop.schedule.steps, calls)
    shared.ranks, shared.without_rows = ranks.size, got.without_rows
    merged = {mode: share for mode, share in zip(MODES, got.shares, strict=True) if share is not None}
    loop.schedule.charge()
    if loop.failures.ended:
        return ()
    if merged and not loop.pipelines:  # this rank has seen no row yet, or has not decided on its latent
        loop.make_pipelines(next(iter(merged.values())).kind, None)
    fresh: dict[str, Evaluation] = {}
    try:
        done = loop.conclude(partial(_evaluate, loop, merged, _context(got.notes)), at=step)
        fresh = {evaluation.mode: evaluation for evaluation in done}
    except Exception as failure:
        loop.failed(failure)
    answers = (
        fresh.get(mode) or pipeline.seen_later(step, _health(loop, share))
        for mode, share in merged.items()
        if (pipeline := loop.pipelines.get(mode)) is not None
    )
    return tuple(answer for answer in answers if answer is not None)


def merge_if_due(loop: EvaluationLoop, due: bool = True) -> bool:
    """Do as `sync` for a training loop that is not the user's. Returns True, on all ranks, if they merged.

    Ranks that do not fit each other go on alone, with a warning, since an error would end the training.
    """
    merges = 0 if loop.schedule.shared is None else loop.schedule.shared.merges
    try:
        if not loop.schedule.apart:
            sync(loop, due, None)
    except PolarMonitorError as misfit:
        if loop.options.strict:
            raise
        loop.schedule.apart, loop.schedule.shared = True, None
        for pipeline in loop.pipelines.values():
            pipeline.merged = None
        warn(f"{misfit}. Nothing is merged from now on: each rank watches its own rows, and rank 0 alone writes")
    return loop.schedule.shared is not None and loop.schedule.shared.merges > merges


def _begin(loop: EvaluationLoop) -> SharedSchedule:
    """Let the ranks evaluate together from now on, all from the same state."""
    shared = loop.schedule.shared = SharedSchedule()
    if not any(pipeline.loaded_shared for pipeline in loop.pipelines.values()):
        loop.alerts = AlertLog()
    for pipeline in loop.pipelines.values():
        pipeline.begin_shared()
    return shared


def _evaluate(
    loop: EvaluationLoop, merged: dict[str, Share], context: Context, begun: Begun, done: list[Evaluation]
) -> None:
    for mode, pipeline in loop.pipelines.items():
        share = merged.get(mode)
        if share is None or not share.counts[1]:  # without new rows the latest evaluation stands
            continue
        pipeline.merge(share)
        evaluation = pipeline.evaluate(begun.step, context, loop.count_evaluation, full=True)
        done.append(replace(evaluation, health=_health(loop, share)))
        loop.alerts.add(evaluation.alerts)
        pipeline.raise_failure()
    loop.schedule.measured(begun)


def _health(loop: EvaluationLoop, share: Share) -> Health:
    """Return the counters of this rank, with the rows of all ranks."""
    seen, dropped, skipped = share.counts[2:5].tolist()
    return replace(loop.health(), rows_seen=seen, rows_dropped=dropped, rows_skipped=skipped)


def _share(loop: EvaluationLoop, mode: str) -> Share | None:
    """Return what this rank has; None without rows, and after a failure, so that the other ranks do not wait."""
    pipeline = loop.pipelines.get(mode)
    if pipeline is None:
        return None
    try:
        pipeline.ingest_pending(loop.schedule.steps)
        return _held(pipeline)
    except Exception as failure:
        loop.failed(failure)
        return None


def _held(pipeline: ModePipeline) -> Share | None:
    stream = pipeline.stream
    if stream is None or stream.rows == 0:
        return None
    counts = stream.rows, pipeline.observed, pipeline.seen, pipeline.rows_dropped, pipeline.skipped
    return Share(*stream.held(), np.array(counts, np.int64), stream.mantissa, pipeline.kind)


def _notes(loop: EvaluationLoop, first: bool) -> Any:
    """Return the numbers of the loop, for each a flag that says if it is known."""
    loop.training_context.request()
    loop.training_context.wait()
    context = loop.training_context.take()
    values = [context.reconstruction, *(getattr(context, field) for field in FIELDS)]
    if not first:
        values[1:] = [None] * len(FIELDS)
    return np.array([number for value in values for number in (value or 0.0, value is not None)], np.float64)


def _context(notes: Any) -> Context:
    reconstruction, *others = (total / count if count else None for total, count in notes.reshape(-1, 2).tolist())
    return Context(reconstruction=reconstruction, **dict(zip(FIELDS, others, strict=True)))


def _agreed(loop: EvaluationLoop) -> dict[str, object]:
    """Return the arguments of `attach` on which the merged results depend."""
    settings, setup = loop.options.settings, loop.options.settings.setup()
    prior = None if settings.prior is None else [np.asarray(side).tolist() for side in settings.prior]
    return {
        "modes": loop.options.modes, "window": settings.window, "resolution": settings.resolution,
        "criterion": settings.criterion, "warmup": settings.warmup, "prior": prior, "alerts": setup["rules"],
        "extra_rules": setup["extra_rules"],
    }  # fmt: skip
