"""Messages about a decoder that cannot be called with codes alone: each says what was got, and the line to write."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

USUAL = 256
"""Largest number of codes that a scale is measured with in one call: a condition needs as many rows."""
SHAPES = re.compile(r"\(\d+x(\d+) and (\d+)x\d+\)")
"""Shapes in a failed product of matrices: columns of the codes, and columns that the layer takes."""
DEVICES = "same device", "device meta", "meta tensor"
"""Words of a failure because of numbers on two devices."""


class Called:
    """A decoder as messages name it."""

    def __init__(self, function: Callable[..., Any], name: str, model: nn.Module | None = None) -> None:
        self.function, self.name, self._model = function, name, model

    @property
    def place(self) -> str:
        """Expression for the decoder: its place in the model, if that is known."""
        parts = () if self._model is None else self._model.named_modules()
        name = next((name for name, part in parts if part is self.function and name), "decoder")
        if all(part.isidentifier() for part in name.split(".")):
            return f"model.{name}"
        return f'model.get_submodule("{name}")'

    def line(self, inside: str = "z", after: str = "") -> str:
        """The argument to write, with what the decoder is called with, and what is taken of its output."""
        return f"decoder=lambda z: {self.place}({inside}){after}"

    def needs(self) -> list[inspect.Parameter]:
        """Arguments beside the code: those that must be given or, if there are none, those that are None."""
        function = self.function.forward if isinstance(self.function, nn.Module) else self.function
        try:
            arguments = list(inspect.signature(function).parameters.values())[1:]
        except (TypeError, ValueError):
            return []
        arguments = [one for one in arguments if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}]
        must = [one for one in arguments if one.default is one.empty]
        return must or [one for one in arguments if one.default is None]

    def with_rest(self, otherwise: str = "condition") -> str:
        """The line that adds what the decoder takes beside the code."""
        needs = self.needs()
        return self.line(", ".join(["z", *map(_rows_of, needs)]) if needs else f"z, {otherwise}[: len(z)]")


def _rows_of(need: inspect.Parameter) -> str:
    by_name = need.kind is need.KEYWORD_ONLY or need.default is None
    return f"{need.name}={need.name}[: len(z)]" if by_name else f"{need.name}[: len(z)]"


def failed(decoder: Called, codes: Tensor, failure: Exception) -> str:
    """Say why a call failed, and what to write."""
    text = str(failure).strip().splitlines()
    what = f"{type(failure).__name__}: {text[0] if text else ''}"
    if isinstance(failure, TypeError) and ("argument" in what or "positional" in what):
        return (
            f"decoder: {decoder.name} needs more than the code ({what}): pass a callable that adds the rest for any "
            f"number of rows up to {_most(codes)}, as in {decoder.with_rest()}"
        )
    shapes = SHAPES.search(what)
    columns, taken = (0, 0) if shapes is None else map(int, shapes.groups())
    if columns == codes.shape[-1] and taken > columns:
        return (
            f"decoder: {decoder.name} takes {taken} numbers, and the code has {columns}: pass a callable that adds the "
            f"other {taken - columns} for any number of rows up to {_most(codes)}, as in "
            f"{decoder.line('torch.cat([z, condition[: len(z)]], 1)')}"
        )
    got = f"codes of shape {tuple(codes.shape)}, {codes.dtype} on {codes.device} ({what})"
    if any(words in what for words in DEVICES):
        return (
            f"decoder: {decoder.name} has numbers on another device than {got}: pass a callable that moves the codes, "
            f"as in {decoder.line('z.to(device)')}"
        )
    return (
        f"decoder: {decoder.name} failed in eval mode with {got}: expected a callable code → output that runs in eval "
        f"mode, one row each, as in decoder=lambda z: {_part(decoder)}(z)"
    )


def _part(decoder: Called) -> str:
    """The only part of a decoder that has one, or the usual method: what may run where the decoder does not."""
    parts = [] if not isinstance(decoder.function, nn.Module) else list(dict(decoder.function.named_children()))
    return f"{decoder.place}.{parts[0]}" if len(parts) == 1 and parts[0].isidentifier() else "model.decode"


def no_tensor(decoder: Called, output: Any) -> str:
    """Say what a decoder gives that is no tensor, and which part of it to take."""
    names = [name for name in getattr(output, "keys", list)() if isinstance(name, str)]
    fields = f" with {', '.join(names)}" if names else f" of {len(output)}" if isinstance(output, tuple) else ""
    held = [name for name, value in getattr(output, "__dict__", {}).items() if isinstance(value, Tensor)]
    choice = "[0]"
    if names:
        choice = f".{names[0]}" if hasattr(output, names[0]) else f'["{names[0]}"]'
    elif hasattr(output, "mean"):
        choice = ".mean"
    elif held:
        choice = f".{held[0]}"
    return (
        f"decoder: expected a tensor, {decoder.name} gives {type(output).__name__}{fields}: choose the "
        f"reconstruction, as in {decoder.line(after=choice)}"
    )


def other_rows(decoder: Called, codes: Tensor, output: Tensor) -> str:
    """Say that an output has not one row for each code."""
    return (
        f"decoder: expected one row for each code, {decoder.name} gives {tuple(output.shape)} for codes "
        f"{tuple(codes.shape)}: pass a callable that takes no mean over the rows, as in decoder=lambda z: "
        f"{_part(decoder)}(z)"
    )


def no_numbers(decoder: Called, codes: Tensor, output: Tensor) -> str:
    """Say that an output is of whole numbers, as tokens are."""
    return (
        f"decoder: expected floating-point numbers, {decoder.name} gives {output.dtype}, as an autoregressive "
        f"decoder does: pass a callable that gives logits, with the earlier tokens held fixed for any number of rows "
        f"up to {_most(codes)}, as in {decoder.with_rest('tokens')}"
    )


def _most(codes: Tensor) -> int:
    return max(USUAL, len(codes))
