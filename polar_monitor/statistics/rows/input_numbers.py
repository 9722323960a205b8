"""Numbers of the inputs that rows belong to, from whatever a caller says about new rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels.light.inputs import least_step, number_inputs

Integers = NDArray[np.int64]


class InputNumbers:
    """Numbers inputs in the order in which they come, from 0 on in all updates."""

    def __init__(self) -> None:
        self.count = 0
        """Number of the next new input."""
        self._base = 0
        """Number of the input that the callers' numbers count from."""
        self.several = False
        """True if some input has several rows."""
        self.scattered = False
        """True if the rows of some input may lie apart in the window."""
        self._room: NDArray[np.int32] = np.empty(0, np.int32)
        """Memory of `group`, kept from one evaluation to the next."""

    def of_new_rows(self, n: int, per: int | NDArray[Any] | None) -> Integers:
        """Return the number of the input of each of n new rows; `LatentStream.update` says what `per` is."""
        if isinstance(per, np.ndarray) and per.dtype != np.bool_:
            return self._given(per)
        if isinstance(per, np.ndarray):
            inputs: Integers = np.maximum(self.count - 1 + np.cumsum(per), 0)
            several = int(inputs[-1]) + 1 - self.count < n
        else:
            per = per or 1
            inputs, several = np.arange(self.count, self.count + n, dtype=np.int64), per > 1
            if several:
                inputs = self.count + np.arange(n, dtype=np.int64) // per
        self.count = self._base = int(inputs[-1]) + 1
        self.several |= several
        return inputs

    def _given(self, numbers: Integers) -> Integers:
        """Return the numbers of inputs that a caller gives, counted on from those before."""
        inputs, last = numbers + self._base if self._base else numbers, self.count - 1
        first, least = int(inputs[0]), int(least_step(inputs))
        self.several |= first <= last or least <= 0
        self.scattered |= first < last or least < 0
        self.count = max(self.count, int(inputs[-1] if least >= 0 else inputs.max()) + 1)
        return inputs

    def merge(self, other: InputNumbers, inputs: Integers) -> Integers:
        """Return the `inputs` of another stream's rows, counted on from those here."""
        self.several |= other.several
        self.scattered |= other.scattered
        first = int(inputs.min())
        counted = inputs - first + self.count
        self.count = self._base = self.count + int(inputs.max()) - first + 1
        return counted

    def group(self, inputs: Integers) -> NDArray[np.int32] | None:
        """Number the inputs (n,) from 0 in the order of their rows, until the next call; None if each row is one."""
        if not self.several:
            return None
        if len(self._room) != len(inputs):
            self._room = np.empty(len(inputs), np.int32)
        group = self._room
        return group if number_inputs(inputs, group) < len(inputs) else None

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers, for `from_state`."""
        return {"inputs": self.count, "several": self.several}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], by_age: Integers) -> InputNumbers:
        """Return the numbers of a state, in whose window the inputs (n,) are `by_age`."""
        numbers = cls()
        numbers.count = numbers._base = int(state["inputs"])
        numbers.several = bool(state["several"])
        numbers.scattered = bool((np.diff(by_age) < 0).any())
        return numbers
