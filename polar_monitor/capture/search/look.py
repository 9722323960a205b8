"""Looks at the first forwards: hooks on a model's modules that keep a block of every tensor, for `discovery.evidence`.

They are on for a few training steps. A hook copies the first rows of what goes into and comes out of a module; nothing
is computed, nothing changes, and no tensor of the model is held.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from math import prod
from time import perf_counter_ns
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from ..._torch_compat import (
    forward_hooks,
    forward_pre_hooks,
    in_backward,
    is_capturing,
    is_plain,
    is_tracing,
    stands_for_others,
)
from ...discovery.evidence.seen import GIVEN, MAX_CALLS, MAX_ROW, Path, Seen, corner_of, tensors_of
from ...discovery.latent import Latent
from ...discovery.unwrap import unwrapped
from ..copies import OwnHook
from ..output_rows import MANTISSA, refusal
from ..transfer import to_hosts

MAX_NUMBERS = 8192
"""Numbers of a tensor that are kept, unless its first row has more."""
MAX_CALLS_WITHOUT_STEP = 1000
"""Calls of one module without a step of the training after which the hooks do nothing until one comes."""
MAX_BYTES = 64 * 2**20
"""Memory of all blocks of a step."""
CONTAINERS = nn.Sequential | nn.ModuleList | nn.ModuleDict
NOT_HOOKED = nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
"""Layers that compute in another way while they have hooks."""


class Look:
    """Hooks on the modules of a model, and what they have seen since the latest `end_step`."""

    def __init__(self, model: nn.Module) -> None:
        self._model = weakref.ref(model)
        self._handles: list[Any] = []
        self._seen: list[tuple[Seen, Tensor | None]] = []
        self._calls: dict[str, int] = {}
        self._bytes = 0
        self.muted = False
        """True if the hooks do nothing, as they could not be taken off."""
        self.on_flood: Callable[[], None] | None = None
        """Called once if a module is called `MAX_CALLS_WITHOUT_STEP` times and `end_step` is not; it must not raise."""
        self.given: Latent | None = None
        """Latent whose functions the user gave; what they give is kept too."""
        self.reads_all = False
        """True if integers and flags are kept too, and as many rows as memory allows."""
        self.any_mode = False
        """True if forwards in eval mode are looked at too."""
        self.nanoseconds = 0
        """Time spent in the hooks since it was last set to 0."""

    def start(self, names: Container[str] | None = None) -> None:
        """Put hooks on the modules of these names, or on all, in the place of those that are on."""
        self.stop()
        model = self._model()
        for name, module in () if model is None else hookable_modules(model):
            if names is None or name in names:
                before, after = LookBefore(self, name, module), LookHook(self, name, module)
                before.keep_out_of_copies(module)
                after.keep_out_of_copies(module)
                self._handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
                self._handles.append(module.register_forward_hook(after))

    def stop(self) -> None:
        """Take all hooks off, also those that a tool has put on another module."""
        for handle in self._handles:
            handle.remove()
        model = self._model() if self._handles else None
        for module in () if model is None else model.modules():
            for table in (forward_hooks(module), forward_pre_hooks(module)):
                for key in [key for key, hook in table.items() if isinstance(hook, LookHook) and hook.look is self]:
                    del table[key]
        self._handles.clear()

    @property
    def is_on(self) -> bool:
        """True while hooks are on modules."""
        return bool(self._handles)

    def end_step(self) -> Blocks | None:
        """Return what the step showed, on its way to the host; None if no module was called."""
        seen, self._seen, self._calls, self._bytes = self._seen, [], {}, 0
        return Blocks(seen) if seen else None

    def keep(self, name: str, is_output: bool, value: Any, layer: bool, kind: str) -> None:
        """Keep a block of each tensor in what a module takes or gives."""
        call = self._calls.get(name, 0)
        if is_output:
            self._calls[name] = call + 1
            if call == MAX_CALLS_WITHOUT_STEP:
                self.muted, flood, self.on_flood = True, self.on_flood, None
                if flood is not None:
                    flood()
        if call >= MAX_CALLS:
            return
        self._keep_tensors(name, is_output, value, (), call, layer, kind)
        for part in self.given.parts if is_output and self.given is not None else ():
            if part.name == name and part.reader is not None:
                read = part.reader(value)
                sides = dict(zip(("mean", "spread"), read, strict=False)) if part.side == "both" else {part.side: read}
                self._keep_tensors(name, True, sides, (GIVEN,), call, layer, kind)

    def _keep_tensors(
        self, name: str, is_output: bool, value: Any, within: Path, call: int, layer: bool, kind: str
    ) -> None:
        for path, tensor in tensors_of(value, within):
            if is_plain(tensor) and not refusal(tensor) and not stands_for_others(type(tensor)):
                mantissa, shape = MANTISSA.get(tensor.dtype, 23), tuple(tensor.shape)
                entry = Seen(name, is_output, path, len(self._seen), call, shape, None, mantissa, layer, kind)
                self._seen.append((entry, self._block(tensor.detach())))

    def _block(self, tensor: Tensor) -> Tensor | None:
        corner = corner_of(tuple(tensor.shape))
        row = prod(corner)
        is_kept = tensor.is_floating_point() or (self.reads_all and tensor.dim() > 0)
        if not is_kept or not 0 < row <= MAX_ROW or tensor.shape[0] == 0:
            return None
        count = tensor.shape[0] if self.reads_all else min(tensor.shape[0], max(1, MAX_NUMBERS // row))
        if self._bytes + 4 * row * count > MAX_BYTES:
            return None
        self._bytes += 4 * row * count
        return tensor[(slice(count), *map(slice, corner))].to(torch.float32, copy=True)


class LookHook(OwnHook):
    """Hook on the output of one module."""

    def __init__(self, look: Look, name: str, module: nn.Module) -> None:
        self.look, self._name, self._layer, self._kind = look, name, is_layer(module), type(module).__name__
        self.__name__ = "polar_monitor.LookHook"

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Keep the output of a call."""
        if not is_compiling():
            self._keep(module, True, output)

    def _keep(self, module: nn.Module, is_output: bool, value: Any) -> None:
        begin, look = perf_counter_ns(), self.look
        if look.muted or not look.is_on:  # a tool has put the hook where it could not be taken off
            return
        try:
            if (module.training or look.any_mode) and not (in_backward() or is_tracing() or is_capturing()):
                look.keep(self._name, is_output, value, self._layer, self._kind)
        except Exception:  # nothing is raised in someone's forward; what was not seen is no evidence
            pass
        look.nanoseconds += perf_counter_ns() - begin


class LookBefore(LookHook):
    """Hook on the inputs of one module: an object of its own, as copies of a model copy it alone."""

    def __call__(self, module: nn.Module, args: Any, kwargs: Any = None) -> None:
        """Keep the inputs of a call. A thread that is in one while the hooks come off passes no `kwargs`."""
        if not is_compiling():
            self._keep(module, False, args)
            if kwargs:
                self._keep(module, False, kwargs)


class Blocks:
    """Tensors that one step showed: on the CPU at once, on CUDA as copies that arrive some steps later."""

    def __init__(self, seen: list[tuple[Seen, Tensor | None]]) -> None:
        self._seen = [entry for entry, _ in seen]
        self._places = [place for place, (_, block) in enumerate(seen) if block is not None]
        self._hosts, self._events = to_hosts([block for _, block in seen if block is not None])

    def ready(self) -> bool:
        """Return True if `take` does not have to wait."""
        return all(event.query() for event in self._events)  # type: ignore[no-untyped-call]

    def take(self) -> list[Seen]:
        """Return the tensors of the step in the order in which they were seen."""
        for event in self._events:
            event.synchronize()
        seen = list(self._seen)
        for place, host in zip(self._places, self._hosts, strict=True):
            seen[place] = replace(seen[place], block=host.numpy())
        return seen


def hookable_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that take hooks, by name; none inside a composite layer of PyTorch's own.

    A wrapper stands for what it wraps, which has the same name.
    """
    inside: set[int] = set()
    names: set[str] = set()
    for name, module in model.named_modules():
        short = unwrapped(name)
        if id(module) in inside or isinstance(module, torch.jit.ScriptModule) or short in names:
            continue
        names.add(short)
        if is_layer(module):
            inside.update(id(part) for part in module.modules() if part is not module)
        if not isinstance(module, NOT_HOOKED):
            yield short, module


def is_layer(module: nn.Module) -> bool:
    """Return True for a layer of PyTorch's own, which is no container of layers."""
    return type(module).__module__.startswith("torch.nn.") and not isinstance(module, CONTAINERS)
