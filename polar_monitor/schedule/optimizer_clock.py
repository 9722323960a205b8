"""Clock of a run: one tick for each real optimiser update of the model, whatever the loop around it looks like."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.compiler import is_compiling
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..capture.tap import was_copied
from ..errors import WarnOnce, warn
from .missing_steps import MAX_FORWARDS, MissingStepDetector, weak_reference

if TYPE_CHECKING:
    from ..capture.ring import PairedRingBuffer

MAX_FOREIGN_STEPS = 50
"""Steps of other optimisers, before any of the model's own, after which the clock looks if they train the model."""
PATIENCE = 10
"""Steps that an optimiser must be ahead of the leader to replace it, once that one has led for as many."""
MAX_ORPHANS, MAX_ORPHAN_STEPS = 16, 1000
"""Sets of modules that are watched for after their monitor is gone, and optimiser steps for which they are."""
_orphans: list[_Orphans] = []
"""Modules that outlived their monitor, as far as they may be trained."""
_clocks: list[weakref.ref[OptimizerClock]] = []
"""All running clocks. One hook serves them all: torch iterates over its hooks while it calls them, so removing one then
(a monitor ends within a step, or is collected) would be an error in the user's step."""
_hooked: list[object] = []
"""Handle of that hook, once it is registered."""


class _Orphans:
    """Modules whose monitor is gone."""

    def __init__(self, modules: Sequence[weakref.ref[nn.Module]], where: str) -> None:
        self.modules, self.where, self.steps = modules, where, 0

    def look_at(self, optimizer: Optimizer) -> bool:
        """Warn if an optimiser trains one of the modules. Returns False if there is nothing more to expect."""
        self.steps += 1
        living = [module for reference in self.modules if (module := reference()) is not None]
        mine = {id(parameter) for module in living for parameter in module.parameters()}
        if any(id(p) in mine for group in optimizer.param_groups for p in group["params"]):
            warn(
                f"the object that attach() got is gone, and its monitor with it, but its modules {self.where} are "
                "trained, and nothing is recorded: keep that object, or attach to the model that is trained"
            )
            return False
        return bool(living) and self.steps < MAX_ORPHAN_STEPS


def expect_orphans(modules: Sequence[weakref.ref[nn.Module]], where: str) -> None:
    """Warn if these modules, whose monitor is gone, are trained from now on."""
    if any(reference() is not None for reference in modules):
        _orphans[:] = [*_orphans[1 - MAX_ORPHANS :], _Orphans(modules, where)]


def _look_at_orphans(optimizer: Optimizer) -> None:
    try:
        _orphans[:] = [orphans for orphans in tuple(_orphans) if orphans.look_at(optimizer)]
    except Exception:
        _orphans.clear()


class _OptimizerRecord:
    """Facts about one optimiser. The clock looks it up by its id, because an optimiser need not have a hash."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.groups = -1
        """Parameter groups at the last look."""
        self.mine = False
        """True if it holds a parameter of the model."""
        self.latent_groups: tuple[int, ...] = ()
        """Places of the parameter groups that hold parameters of the modules that give the latent."""
        self.refused = False
        """True if looking at it failed; the clock ignores it from then on."""
        self.ahead = 0
        """Its steps minus the leader's, since it was last behind."""

    @property
    def trains_latent(self) -> bool:
        """True if it holds one of the modules that give the latent."""
        return bool(self.latent_groups)


class OptimizerClock:
    """Calls `tick` after each step of the leading optimiser among those that hold a parameter of the model.

    If several optimisers share the model (encoder and decoder, GANs), one that trains the modules of the latent leads:
    of those the one with most steps, the first one among equals, so that an iteration counts once. Where none trains
    them, it is so among all. Failures in here go to `failed`.
    """

    def __init__(self, model: nn.Module, tick: Callable[[], None], failed: Callable[..., None] | None = None) -> None:
        self._model = weakref.ref(model)
        self._tick = weak_reference(tick)
        self._failed = weak_reference(failed)
        self._known: dict[int, _OptimizerRecord] = {}
        self._leader: _OptimizerRecord | None = None
        self._led = 0
        """Steps of the leader."""
        self._busy = True
        """True unless the leader is the only optimiser that was seen."""
        self._foreign = 0
        self._once = WarnOnce()
        self._missing_steps: MissingStepDetector | None = None
        self._latent: tuple[weakref.ref[nn.Module], ...] = ()
        """Modules that give the latent."""
        _clocks[:] = [*(clock for clock in _clocks if clock() is not None), weakref.ref(self)]
        if not _hooked:
            _hooked.append(register_optimizer_step_post_hook(_all_stepped))

    def stepped(self, optimizer: Optimizer) -> None:
        """Take note of a step of any optimiser, and tick if it counts.

        The only optimiser of most runs takes a short way: between evaluations this is all that a step costs.
        """
        leader = self._leader
        if leader is None or leader.optimizer() is not optimizer or self._busy:
            try:
                counts = self._counts_as_step(optimizer)
            except Exception as failure:
                self._report(failure, fatal=True)
                return
            self._busy = len(self._known) > 1
            if not counts:
                return
            self._stop_detector()
        self._led += 1
        tick = self._tick()
        if tick is not None:
            tick()

    def expect_steps(self, ring: PairedRingBuffer) -> None:
        """Warn from now on if `ring` records many forwards and no step comes."""
        self._missing_steps = MissingStepDetector(ring, self._warn_of_no_step)

    def follow(self, modules: tuple[weakref.ref[nn.Module], ...]) -> None:
        """Let the optimisers lead that train the modules of the latent."""
        self._latent, self._busy = modules, True
        for record in self._known.values():
            record.groups = -1

    def weight_decay(self) -> float | None:
        """Return the largest weight decay of the latent's parameter groups, or of the model's; None if not known.

        A decay of the decoder alone is none of the code.
        """
        records = [record for record in self._known.values() if record.mine]
        records = [record for record in records if record.trains_latent] or records
        try:
            living = [(optimizer, record) for record in records if (optimizer := record.optimizer()) is not None]
            values = [
                group.get("weight_decay")
                for optimizer, record in living
                for k, group in enumerate(optimizer.param_groups)
                if k in record.latent_groups or not record.trains_latent
            ]
        except Exception:  # an optimiser of the user's own
            return None
        known = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
        return max(known) if known and len(known) == len(values) else None

    def _stop_detector(self) -> None:
        if self._missing_steps is not None:
            self._missing_steps.stop()
            self._missing_steps = None

    def _warn_of_no_step(self) -> None:
        """Warn inside a forward; a failure must not reach it."""
        try:
            model = self._model()
            if model is None or not any(p.requires_grad for p in model.parameters()) or not self._once("no step"):
                return
            warn(
                f"{MAX_FORWARDS} forwards of {type(model).__name__} in training were seen, but no step of an optimiser "
                "that holds its parameters, so nothing is evaluated. If your loop updates them without torch.optim, or "
                "compiles the step, call monitor.step() after each update"
            )
        except Exception as failure:
            self._report(failure, fatal=False)

    def _report(self, failure: Exception, *, fatal: bool) -> None:
        failed = self._failed()
        if failed is not None:
            failed(failure, fatal=fatal)

    def _counts_as_step(self, optimizer: Optimizer) -> bool:
        """Return True if this step of an optimiser counts as a step of the model."""
        record = self._look_at(optimizer)
        if record.refused:
            return False
        if not record.mine:
            self._foreign += self._leader is None
            if self._foreign == MAX_FOREIGN_STEPS and self._leader is None:
                self._warn_if_model_trains_elsewhere(optimizer)
            return False
        known = [other for other in self._known.values() if other.optimizer() is not None]
        if not record.trains_latent and any(other.trains_latent for other in known):
            return False
        if record.trains_latent and self._leader is not None and not self._leader.trains_latent:
            self._leader = None  # it led before any optimiser of the latent was seen
        if self._leader is not record:
            record.ahead += 1
            led = self._leader is not None and self._leader.optimizer() is not None
            if led and record.ahead <= (PATIENCE if self._led >= PATIENCE else 1):
                return False
            self._leader, self._led = record, 0
            for other in self._known.values():
                other.ahead = 0
        for other in self._known.values():
            other.ahead = max(0, other.ahead - 1)
        return True

    def _look_at(self, optimizer: Optimizer) -> _OptimizerRecord:
        record = self._known.get(id(optimizer))
        if record is None or record.optimizer() is not optimizer:
            self._known = {key: other for key, other in self._known.items() if other.optimizer() is not None}
            record = self._known[id(optimizer)] = _OptimizerRecord(optimizer)
        if not record.refused:
            try:
                if record.groups != len(optimizer.param_groups):
                    self._compare(record, optimizer)
            except Exception as failure:
                record.refused = True
                self._report(failure, fatal=False)
        return record

    def _compare(self, record: _OptimizerRecord, optimizer: Optimizer) -> None:
        """Note whether an optimiser holds parameters of the model, and of the modules of its latent."""
        model = self._model()
        held = [{id(p) for p in group["params"]} for group in optimizer.param_groups]
        heads = [module for reference in self._latent if (module := reference()) is not None]
        latent = {id(p) for head in heads for p in head.parameters()}
        record.mine = model is not None and any(id(p) in group for p in model.parameters() for group in held)
        record.latent_groups = tuple(k for k, group in enumerate(held) if record.mine and not latent.isdisjoint(group))
        record.groups = len(held)

    def _warn_if_model_trains_elsewhere(self, optimizer: Optimizer) -> None:
        """Warn if other optimisers train the model after all: as a copy, or by parameters that it does not hold."""
        model = self._model()
        if model is None:
            return
        if any(p.grad is not None for p in model.parameters()) or (
            was_copied(model) and _same_shapes(model, optimizer)
        ):
            self._once("no step")  # the warning of no step has the same cause
            warn(
                f"saw {self._foreign} optimiser steps; no optimiser holds a parameter of the {type(model).__name__} "
                "that is watched. Likely causes: a copy of it is trained, and copies are not watched (attach to the "
                "one that is trained); its parameters were replaced after the optimiser was made (make the optimiser "
                "again); the optimiser has its own parameters (call monitor.step() after each of its steps)"
            )

    def stop(self) -> None:
        """Stop to tick; a second call does nothing."""
        self._stop_detector()
        _clocks[:] = [clock for clock in _clocks if clock() not in (self, None)]


def _all_stepped(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if is_compiling():  # a compiled step does not count: the clock would be compiled into it
        return
    if _is_nested(optimizer):
        return
    if _orphans:
        _look_at_orphans(optimizer)
    if len(_clocks) == 1:
        clock = _clocks[0]()
        if clock is not None:
            clock.stepped(optimizer)
        return
    for reference in tuple(_clocks):
        clock = reference()
        if clock is not None and reference in _clocks:
            clock.stepped(optimizer)


def _is_nested(optimizer: Optimizer) -> bool:
    """Return True if this step was called by that of a subclass, which has hooks too: the outer one counts."""
    steps = [vars(kind)["step"] for kind in type(optimizer).__mro__ if "step" in vars(kind)]
    steps = [step for step in steps if hasattr(step, "hooked")]
    if len(steps) < 2:
        return False
    frame, depth = sys._getframe(1), 0
    while frame is not None and depth < 2:
        if frame.f_code is steps[0].__code__ and (frame.f_locals.get("args") or (None,))[0] is optimizer:
            depth += 1
        frame = frame.f_back  # type: ignore[assignment]
    return depth > 1


def _same_shapes(model: nn.Module, optimizer: Optimizer) -> bool:
    """Return True if an optimiser holds as many parameters as the model, of the same shapes."""
    mine, others = list(model.parameters()), [p for group in optimizer.param_groups for p in group["params"]]
    if any(is_lazy(p) for p in (*mine, *others)):
        return False
    return sorted(tuple(p.shape) for p in mine) == sorted(tuple(p.shape) for p in others)
