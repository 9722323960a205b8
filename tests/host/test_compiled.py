"""Promise 9: under `torch.compile` the monitor costs no graph, no break, no recompilation, and misses no row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo as dynamo
from models import Vae, train, vae_loss
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from watching import warned, watched

from polar_monitor import PolarMonitorWarning
from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.capture.tap import Tap

BATCHES = (64, 64, 40, 64, 7)
INDUCTOR = (pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    dynamo.reset()
    dynamo.utils.counters.clear()
    yield
    dynamo.reset()


class Halves(nn.Module):
    """Mean and log-variance in one tensor, read by `latent=`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8)), nn.Linear(4, 12)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar


def trained(model: nn.Module, forward: Any) -> list[Tensor]:
    """One step a batch; returns the weights."""
    draw = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for batch in BATCHES:
        x = torch.randn(batch, 12, generator=draw)
        optimizer.zero_grad()
        vae_loss(forward(x), x).backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


def compiled(build: Any, backend: str, options: dict[str, Any], monitored: bool) -> tuple[Any, int, int, list[Tensor]]:
    """The monitor, graphs compiled, graph breaks and the weights at the end."""
    dynamo.reset()
    dynamo.utils.counters.clear()
    torch.manual_seed(0)
    model = build()
    monitor = watched(model, every=5) if monitored else None
    counter = CompileCounterWithBackend(backend)
    weights = trained(model, torch.compile(model, backend=counter, **options))
    return monitor, counter.frame_count, sum(dynamo.utils.counters["graph_break"].values()), weights


@pytest.mark.parametrize(
    ("build", "backend", "options"),
    [
        (Vae, "eager", {}),
        (Vae, "eager", {"dynamic": True}),
        (Vae, "aot_eager", {"fullgraph": True}),
        (Vae, "aot_eager", {"dynamic": True, "fullgraph": True}),
        (Halves, "aot_eager", {"fullgraph": True}),
        pytest.param(Vae, "inductor", {}, marks=INDUCTOR),
        pytest.param(Vae, "inductor", {"dynamic": True, "fullgraph": True}, marks=INDUCTOR),
    ],
)
def test_nothing_is_compiled_that_would_not_be_without(build: Any, backend: str, options: dict[str, Any]) -> None:
    _, graphs, breaks, weights = compiled(build, backend, options, monitored=False)
    monitor, graphs_with, breaks_with, weights_with = compiled(build, backend, options, monitored=True)
    assert (graphs_with, breaks_with) == (graphs, breaks) == (graphs, 0)
    assert all(map(torch.equal, weights_with, weights))
    health = monitor.health()
    assert (health.rows_seen, health.rows_dropped, health.errors) == (sum(BATCHES), 0, 0)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's, of any graph that takes a non-leaf
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("options", [{}, {"fullgraph": True}, {"fullgraph": True, "dynamic": True}])
def test_readers_of_the_models_own_output_are_a_small_graph_of_their_own(
    in_place: bool, options: dict[str, Any]
) -> None:
    graphs = {}
    for monitored in (False, True):
        dynamo.reset()
        dynamo.utils.counters.clear()
        model = Vae()
        counter = CompileCounterWithBackend("eager")
        readers = {"mean": lambda out: out[1], "logvar": lambda out: out[2]}
        monitor = watched(model, every=5, **readers) if monitored else None
        forward: Any = model
        if in_place:
            model.compile(backend=counter, **options)
        else:
            forward = torch.compile(model, backend=counter, **options)
        trained(model, forward)
        graphs[monitored] = counter.frame_count
        assert not dynamo.utils.counters["graph_break"]
    assert monitor is not None
    assert monitor.health().rows_seen == sum(BATCHES)
    assert graphs[True] == 2 * graphs[False]


def tapped(width: int = 2, device: str = "cpu") -> tuple[nn.Linear, PairedRingBuffer, Tap]:
    layer, ring = nn.Linear(3, width), PairedRingBuffer(512, False)
    ring.prepare_traced(width, torch.device(device))
    tap = Tap({True: ring}, None, "mean", None)
    layer.register_forward_hook(tap)
    return layer, ring, tap


def state(thing: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(thing).items() if isinstance(value, int | bool | float | str | None)}


def test_no_python_state_changes_under_compile() -> None:
    layer, ring, tap = tapped()
    counter = CompileCounterWithBackend("eager")
    forward = torch.compile(layer, backend=counter, fullgraph=True)
    things = (tap, ring, ring.mean)
    before = [state(thing) for thing in things]
    for _ in range(12):
        forward(torch.randn(16, 3))
    assert counter.frame_count == 1
    assert [state(thing) for thing in things] == before


def test_batches_of_any_size_are_recorded_exactly() -> None:
    layer, ring, _ = tapped()
    counter = CompileCounterWithBackend("eager")
    forward = torch.compile(layer, backend=counter, fullgraph=True, dynamic=True)
    outputs = torch.cat([forward(torch.randn(n, 3)) for n in (16, 16, 7, 3, 16, 9, 5, 2, 11, 1)])
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert np.array_equal(batch.mean, outputs.detach().numpy())
    assert counter.frame_count <= 2  # a batch of 1 is a graph of its own, without the monitor too


def test_compiled_rows_get_the_steps_since_the_read_before_in_equal_shares() -> None:
    layer, ring, _ = tapped()
    forward = torch.compile(layer, backend="eager", fullgraph=True)
    for first, last in ((1, 4), (5, 5), (6, 9)):
        for _ in range(first, last + 1):
            forward(torch.randn(20, 3))
        (drain,) = ring.requests(last)
        batch = drain.take()
        assert batch is not None
        assert np.array_equal(batch.steps, np.repeat(np.arange(first, last + 1), 20))


def test_a_full_ring_counts_what_it_drops_under_compile() -> None:
    layer, ring, _ = tapped()
    forward = torch.compile(layer, backend="eager", fullgraph=True)
    outputs = torch.cat([forward(torch.randn(200, 3)) for _ in range(4)]).detach().numpy()
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert (len(batch.mean), batch.dropped) == (512, 288)
    assert np.array_equal(np.sort(batch.mean, axis=0), np.sort(outputs[-512:], axis=0))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("options", [{"fullgraph": True}, {"fullgraph": True, "dynamic": True}])
def test_a_model_that_moved_before_it_was_compiled_is_recorded_where_it_is(backend: str, options: Any) -> None:
    """The room for its rows was made on the device it was attached on; "meta" stands for another than the CPU."""
    layer, ring, _ = tapped(device="meta")
    counter = CompileCounterWithBackend(backend)
    forward = torch.compile(layer, backend=counter, **options)
    outputs = torch.cat([forward(torch.randn(16, 3)) for _ in range(4)])
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert np.array_equal(batch.mean, outputs.detach().numpy())
    assert counter.frame_count == 1
    assert not dynamo.utils.counters["graph_break"]


@pytest.mark.parametrize("output", [torch.ones(4, 2, dtype=torch.complex64), torch.ones(()), torch.ones(4, 0), "text"])
def test_what_cannot_be_recorded_is_passed_over_under_compile(output: Any) -> None:
    class Gives(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return output

    layer, ring = Gives(), PairedRingBuffer(512, True)
    ring.prepare_traced(2, torch.device("cpu"))
    layer.register_forward_hook(Tap({True: ring}, None, "mean", None))
    torch.compile(layer, backend="eager")(torch.randn(4, 3))
    assert ring.requests(0) == []
    assert (ring.calls, ring.lost) == (0, 0)


def test_calls_of_mean_and_spread_that_differ_are_dropped_under_compile() -> None:
    """As many rows on both sides, but not of the same calls."""
    mean, spread, ring = nn.Linear(3, 2), nn.Linear(3, 2), PairedRingBuffer(512, True)
    ring.prepare_traced(2, torch.device("cpu"))
    for layer, side in ((mean, "mean"), (spread, "spread")):
        layer.register_forward_hook(Tap({True: ring}, lambda out: out, side, None))
    tall, flat = torch.randn(8, 3), torch.randn(4, 3)
    forward = torch.compile(lambda one, x: one(x), backend="eager")
    for layer, x in ((mean, tall), (spread, flat), (mean, flat), (spread, tall)):
        forward(layer, x)
    (drain,) = ring.requests(0)
    assert drain.take() is None
    assert ring.lost == 12


def test_the_rows_are_those_of_the_eager_run() -> None:
    snapshots = []
    for wrap in (lambda model: model, lambda model: torch.compile(model, backend="aot_eager", fullgraph=True)):
        torch.manual_seed(0)
        model = Vae()
        monitor = watched(model, every=5)
        trained(model, wrap(model))
        snapshots.append(monitor.snapshot())
    eager, traced = snapshots
    for name in ("mean", "variance", "posterior_variance", "kl"):
        torch.testing.assert_close(getattr(traced, name), getattr(eager, name), rtol=1e-6, atol=1e-9)


def test_a_model_that_compiles_itself_is_watched() -> None:
    model = Vae()
    monitor = watched(model, every=5)
    model.compile(backend="eager", fullgraph=True)
    trained(model, model)
    assert monitor.health().rows_seen == sum(BATCHES)


def test_a_change_of_mode_is_compiled_once_more_as_without() -> None:
    graphs = []
    for monitored in (False, True):
        dynamo.reset()
        model = Vae()
        monitor = watched(model, every=5) if monitored else None
        counter = CompileCounterWithBackend("eager")
        forward = torch.compile(model, backend=counter)
        for training in (True, False, True, False):
            model.train(training)
            forward(torch.randn(64, 12))
        graphs.append(counter.frame_count)
    assert graphs[0] == graphs[1]
    assert monitor is not None
    monitor.evaluate()
    assert monitor.health().rows_seen == 128


class Encoder(nn.Module):
    """Gives as many tensors of one shape as it is told."""

    def __init__(self, tensors: int) -> None:
        super().__init__()
        self.body, self.first, self.second, self.tensors = nn.Linear(12, 8), nn.Linear(8, 4), nn.Linear(8, 4), tensors

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        h = self.body(x).relu()
        return (self.first(h), self.second(h), h[:, :4])[: self.tensors]


class Tupled(nn.Module):
    def __init__(self, tensors: int) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(tensors), nn.Linear(4, 12)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encoder(x)[:2]
        return self.decoder(mean), mean, logvar


def test_an_encoder_that_gives_a_tuple_is_watched() -> None:
    model = Tupled(2)
    monitor = watched(model, latent="encoder", every=5)
    trained(model, torch.compile(model, backend="eager", fullgraph=True))
    assert monitor.health().rows_seen == sum(BATCHES)


def test_an_output_that_cannot_be_read_is_a_silence_not_an_error_of_the_compilation() -> None:
    model = Tupled(3)
    watched(model, latent="encoder", every=5, strict=False)
    with pytest.warns(PolarMonitorWarning, match="no latent seen from 'encoder'"):
        trained(model, torch.compile(model, backend="eager", fullgraph=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_optimiser_step_is_not_traced_into_us() -> None:
    model = Vae()
    monitor = watched(model, every=2)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    for _ in range(4):
        optimizer.zero_grad()
        vae_loss(model(x := torch.randn(64, 12)), x).backward()
        step()
    assert monitor.health().steps == 0
    monitor.step()
    monitor.step()
    assert monitor.health().evaluations == 1


def given(model: nn.Module) -> Any:
    return torch.compile(model, backend="eager")


def given_in_place(model: nn.Module) -> Any:
    model.compile(backend="eager")
    return model


def given_in_a_wrapper(model: nn.Module) -> Any:
    return torch.compile(nn.Sequential(model), backend="eager")


@pytest.mark.parametrize("give", [given, given_in_place, given_in_a_wrapper])
@pytest.mark.parametrize("own", [False, True])
def test_a_model_that_was_compiled_is_told_from_another_of_its_class(give: Any, own: bool) -> None:
    model, other = Vae(), Vae()
    given(Vae())(torch.randn(4, 12))
    kept = give(model if own else other)
    with pytest.warns(PolarMonitorWarning, match="ran compiled before attach"):
        monitor = watched(model)
    hooks = monitor._loop.hooks
    assert hooks is not None
    assert kept is not None
    assert (hooks.class_compiled_before, hooks.model_compiled_before) == (True, own)


def test_another_model_that_is_compiled_during_rest_changes_nothing() -> None:
    model, other = Vae(), Vae()
    monitor = watched(model, every=100, window=512)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with warned() as caught:
        train(model, 120, optimizer=optimizer)
        forward = given(other)
        forward(torch.randn(4, 12))
        before = monitor.health()
        train(model, 400, optimizer=optimizer)
    after = monitor.health()
    assert not caught
    assert after.rows_seen > before.rows_seen
    assert after.steps_rested > before.steps_rested + 200
