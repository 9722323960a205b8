"""Connection of a model to an evaluation loop: hooks on its latent, a clock of its steps, time without hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from torch import nn

from ..capture.hooks import HookSet
from ..discovery.latent import Latent
from ..errors import warn
from ..schedule.optimizer_clock import OptimizerClock
from .evaluation_loop import EvaluationLoop


def connect(model: nn.Module, latent: Latent, loop: EvaluationLoop) -> OptimizerClock:
    """Put hooks on the modules of the latent and return the running clock. Warns of code compiled before."""
    rings = {mode == "train": pipeline.ring for mode, pipeline in loop.pipelines.items()}
    hooks = HookSet(model, latent, rings, loop.options.strict)
    loop.connect(hooks)
    if hooks.class_compiled_before:
        warn(
            f"a model of class {type(model).__name__} ran compiled before attach(), and compiled code does not call "
            "hooks added later. If this model is, or will be, compiled: call torch._dynamo.reset() now, or attach "
            "before the first call"
        )
    clock = OptimizerClock(model, loop.tick, loop.failed)
    if "train" in loop.pipelines:
        clock.expect_steps(loop.pipelines["train"].ring)
    return clock


@contextmanager
def without_hooks(loop: EvaluationLoop) -> Iterator[None]:
    """Take the hooks off and count no step until the outermost of these contexts ends."""
    began = perf_counter()
    loop.suspended += 1
    if loop.hooks is not None:
        loop.hooks.off("detached")
    try:
        yield
    finally:
        loop.suspended -= 1
        if not loop.suspended:
            loop.schedule.governor.leave_out(perf_counter() - began)
            if loop.hooks is not None:
                loop.hooks.on("detached")
