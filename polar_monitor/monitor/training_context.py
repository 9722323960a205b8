"""Buffer of what the training loop logs, from one evaluation to the next. It never waits for a device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .._torch_compat import is_plain
from .._validation import state_count
from ..capture.transfer import to_hosts
from ..context import Context
from ..errors import PolarMonitorError


class TrainingContextBuffer:
    """Numbers logged since the latest evaluation. Those on a device are added up there and copied later."""

    def __init__(self) -> None:
        self._beta: float | None = None
        self._baseline: float | None = None
        self._rate: float | None = None
        self._highest_rate: float | None = None
        """Highest learning rate since the latest evaluation."""
        self._sum, self._count = 0.0, 0
        """Sum and number of the reconstruction terms."""
        self._on_device: Tensor | None = None
        """Sum and number of those on the device."""
        self.weight_decay: Callable[[], float | None] | None = None
        """Reads the weight decay of the optimiser; None where no optimiser is followed."""
        self._hosts: list[Tensor] = []
        self._events: list[torch.cuda.Event] = []

    def add(self, beta: Any, learning_rate: Any, reconstruction: Any, baseline: Any = None) -> None:
        """Add the numbers of one call, ignoring NaN and infinity. Raises PolarMonitorError for anything else."""
        beta, rate = _number("beta", beta), _number("learning_rate", learning_rate)
        baseline = _number("baseline", baseline)
        on_device = isinstance(reconstruction, Tensor) and reconstruction.device.type not in ("cpu", "meta")
        number = None if on_device else _number("reconstruction", reconstruction)
        if on_device:
            self._add_on_device(reconstruction)
        self._beta = self._beta if beta is None else beta
        self._baseline = self._baseline if baseline is None else baseline
        if rate is not None:
            self._rate, self._highest_rate = rate, max(rate, self._highest_rate or 0.0)
        if number is not None:
            self._sum, self._count = self._sum + number, self._count + 1

    def _add_on_device(self, value: Tensor) -> None:
        if not is_plain(value) or value.numel() != 1 or value.is_complex():
            raise PolarMonitorError(f"reconstruction: expected one number, got {_described(value)}")
        value = value.detach().reshape(()).float()
        finite = torch.isfinite(value)
        new = torch.stack([torch.where(finite, value, 0.0), finite.float()])
        self._on_device = new if self._on_device is None else self._on_device + new.to(self._on_device.device)

    def request(self) -> None:
        """Begin to copy what is on a device."""
        if self._on_device is not None:
            total, self._on_device = self._on_device, None
            hosts, events = to_hosts([total])
            self._hosts, self._events = [*self._hosts, *hosts], [*self._events, *events]

    def ready(self) -> bool:
        """Return True if `take` need not wait."""
        return all(event.query() for event in self._events)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Wait until `take` need not."""
        for event in self._events:
            event.synchronize()

    def take(self) -> Context:
        """Return the context since the latest call and start anew; the others stay until they change."""
        self._add_copied()
        mean = self._sum / self._count if self._count and math.isfinite(self._sum) else None
        context = Context(
            self._beta, self._highest_rate, mean, self._baseline, self.weight_decay and self.weight_decay()
        )
        self._highest_rate, self._sum, self._count = self._rate, 0.0, 0
        return context

    def _add_copied(self) -> None:
        for host in self._hosts:
            total, count = host.tolist()
            self._sum, self._count = self._sum + total, self._count + int(count)
        self._hosts, self._events = [], []

    def state_dict(self) -> dict[str, float | int | None]:
        """Return the state as plain data; waits for copies under way."""
        self.request()
        self.wait()
        self._add_copied()
        return {
            "beta": self._beta,
            "baseline": self._baseline,
            "rate": self._rate,
            "highest_rate": self._highest_rate,
            "sum": self._sum,
            "count": self._count,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises, and changes nothing, for anything else."""
        total, count = float(state["sum"]), state_count("count", state["count"])
        if not math.isfinite(total):
            raise PolarMonitorError(f"state: sum must be finite, got {total}")
        baseline = _finite_or_none("baseline", state.get("baseline"))
        beta, rate, highest = (_finite_or_none(word, state[word]) for word in ("beta", "rate", "highest_rate"))
        self._baseline = baseline
        self._beta, self._rate, self._highest_rate = beta, rate, highest
        self._sum, self._count, self._on_device, self._hosts, self._events = total, count, None, [], []


def _finite_or_none(word: str, value: Any) -> float | None:
    number = None if value is None else float(value)
    if number is not None and not math.isfinite(number):
        raise PolarMonitorError(f"state: {word} must be finite, got {number}")
    return number


def _number(word: str, value: Any) -> float | None:
    """Return a finite number, or None for one that is not. Raises PolarMonitorError for anything else."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        if value.device.type not in ("cpu", "meta"):
            raise PolarMonitorError(
                f"{word}: expected a number, got a tensor on {value.device}, whose value the loop would wait for"
            )
        if not is_plain(value) or value.is_meta or value.numel() != 1 or value.is_complex():
            raise PolarMonitorError(f"{word}: expected one number, got {_described(value)}")
        value = value.detach()
    try:
        number = float(value)
    except Exception:
        raise PolarMonitorError(f"{word}: expected one number, got {_described(value)}") from None
    return number if math.isfinite(number) else None


def _described(value: Any) -> str:
    """Describe any value, even one without a working `repr`."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} on {value.device}"
    return (
        f"{type(value).__name__} {value!r:.60}"
        if isinstance(value, str | list | dict | complex)
        else type(value).__name__
    )
