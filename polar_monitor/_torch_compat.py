"""The private or version-bound corners of torch, each behind a name of ours and with a fallback."""

from __future__ import annotations

import os

import torch
from torch import Tensor

_in_backward = getattr(torch._C, "_current_graph_task_id", lambda: -1)
_fx = torch.fx._symbolic_trace
_is_fx_tracing = getattr(_fx, "is_fx_symbolic_tracing", getattr(_fx, "is_fx_tracing", lambda: False))
_dispatch_mode = getattr(torch._C, "_get_dispatch_mode", lambda _: None)
_PROXY = getattr(getattr(torch._C, "_TorchDispatchModeKey", None), "PROXY", None)
_functorch = getattr(torch._C, "_functorch", None)
_is_wrapped = getattr(_functorch, "is_functorch_wrapped_tensor", lambda _: False)


def in_backward() -> bool:
    """Whether autograd runs now: a forward seen then is a checkpoint's recomputation.

    PyTorch's own module tracker and checkpointing ask the same.
    """
    return bool(_in_backward() != -1)


def is_plain(tensor: object) -> bool:
    """Whether a tensor holds numbers of its own: not meta, fake, or wrapped by vmap and its like."""
    if not isinstance(tensor, Tensor) or tensor.is_meta or _is_wrapped(tensor):
        return False
    return type(tensor).__name__ != "FakeTensor"


def is_exporting() -> bool:
    """Whether `torch.export` runs now."""
    ask = getattr(torch.compiler, "is_exporting", None)
    return bool(ask()) if ask is not None else False


def is_tracing() -> bool:
    """Whether `torch.jit.trace`, `torch.fx.symbolic_trace` or `make_fx` runs: what we do would go into the graph."""
    if torch._C._get_tracing_state() is not None or _is_fx_tracing():
        return True
    return _PROXY is not None and _dispatch_mode(_PROXY) is not None


def rank() -> int:
    """This process's rank under `torch.distributed`, also where a launcher has set it and the group comes later."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return int(torch.distributed.get_rank())
    told = os.environ.get("RANK", "0")
    return int(told) if told.isdigit() else 0
