"""Collects what the training loop tells, from one evaluation to the next, without waiting for a device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .._torch_compat import is_plain
from ..capture.transfer import to_hosts
from ..context import Context
from ..errors import PolarMonitorError

MOST = 2**62
"""Numbers that a mean can be of."""


class TrainingContextBuffer:
    """What has been told since the last evaluation. Numbers on a device are added up there and copied later."""

    def __init__(self) -> None:
        self._beta: float | None = None
        self._rate: float | None = None
        self._highest: float | None = None
        self._sum, self._count = 0.0, 0
        self._away: Tensor | None = None
        """Sum and count, on the device."""
        self._hosts: list[Tensor] = []
        self._events: list[torch.cuda.Event] = []

    def add(self, beta: Any, learning_rate: Any, reconstruction: Any) -> None:
        """Raises PolarMonitorError for what is no number; what is not finite is as good as not told."""
        beta, rate = _number("beta", beta), _number("learning_rate", learning_rate)
        on_device = isinstance(reconstruction, Tensor) and reconstruction.device.type not in ("cpu", "meta")
        number = None if on_device else _number("reconstruction", reconstruction)
        if on_device:
            self._add_there(reconstruction)
        self._beta = self._beta if beta is None else beta
        if rate is not None:
            self._rate, self._highest = rate, max(rate, self._highest or 0.0)
        if number is not None:
            self._sum, self._count = self._sum + number, self._count + 1

    def _add_there(self, value: Tensor) -> None:
        if not is_plain(value) or value.numel() != 1 or value.is_complex():
            raise PolarMonitorError(f"reconstruction: expected one number, got {_said(value)}")
        value = value.detach().reshape(()).float()
        finite = torch.isfinite(value)
        new = torch.stack([torch.where(finite, value, 0.0), finite.float()])
        self._away = new if self._away is None else self._away + new.to(self._away.device)

    def ask(self) -> None:
        """Begin to copy what is on a device."""
        if self._away is not None:
            away, self._away = self._away, None
            hosts, events = to_hosts([away])
            self._hosts, self._events = [*self._hosts, *hosts], [*self._events, *events]

    def ready(self) -> bool:
        """Whether `take` will not have to wait."""
        return all(event.query() for event in self._events)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Wait until `take` does not have to."""
        for event in self._events:
            event.synchronize()

    def take(self) -> Context:
        """What has been told, and begin anew; β and the learning rate stay until others are told."""
        self._land()
        mean = self._sum / self._count if self._count and math.isfinite(self._sum) else None
        found = Context(self._beta, self._highest, mean)
        self._highest, self._sum, self._count = self._rate, 0.0, 0
        return found

    def _land(self) -> None:
        for host in self._hosts:
            total, count = host.tolist()
            self._sum, self._count = self._sum + total, self._count + int(count)
        self._hosts, self._events = [], []

    def state_dict(self) -> dict[str, float | int | None]:
        """Plain data; waits for what is under way."""
        self.ask()
        self.wait()
        self._land()
        names = ("beta", "rate", "highest", "sum", "count")
        return {name: getattr(self, f"_{name}") for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back. Raises, and changes nothing, for what is none."""
        new = [None if state[name] is None else float(state[name]) for name in ("beta", "rate", "highest")]
        total, count = float(state["sum"]), state["count"]
        if (
            isinstance(count, bool)
            or not isinstance(count, int)
            or not 0 <= count < MOST
            or not all(math.isfinite(number) for number in (total, *new) if number is not None)
        ):
            raise ValueError(f"a state of what the loop told with numbers that cannot be: {str(dict(state))[:200]}")
        self._beta, self._rate, self._highest = new
        self._sum, self._count, self._away, self._hosts, self._events = total, count, None, [], []


def _number(word: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, Tensor):
        if value.device.type not in ("cpu", "meta"):
            raise PolarMonitorError(f"{word}: expected a number, got a tensor on {value.device} to wait for")
        if not is_plain(value) or value.is_meta or value.numel() != 1 or value.is_complex():
            raise PolarMonitorError(f"{word}: expected one number, got {_said(value)}")
        value = value.detach()
    try:
        number = float(value)
    except Exception:
        raise PolarMonitorError(f"{word}: expected one number, got {_said(value)}") from None
    return number if math.isfinite(number) else None


def _said(value: Any) -> str:
    """What was given, however strange it is."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} on {value.device}"
    return (
        f"{type(value).__name__} {value!r:.60}"
        if isinstance(value, str | list | dict | complex)
        else type(value).__name__
    )
