"""The clock: one tick for each real optimiser update of the model, whatever the loop around it looks like."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.compiler import is_compiling
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from .faults import tell
from .hooks import was_copied

SILENCE = 50
"""Steps of others, with none of the model's own before them, after which it is asked whether they are meant for it."""
_clocks: list[weakref.ref[Clock]] = []
"""All that run. One hook of ours serves them: torch goes through its hooks while they are called, and one that were
taken out then (a monitor that ends within a step, or is collected) would be an error of the user's step."""
_hooked: list[object] = []
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
        self._foreign = 0
        _clocks[:] = [*(clock for clock in _clocks if clock() is not None), weakref.ref(self)]
        if not _hooked:
            _hooked.append(register_optimizer_step_post_hook(_all_stepped))

    def _stepped(self, optimizer: Optimizer) -> None:
        known = self._mine.get(optimizer)
        if known is None or known[0] != len(optimizer.param_groups):
            known = (len(optimizer.param_groups), self._holds(optimizer))
            self._mine[optimizer] = known
        if not known[1]:
            self._foreign += self._leader is None
            if self._foreign == SILENCE and self._leader is None:
                self._tell_if_meant(optimizer)
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

    def _tell_if_meant(self, optimizer: Optimizer) -> None:
        """Whether the model is trained after all, without a step that we hear: as a copy, or by other parameters."""
        model = self._model()
        if model is None:
            return
        if any(p.grad is not None for p in model.parameters()) or (was_copied(model) and _alike(model, optimizer)):
            name = type(model).__name__
            tell(
                f"{self._foreign} steps of optimisers, and none that holds a parameter of the {name} that is watched: "
                "likely causes: a copy of it is trained, and copies are not watched (attach to the one that is); its "
                "parameters were replaced after the optimiser was made; the optimiser keeps its own (call "
                "monitor.step() after each of its steps)"
            )

    def stop(self) -> None:
        """No tick from now on; more than one call does nothing."""
        _clocks[:] = [clock for clock in _clocks if clock() not in (self, None)]


def _all_stepped(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if is_compiling():  # a compiled step is not heard: it would have us compiled into it
        return
    for reference in tuple(_clocks):
        clock = reference()
        if clock is not None and reference in _clocks:
            clock._stepped(optimizer)


def _alike(model: nn.Module, optimizer: Optimizer) -> bool:
    """Whether an optimiser holds as many parameters as the model has, of the same shapes."""
    mine, others = list(model.parameters()), [p for group in optimizer.param_groups for p in group["params"]]
    if any(is_lazy(p) for p in (*mine, *others)):
        return False
    return sorted(tuple(p.shape) for p in mine) == sorted(tuple(p.shape) for p in others)
