"""Calls on the same inputs are put together; everything else is as many inputs as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from watching import watched

from polar_monitor import PolarMonitor
from polar_monitor.capture.inputs import InputNumbers, are_parts, batch_size_of, flat, same_arguments, token_of
from polar_monitor.capture.step_ledger import inputs_of


class Steps(nn.Module):
    """A model that calls its heads once a time step."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Linear(8, 3, bias=False), nn.Linear(8, 3)
        with torch.no_grad():
            self.logvar.weight *= 0.5
            self.logvar.bias.fill_(-3.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a sum of all steps."""
        return torch.stack([self.mu(x[:, t]).sum() + self.logvar(x[:, t]).sum() for t in range(x.shape[1])]).sum()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Do the same outside the forward."""
        return self.forward(x)


def train(model: nn.Module, forward: Any, steps: int = 20, backward: bool = True) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 1e-6)
    for step in range(steps):
        optimizer.zero_grad()
        losses = forward(step)
        for loss in losses if isinstance(losses, list) else [losses]:
            if backward:
                loss.backward()
        optimizer.step()


def counted(monitor: PolarMonitor) -> tuple[int, int]:
    """Return the rows and the inputs of the window."""
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert monitor.health().errors == 0
    return snapshot.n, snapshot.independent


def walks(inputs: int, steps: int, seed: int, rho: float = 0.97) -> torch.Tensor:
    """Sequences (n, T, 8) whose steps depend strongly on each other, of variance 1."""
    draw = torch.randn(inputs, steps, 8, generator=torch.Generator().manual_seed(seed))
    for t in range(1, steps):
        draw[:, t] = rho * draw[:, t - 1] + (1 - rho**2) ** 0.5 * draw[:, t]
    return draw


@pytest.mark.parametrize("call", ["forward", "encode"])
def test_calls_of_one_forward_are_on_the_same_inputs(call: str) -> None:
    model = Steps()
    monitor = watched(model, mean="mu", logvar="logvar", every=10, max_overhead=1.0)
    train(model, lambda step: (model if call == "forward" else model.encode)(walks(64, 20, step)))
    rows, inputs = counted(monitor)
    assert 3 * inputs <= rows <= 5 * inputs
    assert inputs <= 20 * 64


@pytest.mark.parametrize("length", [3, 8])
def test_compiled_calls_of_one_step_are_on_the_same_inputs(length: int) -> None:
    torch._dynamo.reset()
    model = Steps()
    monitor = watched(model, mean="mu", logvar="logvar", every=10, max_overhead=1.0)
    compiled = torch.compile(model, backend="aot_eager")
    train(model, lambda step: compiled(walks(64, length, step)))
    rows, inputs = counted(monitor)
    assert min(length, 4) * inputs == pytest.approx(rows, rel=0.05)
    torch._dynamo.reset()


def test_the_calls_that_are_taken_stand_for_all_steps() -> None:
    numbers, taken = InputNumbers(), np.zeros(20, int)
    for _ in range(500):
        numbers.begin(20)
        calls = [call for call in range(20) if numbers.takes(call)]
        assert 3 <= len(calls) <= 5
        taken[calls] += 1
    assert taken.min() >= 0.9 * taken.mean() and taken.max() <= 1.1 * taken.mean()


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_few_calls_are_all_taken(calls: int) -> None:
    numbers = InputNumbers()
    for _ in range(3):
        numbers.begin(calls)
        assert all(numbers.takes(call) for call in range(calls))


def test_the_stated_errors_are_those_of_the_windows() -> None:
    """At frozen weights the z-scores of 36 separate windows have a spread of about one."""
    torch.manual_seed(0)
    model = Steps()
    monitor = watched(model, mean="mu", logvar="logvar", every=40, max_overhead=1.0, window=2048)
    optimizer, estimates, errors = torch.optim.SGD(model.parameters(), 0.0), [], []
    for step in range(37 * 40):
        with torch.no_grad():
            model(walks(16, 12 + step % 9, step))
        optimizer.step()
        if (step + 1) % 40 == 0 and step >= 40:
            snapshot = monitor.snapshot()
            assert snapshot is not None
            estimates.append(snapshot.information)
            errors.append(snapshot.information_se)
    values = np.array(estimates)
    z = (values - values.mean(0)) / np.array(errors)
    assert 0.8 < np.sqrt((z**2).sum() / (z.size - z.shape[1])) < 1.2


def test_micro_batches_are_inputs_of_their_own_also_without_the_forward() -> None:
    model = Steps()
    monitor = watched(model, mean="mu", logvar="logvar", every=10, max_overhead=1.0)

    def accumulated(step: int) -> torch.Tensor:
        for part in range(6):
            loss = model.mu(x := torch.randn(16, 8)).sum() + model.logvar(x).sum()
            if part < 5:
                loss.backward()
        return loss

    train(model, accumulated)
    rows, inputs = counted(monitor)
    assert rows == inputs


def test_validation_without_the_forward_has_inputs_of_its_own_in_each_call() -> None:
    model = Steps()
    monitor = watched(model, mean="mu", logvar="logvar", every=10, max_overhead=1.0)

    @torch.no_grad()
    def validated(step: int) -> list[torch.Tensor]:
        for _ in range(6):
            model.mu(x := torch.randn(16, 8))
            model.logvar(x)
        return []

    train(model, validated)
    rows, inputs = counted(monitor)
    assert rows == inputs


class Sliced(nn.Module):
    """A model that encodes its batch in parts, to save memory."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.mu, self.size = nn.Linear(8, 3), size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a sum of all parts."""
        return torch.cat([self.mu(part) for part in x.split(self.size)]).sum()


@pytest.mark.parametrize("size", [1, 7, 16])
def test_parts_of_a_batch_are_different_inputs(size: int) -> None:
    model = Sliced(size)
    monitor = watched(model, mean="mu", every=20, max_overhead=1.0)
    train(model, lambda step: model(torch.randn(32, 8)))
    rows, inputs = counted(monitor)
    assert rows > 30 * 32 // 2
    assert inputs >= 0.9 * rows


def test_the_same_tensor_in_every_forward_is_the_same_inputs() -> None:
    model = nn.Sequential(nn.Linear(8, 3))
    monitor = watched(model, mean="0", every=10, max_overhead=1.0)
    x = torch.randn(300, 8)
    train(model, lambda step: model(x).sum(), 40)
    snapshot, regime = monitor.snapshot(), monitor.regime()
    assert snapshot is not None and regime is not None
    assert (snapshot.n, snapshot.independent, snapshot.finite.max()) == (4096, 300, 300)
    assert {str(label) for label in regime.labels} == {"undecided"}


class Graph(nn.Module):
    """A graph model: the loop calls `encode`, and no forward."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Encode all nodes."""
        mu: torch.Tensor = self.encoder(x)
        return mu


@pytest.mark.parametrize(("mean", "inputs"), [("encoder.1", 300), ("encoder", 300)])
def test_the_same_nodes_through_a_part_of_the_model(mean: str, inputs: int) -> None:
    model, x = Graph(), torch.randn(300, 8)
    monitor = watched(model, mean=mean, every=10, max_overhead=1.0)
    train(model, lambda step: model.encode(x).sum(), 40)
    assert counted(monitor) == (4096, inputs)


@pytest.mark.parametrize("change", ["in place", "another"])
def test_a_tensor_that_changes_has_other_inputs(change: str) -> None:
    model = nn.Sequential(nn.Linear(8, 3))
    monitor = watched(model, mean="0", every=10, max_overhead=1.0)
    kept = torch.randn(64, 8)

    def forward(step: int) -> torch.Tensor:
        if change == "in place":
            kept.normal_()
        result: torch.Tensor = model(kept if change == "in place" else torch.randn(64, 8)).sum()
        return result

    train(model, forward)
    rows, inputs = counted(monitor)
    assert rows == inputs


def test_arguments_are_recognised_by_weak_references() -> None:
    x, grid = torch.randn(4, 2), torch.arange(3.0)
    before = token_of(flat((grid, x), {"scale": 2.0}))
    assert same_arguments(token_of(flat((grid, x), {"scale": 3.0})), before)
    assert not same_arguments(token_of(flat((grid, x.clone()))), before)
    x.mul_(1.0)
    assert not same_arguments(token_of(flat((grid, [x]))), before)
    before = token_of(flat((x,)))
    del x
    assert not same_arguments(before, before)  # nothing holds it
    assert token_of(flat(("text", 3))) is None
    with torch.inference_mode():
        assert token_of(flat((torch.ones(2),))) is None


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(16, 8)], 16), ([(16, 3, 9, 9)], 16), ([(40, 16, 8)], None), ([(40, 16, 8), (16,)], 16),
        ([(16, 40, 8), (40,)], 40), ([(16, 40, 8), (5,)], None), ([], None), ([(7,)], 7),
    ],
)  # fmt: skip
def test_the_number_of_inputs(shapes: list[tuple[int, ...]], expected: int | None) -> None:
    assert batch_size_of([torch.zeros(shape) for shape in shapes]) == expected


def test_parts_are_as_many_calls_as_the_batch_needs() -> None:
    assert are_parts(3, 16, 40) and are_parts(40, 1, 40)
    assert not are_parts(20, 16, 16) and not are_parts(1, 16, 16)
    assert not are_parts(20, 16, None) and not are_parts(40, 16, 40)


def test_numbers_of_rows() -> None:
    assert inputs_of([(4, 2, 0), (2, 1, 0), (3, 1, 5)]).tolist() == [0, 0, 1, 1, 0, 1, 5, 6, 7]
