"""Names of watched modules, which may come to mean other modules: replaced, wrapped or exchanged ones."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from torch import nn

from .unwrap import unwrapped


class ModulePlaces:
    """The names that modules have in a model, to be compared with what these names mean later."""

    def __init__(self, model: nn.Module, modules: Sequence[nn.Module]) -> None:
        self._model = weakref.ref(model)
        self._names = [_names_of(model, module) for module in modules]

    def change(self, place: int, module: nn.Module | None) -> str:
        """Say what has become of the module that is watched in this place; '' if its name still means it."""
        model, names = self._model(), self._names[place]
        if model is None or not names or any(module is _module_at(model, name) for name in names):
            return ""
        now = [] if module is None else _names_of(model, module)
        if {unwrapped(name) for name in now} & {unwrapped(name) for name in names}:
            self._names[place] = now
            return ""
        name, others = unwrapped(names[0]), [unwrapped(one) for one in now]
        stands_in = _module_at(model, names[0]) is not None
        if not now:
            gone = "is another module now" if stands_in else "is no part of the model now"
            return f"{name!r} {gone}, and the one that was there at attach() is watched"
        return f"{name!r} is another module now: the one that is watched is {others[0]!r}" if stands_in else ""


def _names_of(model: nn.Module, module: nn.Module) -> list[str]:
    return [name for name, other in model.named_modules(remove_duplicate=False) if other is module]


def _module_at(model: nn.Module, name: str) -> nn.Module | None:
    try:
        return model.get_submodule(name)
    except AttributeError:
        return None
