"""Every private or version-bound name of torch, each behind a name of ours and with a fallback.

Names are looked up when they are used, or once at import if the use is on the path of a forward.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

_current_graph_task = getattr(torch._C, "_current_graph_task_id", lambda: -1)
_fx = getattr(torch.fx, "_symbolic_trace", None)
_is_fx_tracing = getattr(_fx, "is_fx_symbolic_tracing", getattr(_fx, "is_fx_tracing", lambda: False))
_jit_tracing_state = getattr(torch._C, "_get_tracing_state", lambda: None)
_dispatch_mode = getattr(torch._C, "_get_dispatch_mode", lambda _: None)
SAYS_WHICH_SIZES_ARE_FIXED = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 9)
_PROXY = getattr(getattr(torch._C, "_TorchDispatchModeKey", None), "PROXY", None)
_functorch = getattr(torch._C, "_functorch", None)
_is_wrapped = getattr(_functorch, "is_functorch_wrapped_tensor", lambda _: False)
_plain_dispatch = getattr(Tensor, "__torch_dispatch__", None)

COMPILED_MODULE = "_orig_mod"
"""Attribute and submodule of what `torch.compile` returns that is the model itself."""
HOOK_TABLES = ("_forward_hooks", "_forward_pre_hooks")
"""Attributes of a module that hold its hooks, by the id of their handle."""
HOOK_FLAGS = ("_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs")
"""Attributes of a module that hold properties of these hooks, by the same id."""
WRAPPED_MODULES = {"module", COMPILED_MODULE, "_checkpoint_wrapped_module", "_fsdp_wrapped_module"}
"""Names of submodules in which torch's wrappers hold the wrapped module."""


# -- the forward that runs now -----------------------------------------------------------------------------------------


def in_backward() -> bool:
    """Return True if autograd runs now: a forward seen then is a checkpoint's recomputation.

    PyTorch's own module tracker and checkpointing ask the same.
    """
    return bool(_current_graph_task() != -1)


def is_exporting() -> bool:
    """Return True if `torch.export` runs now."""
    ask = getattr(torch.compiler, "is_exporting", None)
    return bool(ask()) if ask is not None else False


def is_tracing() -> bool:
    """Return True if `torch.jit.trace`, `torch.fx.symbolic_trace` or `make_fx` runs: it would record our operations."""
    if _jit_tracing_state() is not None or _is_fx_tracing():
        return True
    return _PROXY is not None and _dispatch_mode(_PROXY) is not None


def is_capturing() -> bool:
    """Return True if the current CUDA stream records a graph, which would replay our copies."""
    return bool(torch.cuda.is_initialized()) and torch.cuda.is_current_stream_capturing()  # type: ignore[no-untyped-call]


def in_function_transform() -> bool:
    """Return True within vmap, grad, jvp and their like, also while they are compiled. False if torch cannot say."""
    ask = getattr(getattr(torch._C, "_functorch", None), "maybe_current_level", None)
    return ask is not None and ask() is not None


def is_fixed_size(size: int) -> bool:
    """Return True if a size is a constant of the code that is being compiled. False if torch cannot say."""
    if not SAYS_WHICH_SIZES_ARE_FIXED:
        return False
    from torch.fx.experimental.symbolic_shapes import has_static_value  # which takes long to load

    return has_static_value(size)


def operators_being_compiled() -> Iterator[str]:
    """Yield the names of the operators that take functions (cond, map, scan) which the compiler is inside of.

    Yields none where torch's own names have changed: a model with such an operator then fails to compile while it has
    our hooks.
    """
    try:
        from torch._dynamo.symbolic_convert import InstructionTranslator

        tracer = InstructionTranslator.current_tx().output.current_tracer
        while tracer.parent is not None:
            name = getattr(tracer.source_target, "__name__", tracer.source_target)
            yield str(name).rpartition(".")[2]
            tracer = tracer.parent
    except (ImportError, AttributeError):
        return


def latest_operation() -> Any:
    """Return the newest node of the FX graph that is being compiled; None where torch's own names have changed."""
    try:
        from torch._dynamo.symbolic_convert import InstructionTranslator

        return next(iter(reversed(InstructionTranslator.current_tx().output.current_tracer.graph.nodes)))
    except (ImportError, AttributeError, StopIteration):
        return None


def compiling_backend() -> tuple[str, Mapping[str, Any]]:
    """Return the name of the backend that compiles now, and the options it was given; ('', {}) if torch cannot say."""
    try:
        from torch._dynamo.symbolic_convert import InstructionTranslator

        backend = InstructionTranslator.current_tx().output.compiler_fn
    except (ImportError, AttributeError):
        return "", {}
    name = getattr(backend, "compiler_name", None) or getattr(backend, "__name__", "")
    options = getattr(backend, "config", None)
    return str(name), options if isinstance(options, Mapping) else {}


def inductor_option(name: str) -> Any:
    """Return an option of inductor as it is set for all models; None if it has no such option."""
    try:
        from torch._inductor import config
    except ImportError:
        return None
    return getattr(config, name, None)


# -- tensors -----------------------------------------------------------------------------------------------------------


def is_plain(tensor: object) -> bool:
    """Return True if a tensor holds numbers of its own: it is not meta, fake, or wrapped by vmap and its like."""
    if not isinstance(tensor, Tensor) or tensor.is_meta or _is_wrapped(tensor):
        return False
    return type(tensor).__name__ != "FakeTensor"


def stands_for_others(kind: type) -> bool:
    """Return True if tensors of this type stand for others, as those of DTensor do."""
    return getattr(kind, "__torch_dispatch__", _plain_dispatch) is not _plain_dispatch


# -- modules -----------------------------------------------------------------------------------------------------------


def forward_hooks(module: nn.Module) -> dict[int, Callable[..., Any]]:
    """Return the table of a module's forward hooks, by the id of their handle; a change of it changes the module."""
    return getattr(module, "_forward_hooks", {})


def forward_pre_hooks(module: nn.Module) -> dict[int, Callable[..., Any]]:
    """Return the table of the hooks before a module's forward, by the id of their handle."""
    return getattr(module, "_forward_pre_hooks", {})


def is_compiled(model: nn.Module) -> bool:
    """Return True if `torch.compile` was given this model, or one that holds it, and its result still exists.

    Compiled code belongs to a class, so nothing else distinguishes its models. Goes through all objects: some 0.1 s.
    True if torch cannot say.
    """
    if getattr(model, "_compiled_call_impl", None) is not None:
        return True
    try:
        from torch._dynamo.eval_frame import OptimizedModule
    except ImportError:
        return True
    wrappers = [thing for thing in gc.get_objects() if type(thing) is OptimizedModule]
    return any(inner is model for wrapper in wrappers for inner in wrapper.modules())


def has_run_compiled(model: nn.Module) -> bool:
    """Return True if a model of this class has been compiled and run: it does not call hooks that come later.

    False if torch cannot say; the monitor then warns later that it sees no latent.
    """
    try:
        from torch._dynamo.eval_frame import _debug_get_cache_entry_list

        return bool(_debug_get_cache_entry_list(type(model).forward.__code__))
    except Exception:
        return False


def runs_compiled_parts(model: nn.Module) -> bool:
    """Return True if the forward of some class of the model's modules has been compiled and run."""
    classes = {type(module): module for module in model.modules()}
    return "torch._dynamo" in sys.modules and any(has_run_compiled(module) for module in classes.values())


def force_eager() -> AbstractContextManager[Any]:
    """Return a context in which compiled models run eagerly, with the hooks that they have now.

    A torch without such a switch (before 2.6) goes on with compiled code.
    """
    switch = getattr(torch.compiler, "set_stance", None)
    return nullcontext() if switch is None or "torch._dynamo" not in sys.modules else switch("force_eager")


def same_version(tensor: Tensor) -> AbstractContextManager[Any] | None:
    """Return a context in which changes of a tensor are not counted; None with a torch that counts all."""
    context = getattr(torch.autograd.grad_mode, "_unsafe_preserve_version_counter", None)
    return None if context is None else context(tensor)


# -- processes ---------------------------------------------------------------------------------------------------------


def rank() -> int:
    """Return this process's rank under `torch.distributed`, or the one that a launcher has set for a later group."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return int(torch.distributed.get_rank())
    given = os.environ.get("RANK", "0")
    return int(given) if given.isdigit() else 0
