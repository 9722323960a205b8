"""Forwards that are not training's: tools that trace, transform or fake a model work as without the monitor."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from watching import watched

X = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))


class Halves(nn.Module):
    """A latent from a module that is no leaf, whose reader would touch what a tracer hands out."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(nn.Linear(12, 8)), nn.Linear(4, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x).chunk(2, 1)[0])


def scripted(model: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(model)


def test_scripting_works_inside_detached_and_the_hooks_come_back() -> None:
    model = nn.Sequential(nn.Linear(12, 4), nn.ReLU())
    monitor = watched(model, mean="0")
    with monitor.detached():
        product = scripted(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for forward in (product, model):
            forward(torch.randn(64, 12)).sum().backward()
            optimizer.step()
    assert monitor.health().steps == 0
    for _ in range(10):
        model(torch.randn(64, 12)).sum().backward()
        optimizer.step()
    assert monitor.snapshot().rows == 640  # type: ignore[union-attr]


def operations(graph: torch.fx.Graph) -> list[str]:
    return [f"{node.op} {node.target}" for node in graph.nodes]


@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_program_has_no_operation_of_ours(strict: bool) -> None:
    plain, model = Vae(), Vae()
    monitor = watched(model)
    programs = [torch.export.export(one, (X,), strict=strict) for one in (plain, model)]
    assert operations(programs[0].graph) == operations(programs[1].graph)
    assert monitor.health().calls == 0


def test_a_symbolic_trace_has_no_operation_of_ours() -> None:
    plain, model = Halves(), Halves()
    model.load_state_dict(plain.state_dict())
    monitor = watched(model, latent="encoder")
    graphs = [torch.fx.symbolic_trace(one) for one in (plain, model)]
    assert operations(graphs[0].graph) == operations(graphs[1].graph)
    assert torch.equal(graphs[1](X), plain(X))
    assert monitor.health().errors == 0


def test_a_functional_trace_has_no_operation_of_ours() -> None:
    plain, model = Halves(), Halves()
    monitor = watched(model, latent="encoder")
    graphs = [make_fx(one.__call__)(X).graph for one in (plain, model)]
    assert operations(graphs[0]) == operations(graphs[1])
    assert monitor.health().calls == 0


def test_a_jit_trace_has_no_operation_of_ours() -> None:
    plain, model = Vae(), Vae()
    monitor = watched(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        graphs = [torch.jit.trace(one, X, check_trace=False).inlined_graph for one in (plain, model)]
    kinds = [[node.kind() for node in graph.nodes()] for graph in graphs]
    assert kinds[0] == kinds[1]
    assert monitor.health().calls == 0


def test_vmap_and_grad_give_what_they_give_without() -> None:
    plain, model = nn.Sequential(nn.Linear(12, 4), nn.Tanh()), nn.Sequential(nn.Linear(12, 4), nn.Tanh())
    model.load_state_dict(plain.state_dict())
    monitor = watched(model, mean="0")

    def loss(one: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(one, parameters, (x,)).square().sum()

    results = []
    for one in (plain, model):
        parameters = {name: p.detach() for name, p in one.named_parameters()}
        per_sample = torch.func.vmap(torch.func.grad(lambda p, x, one=one: loss(one, p, x)), in_dims=(None, 0))
        results.append((torch.vmap(one)(X), *per_sample(parameters, X).values()))
    assert all(map(torch.equal, *results))
    health = monitor.health()
    assert (health.calls, health.errors) == (0, 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forward_derivatives_leave_nothing_in_the_ring() -> None:
    model = nn.Sequential(nn.Linear(12, 4), nn.Tanh())
    monitor = watched(model, mean="0", every=1)
    torch.func.jvp(model, (X,), (X,))
    with torch.autograd.forward_ad.dual_level():
        model(torch.autograd.forward_ad.make_dual(X, X))
    model(X).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert monitor.health().errors == 0
    assert monitor.snapshot().variance.min() > 0  # type: ignore[union-attr]


def test_fake_and_meta_tensors_are_passed_over() -> None:
    model = Vae()
    monitor = watched(model)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model(torch.randn(64, 12))
    health = monitor.health()
    assert (health.calls, health.errors) == (0, 0)


def test_a_model_that_is_initialised_later_is_watched() -> None:
    with torch.device("meta"):
        model = Vae()
    monitor = watched(model)
    model(torch.randn(64, 12, device="meta"))
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    train(model, 10)
    health = monitor.health()
    assert (health.rows_seen, health.errors) == (640, 0)
