"""A batch that the user gives to `evaluate` is answered, and the training does not notice."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from models import Autoencoder, ConvVae, TransformerVae, Vae, train, vae_loss
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from watching import Memory, left_behind, same, warned, watched

import polar_monitor
from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.arrays.places import MAX_ROWS_PER_INPUT

X = torch.randn(3000, 12, generator=torch.Generator().manual_seed(1))


class Careless(nn.Module):
    """Writes to its buffers in any mode, draws random numbers of all kinds, keeps what it computed."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = Vae(dropout=0.3)
        self.norm = nn.BatchNorm1d(12)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("last", torch.zeros(2))
        self.kept: Tensor | None = None

    def forward(self, x: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        self.count += 1
        self.last = torch.full((2,), random.random() + float(np.random.rand()))  # noqa: NPY002
        x = self.norm(x) * scale
        self.kept = x
        output: tuple[Tensor, Tensor, Tensor] = self.vae(x)
        return output


# -- the training is the same ------------------------------------------------------------------------------------------


def trained(build: Any, asking: bool, modes: tuple[str, ...], **options: Any) -> tuple[dict[str, Any], Memory]:
    """All that a run leaves behind; with `asking` a batch is evaluated in every third step, before the backward."""
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    model, sink = build(), Memory()
    monitor = watched(model, sinks=(sink,), every=10, modes=modes, **options)
    frozen = next(module for module in model.modules() if isinstance(module, nn.Dropout | nn.Dropout2d))
    frozen.eval()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(60):
        x = torch.randn(32, *getattr(model, "inputs", (12,)))
        output = model(x)
        if asking and step % 3 == 0:
            assert len(monitor.evaluate(torch.randn(600, *x.shape[1:], generator=torch.Generator())).labels) > 1
        optimizer.zero_grad()
        vae_loss(output, x).backward()
        optimizer.step()
    assert not frozen.training and model.training
    return left_behind(model, optimizer) | {"monitor": monitor.state_dict()}, sink


@pytest.mark.parametrize("modes", [("train",), ("train", "eval")])
@pytest.mark.parametrize("build", [lambda: Vae(dropout=0.3), ConvVae, TransformerVae, Careless])
def test_training_and_monitor_are_the_same_with_and_without(build: Any, modes: tuple[str, ...]) -> None:
    (without, one), (asked, other) = (trained(build, asking, modes) for asking in (False, True))
    for left in (without, asked):
        del left["monitor"]["schedule"]["allowance"]  # a time
    for part in without:
        assert same(asked[part], without[part]), part
    assert [(r.step, r.mode, r.observed) for r in one.records] == [(r.step, r.mode, r.observed) for r in other.records]


def test_a_compiled_model_answers_and_is_not_compiled_again() -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=5, strict=False)
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(model, backend=counter)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for step in range(20):
        output = compiled(X[:64])
        if step > 2:
            monitor.evaluate(X)
        optimizer.zero_grad()
        vae_loss(output, X[:64]).backward()
        optimizer.step()
    assert counter.frame_count == 1
    assert monitor.health().rows_seen == 20 * 64
    torch._dynamo.reset()


def test_a_model_compiled_in_place_answers_and_is_not_compiled_again() -> None:
    if not hasattr(torch.compiler, "set_stance"):
        pytest.skip("this torch cannot run compiled code eagerly")
    torch._dynamo.reset()
    model, counter = Vae(), CompileCounterWithBackend("aot_eager")
    monitor = watched(model, every=5, strict=False)
    model.compile(backend=counter)
    train(model, 3)
    assert len(monitor.evaluate(X).labels) == 4
    train(model, 3)
    assert counter.frame_count == 1
    torch._dynamo.reset()


def test_the_forward_has_no_gradient() -> None:
    model, seen = Vae(), []
    model.decoder.register_forward_hook(lambda m, a, o: seen.append((torch.is_grad_enabled(), o.requires_grad)))
    watched(model).evaluate(X)
    assert seen == [(False, False)]
    assert torch.is_grad_enabled()


# -- the answer --------------------------------------------------------------------------------------------------------


def latents(model: Vae) -> tuple[Tensor, Tensor]:
    model.eval()
    with torch.no_grad():
        _, mean, logvar = model(X)
    model.train()
    return mean, logvar


@pytest.mark.parametrize("batch", [X, (X,), [X], {"x": X}])
def test_it_agrees_with_classify_on_the_same_rows(batch: Any) -> None:
    model = Vae(dropout=0.5)
    monitor = watched(model, prior=(0.1, 2.0))
    train(model, 15)
    regime = monitor.evaluate(batch)
    mean, logvar = latents(model)
    expected = polar_monitor.classify(mean, logvar=logvar, prior=(0.1, 2.0))
    assert (regime.labels, regime.verdict, regime.reasons) == (expected.labels, expected.verdict, expected.reasons)
    got, want = regime.snapshot.to_dict(), expected.snapshot.to_dict()
    assert (regime.step, got.pop("step"), want.pop("step")) == (15, 15, 0)
    assert same(got, want)


def test_more_rows_than_the_window_are_all_used() -> None:
    model = Vae()
    monitor = watched(model, window=512)
    assert monitor.evaluate(X).snapshot.rows == 3000


def test_a_code_without_a_variance_and_a_spatial_latent_are_answered() -> None:
    model = Autoencoder()
    assert not watched(model, mean="encoder").evaluate(X).snapshot.has_variance
    conv = ConvVae()
    snapshot = watched(conv).evaluate(torch.randn(600, 1, 8, 8)).snapshot
    assert (snapshot.dimensions, snapshot.independent, snapshot.rows) == (3, 600, 600 * MAX_ROWS_PER_INPUT)


class Pixels(nn.Module):
    """A spatial latent of many places, in two calls on images of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, two = x.split(300)
        return sum((self.mu(part) + self.logvar(part)).sum() for part in (one, two[..., 1:, 1:]))  # type: ignore[return-value]


def test_calls_of_several_sizes_are_all_read_and_other_places_of_each_image() -> None:
    model, images = Pixels(), torch.randn(600, 1, 9, 9, generator=torch.Generator().manual_seed(2))
    regime = watched(model).evaluate(images)
    assert (regime.snapshot.independent, regime.snapshot.rows) == (600, 600 * MAX_ROWS_PER_INPUT)
    with torch.no_grad():
        parts = [images[:300], images[300:, :, 1:, 1:]]
        chunks = [(model.mu(part), model.logvar(part)) for part in parts]
    expected = polar_monitor.classify(iter(chunks), logvar=True)
    assert same(regime.snapshot.mean.tolist(), expected.snapshot.mean.tolist())


def test_one_output_that_carries_both_and_a_prior_of_each_row() -> None:
    model = Vae()
    monitor = watched(
        model, mean=lambda out: out[1], logvar=lambda out: out[2], prior=lambda out: (0 * out[1] + 1, 0 * out[1] + 4)
    )
    regime = monitor.evaluate(X)
    mean, logvar = latents(model)
    ones = torch.ones_like(mean)
    assert regime.labels == polar_monitor.classify(mean, logvar=logvar, prior=(ones, 4 * ones)).labels
    np.testing.assert_allclose(regime.snapshot.mean, ((mean - 1) / 2).mean(0).numpy(), rtol=1e-4)


def test_it_answers_while_the_hooks_pause_and_they_stay_as_they_are() -> None:
    model = Vae()
    monitor = watched(model, every=1000, window=512)
    train(model, 100)
    assert not model.fc_mu._forward_hooks
    calls = monitor.health().calls
    assert len(monitor.evaluate(X).labels) == 4
    with monitor.detached():
        assert len(monitor.evaluate(X).labels) == 4
    assert not model.fc_mu._forward_hooks
    assert monitor.health().calls == calls


def test_hooks_of_the_model_run_in_their_order_and_stay() -> None:
    model, ran = Vae(), []
    model.fc_mu.register_forward_hook(lambda m, a, o: ran.append("before"))
    monitor = watched(model)
    model.fc_mu.register_forward_hook(lambda m, a, o: ran.append("after"))
    keys = list(model.fc_mu._forward_hooks)
    monitor.evaluate(X)
    assert ran == ["before", "after"]
    assert list(model.fc_mu._forward_hooks) == keys
    train(model, 1)
    assert monitor.health().calls == 1


def test_another_monitor_of_the_model_gets_no_row() -> None:
    model = Vae()
    one, two = (watched(model, name=name, modes=("train", "eval")) for name in ("one", "two"))
    one.evaluate(X)
    train(model, 1)
    assert [(m.health().calls, m.health().rows_seen) for m in (one, two)] == [(1, 0), (1, 0)]
    two.evaluate()
    assert two.health().rows_seen == 64


def test_no_alert_no_sink_no_evaluation_and_no_overhead() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,))
    with warned() as caught:
        regime = monitor.evaluate(torch.full((600, 12), torch.nan))
    assert str(regime.verdict) == "not_estimable"
    assert (sink.records, monitor.alerts, caught, monitor.health().evaluations) == ([], (), [], 0)
    assert monitor.snapshot() is None


# -- what goes wrong ---------------------------------------------------------------------------------------------------


class MineError(Exception):
    """An error of the user's own."""


@pytest.mark.parametrize("strict", [False, True])
def test_an_error_of_the_forward_comes_out_and_all_is_put_back(strict: bool) -> None:
    model = Careless()
    monitor = watched(model, strict=strict, modes=("train", "eval"))
    model.vae.decoder.register_forward_hook(broken := lambda m, a, o: (_ for _ in ()).throw(MineError("as it is")))
    model.norm.eval()
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    state = torch.get_rng_state()
    with pytest.raises(MineError, match=r"^as it is$"):
        monitor.evaluate(X)
    assert broken is not None
    assert model.training and not model.norm.training
    assert same(dict(model.named_buffers()), buffers)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled() and torch.is_autocast_cache_enabled()
    assert not next(iter(monitor._loop.hooks.taps)).muted
    assert monitor.health().errors == 0
    with pytest.raises(TypeError):
        monitor.evaluate((X, 1.0, "one argument too many"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda model: PolarMonitor(sinks=()), "watches no model"),
        (lambda model: watched(model, latent="body", mean=lambda out: out["no"]), "could not be read: "),
        (lambda model: watched(model, mean="decoder.unused"), "a forward that calls 'decoder.unused', got none"),
    ],
)
def test_a_batch_that_gives_no_latent_is_one_error(make: Any, said: str) -> None:
    model = Vae()
    model.decoder.unused = nn.Linear(2, 2)
    with pytest.raises(PolarMonitorError, match=said):
        make(model).evaluate(X)


def test_after_detach_there_is_no_model_to_run() -> None:
    model = Vae()
    monitor = watched(model)
    monitor.detach()
    with pytest.raises(PolarMonitorError, match="watches no model"):
        monitor.evaluate(X)


def test_mean_and_spread_that_are_not_called_equally_often_are_one_error() -> None:
    class Uneven(Vae):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            self.fc_mu(self.body(x))
            output: tuple[Tensor, Tensor, Tensor] = super().forward(x)
            return output

    model = Uneven()
    with pytest.raises(
        PolarMonitorError, match="got 2 calls of the mean and 1 of the spread from 'fc_mu', 'fc_logvar'"
    ):
        watched(model).evaluate(X)


def test_weights_that_autocast_has_cast_do_not_lose_their_gradient() -> None:
    model = Vae()
    monitor = watched(model, strict=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        monitor.evaluate(X)
        output = model(X[:64])
        output[0].float().square().sum().backward()
    assert all(parameter.grad is not None for parameter in (model.fc_mu.weight, model.decoder.weight))
