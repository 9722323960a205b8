"""Latents in low precision that compiled code would round in another way if they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from watching import warned, watched

from polar_monitor.capture import rounding

Head = Callable[[Any, Tensor], Any]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def fusing(graph: Any, inputs: Any) -> Any:
    """A backend of which nobody knows how it rounds."""
    return graph.forward


class Model(nn.Module):
    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = Part(head)
        self.decoder = nn.Linear(8, 12)

    def forward(self, x: Tensor) -> Any:
        code = self.head(x)
        return self.decoder(torch.sin(code if isinstance(code, Tensor) else code[0]).to(x.dtype))


class Part(nn.Linear):
    """A layer of 8 dimensions that ends in something else."""

    def __init__(self, head: Head) -> None:
        super().__init__(12, 8)
        self.layer, self.conv, self.head = nn.Linear(12, 8), nn.Conv1d(1, 1, 1), head

    def forward(self, x: Tensor) -> Any:
        return self.head(self.conv if self.head is convolved else self.layer, x)


def convolved(conv: nn.Module, x: Tensor) -> Tensor:
    return conv(x.unsqueeze(1))[:, 0, :8]


def in_place(layer: nn.Linear, x: Tensor) -> Tensor:
    y = layer(x)
    y.mul_(2)
    return y


def part_in_place(layer: nn.Linear, x: Tensor) -> Tensor:
    y = layer(x)
    y[:, :4] = 0
    return y


def times_two(layer: nn.Linear, x: Tensor) -> Tensor:
    y = layer(x)
    y *= 2
    return y


STORED: dict[str, Head] = {
    "layer": lambda layer, x: layer(x),
    "view": lambda layer, x: layer(x).view(-1, 2, 4).flatten(1),
    "part": lambda layer, x: layer(x).chunk(1, 1)[0][:, :8].contiguous(),
    "product": lambda layer, x: torch.addmm(layer.bias, x, layer.weight.t()),
    "convolution": convolved,
    "float32": lambda layer, x: torch.tanh(layer(x)).float(),
}
FUSED: dict[str, Head] = {
    "tanh": lambda layer, x: torch.tanh(layer(x)),
    "clamp": lambda layer, x: layer(x).clamp(-3, 3),
    "add": lambda layer, x: layer(x) + 1,
    "norm": lambda layer, x: nn.functional.layer_norm(layer(x), (8,)),
    "relu in place": lambda layer, x: nn.functional.relu(layer(x), inplace=True),
    "in place": in_place,
    "part in place": part_in_place,
    "operator": times_two,
    "lower": lambda layer, x: (layer(x).float() * 3).to(x.dtype),
}


def seen(head: Head, dtype: torch.dtype, backend: Any, **options: Any) -> tuple[int, list[str]]:
    model = Model(head).to(dtype)
    monitor = watched(model, mean="head", every=2, **options)
    forward, optimizer = torch.compile(model, backend=backend, fullgraph=True), torch.optim.SGD(model.parameters(), 0.0)
    with warned() as caught:
        for _ in range(4):
            forward(torch.randn(16, 12, dtype=dtype)).sum().backward()
            optimizer.step()
    rows = monitor.health().rows_seen
    monitor.detach()
    return rows, caught


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("head", STORED.values(), ids=STORED)
def test_what_compiled_code_stores_anyway_is_recorded(head: Head, dtype: torch.dtype) -> None:
    assert seen(head, dtype, fusing) == (64, [])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("head", FUSED.values(), ids=FUSED)
def test_what_it_would_not_store_is_not_recorded_and_one_warning_says_why(head: Head, dtype: torch.dtype) -> None:
    rows, caught = seen(head, dtype, fusing)
    assert rows == 0
    assert len(caught) == 1
    assert f"runs compiled in {dtype}" in caught[0]
    assert "emulate_precision_casts" in caught[0]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("head", FUSED.values(), ids=FUSED)
def test_backends_that_run_one_operation_after_the_other_record_all(head: Head, backend: str) -> None:
    if head is not part_in_place:  # of which autograd cannot take the gradient in place
        assert seen(head, torch.bfloat16, backend) == (64, [])


@pytest.mark.parametrize("head", [FUSED["tanh"], FUSED["norm"], in_place])
def test_float32_is_recorded_whatever_computes_it(head: Head) -> None:
    assert seen(head, torch.float32, fusing) == (64, [])


def test_a_pair_with_one_side_unrecorded_gives_no_row_and_the_reason() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mu, self.logvar = nn.Linear(12, 4), nn.Sequential(nn.Linear(12, 4), nn.Hardtanh())

        def forward(self, x: Tensor) -> Tensor:
            return self.mu(x) + self.logvar(x).exp()

    for mean, logvar in (("mu", "logvar"), ("logvar", "mu")):
        torch._dynamo.reset()
        model = Pair().bfloat16()
        monitor = watched(model, mean=mean, logvar=logvar, every=2)
        forward, optimizer = torch.compile(model, backend=fusing), torch.optim.SGD(model.parameters(), 0.0)
        with warned() as caught:
            for _ in range(6):
                forward(torch.randn(16, 12, dtype=torch.bfloat16))
                optimizer.step()
        health = monitor.health()
        assert (health.rows_seen, health.rows_dropped) == (0, 96 if mean == "mu" else 0)
        assert len(caught) == 1
        assert "runs compiled in torch.bfloat16" in caught[0]
        monitor.detach()


def test_options_of_inductor_decide() -> None:
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    product = graph.call_function(torch.nn.functional.linear, (x, x))
    tanh = graph.call_method("detach", (graph.call_function(torch.tanh, (product,)),))
    detached = graph.call_method("detach", (product,))
    rounds, tuned = {"emulate_precision_casts": True}, {"max_autotune": True}
    assert not rounding.is_stored(tanh, "inductor", {})
    assert rounding.is_stored(tanh, "inductor", rounds)
    assert not rounding.is_stored(tanh, "inductor", rounds | tuned)
    assert not rounding.is_stored(tanh, "another", rounds)
    assert rounding.is_stored(detached, "inductor", {})
    assert not rounding.is_stored(detached, "inductor", tuned)
    assert rounding.is_stored(graph.call_method("detach", (x,)), "inductor", tuned)
    assert not rounding.is_stored(None, "inductor", {})
    assert rounding.is_stored(None, "aot_eager", {})
