"""The model inside its wrappers, and the names of its modules without those of wrappers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .._torch_compat import COMPILED_MODULE, WRAPPED_MODULES
from ..errors import PolarMonitorError


def unwrap(model: Any) -> nn.Module:
    """Return the model inside its wrappers. Raises PolarMonitorError for one that takes no hooks, with the way out."""
    if isinstance(model, torch.jit.ScriptModule):
        raise PolarMonitorError(
            "expected an nn.Module, got a ScriptModule, which takes no hooks: attach before torch.jit.script, and "
            "script inside `with monitor.detached():`, or pass the latents to monitor.observe()"
        )
    if isinstance(model, nn.DataParallel):
        raise PolarMonitorError(
            "expected a model that runs in one thread, got DataParallel, whose replicas share hooks between threads: "
            "use DistributedDataParallel, or attach to model.module and train on one device"
        )
    if not isinstance(model, nn.Module):
        raise PolarMonitorError(f"model: expected an nn.Module, got {type(model).__name__}{_held_in(model)}")
    inner = getattr(model, COMPILED_MODULE, None)
    if not isinstance(inner, nn.Module) and isinstance(model, nn.parallel.DistributedDataParallel):
        inner = model.module
    return unwrap(inner) if isinstance(inner, nn.Module) else model


def unwrapped(name: str) -> str:
    """Return a module's name without the parts that wrappers put into it, so that wrapping does not change tags."""
    return ".".join(part for part in name.split(".") if part not in WRAPPED_MODULES)


def _held_in(model: Any) -> str:
    """Return where an object that is no module holds one, as the models of scvi-tools do; '' if it holds none."""
    try:
        held = [name for name, value in vars(model).items() if isinstance(value, nn.Module)]
    except TypeError:
        return ""
    public = sorted(held, key=lambda name: (name != "module", name.startswith("_")))
    return f", which holds one: write attach(model.{public[0]})" if public else ""
