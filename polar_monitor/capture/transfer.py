"""Transfers to the host: from tensors on the model's device to a batch of arrays, without waiting for the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays.places import ABSENT, MAX_ROWS_PER_INPUT
from .inputs import GOLDEN


@dataclass
class Batch:
    """Rows read from a ring."""

    mean: NDArray[np.float32]
    """(n, D)."""
    spread: NDArray[np.float32] | None
    """(n, D) in the unit that the user named (log-variance, variance, standard deviation)."""
    inputs: NDArray[Any] | None
    """(n,): the number of the independent input of each row or, from compiled code, True at the first row of each one,
    whose rows follow each other; None if every row is one."""
    dropped: int
    """Rows that were overwritten."""
    steps: NDArray[np.int64]
    """(n,): optimiser step at which each row was recorded, in ascending order."""
    number: int | None = None
    """Number of the first row among all of its ring, as the choice of places counts; None where it is not known."""


def _to_host(tensor: Tensor) -> Tensor:
    """Return a CPU tensor that holds the values, or will hold them (CUDA); CPU tensors themselves are not copied."""
    if tensor.device.type == "cpu":
        return tensor
    if tensor.device.type == "cuda":
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)
    return tensor.cpu()


def to_hosts(tensors: list[Tensor]) -> tuple[list[Tensor], list[torch.cuda.Event]]:
    """Return CPU tensors of several, which may be on different devices, and the events to wait for before reading."""
    if all(tensor.is_cpu for tensor in tensors):
        return tensors, []
    hosts, events = [_to_host(tensor) for tensor in tensors], []
    for device in {tensor.device for tensor in tensors if tensor.device.type == "cuda"}:
        event: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        events.append(event)
    if events:  # those on the CPU are read later too, when the ring has other rows
        hosts = [host.clone() if host is tensor else host for host, tensor in zip(hosts, tensors, strict=True)]
    return hosts, events


class HostTransfer:
    """One read of what eager forwards wrote: at once on the CPU; on CUDA a copy that arrives some steps later."""

    _is_kept = False
    """True if the rows have been copied from the ring."""

    def __init__(
        self,
        mean: Tensor | None,
        spread: Tensor | None,
        first: int,
        steps: NDArray[np.int64],
        inputs: NDArray[Any] | None,
        masked: bool = False,
        number: int | None = None,
    ) -> None:
        """Read one row for each of `steps`, from the row `first` on, counted since the last read.

        The rows before have been overwritten. `inputs` is that of `Batch`. If `masked`, some rows are `ABSENT`.
        `number` is that of the first row.
        """
        assert mean is not None
        capacity, end = mean.shape[0], first + len(steps)
        part, self._first = (slice(first, end), 0) if end <= capacity else (slice(None), first % capacity)
        self._inputs, self._dropped, self._kept, self._steps = inputs, first, len(steps), steps
        self._masked, self._number = masked, number
        self._hosts, self._events = to_hosts([side[part] for side in (mean, spread) if side is not None])

    def ready(self) -> bool:
        """Return True if `take` does not have to wait."""
        return all(event.query() for event in self._events)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Wait until the copy has arrived."""
        for event in self._events:
            event.synchronize()

    @property
    def rows(self) -> int:
        """Rows that were written, overwritten ones included; it may have to wait."""
        return self._dropped + self._kept

    def keep(self) -> None:
        """Copy what lies in the memory of the ring, which is written to again."""
        if not (self._events or self._is_kept):
            self._hosts, self._is_kept = [host.clone() for host in self._hosts], True

    def take(self) -> Batch | None:
        """Return the rows, oldest first."""
        roll, self._is_kept = self._first, True
        sides = [(np.roll(host.numpy(), -roll, 0) if roll else host.numpy())[: self._kept] for host in self._hosts]
        spread = sides[1] if len(sides) > 1 else None
        mean, inputs, steps = sides[0], self._inputs, self._steps
        if self._masked:
            data = mean.view(np.int32)[:, 0] != ABSENT
            mean, steps = mean[data], steps[data]
            spread, inputs = (None if side is None else side[data] for side in (spread, inputs))
        return Batch(mean, spread, inputs, self._dropped, steps, None if self._masked else self._number)


class CompiledTransfer(HostTransfer):
    """One read of what compiled code wrote; the number of rows is known only when the cursor has arrived.

    `traced` and `cursors` are those of the mean and, if there is one, the spread. Each read calls `report` with the
    number of calls, and of rows that are dropped. Compiled code cannot know the step, so rows get the steps after the
    first of `between`, up to the second, as if each step gave as many. `in_training`, the calls of a step count as
    calls on the same inputs, as those of a model that is called once a time step are.
    """

    def __init__(
        self,
        traced: list[Tensor],
        cursors: list[Tensor],
        between: tuple[int, int],
        report: Callable[[int, int], None],
        in_training: bool = False,
    ) -> None:
        self._in_training = in_training
        self._report, self._between, self._masked, self._number = report, between, False, None
        hosts, self._events = to_hosts([*traced, *(cursor.clone() for cursor in cursors)])
        self._hosts, self._cursors = hosts[: len(traced)], hosts[len(traced) :]
        for cursor in cursors:
            cursor.zero_()

    @property
    def rows(self) -> int:
        """Rows that were written, overwritten ones included; it may have to wait."""
        return int(self._cursors[0][0])

    def take(self) -> Batch | None:
        """Return the rows; None if there are none, or mean and spread were not called with the same shapes."""
        cursors = [cursor.tolist() for cursor in self._cursors]
        written, inputs, calls, pattern = cursors[0]
        aligned = (written, pattern) == (cursors[-1][0], cursors[-1][3])
        self._report(calls, 0 if aligned else written)
        if not aligned or written == 0:
            return None
        per_input = max(written // inputs, 1)
        self._kept = min(written, self._hosts[0].shape[0])
        self._dropped = written - self._kept
        self._first = written % self._hosts[0].shape[0] if self._dropped else 0
        since, until = self._between
        rows = np.arange(self._dropped, written, dtype=np.int64)
        self._inputs = None if per_input == 1 else rows % per_input == 0
        self._steps = np.minimum(since + 1 + rows * (until - since) // written, until)
        batch, steps = super().take(), until - since
        if batch is None or not self._in_training or steps <= 0 or calls % steps or written % calls or calls == steps:
            return batch
        return _by_step(batch, rows, written // calls, per_input, calls // steps)


def _by_step(batch: Batch, rows: NDArray[np.int64], per_call: int, per_input: int, calls: int) -> Batch:
    """Return some calls of each step, as rows of the same inputs. Each step has so many calls of `per_call` rows."""
    call = rows // per_call
    step, place = call // calls, rows % per_call // per_input
    keep = np.ones(len(rows), np.bool_)
    if calls > MAX_ROWS_PER_INPUT:
        rate, phase = MAX_ROWS_PER_INPUT / calls, (batch.steps * GOLDEN) % 1.0
        keep = np.floor((call % calls + 1) * rate + phase) > np.floor(call % calls * rate + phase)
    inputs = (step * (per_call // per_input) + place)[keep]
    order = np.argsort(inputs, kind="stable")
    begins = np.diff(inputs[order], prepend=-1) != 0
    mean, spread = (None if side is None else side[keep][order] for side in (batch.mean, batch.spread))
    assert mean is not None
    dropped = round(batch.dropped * float(keep.mean()))  # the others would not have been taken
    return Batch(mean, spread, begins, dropped, batch.steps[keep][order])
