"""The clock: one tick for each real optimiser update of the model, whatever the loop around it looks like."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.compiler import is_compiling
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

PATIENCE = 10
"""Ticks of another optimiser, with none of the leader's between, that make it the leader."""


class Clock:
    """Calls `tick` after each step of the leading optimiser among those that hold a parameter of the model.

    Where several optimisers share the model (encoder and decoder, GANs), the first seen leads, so an iteration counts
    once; a leader that has gone quiet (the training went on with a new optimiser) is replaced.
    """

    def __init__(self, model: nn.Module, tick: Callable[[], None]) -> None:
        self._model = weakref.ref(model)
        self._tick = weakref.WeakMethod(tick) if hasattr(tick, "__self__") else lambda: tick
        self._mine: weakref.WeakKeyDictionary[Optimizer, tuple[int, bool]] = weakref.WeakKeyDictionary()
        self._leader: weakref.ref[Optimizer] | None = None
        self._others = 0
        self._handle = register_optimizer_step_post_hook(self._hook())

    def _hook(self) -> Callable[[Optimizer, Any, Any], None]:
        me = weakref.ref(self)

        def stepped(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            clock = None if is_compiling() else me()  # a compiled step is not heard: it would have us compiled into it
            if clock is not None:
                clock._stepped(optimizer)

        return stepped

    def _stepped(self, optimizer: Optimizer) -> None:
        known = self._mine.get(optimizer)
        if known is None or known[0] != len(optimizer.param_groups):
            known = (len(optimizer.param_groups), self._holds(optimizer))
            self._mine[optimizer] = known
        if not known[1]:
            return
        leader = None if self._leader is None else self._leader()
        if leader is not optimizer:
            self._others += 1
            if leader is not None and self._others <= PATIENCE:
                return
            self._leader = weakref.ref(optimizer)
        self._others = 0
        tick = self._tick()
        if tick is not None:
            tick()

    def _holds(self, optimizer: Optimizer) -> bool:
        model = self._model()
        if model is None:
            return False
        mine = {id(parameter) for parameter in model.parameters()}
        return any(id(p) in mine for group in optimizer.param_groups for p in group["params"])

    def stop(self) -> None:
        """No tick from now on; more than one call does nothing."""
        self._handle.remove()
