"""Numbers of the inputs that the rows of a ring belong to, and the calls that are recorded of a forward.

A model that is called once a time step (VRNN, RSSM, SVG) calls its latent's modules many times in one forward. Row i of
each of these calls belongs to the i-th input of the forward. About `MAX_ROWS_PER_INPUT` of the calls are recorded, at
even distances that begin elsewhere in each forward; their number is known from the forward before.

A forward on the very tensors of the one before, unchanged, has the same inputs again, as in full-batch training.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..arrays.places import MAX_ROWS_PER_INPUT

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of this, modulo 1, lie apart in any number."""
MAX_ARGUMENTS = 32
"""Arguments of a forward that are compared with those of the forward before."""
Token = tuple[tuple["weakref.ref[Any]", int], ...]


class InputNumbers:
    """Numbers of inputs, from 0 on; those of one group of calls are the same."""

    def __init__(self) -> None:
        self.first = 0
        """Number of the first input of the present group."""
        self.end = 0
        """Number after all inputs so far."""
        self.in_forward = False
        """True from a forward of the model to the end of the step: its calls are one group."""
        self.ended = False
        """True if the step has ended since the group began."""
        self.mask: Tensor | None = None
        """Real data of the present forward, as the user's `mask` gives it; None for all."""
        self.mask_read = False
        """True if the mask of the present forward has been read."""
        self.inputs: int | None = None
        """Number of inputs of the present forward, where its arguments show it."""
        self._sliced = False
        """True if the forwards of the model give their inputs to the latent's modules in parts, one after the other."""
        self._offset = 0
        """Inputs of the present group that calls on parts have had."""
        self._sizes: tuple[int, int | None] = (0, None)
        """Inputs of the first call of the present group that was recorded, and those of its forward."""
        self._expected = 0
        """Calls of the group before; 0 before the first."""
        self._phase = 0.0
        self.groups = 0
        """Groups so far."""
        self._token: Token | None = None
        """Arguments of the latest forward."""
        self._seen: Token | None = None
        """Arguments of a part of the model that was called since the step began."""

    def begin(self, calls: int, token: Token | None = None, in_forward: bool = False) -> None:
        """Begin a group, after one of so many calls; `token` stands for the arguments of the forward."""
        token = self._seen if token is None else token
        if token is None or not same_arguments(token, self._token):
            self.first = self.end
        self._token, self._seen, self.in_forward, self.ended = token, None, in_forward, False
        if calls:
            self._expected, self._sliced = calls, are_parts(calls, *self._sizes)
        self._offset, self._sizes = 0, (0, None)
        self.groups += 1
        self._phase = (self.groups * GOLDEN) % 1.0

    def see(self, token: Token | None) -> None:
        """Note the arguments of a part of the model, for a group that no forward of the model begins."""
        if self._seen is None and not self.in_forward:
            self._seen = token

    def end_step(self) -> None:
        """End the forward: later calls of this step belong to none."""
        self.in_forward, self.mask, self.inputs, self._seen, self.ended = False, None, None, None, True
        self.mask_read = False

    def takes(self, call: int) -> bool:
        """Return True if this call of the group, counted from 0, is recorded."""
        expected = self._expected
        if self._sliced:
            return True
        if expected == 0:
            return call & (call + 1) == 0 or call < MAX_ROWS_PER_INPUT
        if expected <= MAX_ROWS_PER_INPUT:
            return True
        rate = MAX_ROWS_PER_INPUT / expected
        return math.floor((call + 1) * rate + self._phase) > math.floor(call * rate + self._phase)

    @property
    def calls_taken(self) -> int:
        """Calls of a group that are recorded, about."""
        return 1 if self._sliced else min(max(self._expected, 1), MAX_ROWS_PER_INPUT)

    def number(self, inputs: int) -> int:
        """Return the number of the first of so many inputs of a call."""
        if not self._sizes[0]:
            self._sizes = inputs, self.inputs
        first = self.first + self._offset
        if self._sliced:
            self._offset += inputs
        self.end = max(self.end, first + inputs)
        return first


def are_parts(calls: int, first: int, inputs: int | None) -> bool:
    """Return True if so many calls, the first on `first` inputs, are on parts of all the inputs in turn."""
    return inputs is not None and 0 < first < inputs and calls == -(-inputs // first)


def token_of(values: Sequence[Any]) -> Token | None:
    """Return what recognises the arguments of a forward (`flat`), by weak references; None if nothing does.

    Numbers and strings do not count: they are no data.
    """
    if not values or len(values) > MAX_ARGUMENTS:
        return None
    try:
        return tuple([(weakref.ref(value), value._version if isinstance(value, Tensor) else 0) for value in values])
    except (TypeError, RuntimeError):  # no weak reference; a tensor without a version
        return None


def same_arguments(one: Token | None, other: Token | None) -> bool:
    """Return True if two forwards had the very same arguments, which have not been changed in between."""
    if one is None or other is None or len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(a() is not None and a() is b() and version == before for (a, version), (b, before) in pairs)


def batch_size_of(values: Sequence[Any]) -> int | None:
    """Return the number of inputs of a forward with these arguments (`flat`); None if they do not show it.

    It is the length of the first tensor. A sequence, or a table of integers, may have its steps first: then it is that
    of a vector, such as the lengths, if it is as long as one of its two first axes.
    """
    tensors = [value for value in values if isinstance(value, Tensor) and value.dim()]
    if not tensors:
        return None
    shape = tensors[0].shape
    if len(shape) != 3 and (len(shape) != 2 or tensors[0].is_floating_point()):
        return shape[0]
    return next((len(other) for other in tensors[1:] if other.dim() == 1 and len(other) in shape[:2]), None)


def flat(args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> list[Any]:
    """Return the arguments that may be data, those in tuples, lists and dicts too, up to a limit."""
    if len(args) == 1 and not kwargs and type(args[0]) is Tensor:
        return [args[0]]
    values: list[Any] = []
    _collect((args, kwargs), values)
    return values


def _collect(value: Any, into: list[Any]) -> None:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for item in value[: MAX_ARGUMENTS + 1]:
            if len(into) <= MAX_ARGUMENTS:
                _collect(item, into)
    elif value is not None and not isinstance(value, bool | int | float | str):
        into.append(value)
