"""Copies, pickles and scripts of a monitored model: they hold no hook of ours, so none of them needs this package.

The standard library asks `copyreg` before it pickles or copies an object. While a hook is on a module, the class of
that module has an entry there which leaves our hooks out. Where a class copies itself in another way (an FX graph, a
`__deepcopy__` of the user's), a hook becomes a method of the standard library that does nothing.
"""

from __future__ import annotations

import copyreg
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from torch import nn

from .._torch_compat import HOOK_FLAGS, HOOK_TABLES

Reduced = str | tuple[Any, ...]
_hooks_on: Counter[type] = Counter()
"""Hooks of ours on modules of each class."""
_reducers_before: dict[type, Callable[[Any], Reduced] | None] = {}
"""Entries that others have made for these classes, which ours calls; None where there was none."""


class OwnHook:
    """Base of all our hooks: what copies and pickles of a model do with them."""

    copied = False
    """True if the model has been copied or pickled since."""
    _release: Callable[[], Any] | None = None

    def keep_out_of_copies(self, module: nn.Module) -> None:
        """Leave our hooks out of copies of modules of this class, as long as this hook lives or until `release`."""
        if self._release is None:
            _register(type(module))
            release = weakref.finalize(self, _unregister, type(module))
            release.atexit = False
            self._release = release

    def release(self) -> None:
        """Copy modules of this class as before, unless other hooks are on some."""
        if self._release is not None:
            self._release()

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        self.copied = True
        return nullcontext().__exit__

    def __reduce__(self) -> tuple[Any, ...]:
        self.copied = True
        return getattr, (nullcontext(), "__exit__")


def _register(kind: type) -> None:
    _hooks_on[kind] += 1
    if kind not in _reducers_before:
        _reducers_before[kind] = copyreg.dispatch_table.get(kind)
        copyreg.dispatch_table[kind] = _reduce


def _unregister(kind: type) -> None:
    _hooks_on[kind] -= 1
    if _hooks_on[kind] > 0:
        return
    del _hooks_on[kind]
    before = _reducers_before.pop(kind, None)
    if copyreg.dispatch_table.get(kind) is not _reduce:
        return  # somebody has made another entry since
    if before is None:
        del copyreg.dispatch_table[kind]
    else:
        copyreg.dispatch_table[kind] = before


def _reduce(module: Any) -> Reduced:
    """Return what the module would give for a pickle or a copy, without our hooks."""
    before = _reducers_before.get(type(module))
    reduced = module.__reduce_ex__(4) if before is None else before(module)
    if isinstance(reduced, str) or len(reduced) < 3 or not isinstance(reduced[2], dict):
        return reduced
    return (*reduced[:2], _without_ours(reduced[2]), *reduced[3:])


def _without_ours(state: Mapping[str, Any]) -> Mapping[str, Any]:
    ours = {key for name in HOOK_TABLES for key, hook in _items(state, name) if isinstance(hook, OwnHook)}
    if not ours:
        return state
    clean = dict(state)
    for name in HOOK_TABLES:
        for _, hook in _items(state, name):
            if isinstance(hook, OwnHook):
                hook.copied = True
    for name in (*HOOK_TABLES, *HOOK_FLAGS):
        table = state.get(name)
        if isinstance(table, dict):
            clean[name] = type(table)((key, value) for key, value in table.items() if key not in ours)
    return clean


def _items(state: Mapping[str, Any], name: str) -> list[tuple[Any, Any]]:
    table = state.get(name)
    return list(table.items()) if isinstance(table, dict) else []
