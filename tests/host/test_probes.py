"""A batch that the user gives to `probe` is answered, and the training does not notice."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from models import Autoencoder, ConvVae, TransformerVae, Vae, train, vae_loss
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from watching import Memory, left_behind, same, watched

import polar_monitor
from polar_monitor import PolarMonitorError

X = torch.randn(64, 12, generator=torch.Generator().manual_seed(1))


class Spectral(Vae):
    """Spectral norm of both kinds: one is a hook before the forward, the other changes its vectors in train mode."""

    def __init__(self) -> None:
        super().__init__(dropout=0.3)
        self.decoder = nn.Sequential(
            nn.utils.spectral_norm(nn.Linear(4, 8)),
            nn.BatchNorm1d(8),
            nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8)),
            nn.utils.parametrizations.weight_norm(nn.Linear(8, 12)),
        )


class Careless(Vae):
    """Writes to its buffers in any mode, draws random numbers of all kinds, keeps a running mean of the code."""

    def __init__(self) -> None:
        super().__init__(dropout=0.3)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("average", torch.zeros(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.count += 1
        x = x + 1e-3 * (random.random() + float(np.random.rand()))  # noqa: NPY002
        output: tuple[Tensor, Tensor, Tensor] = super().forward(x)
        self.average = 0.9 * self.average + 0.1 * output[1].detach().mean(0)
        return output


def loss(output: Any, x: Tensor) -> Tensor:
    return (output[0] - x).square().flatten(1).sum(1)


def trained(build: Any, asking: bool, modes: tuple[str, ...], between: bool) -> tuple[dict[str, Any], Memory]:
    """All that a run leaves behind; `asking` probes every 10 steps, before the backward if `between`."""
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    model, sink = build(), Memory()
    monitor = watched(model, sinks=(sink,), every=10, modes=modes)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(30):
        x = torch.randn(32, *getattr(model, "inputs", (12,)))
        output = model(x)
        batch = torch.randn(64, *x.shape[1:], generator=torch.Generator())
        if asking and between and step % 10 == 5:
            monitor.probe(batch, loss=loss, replace=("marginal",))
        optimizer.zero_grad()
        vae_loss(output, x).backward()
        optimizer.step()
        if asking and not between and step % 10 == 5:
            monitor.probe(batch, loss=loss)
            polar_monitor.ablate(model, batch, loss=loss, replace=("mean",))
    return left_behind(model, optimizer) | {"monitor": monitor.state_dict()}, sink


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("build", [lambda: Vae(dropout=0.3), ConvVae, TransformerVae, Spectral, Careless])
def test_training_and_monitor_are_the_same_with_and_without(build: Any, between: bool) -> None:
    modes = ("train", "eval") if between else ("train",)
    (without, one), (asked, other) = (trained(build, asking, modes, between) for asking in (False, True))
    for left in (without, asked):
        del left["monitor"]["schedule"]["allowance"]  # a time
    for part in without:
        assert same(asked[part], without[part]), part
    assert [(r.step, r.mode, r.observed) for r in one.records] == [(r.step, r.mode, r.observed) for r in other.records]
    assert any(record.worth is not None for record in other.records)


def test_a_compiled_model_is_probed_and_not_compiled_again() -> None:
    left = []
    for asking in (False, True):
        torch._dynamo.reset()
        torch.manual_seed(0)
        model, counter = Vae(), CompileCounterWithBackend("aot_eager")
        monitor = watched(model, every=5, strict=False)
        compiled = torch.compile(model, backend=counter)
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        for step in range(20):
            output = compiled(X)
            if asking and step > 2:
                assert len(monitor.probe(X, loss=loss, replace=("mean",)).worth) == 4
            optimizer.zero_grad()
            vae_loss(output, X).backward()
            optimizer.step()
        assert counter.frame_count == 1
        assert monitor.health().rows_seen == 20 * 64
        left.append(left_behind(model, optimizer))
        torch._dynamo.reset()
    assert same(left[0], left[1])


def test_no_gradient_no_hook_and_the_hooks_of_the_user_run() -> None:
    """Those of weight norm, spectral norm and quantisation are a part of the model, so none can be left out."""
    model, seen = Vae(), []
    model.decoder.register_forward_hook(lambda m, a, o: seen.append((torch.is_grad_enabled(), m.training)))
    monitor = watched(model)
    keys = [list(module._forward_hooks) + list(module._forward_pre_hooks) for module in model.modules()]
    monitor.probe(X, loss=loss, replace=("mean",))
    assert set(seen) == {(False, False)}
    assert torch.is_grad_enabled()
    assert keys == [list(module._forward_hooks) + list(module._forward_pre_hooks) for module in model.modules()]


@pytest.mark.parametrize("modes", [("train",), ("train", "eval")])
def test_no_monitor_of_the_model_gets_a_row(modes: tuple[str, ...]) -> None:
    model, sink = Vae(), Memory()
    one, two = (watched(model, name=name, modes=modes, sinks=(sink,)) for name in ("one", "two"))
    one.probe(X, loss=loss)
    polar_monitor.ablate(model, X, loss=loss)
    train(model, 1)
    assert [(m.health().calls, m.health().evaluations) for m in (one, two)] == [(1, 0), (1, 0)]
    two.evaluate()
    assert two.health().rows_seen == 64


class MineError(Exception):
    """An error of the user's own."""


def test_an_error_of_the_model_or_the_loss_comes_out_and_all_is_put_back() -> None:
    model = Careless()
    monitor = watched(model)
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    state, calls = torch.get_rng_state(), []

    def failing(output: Any, x: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise MineError("as it is")
        return loss(output, x)

    with pytest.raises(MineError, match=r"^as it is$"):
        monitor.probe(X, loss=failing)
    with pytest.raises(RuntimeError):
        monitor.probe(X[:, :5], loss=loss)
    assert model.training and torch.is_grad_enabled()
    assert same(dict(model.named_buffers()), buffers)
    assert torch.equal(torch.get_rng_state(), state)
    assert hooks == [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    assert not next(iter(monitor._loop.hooks.taps)).muted
    assert monitor.health().errors == 0
    assert monitor._loop.publisher.probed.latest is None


def test_after_detach_there_is_no_model_to_probe() -> None:
    model = Vae()
    monitor = watched(model)
    monitor.detach()
    with pytest.raises(PolarMonitorError, match=r"watches no model.*polar_monitor.ablate\(model, batch\)"):
        monitor.probe(X)


def test_a_probe_during_the_search_of_the_latent_does_not_disturb_it() -> None:
    """The names leave a choice; the first steps decide, and a probe between them is no step."""

    class Unnamed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(12, 16), nn.Tanh())
            self.a, self.b = nn.Linear(16, 4), nn.Linear(16, 4)
            self.a.weight.data *= 4
            self.b.weight.data *= 2
            self.out = nn.Linear(4, 12)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            h = self.body(x)
            mean, logvar = self.a(h), self.b(h)
            return self.out(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar

    results = []
    for asking in (False, True):
        torch.manual_seed(0)
        model = Unnamed()
        monitor = watched(model)
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        for _ in range(6):
            output = model(torch.randn(256, 12))
            if asking:
                assert len(monitor.probe(torch.cat([X] * 8), loss=loss, replace=("mean",)).worth) == 4
            optimizer.zero_grad()
            vae_loss(output, output[0].detach()).backward()
            optimizer.step()
        assert "mean from 'a'" in monitor.explain()
        results.append(monitor.explain().splitlines()[0])
    assert results[0] == results[1]


def test_a_code_of_an_autoencoder_is_probed_under_a_monitor() -> None:
    model = Autoencoder()
    worth = watched(model, mean="encoder").probe(X)
    assert worth.by.keys() == {"row", "mean"}
    assert worth.how == "row"
