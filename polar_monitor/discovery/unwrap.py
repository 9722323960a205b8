"""TODO."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import PolarMonitorError


def unwrap(model: Any) -> nn.Module:
    """The model inside its wrappers. Raises PolarMonitorError for what cannot take hooks, with what to do instead."""
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
        raise PolarMonitorError(f"model: expected an nn.Module, got {type(model).__name__}")
    for wrapper in ("_orig_mod", "module"):
        inner = getattr(model, wrapper, None)
        if isinstance(inner, nn.Module) and (
            wrapper == "_orig_mod" or isinstance(model, nn.parallel.DistributedDataParallel)
        ):
            return unwrap(inner)
    return model


def unwrapped(name: str) -> str:
    """A module's name without what wrappers put into it, so that tags do not change with wrapping."""
    drop = {"module", "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"}
    return ".".join(part for part in name.split(".") if part not in drop)
