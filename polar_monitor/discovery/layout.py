"""Layout of a module's output, as the types of its layers suggest it before it has run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from ..arrays.layout import CHANNELS_FIRST, CHANNELS_LAST, STEPS_FIRST, decided
from .layer_widths import Conv
from .module_names import is_other_part, parent
from .unwrap import unwrapped

LAST = nn.Linear | nn.Bilinear | nn.LayerNorm | nn.RNNBase | nn.MultiheadAttention | nn.Embedding
"""Layers that return their dimensions last."""
SECOND = (
    Conv
    | nn.GroupNorm
    | nn.modules.batchnorm._BatchNorm
    | nn.modules.instancenorm._InstanceNorm
    | nn.Upsample
    | nn.modules.pooling._AvgPoolNd
    | nn.modules.pooling._MaxPoolNd
    | nn.modules.pooling._AdaptiveAvgPoolNd
)
"""Layers that return their dimensions second, as channels."""


def layout_of(
    shapes: Sequence[Sequence[int]],
    width: int | None = None,
    module: nn.Module | None = None,
    batch_sizes: Sequence[int | None] = (),
    model: nn.Module | None = None,
) -> str:
    """Return the layout of a latent that `module` gives, from the shapes that it had in some forwards.

    `width` is D if the layers fix it; `batch_sizes` are the numbers of the model's inputs in these forwards; `model` is
    searched for recurrent layers before the module. See `arrays.layout.decided`, which weighs them.
    """
    return decided(shapes, width, None if module is None else suggested_layout(module, model), batch_sizes)


def suggested_layout(module: nn.Module, model: nn.Module | None = None) -> str | None:
    """Return the layout that the last layer inside a module suggests; None if no layer says it.

    A linear layer keeps the layout of what comes to it. So the recurrent (or attention) layers in the module, or else
    the nearest ones beside it in `model`, say whether steps come first: PyTorch's do, unless `batch_first=True`.
    """
    layer = _last(module)
    if layer is None:
        return None
    if isinstance(layer, SECOND):
        return CHANNELS_FIRST
    steps_first = _steps_first(module)
    if steps_first is None and model is not None:
        around = (_steps_first(part, module) for part in _parts_around(module, model))
        steps_first = next((answer for answer in around if answer is not None), None)
    return STEPS_FIRST if steps_first else CHANNELS_LAST


def _last(module: nn.Module) -> nn.Module | None:
    """Return the last layer in a module that has a place for its dimensions."""
    if isinstance(module, LAST | SECOND):
        return module
    return next((layer for child in reversed(list(module.children())) if (layer := _last(child)) is not None), None)


def _steps_first(part: nn.Module, before: nn.Module | None = None) -> bool | None:
    """Return True if the last recurrent layer of a part, before a module in it, has steps first; None without one."""
    result = None
    for name, layer in part.named_modules():
        if layer is before:
            break
        if isinstance(layer, nn.RNNBase | nn.MultiheadAttention) and not is_other_part(unwrapped(name)):
            result = not layer.batch_first
    return result


def _parts_around(module: nn.Module, model: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules around a module, from the nearest to the model itself."""
    modules = dict(model.named_modules())
    name = next((name for name, other in modules.items() if other is module), "")
    while name:
        name = parent(name)
        yield modules[name]
