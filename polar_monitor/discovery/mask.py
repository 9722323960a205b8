"""The mask of a forward, read from the arguments of the model or of one of its modules: True at real data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import PolarMonitorError

REMEDY = 'write mask="<argument of the forward>", or mask=lambda x, …: a tensor that is True at real data'


class MaskReader:
    """Reader of the mask from the arguments of a forward.

    It is an argument's name ("mask"), with a module before it if it is not the model's ("encoder.mask"); such a name
    and a function of its value; or a callable on all arguments of the model.

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
        self._read: Callable[..., Any] | None = None
        """Callable on all arguments."""
        self._of_value: Callable[[Any], Any] | None = None
        self._name, self._place, self.module = "", -1, ""
        if isinstance(mask, tuple) and len(mask) == 2 and isinstance(mask[0], str) and callable(mask[1]):
            mask, self._of_value = mask
        if isinstance(mask, str):
            self.module, _, self._name = mask.rpartition(".")
            self._place = _place_of(self._name, self.module, model)
        elif callable(mask) and not isinstance(mask, nn.Module | Tensor):
            self._read = mask
        else:
            raise PolarMonitorError(f"mask: expected a name or a callable, got {type(mask).__name__}: {REMEDY}")

    def __call__(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor | None:
        """Return the mask of a forward with these arguments; None if all of it is real data."""
        with torch.no_grad():
            if self._read is not None:
                value = self._read(*args, **kwargs)
            else:
                value = args[self._place] if 0 <= self._place < len(args) else kwargs.get(self._name)
                if value is not None and self._of_value is not None:
                    value = self._of_value(value)
        if value is None:
            return None
        if not isinstance(value, Tensor):
            raise TypeError(f"mask: expected a tensor, got {type(value).__name__}")
        return value.detach().bool()


def _place_of(name: str, path: str, model: nn.Module) -> int:
    """Return the position of an argument of a module's forward; -1 for one that only its ** takes."""
    try:
        module = model.get_submodule(path)
    except AttributeError:
        raise PolarMonitorError(f"mask: {type(model).__name__} has no module {path!r}: {REMEDY}") from None
    parameters = inspect.signature(module.forward).parameters
    names = list(parameters)
    if name in names:
        return names.index(name)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return -1
    listed = ", ".join(names) or "no argument"
    raise PolarMonitorError(f"mask: the forward of {type(module).__name__} takes {listed}, not {name!r}")
