"""A decoder that is called with codes, and that the training does not notice.

`DecoderCall.of` takes what the user gives: a module, its name, or a callable code → output. Calls run inside
`undisturbed()`, from the same random numbers each time: two calls with one code give one output.

The user's own hooks on the decoder do run: weight norm, spectral norm and quantisation are hooks too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._torch_compat import stands_for_others
from ..capture.undisturbed import same_random_numbers, undisturbed
from ..discovery.unwrap import unwrap
from ..errors import PolarMonitorError
from .decoder_refusals import Called, failed, no_numbers, no_tensor, other_rows

SHARDED = {"FullyShardedDataParallel", "DeepSpeedEngine"}
"""Classes of modules whose parameters lie on several devices: a call waits for all of them."""


class DecoderError(PolarMonitorError):
    """A decoder that cannot be called with codes alone; the message says why, and what to write."""


class DecoderCall:
    """A decoder, called with tensors of codes (n, …); it returns tensors (n, …) of floating-point numbers."""

    def __init__(
        self, function: Callable[..., Any], modules: tuple[nn.Module, ...], name: str, model: nn.Module | None = None
    ) -> None:
        self._function = function
        self._called = Called(function, name, model)
        self.modules = modules
        """The modules whose modes and buffers are put back."""
        self.name = name
        """The decoder in messages."""

    @classmethod
    def of(cls, decoder: Any, model: nn.Module | None = None) -> DecoderCall:
        """Return the decoder that an argument means. Raises DecoderError if it means none.

        Args:
            decoder: A module, the name of a module of `model`, or a callable code → output.
            model: The model that the decoder is a part of, if it is known: a callable may call any part of it.
        """
        if isinstance(decoder, DecoderCall):
            return decoder
        if isinstance(decoder, str):
            return cls.of(_named(decoder, model), model)
        if isinstance(decoder, nn.Module):
            module = unwrap(decoder)
            _check_not_sharded(module)
            return cls(module, (module,), type(module).__name__, None if model is None else unwrap(model))
        if not callable(decoder):
            raise DecoderError(
                f"decoder: expected a module, its name or a callable code → output, as in decoder=model.decoder, got "
                f"{type(decoder).__name__}"
            )
        modules = tuple(modules_of(decoder)) or (() if model is None else (unwrap(model),))
        for module in modules:
            _check_not_sharded(module)
        return cls(decoder, modules, getattr(decoder, "__qualname__", type(decoder).__name__))

    @contextmanager
    def undisturbed(self, waits: bool = True) -> Iterator[None]:
        """Context for calls: eval mode and no gradient; all is put back at its end, also after an exception.

        `waits` is that of `capture.undisturbed`.
        """
        with ExitStack() as stack:
            for module in self.modules or (nn.Identity(),):
                stack.enter_context(undisturbed(module, waits=waits))
            yield

    def codes(self, rows: Any) -> Tensor:
        """Return codes on the device of the decoder, in its precision."""
        codes = rows.detach() if isinstance(rows, Tensor) else torch.from_numpy(np.ascontiguousarray(rows))
        weights = (tensor for module in self.modules for tensor in module.parameters() if tensor.is_floating_point())
        weight = next(weights, None)
        if weight is None:
            return codes if isinstance(rows, Tensor) and codes.is_floating_point() else codes.float()
        if weight.device.type == "cuda" and codes.device.type == "cpu":
            return codes.pin_memory().to(weight.device, weight.dtype, non_blocking=True)  # nothing waits for the copy
        return codes.to(weight.device, weight.dtype)

    def __call__(self, codes: Tensor, letters: str = "nd") -> Tensor:
        """Return the output (n, numbers) for codes of n inputs, whose axes `letters` names (`arrays.layout`).

        Raises DecoderError for a decoder that cannot be called with codes alone.
        """
        try:
            with same_random_numbers():
                output = self._function(codes)
        except Exception as failure:
            raise DecoderError(failed(self._called, codes, failure)) from failure
        return self._checked(codes, output, letters.index("n"))

    def _checked(self, codes: Tensor, output: Any, axis: int) -> Tensor:
        if not isinstance(output, Tensor):
            raise DecoderError(no_tensor(self._called, output))
        n = codes.shape[axis]
        axis = axis if output.dim() > axis and output.shape[axis] == n else 0
        if output.dim() == 0 or output.shape[axis] != n:
            raise DecoderError(other_rows(self._called, codes, output))
        if not output.is_floating_point():
            raise DecoderError(no_numbers(self._called, codes, output))
        return output.movedim(axis, 0).reshape(n, -1)


def modules_of(function: Callable[..., Any]) -> list[nn.Module]:
    """Return the modules that a callable can reach: its owner, what it closes over, and globals that it names."""
    if isinstance(function, nn.Module):
        return [unwrap(function)]
    if isinstance(function, functools.partial):
        given = [*function.args, *function.keywords.values()]
        return [*modules_of(function.func), *_modules_in(given)]
    owner, code = getattr(function, "__self__", None), getattr(function, "__code__", None)
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _is_filled(cell)]
    names = () if code is None else code.co_names
    known = getattr(function, "__globals__", {})
    named = [known[name] for name in names if name in known]
    held = list(vars(owner).values()) if hasattr(owner, "__dict__") and not isinstance(owner, nn.Module) else []
    own = [] if code is not None or not hasattr(function, "__dict__") else list(vars(function).values())
    return _modules_in([owner, *cells, *named, *held, *own])


def _modules_in(values: list[Any]) -> list[nn.Module]:
    modules = {id(value): value for value in values if isinstance(value, nn.Module)}
    return [unwrap(module) for module in modules.values()]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _named(name: str, model: nn.Module | None) -> nn.Module:
    if model is None:
        raise DecoderError(
            f"decoder: expected a module or a callable code → output, got the name {name!r}: pass the module itself, "
            f"as in decoder=model.{name}"
        )
    try:
        return unwrap(model).get_submodule(name)
    except AttributeError:
        names = [other for other, _ in unwrap(model).named_children()]
        raise DecoderError(
            f"decoder: expected the name of a module, got {name!r}; the model has {', '.join(map(repr, names))}"
        ) from None


def _check_not_sharded(module: nn.Module) -> None:
    """Refuse parameters that lie on several devices: each call would wait for the other processes."""
    sharded = any(type(part).__name__ in SHARDED for part in module.modules())
    for weight in module.parameters():
        sharded = sharded or stands_for_others(type(weight)) or hasattr(weight, "ds_id")
        if weight.is_meta or isinstance(weight, nn.parameter.UninitializedParameter):
            raise DecoderError(
                f"decoder: expected weights with values, {type(module).__name__} has none yet: attach after they are "
                'there, as in model.to_empty(device="cpu"), model.load_state_dict(state), or after a first forward'
            )
    if sharded:
        raise DecoderError(
            f"decoder: {type(module).__name__} is sharded over processes, and a call would wait for all of them: "
            "classify the codes offline with an unsharded copy, as in classify(code, decoder=copy)"
        )
