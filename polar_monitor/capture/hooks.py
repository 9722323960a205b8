"""The hooks of one monitor: put on, taken off for a while, taken off for good. Nothing stays on the model."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .._torch_compat import forward_hooks, forward_pre_hooks, has_run_compiled, is_compiled
from ..discovery.latent import Latent, Reader
from ..discovery.module_places import ModulePlaces
from ..errors import describe
from .axes import Axes
from .compiled import is_compiled_in
from .forward_watch import ForwardWatch, parts_around
from .ring import PairedRingBuffer
from .tap import Tap


class HookSet:
    """Taps on the modules of a latent; `rings` are by `module.training`."""

    def __init__(
        self, model: nn.Module, latent: Latent, rings: dict[bool, PairedRingBuffer], strict: bool, mask: Any = None
    ) -> None:
        # The later device of a model without storage yet (meta) is unknown; the CPU is a guess.
        device = next((p.device for p in model.parameters() if not p.is_meta), torch.device("cpu"))
        self._model, self.rings = weakref.ref(model), tuple(rings.values())
        self.class_compiled_before = self._has_run_compiled = has_run_compiled(model)
        """True if a model of this class had run compiled before: compiled code belongs to a class."""
        self.model_compiled_before = self.class_compiled_before and is_compiled(model)
        """True if this very model had been compiled too."""
        self.names = tuple(repr(part.name) if part.name else "the model's output" for part in latent.parts)
        """Names of the hooked modules, for messages."""
        self.where = ", ".join(self.names)
        self.taps: list[Tap] = []
        self._modules: list[weakref.ref[nn.Module]] = []
        self._keys: list[int | None] = [None] * len(latent.parts)
        """Key of each tap in the table of its module's hooks; None before it was put there."""
        self._placed = False
        """True while the taps are on their modules."""
        self._places = ModulePlaces(model, [part.module for part in latent.parts])
        axes = Axes(latent.layout if latent.layout_given else None, latent.layout, latent.dimensions or latent.likely)
        for part in latent.parts:
            self.taps.append(Tap(rings, part.reader, part.side, axes, strict, part.calls))
            self._modules.append(weakref.ref(part.module))
        masking = None if mask is None else model.get_submodule(mask.module)
        around = parts_around(latent.parts, model)
        if masking is not None and not any(masking is part for part in around):
            around.append(masking)
        self._watches = [
            (ForwardWatch(self.rings, part is model, mask if part is masking else None, strict), weakref.ref(part))
            for part in around
        ]
        """Hooks before the forwards of the model, of the parts around the latent, and of what takes the mask."""
        for ring in rings.values():
            ring.watched, ring.mask_needed = True, mask is not None
        if latent.likely is not None:
            for ring in rings.values():
                ring.prepare_traced(latent.likely, device)
        self.mask = mask
        self._off: set[str] = set()
        """Reasons for which the hooks are off."""
        self._set()

    def parts(self) -> list[tuple[nn.Module, Reader | None, str, frozenset[int] | None]]:
        """Return the modules of the latent that exist; of each how its output is read, its side, and its calls."""
        pairs = ((reference(), tap) for reference, tap in zip(self._modules, self.taps, strict=True))
        return [(module, tap.reader, tap.side, tap.calls) for module, tap in pairs if module is not None]

    def off(self, why: str) -> None:
        """Take the hooks off, for a reason that `on` takes back; the reason "ended" is final."""
        self._off.add(why)
        self._set()

    def on(self, why: str) -> None:
        """Put the hooks back on, unless they are off for another reason too."""
        self._off.discard(why)
        self._set()

    @property
    def _all(self) -> tuple[ForwardWatch | Tap, ...]:
        """All hooks, in the order in which a forward calls them."""
        return (*(watch for watch, _ in self._watches), *self.taps)

    @property
    def ended(self) -> bool:
        """True if the hooks are off for good."""
        return "ended" in self._off

    @property
    def modules(self) -> tuple[weakref.ref[nn.Module], ...]:
        """References to the hooked modules."""
        return tuple(self._modules)

    def compiled_without(self) -> bool:
        """Return True if since the last call the model was compiled and has run so, and the code has no hooks."""
        before, self._has_run_compiled = self._has_run_compiled, self._runs_compiled()
        if before or not self._has_run_compiled or any(is_compiled_in(ring.mean.key) for ring in self.rings):
            return False
        model = self._model()
        return model is not None and is_compiled(model)

    def _runs_compiled(self) -> bool:
        model = self._model()
        return model is not None and has_run_compiled(model)

    def changes(self) -> list[str]:
        """Return what has become of modules whose names do not mean what is watched, or that have lost their hooks."""
        changes = []
        for place, tap in enumerate(() if self.ended else self.taps):
            module = self._modules[place]()
            if self._placed and module is not None and not self._is_on(tap, module):
                changes.append(f"the hook on {self.names[place]} was removed by other code")
            elif change := self._places.change(place, module):
                changes.append(change)
        return changes

    def _is_on(self, tap: Tap, module: nn.Module) -> bool:
        """Return True if a tap is on this module, or on another one that a tool has moved it to."""
        model = self._model()
        others = () if model is None else model.modules()
        return any(tap in forward_hooks(one).values() for one in itertools.chain((module,), others))

    @property
    def model_trains(self) -> bool:
        """True if the model has a parameter that may be trained."""
        model = self._model()
        return model is not None and any(parameter.requires_grad for parameter in model.parameters())

    @property
    def unwatched(self) -> int:
        """Eager forwards of a module in a mode that is not watched, the most of one."""
        return max((tap.unwatched for tap in self.taps), default=0)

    @property
    def in_eval(self) -> bool:
        """True if a module of the latent is in eval mode now."""
        modules = (reference() for reference in self._modules)
        return any(not module.training for module in modules if module is not None)

    @property
    def was_copied(self) -> bool:
        """True if the model has been copied or pickled."""
        return any(tap.copied for tap in self.taps)

    def class_compiled_now(self) -> bool:
        """Return True if a model of this class has run compiled."""
        return self._runs_compiled()

    @property
    def moved(self) -> bool:
        """True if the model has been compiled and is on another device than the memory of its compiled code."""
        model = self._model()
        devices = set() if model is None else {parameter.device for parameter in model.parameters()}
        traced = [ring.mean.traced for ring in self.rings if ring.mean.traced is not None]
        return bool(devices) and self._runs_compiled() and any(rows.device not in devices for rows in traced)

    def mute(self, muted: bool) -> None:
        """Leave the hooks on, but record no eager forward."""
        for hook in self._all:
            hook.muted = muted

    @contextmanager
    def probing(
        self, probes: Sequence[Callable[..., Any]], before: Callable[..., None], read_mask: Callable[..., None]
    ) -> Iterator[None]:
        """Put a probe in the place of each tap, on or off, and mute the hooks of all monitors of the model.

        `before` is called before the forward, with the model, its arguments and its keyword arguments, and `read_mask`
        before that of the module that takes the mask.
        """
        model, mine = self._model(), dict(zip(self.taps, probes, strict=True))
        tables = [forward_hooks(module) for module in (() if model is None else model.modules())]
        taps = [(table, key, tap) for table in tables for key, tap in table.items() if isinstance(tap, Tap)]
        placed = [(table, key, tap) for table, key, tap in taps if tap in mine]
        handles: list[Any] = []
        with muted(model):
            try:
                if model is not None:
                    handles.append(model.register_forward_pre_hook(before, with_kwargs=True))
                    if self.mask is not None:
                        masking = model.get_submodule(self.mask.module)
                        handles.append(masking.register_forward_pre_hook(read_mask, with_kwargs=True))
                for table, key, tap in placed:
                    table[key] = mine[tap]
                for reference, tap in zip(self._modules, self.taps, strict=True):
                    module = reference()
                    if module is not None and not any(tap is other for _, _, other in placed):
                        handles.append(module.register_forward_hook(mine[tap]))
                yield
            finally:
                for handle in handles:
                    handle.remove()
                for table, key, tap in placed:
                    if table.get(key) is mine[tap]:  # a forward may take hooks off
                        table[key] = tap

    def _set(self) -> None:
        """Put the hooks on or take them off, as the reasons say."""
        if not self._off and not self._placed:
            for place, tap in enumerate(self.taps):
                self._put(place, tap)
            for watch, reference in self._watches:
                watch.put(reference())
            self._placed = True
        elif self._off:
            if self._placed or self.ended:
                for place, tap in enumerate(self.taps):
                    self._take(place, tap)
            for watch, _ in self._watches:
                watch.take()
            self._placed = False
            if self.ended:
                for hook in self._all:
                    hook.end()
                self.mask = None

    def _put(self, place: int, tap: Tap) -> None:
        """Put a tap on its module. It keeps its key, so that a pause costs two changes of a table."""
        module, key = self._modules[place](), self._keys[place]
        if module is None:
            return
        if key is None:
            tap.keep_out_of_copies(module)
            self._keys[place] = module.register_forward_hook(tap).id
        else:
            forward_hooks(module)[key] = tap

    def _take(self, place: int, tap: Tap) -> None:
        """Take a tap off its module, or off all modules that it was put on."""
        module, key = self._modules[place](), self._keys[place]
        hooks = {} if module is None else forward_hooks(module)
        in_place = key is not None and hooks.get(key) is tap
        if in_place and key is not None:
            del hooks[key]
        if not in_place or self.ended:
            self._take_moved(place, tap)

    def _take_moved(self, place: int, tap: Tap) -> None:
        """Take off a hook that a tool has put on another module, as fusing does, and note that module for `on`."""
        model = self._model()
        for other in () if model is None else model.modules():
            hooks = forward_hooks(other)
            for key in [key for key, hook in hooks.items() if hook is tap]:
                del hooks[key]
                self._modules[place], self._keys[place] = weakref.ref(other), None

    def seconds(self) -> float:
        """Return the time spent in the taps since the last call."""
        total = sum(hook.nanoseconds for hook in self._all) * 1e-9
        for hook in self._all:
            hook.nanoseconds = 0
        return total

    @property
    def errors(self) -> int:
        """Exceptions that the hooks have swallowed."""
        return sum(hook.errors for hook in self._all)

    @property
    def last_error(self) -> str:
        """One of these exceptions, as "Type: message", or ''."""
        failure = next((hook.failure for hook in self._all if hook.failure is not None), None)
        return "" if failure is None else describe(failure)


@contextmanager
def muted(model: nn.Module | None) -> Iterator[None]:
    """Record no eager forward of a model, for any of its monitors."""
    tables = [forward_hooks(module) for module in (() if model is None else model.modules())]
    taps = {tap for table in tables for tap in table.values() if isinstance(tap, Tap) and not tap.muted}
    hooks: list[Tap | ForwardWatch] = [*taps, *(watch for watch in _watches_of(model) if not watch.muted)]
    try:
        for hook in hooks:
            hook.muted = True
        yield
    finally:
        for hook in hooks:
            hook.muted = False


def _watches_of(model: nn.Module | None) -> list[ForwardWatch]:
    """Return the hooks of all monitors before the forwards of a model and of its parts."""
    modules = () if model is None else model.modules()
    hooks = (hook for module in modules for hook in forward_pre_hooks(module).values())
    return [hook for hook in hooks if isinstance(hook, ForwardWatch)]
