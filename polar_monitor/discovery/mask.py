"""The mask of a forward, read from the model's arguments: True at real data (`arrays.masks`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import PolarMonitorError

REMEDY = 'write mask="<argument of the forward>", or mask=lambda x, …: a tensor that is True at real data'


class MaskReader:
    """Reader of the mask from the arguments of a model's forward: an argument's name, or a callable on all of them.

    Example:
        >>> class Vae(nn.Module):
        ...     def forward(self, x, lengths):
        ...         return x
        >>> read = MaskReader(lambda x, lengths: torch.arange(x.shape[1]) < lengths[:, None], Vae())
        >>> read((torch.zeros(2, 3, 8), torch.tensor([3, 1])), {}).tolist()
        [[True, True, True], [True, False, False]]
    """

    def __init__(self, mask: Any, model: nn.Module) -> None:
        """Raises PolarMonitorError for anything else, and for a name that the forward does not have."""
        self._read: Callable[..., Any] | None = None if isinstance(mask, str) else mask
        self._name, self._place = mask, -1
        if isinstance(mask, str):
            parameters = inspect.signature(model.forward).parameters
            names = list(parameters)
            if mask in names:
                self._place = names.index(mask)
            elif not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                listed = ", ".join(names) or "no argument"
                raise PolarMonitorError(f"mask: the forward of {type(model).__name__} takes {listed}, not {mask!r}")
        elif not callable(mask) or isinstance(mask, nn.Module | Tensor):
            raise PolarMonitorError(f"mask: expected a name or a callable, got {type(mask).__name__}: {REMEDY}")

    def __call__(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor | None:
        """Return the mask of a forward with these arguments; None if all of it is real data."""
        if self._read is not None:
            with torch.no_grad():
                value = self._read(*args, **kwargs)
        else:
            value = args[self._place] if 0 <= self._place < len(args) else kwargs.get(self._name)
        if value is None:
            return None
        if not isinstance(value, Tensor):
            raise TypeError(f"mask: expected a tensor, got {type(value).__name__}")
        return value.detach().bool()
