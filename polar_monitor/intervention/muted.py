"""Context in which no hook of ours on a model records anything: neither taps nor the search of a latent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from .._torch_compat import forward_hooks, forward_pre_hooks
from ..capture.forward_watch import ForwardWatch
from ..capture.search.look import LookHook
from ..capture.tap import Tap


@contextmanager
def muted(model: nn.Module) -> Iterator[None]:
    """Mute the hooks of all monitors and searches of a model; at the end each is as it was."""
    tables = [table(module) for module in model.modules() for table in (forward_hooks, forward_pre_hooks)]
    hooks = [hook for table in tables for hook in table.values()]
    ours = [hook for hook in hooks if isinstance(hook, Tap | ForwardWatch)]
    looks = [hook.look for hook in hooks if isinstance(hook, LookHook)]
    before = [(one, one.muted) for one in (*ours, *{id(look): look for look in looks}.values())]
    try:
        for one, _ in before:
            one.muted = True
        yield
    finally:
        for one, was in before:
            one.muted = was
