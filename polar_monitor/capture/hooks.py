"""The hooks of one monitor: put on, taken off for a while, taken off for good. Nothing is left on the model."""

from __future__ import annotations

import weakref

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from ..discovery.latent import Latent
from .compiled import compiled_already, is_compiled
from .ring import PairedRingBuffer
from .tap import Tap


class HookSet:
    """Taps on the modules of a latent; `rings` by whether the module is training."""

    def __init__(self, model: nn.Module, latent: Latent, rings: dict[bool, PairedRingBuffer], strict: bool) -> None:
        # Where a model without storage yet (meta) will be is not known; the CPU is a guess.
        device = next((p.device for p in model.parameters() if not p.is_meta), torch.device("cpu"))
        self._model = weakref.ref(model)
        self.late = self._compiled = compiled_already(model)
        """A model of this class had run compiled before, as `attach` has told; compiled code is a class's own."""
        self.surely_late = self.late and is_compiled(model)
        """And this one had been compiled."""
        self.where = ", ".join(part.name or "the model" for part in latent.parts)
        """The modules' names."""
        self.taps: list[Tap] = []
        self._modules: list[weakref.ref[nn.Module]] = []
        self._handles: dict[Tap, RemovableHandle] = {}
        for part in latent.parts:
            self.taps.append(Tap(rings, part.reader, part.side, latent.channels_first, strict))
            self._modules.append(weakref.ref(part.module))
        if latent.likely is not None:
            for ring in rings.values():
                ring.prepare_traced(latent.likely, device)
        self._rings = tuple(rings.values())
        self._off: set[str] = set()
        self._set()

    def off(self, why: str) -> None:
        """Take the hooks off, for a reason that `on` takes back."""
        self._off.add(why)
        self._set()

    def on(self, why: str) -> None:
        """Put the hooks back on, unless they are off for another reason too."""
        self._off.discard(why)
        self._set()

    @property
    def ended(self) -> bool:
        """Whether the hooks are off for good."""
        return "ended" in self._off

    def was_compiled(self) -> bool:
        """Whether the model has been compiled, and a model of its class run so, since the last question."""
        before, self._compiled = self._compiled, self._compiled_now()
        model = self._model()
        return self._compiled and not before and model is not None and is_compiled(model)

    def _compiled_now(self) -> bool:
        model = self._model()
        return model is not None and compiled_already(model)

    @property
    def moved(self) -> bool:
        """Whether the model has been compiled and is not where its compiled code would record."""
        model = self._model()
        there = set() if model is None else {parameter.device for parameter in model.parameters()}
        rings = [ring.mean.traced for ring in self._rings if ring.mean.traced is not None]
        return bool(there) and self._compiled_now() and any(buffer.device not in there for buffer in rings)

    def mute(self, muted: bool) -> None:
        """Leave the hooks on, but let eager forwards go by unrecorded."""
        for tap in self.taps:
            tap.muted = muted

    def _set(self) -> None:
        if not self._off and not self._handles:
            alive = [(module(), tap) for module, tap in zip(self._modules, self.taps, strict=True)]
            self._handles = {tap: module.register_forward_hook(tap) for module, tap in alive if module is not None}
        elif self._off:
            self._find_moved()
            while self._handles:
                self._handles.popitem()[1].remove()
            if self.ended:
                for tap in self.taps:
                    tap.end()

    def _find_moved(self) -> None:
        """Take off the hooks that a tool has put on another module (as fusing does), where they will be put back."""
        for place, (tap, reference) in enumerate(zip(self.taps, self._modules, strict=True)):
            handle, module, model = self._handles.get(tap), reference(), self._model()
            there = handle is not None and module is not None and handle.id in module._forward_hooks
            if model is None or (handle is None and not self.ended) or (there and not self.ended):
                continue
            for other in model.modules():
                for key in [key for key, hook in other._forward_hooks.items() if hook is tap]:
                    del other._forward_hooks[key]
                    self._modules[place] = weakref.ref(other)

    def seconds(self) -> float:
        """Time spent in the taps since the last call."""
        total = sum(tap.nanoseconds for tap in self.taps) * 1e-9
        for tap in self.taps:
            tap.nanoseconds = 0
        return total

    @property
    def errors(self) -> int:
        """Exceptions swallowed by the taps."""
        return sum(tap.errors for tap in self.taps)

    @property
    def last_error(self) -> str:
        """One of them, as "Type: message", or ''."""
        failure = next((tap.failure for tap in self.taps if tap.failure is not None), None)
        return "" if failure is None else f"{type(failure).__name__}: {failure}"
