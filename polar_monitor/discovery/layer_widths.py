"""Widths of modules: dimensions (or channels) that they return and take, read off their layers without running them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

SAME_WIDTH = {f"torch.nn.modules.{file}" for file in ("activation", "batchnorm", "dropout", "instancenorm", "pooling")}
"""Files of PyTorch whose layers return as many dimensions as they take."""
Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d


def output_width(module: nn.Module) -> int | None:
    """Return the width of the one tensor that a module returns; None if its type does not fix it."""
    layer = _end(module, last=True)
    if isinstance(layer, nn.Linear):
        return layer.out_features
    return layer.out_channels if isinstance(layer, Conv) else None


def input_width(module: nn.Module) -> int | None:
    """Return the width of a module's input: certain for plain layers and nn.Sequential, else its first layer's."""
    layer = _end(module, last=False)
    if isinstance(layer, nn.Unflatten):
        return math.prod(layer.unflattened_size)
    first = layer if isinstance(layer, nn.Linear | Conv) else next(iter(_layers(module)), None)
    if first is None:
        return None
    return (first.in_features if isinstance(first, nn.Linear) else first.in_channels) or None


def likely_dimensions(module: nn.Module, halves: bool) -> int | None:
    """Return a guess of D from a module's last layer, good enough to reserve memory; None if it has no layer.

    With `halves` the output carries mean and spread: in one layer of width 2 D, or in two of width D.
    """
    widths = [layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels for layer in _layers(module)]
    if not widths:
        return None
    if halves and widths.count(widths[-1]) == 1:
        return widths[-1] // 2 or None
    return widths[-1]


def _end(module: nn.Module, last: bool) -> nn.Module | None:
    """Return the first or last layer of a module that sets a width."""
    if isinstance(module, torch.jit.ScriptModule) or type(module).forward is not nn.Sequential.forward:
        return module
    children = list(module.children())
    for child in reversed(children) if last else children:
        if not _keeps_width(child):
            return _end(child, last)
    return None


def _keeps_width(module: nn.Module) -> bool:
    if isinstance(module, nn.GLU | nn.MultiheadAttention):
        return False
    return type(module).__module__ in SAME_WIDTH or isinstance(module, nn.Identity | nn.LayerNorm | nn.GroupNorm)


def _layers(module: nn.Module) -> list[Any]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | Conv)]
