"""Hook before a forward of the model, or of a part of it: begins a group of calls and reads the mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter_ns
from typing import Any

from torch import nn
from torch.compiler import is_compiling

from .._torch_compat import in_backward, is_tracing
from ..discovery.latent import Part
from .copies import OwnHook
from .inputs import batch_size_of, flat, token_of
from .ring import PairedRingBuffer


class ForwardWatch(OwnHook):
    """Forward pre-hook. It returns at once in code that is being compiled."""

    def __init__(self, rings: Sequence[PairedRingBuffer], is_model: bool, mask: Any, strict: bool) -> None:
        """`mask` reads the mask of a forward of this module, as a `discovery.mask.MaskReader` does; None for none."""
        self.rings: Sequence[PairedRingBuffer] = rings
        self._is_model, self._mask, self._strict = is_model, mask, strict
        self.muted = False
        self.nanoseconds = 0
        self.errors = 0
        self.failure: Exception | None = None
        self._handle: Any = None
        self.__name__ = "polar_monitor.ForwardWatch"

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Begin a group of calls."""
        if is_compiling() or self.muted:
            return
        begin = perf_counter_ns()
        try:
            if not in_backward() and not is_tracing():
                self._note(args, kwargs)
        except Exception as failure:
            self.errors += 1
            self.failure = failure
            if self._strict:
                raise
        self.nanoseconds += perf_counter_ns() - begin

    def _note(self, args: Any, kwargs: Any) -> None:
        values = flat(args, kwargs)
        token = token_of(values)
        entered = [ring for ring in self.rings if ring.enter(begins_forward=self._is_model)]
        try:
            self._begin(entered, args, kwargs, values, token)
        finally:
            for ring in entered:
                ring.leave()

    def _begin(self, rings: list[PairedRingBuffer], args: Any, kwargs: Any, values: list[Any], token: Any) -> None:
        for ring in rings:
            if self._is_model:
                ring.begin_group(token, in_forward=True)
                ring.numbers.inputs = batch_size_of(values)
                ring.numbers.mask, ring.numbers.mask_read = None, False
            else:
                ring.numbers.see(token)
        if self._mask is not None:
            mask = self._mask(args, kwargs)  # if it fails, no call of this forward is recorded
            for ring in rings:
                ring.numbers.mask, ring.numbers.mask_read = mask, True

    def put(self, module: nn.Module | None) -> None:
        """Put the hook on a module."""
        if self._handle is None and module is not None:
            self.keep_out_of_copies(module)
            self._handle = module.register_forward_pre_hook(self, with_kwargs=True)

    def take(self) -> None:
        """Take the hook off."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def end(self) -> None:
        """Do nothing from now on, and hold nothing."""
        self.rings, self._mask = (), None
        self.release()


def parts_around(parts: Iterable[Part], model: nn.Module) -> list[nn.Module]:
    """Return the model, and the modules between it and those of a latent."""
    hooked = [part.module for part in parts]
    names = [name for name, module in model.named_modules() if any(module is other for other in hooked)]
    around = {name[:stop]: None for name in names for stop, letter in enumerate(name) if letter == "."}
    return [model, *(model.get_submodule(name) for name in around)]
