"""Connection of a model to an evaluation loop: hooks on its latent, a clock of its steps, a batch in between."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

from torch import nn

from ...capture.hooks import HookSet
from ...capture.probe import latents_of
from ...discovery.latent import Latent
from ...discovery.mask import MaskReader
from ...errors import PolarMonitorError, warn
from ...offline.classify import judged
from ...regime.regime import Regime
from ...schedule.optimizer_clock import OptimizerClock, expect_orphans
from ..evaluation_loop import EvaluationLoop

_running: weakref.WeakSet[EvaluationLoop] = weakref.WeakSet()
"""Loops that watch a model."""
attached_monitors: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
"""Attached monitors, by model and name: the model keeps them alive until they detach."""


def connect(
    model: nn.Module, latent: Latent, loop: EvaluationLoop, clock: OptimizerClock, mask: MaskReader | None = None
) -> None:
    """Put hooks on the modules of a latent, in the place of those of an earlier one. Warns of code compiled before.

    The statistics begin anew, unless they have the unit of this latent and are of a saved state, or of other ranks that
    had decided on it before this one.
    """
    before = loop.hooks
    if before is not None:
        before.off("ended")
    kept = [(p.loaded or p.merged is not None) and p.kind == latent.kind for p in loop.pipelines.values()]
    if not (kept and all(kept)):
        loop.make_pipelines(latent.kind, latent.dimensions)
    if loop.schedule.steps:
        loop.schedule.expect_rows_anew()
    rings = {mode == "train": pipeline.ring for mode, pipeline in loop.pipelines.items()}
    hooks = HookSet(model, latent, rings, loop.options.strict, mask)
    loop.connect(hooks)
    weakref.finalize(loop, _take_off, hooks).atexit = False
    _running.add(loop)
    clock.follow(hooks.modules)
    loop.training_context.weight_decay = clock.weight_decay
    if "train" in loop.pipelines and before is None and not loop.schedule.steps:
        clock.expect_steps(loop.pipelines["train"].ring)
    if hooks.class_compiled_before and before is None:
        warn(
            f"a model of class {type(model).__name__} ran compiled before attach(), and compiled code does not call "
            "hooks added later. If this model is, or will be, compiled: call torch._dynamo.reset() now, or attach "
            "before the first call"
        )


@contextmanager
def without_hooks(loop: EvaluationLoop) -> Iterator[None]:
    """Take the hooks off and count no step until the outermost of these contexts ends."""
    began = perf_counter()
    loop.suspended += 1
    if loop.hooks is not None:
        loop.hooks.off("detached")
    if loop.search is not None:
        loop.search.pause()
    try:
        yield
    finally:
        loop.suspended -= 1
        if not loop.suspended:
            loop.schedule.governor.leave_out(perf_counter() - began)
            if loop.hooks is not None:
                loop.hooks.on("detached")


def judge_batch(loop: EvaluationLoop, watched: weakref.ref[nn.Module] | None, batch: Any) -> Regime:
    """Run the model on a batch of the user, beside the training, and return the regime of its latents.

    Raises what the model raises, and PolarMonitorError without a model or a latent. Nothing of the run changes.
    """
    model = None if watched is None else watched()
    if model is None or loop.hooks is None or loop.hooks.ended:
        raise PolarMonitorError(
            "evaluate(batch): this monitor watches no model: write monitor = polar_monitor.attach(model), or "
            "polar_monitor.classify(mean, …) with the latents"
        )
    began = perf_counter()
    try:
        settings, kind = loop.options.settings, next(iter(loop.pipelines.values())).kind
        means, spreads, masks = latents_of(model, loop.hooks, batch, kind is not None)
        real = None if masks is None else iter(masks)
        chunks, paired = (iter(means), None) if kind is None else (zip(means, spreads, strict=True), True)
        regime, doubt = judged(chunks, kind, paired, settings.prior, settings.resolution, settings.criterion, mask=real)
    finally:
        loop.schedule.governor.leave_out(perf_counter() - began)  # the user asked for it: it is no overhead
    if doubt:
        warn(doubt, depth=3)
    step = loop.schedule.steps
    snapshot = None if regime.snapshot is None else replace(regime.snapshot, step=step)
    return replace(regime, step=step, snapshot=snapshot)


def keep(model: nn.Module, name: str, monitor: object) -> None:
    """Let the model keep a monitor alive: its user need not."""
    monitors = attached_monitors.setdefault(model, {})
    monitors[name if name not in monitors else f"{name} {id(monitor)}"] = monitor


def forget(watched: weakref.ref[nn.Module] | None, monitor: object) -> None:
    """Let the model keep a monitor alive no longer."""
    model = None if watched is None else watched()
    monitors = {} if model is None else attached_monitors.get(model, {})
    for name in [name for name, kept in monitors.items() if kept is monitor]:
        del monitors[name]


@atexit.register
def _warn_at_exit() -> None:
    """Warn of the runs that end with the interpreter, unseen."""
    for loop in tuple(_running):
        loop.warn_at_end()


def _take_off(hooks: HookSet) -> None:
    """Take off the hooks of a monitor that is gone; its modules may live on, and the clock warns if they are trained.

    That is so if `attach` got an object that nobody keeps, around modules that are kept.
    """
    if not hooks.ended:
        expect_orphans(hooks.modules, hooks.where)
        hooks.off("ended")


def warn_of_replacement(name: str) -> None:
    """Warn that a new monitor takes the place of one that watches the same model under the same name."""
    named = f" ({name})" if name else ""
    warn(
        f"this model is watched already: the new monitor replaces the old one{named}; call monitor.detach() first, "
        "or pass name=… to keep both",
        depth=4,
    )
