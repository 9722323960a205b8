"""The clock: one tick for each real optimiser update of the model, whatever the loop around it looks like."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.compiler import is_compiling
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..capture.tap import was_copied
from ..errors import warn
from .missing_steps import UNHEARD, MissingStepDetector, weak

if TYPE_CHECKING:
    from ..capture.ring import PairedRingBuffer

SILENCE = 50
"""Steps of others, with none of the model's own before them, after which it is asked whether they are meant for it."""
_clocks: list[weakref.ref[OptimizerClock]] = []
"""All that run. One hook of ours serves them: torch goes through its hooks while they are called, and one that were
taken out then (a monitor that ends within a step, or is collected) would be an error of the user's step."""
_hooked: list[object] = []
PATIENCE = 10
"""Steps that another optimiser must be ahead of one that has led for as many, to become the leader."""


class _Heard:
    """What is known of an optimiser. It is found by its id: it need not have a hash."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.groups = -1
        """Parameter groups when it was last looked at."""
        self.mine = False
        """It holds a parameter of the model."""
        self.refused = False
        """It could not be looked at, and is left alone."""
        self.ahead = 0
        """Its steps less the leader's, from where it was behind last."""


class OptimizerClock:
    """Calls `tick` after each step of the leading optimiser among those that hold a parameter of the model.

    Where several optimisers share the model (encoder and decoder, GANs), the one that steps most leads, the first seen
    of those that step as often, so an iteration counts once. What fails in here is handed to `failed`.
    """

    def __init__(self, model: nn.Module, tick: Callable[[], None], failed: Callable[..., None] | None = None) -> None:
        self._model = weakref.ref(model)
        self._tick = weak(tick)
        self._failed = weak(failed)
        self._known: dict[int, _Heard] = {}
        self._leader: _Heard | None = None
        self._led = 0
        """Steps of the leader."""
        self._foreign = 0
        self._told = False
        self._unheard: MissingStepDetector | None = None
        _clocks[:] = [*(clock for clock in _clocks if clock() is not None), weakref.ref(self)]
        if not _hooked:
            _hooked.append(register_optimizer_step_post_hook(_all_stepped))

    def stepped(self, optimizer: Optimizer) -> None:
        """An optimiser, ours or not, has made a step."""
        try:
            leads = self._leads(optimizer)
        except Exception as failure:
            self._tell(failure, fatal=True)
            return
        if not leads:
            return
        self._forget_forwards()
        tick = self._tick()
        if tick is not None:
            tick()

    def expect(self, ring: PairedRingBuffer) -> None:
        """From now on, forwards that are recorded in `ring`, and no step, are told."""
        self._unheard = MissingStepDetector(ring, self._tell_of_no_step)

    def _forget_forwards(self) -> None:
        if self._unheard is not None:
            self._unheard.stop()
            self._unheard = None

    def _tell_of_no_step(self) -> None:
        model = self._model()
        if self._told or model is None or not any(p.requires_grad for p in model.parameters()):
            return
        self._told = True
        warn(
            f"{UNHEARD} forwards of the {type(model).__name__} in training, and no step of an optimiser that holds its "
            "parameters, so nothing is evaluated: an update without torch.optim, or a compiled one, is not heard (call "
            "monitor.step() after each)"
        )

    def _tell(self, failure: Exception, *, fatal: bool) -> None:
        failed = self._failed()
        if failed is not None:
            failed(failure, fatal=fatal)

    def _leads(self, optimizer: Optimizer) -> bool:
        """Whether this step of an optimiser is one of the model."""
        heard = self._look_at(optimizer)
        if heard.refused:
            return False
        if not heard.mine:
            self._foreign += self._leader is None
            if self._foreign == SILENCE and self._leader is None:
                self._tell_if_meant(optimizer)
            return False
        if self._leader is not heard:
            heard.ahead += 1
            alive = self._leader is not None and self._leader.optimizer() is not None
            if alive and heard.ahead <= (PATIENCE if self._led >= PATIENCE else 1):
                return False
            self._leader, self._led = heard, 0
            for other in self._known.values():
                other.ahead = 0
        self._led += 1
        for other in self._known.values():
            other.ahead = max(0, other.ahead - 1)
        return True

    def _look_at(self, optimizer: Optimizer) -> _Heard:
        heard = self._known.get(id(optimizer))
        if heard is None or heard.optimizer() is not optimizer:
            self._known = {key: other for key, other in self._known.items() if other.optimizer() is not None}
            heard = self._known[id(optimizer)] = _Heard(optimizer)
        if not heard.refused:
            try:
                if heard.groups != len(optimizer.param_groups):
                    heard.mine, heard.groups = self._holds(optimizer), len(optimizer.param_groups)
            except Exception as failure:
                heard.refused = True
                self._tell(failure, fatal=False)
        return heard

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
            self._told, name = True, type(model).__name__
            warn(
                f"{self._foreign} steps of optimisers, and none that holds a parameter of the {name} that is watched: "
                "likely causes: a copy of it is trained, and copies are not watched (attach to the one that is); its "
                "parameters were replaced after the optimiser was made; the optimiser keeps its own (call "
                "monitor.step() after each of its steps)"
            )

    def stop(self) -> None:
        """No tick from now on; more than one call does nothing."""
        self._forget_forwards()
        _clocks[:] = [clock for clock in _clocks if clock() not in (self, None)]


def _all_stepped(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if is_compiling():  # a compiled step is not heard: it would have us compiled into it
        return
    for reference in tuple(_clocks):
        clock = reference()
        if clock is not None and reference in _clocks:
            clock.stepped(optimizer)


def _alike(model: nn.Module, optimizer: Optimizer) -> bool:
    """Whether an optimiser holds as many parameters as the model has, of the same shapes."""
    mine, others = list(model.parameters()), [p for group in optimizer.param_groups for p in group["params"]]
    if any(is_lazy(p) for p in (*mine, *others)):
        return False
    return sorted(tuple(p.shape) for p in mine) == sorted(tuple(p.shape) for p in others)
