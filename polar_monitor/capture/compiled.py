"""TODO."""

from __future__ import annotations

import gc

import torch
from torch import Tensor, nn

from .row_buffer import BY_KEY

_plainly = Tensor.__torch_dispatch__


WRITABLE = {"tag_activation_checkpoint", "wrap_activation_checkpoint", "invoke_subgraph", "Function"}
"""Operators that take functions in which one may write to what lies outside; the last is `autograd.Function`."""


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def follow(key: str, device: torch.device) -> bool:
    """While a forward is compiled: go to the device the model has been moved to, if nothing was recorded before."""
    channel = BY_KEY.get(key)
    if channel is not None and channel.traced is not None and channel.traced.device != device:
        cursor = channel.traced_cursor
        if cursor is None or cursor.is_meta or not cursor[2]:
            channel.prepare_traced(channel.traced.shape[1], device)
    return True


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def set_apart(key: str) -> bool:
    """While a forward is compiled: whether in a part of it that must not write to what lies outside of it.

    That is within vmap, grad and their like, whose tensors are wrapped, and within most operators that take functions
    (cond, map, scan).
    """
    return _in_transform() or _in_operator()


def _in_transform() -> bool:
    ask = getattr(getattr(torch._C, "_functorch", None), "maybe_current_level", None)
    return ask is not None and ask() is not None


def _in_operator() -> bool:
    try:  # private to torch: where it is gone, such a model fails to compile while it is watched
        from torch._dynamo.symbolic_convert import InstructionTranslator

        tracer = InstructionTranslator.current_tx().output.current_tracer
        while tracer.parent is not None:
            name = getattr(tracer.source_target, "__name__", tracer.source_target)
            if str(name).rpartition(".")[2] not in WRITABLE:
                return True
            tracer = tracer.parent
    except (ImportError, AttributeError):
        pass
    return False


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def dispatches(kind: type) -> bool:
    """While a forward is compiled: whether tensors of this type stand for others, as DTensor's do."""
    return getattr(kind, "__torch_dispatch__", _plainly) is not _plainly


def is_compiled(model: nn.Module) -> bool:
    """Whether `torch.compile` was given this model, or one that holds it, and what it gave is still there.

    Compiled code belongs to a class, so only this tells its models apart. Goes through all objects: some 0.1 s.
    """
    if getattr(model, "_compiled_call_impl", None) is not None:
        return True
    try:
        from torch._dynamo.eval_frame import OptimizedModule
    except ImportError:
        return True
    wrappers = [thing for thing in gc.get_objects() if type(thing) is OptimizedModule]
    return any(inner is model for wrapper in wrappers for inner in wrapper.modules())


def compiled_already(model: nn.Module) -> bool:
    """Whether a model of this class has been compiled and run: hooks that come later are not called."""
    try:
        from torch._dynamo.eval_frame import _debug_get_cache_entry_list

        return bool(_debug_get_cache_entry_list(type(model).forward.__code__))
    except Exception:  # private to torch: where it is gone, the silence is told later
        return False
