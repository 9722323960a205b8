"""Methods that a training loop calls: what is wrong is an error before the first step, and one log line after it.

That holds for names that a method does not have too: Python's TypeError would end a training whose first call with a
misspelt name comes after days.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from ..evaluation_loop import EvaluationLoop
from .observe import by_hand


class _HasLoop(Protocol):
    _loop: EvaluationLoop


P = ParamSpec("P")
M = TypeVar("M", bound=_HasLoop)


def in_the_loop(*, keep: bool) -> Callable[[Callable[Concatenate[M, P], None]], Callable[Concatenate[M, P], None]]:
    """Decorate a method that is called in a training loop: only before the first step it raises anything.

    With `keep`, the arguments that it has count even if there are others. After `detach` it does nothing.
    """

    def decorate(method: Callable[Concatenate[M, P], None]) -> Callable[Concatenate[M, P], None]:
        parameters = list(inspect.signature(method).parameters.values())[1:]
        names = frozenset(one.name for one in parameters)
        required = frozenset(one.name for one in parameters if one.default is one.empty)
        in_order = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        left = [(names - set(in_order[:n]), required - set(in_order[:n])) for n in range(len(in_order) + 1)]

        @functools.wraps(method)
        def call(self: M, /, *arguments: P.args, **named: P.kwargs) -> None:
            if self._loop.ended:
                return
            mode, mean = named.get("mode", "train"), arguments[0] if arguments else named.get("mean")
            with by_hand(self._loop, "" if keep else str(mode), mean):
                allowed, needed = left[len(arguments)] if len(arguments) < len(left) else left[0]
                if needed <= named.keys() <= allowed and len(arguments) < len(left):
                    method(self, *arguments, **named)
                    return
                if keep:
                    known = {name: value for name, value in named.items() if name in names}
                    cast(Callable[..., None], method)(self, **known)
                raise TypeError(_wrong(method.__name__, in_order, names, len(arguments), named))

        return call

    return decorate


def _wrong(function: str, in_order: list[str], names: frozenset[str], count: int, named: dict[str, Any]) -> str:
    """Say what is wrong with the arguments of a call."""
    unknown = [name for name in named if name not in names]
    if unknown:
        close = difflib.get_close_matches(unknown[0], sorted(names), n=1)
        had = f"did you mean {close[0]}=?" if close else f"it has {', '.join(sorted(names))}"
        return f"{function}() got an unexpected argument {unknown[0]!r}: {had}"
    if count > len(in_order):
        line = ", ".join(in_order + [f"{name}=…" for name in sorted(names - set(in_order))[:2]])
        expected = f"at most {len(in_order)} argument without a name" if in_order else "names for all arguments"
        return f"{function}() expected {expected}, got {count} without: write monitor.{function}({line})"
    return (
        f"{function}() expected {in_order[0]} once, as its first argument: write monitor.{function}({in_order[0]}, …)"
    )
