"""Promise 6: a monitor that sees nothing says so, once, by name and with the likely cause, within 50 steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import Tensor, nn
from watching import Memory, stepped, warned, watched

import polar_monitor
from polar_monitor import PolarMonitor, PolarMonitorWarning
from polar_monitor.sinks.jsonl import read_jsonl

X = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.branches = nn.Linear(12, 8), nn.ModuleList(nn.Linear(12, 8) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Halves(nn.Module):
    """A latent from a module that is no leaf."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), nn.Linear(4, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x)[:, :4])


def forward_called_directly(model: Any) -> Callable[[], Any]:
    return lambda: model.fc_mu.forward(model.body(X)) + model.fc_logvar.forward(model.body(X))


def submodule_replaced(model: Any) -> Callable[[], Any]:
    model.fc_mu, model.fc_logvar = nn.Linear(16, 4), nn.Linear(16, 4)
    return lambda: model(X)


def traced(model: Any) -> Callable[[], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        product = torch.jit.trace(model, X, check_trace=False)
    return lambda: product(X)


def exported(model: Any) -> Callable[[], Any]:
    product = torch.export.export(model, (X,)).module()
    return lambda: product(X)


def branch_never_taken(model: Any) -> Callable[[], Any]:
    return lambda: model.decoder(X[:, :4])


def test_modules_that_were_replaced_before_the_training_are_watched_where_they_are_now() -> None:
    model = Vae()
    monitor = watched(model, every=10)
    forward = submodule_replaced(model)
    stepped(model, 40, lambda step: forward())
    assert monitor.snapshot() is not None


@pytest.mark.parametrize(
    "silent",
    [forward_called_directly, traced, exported, branch_never_taken],
    ids=lambda f: f.__name__,
)
def test_a_module_that_is_not_called_is_told_once(silent: Callable[[Any], Callable[[], Any]]) -> None:
    model, sink = Vae(), Memory()
    watched(model, sinks=(sink,), every=100)
    forward = silent(model)
    with warned() as caught:
        stepped(model, 50, lambda step: forward())
        assert len(caught) == 1
        stepped(model, 250, lambda step: forward())
    assert len(caught) == 1
    assert "no latent seen from 'fc_mu', 'fc_logvar' in 50 steps" in caught[0]
    assert "likely causes" in caught[0]
    assert [str(alert.kind) for record in sink.records for alert in record.alerts] == ["silent"]
    assert [record.observed for record in sink.records] == [0, 0, 0]


@pytest.mark.parametrize("compiled", [False, True])
def test_doing_what_the_warning_of_a_model_left_in_eval_mode_says_ends_the_silence(compiled: bool) -> None:
    model = Vae().eval()
    monitor = watched(model)
    call = torch.compile(model, backend="eager") if compiled else model
    with warned() as caught:
        stepped(model, 60, lambda step: call(X))
    assert len(caught) == 1
    assert "in eval mode: call model.train()" in caught[0]
    assert monitor.snapshot() is None
    model.train()
    stepped(model, 30, lambda step: call(X))
    assert monitor.snapshot() is not None
    other = Vae().eval()
    both = watched(other, modes=("train", "eval"))
    stepped(other, 30, lambda step: other(X))
    assert both.snapshot("eval") is not None


def test_the_models_own_encode_called_directly_is_told() -> None:
    class Root(Vae):
        def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = self.body(x)
            return self.fc_mu(h), self.fc_logvar(h)

    model = Root()
    watched(model, mean=lambda out: out[1], logvar=lambda out: out[2])
    with warned() as caught:
        stepped(model, 60, lambda step: model.encode(X))
    assert len(caught) == 1
    assert "no latent seen from the model" in caught[0]


def test_a_graph_without_the_module_is_told() -> None:
    model = Halves()
    watched(model, latent="encoder")
    product = torch.fx.symbolic_trace(model)
    with warned() as caught:
        stepped(model, 60, lambda step: product(X))
    assert len(caught) == 1
    assert "no latent seen from 'encoder'" in caught[0]


@pytest.mark.parametrize("in_place", [False, True])
def test_attached_after_the_first_compiled_call_it_is_told_at_once_and_not_again(in_place: bool) -> None:
    model = Vae()
    if in_place:
        model.compile(backend="eager")
    forward = model if in_place else torch.compile(model, backend="eager")
    forward(X)
    with warned() as caught:
        watched(model)
    assert len(caught) == 1
    assert "Vae ran compiled before attach()" in caught[0]
    with warned() as caught:
        stepped(model, 60, lambda step: forward(X))
    assert not caught
    torch._dynamo.reset()  # what it advises
    monitor = watched_again(model)
    stepped(model, 10, lambda step: forward(X))
    assert monitor.health().rows_seen == 640


def test_a_monitor_that_is_attached_itself_tells_of_it_too() -> None:
    model = Vae()
    torch.compile(model, backend="eager")(X)
    with warned() as caught:
        PolarMonitor(sinks=()).attach(model).detach()
    assert len(caught) == 1
    assert "Vae ran compiled before attach()" in caught[0]


def watched_again(model: nn.Module) -> PolarMonitor:
    with pytest.warns(PolarMonitorWarning, match="watched already"):
        return watched(model)


def test_compiled_forwards_are_not_skipped() -> None:
    model = Vae()
    monitor = watched(model, every=3)
    forward = torch.compile(model, backend="eager", fullgraph=True)
    stepped(model, 3, lambda step: forward(X))
    assert monitor.health().rows_seen == 3 * 64


def test_a_model_compiled_during_rest_is_told() -> None:
    model = Vae()
    monitor = watched(model, every=100, window=512)
    train(model, 20)
    compiled, optimizer = torch.compile(model, backend="eager"), torch.optim.SGD(model.parameters(), 0.01)
    with warned() as caught:
        train(compiled, 200, optimizer=optimizer)
    assert len(caught) == 2
    assert "compiled while the hooks were paused" in caught[0]
    assert "no latent seen" in caught[1]
    torch._dynamo.reset()  # what it advises
    before = monitor.health()
    train(compiled, 200, optimizer=optimizer)
    after = monitor.health()
    assert after.calls > before.calls + 100
    assert after.rows_seen > before.rows_seen + 512


@pytest.mark.parametrize(("every", "window"), [(100, 4096), (1000, 4096), (1000, 512)])
def test_a_module_replaced_in_the_middle_is_told_soon(every: int, window: int) -> None:
    """Awake, some 200 steps later; at rest, the same from when the hooks come back."""
    model = Vae()
    monitor = watched(model, every=every, window=window)
    stepped(model, 2 * every + every // 2, lambda step: model(X))
    model.fc_mu, model.fc_logvar = nn.Linear(16, 4), nn.Linear(16, 4)
    rested = monitor.health().steps_rested
    with warned() as caught:
        for _ in range(2 * every):
            stepped(model, 1, lambda step: model(X))
            if caught:
                break
    assert len(caught) == 1
    awake = monitor.health().steps - 2 * every - every // 2 - (monitor.health().steps_rested - rested)
    assert awake <= 300
    assert "'fc_mu' is another module now" in caught[0]
    assert "call polar_monitor.attach(model, …) again" in caught[0]


@pytest.mark.parametrize("window", [512, 4096])
def test_a_resumed_run_that_sees_nothing_is_told(window: int) -> None:
    model = Vae()
    monitor = watched(model, every=1000, window=window)
    stepped(model, 2500, lambda step: model(X))
    state = monitor.state_dict()
    monitor.detach()
    monitor = watched(model, every=1000, window=window)
    monitor.load_state_dict(state)
    resting = max(monitor._loop.schedule.duty_cycle.until - 2500, 1)
    with warned() as caught:
        stepped(model, resting + 47, lambda step: model.decoder(X[:, :4]))
        assert not caught
        stepped(model, 5, lambda step: model.decoder(X[:, :4]))
    assert len(caught) == 1
    assert "no latent seen from 'fc_mu', 'fc_logvar' in 50 steps" in caught[0]


@pytest.mark.parametrize("modes", [("eval",), ("train", "eval")])
@pytest.mark.parametrize("ends", [False, True])
def test_a_validation_that_is_not_seen_is_told(
    modes: tuple[str, ...], ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not ends:
        monkeypatch.setattr("polar_monitor.monitor.diagnostics.NO_VALIDATION", 150)
    model = Vae()
    monitor = watched(model, modes=modes, every=20)

    def epoch(step: int) -> None:
        model(X)
        model.eval()
        model.fc_mu.forward(model.body(X))
        model.train()

    with warned() as caught:
        stepped(model, 200, epoch)
        assert len(caught) == (not ends)
        monitor.detach()
        monitor.detach()
    assert len(caught) == 1
    steps = 200 if ends else 150
    assert f"modes= contains 'eval', but 'fc_mu', 'fc_logvar' gave no latent in eval mode in {steps} steps" in caught[0]


def test_a_validation_that_is_seen_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.monitor.diagnostics.NO_VALIDATION", 150)
    model = Vae()
    monitor = watched(model, modes=("train", "eval"), every=20)

    def epoch(step: int) -> None:
        model(X)
        if step == 100:
            model.eval()(X)
            model.train()

    with warned() as caught:
        stepped(model, 200, epoch)
        monitor.detach()
        short = watched(Vae(), modes=("train", "eval"))
        short.detach()
    assert not caught


def test_a_silence_is_a_zero_in_the_logs_and_no_gap(tmp_path: Path) -> None:
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = Vae()
    monitor = polar_monitor.attach(model, log_dir=tmp_path, every=20, max_overhead=1.0)
    with warned() as caught:
        stepped(model, 60, lambda step: model.decoder(X[:, :4]))
    monitor.detach()
    assert len(caught) == 1
    assert [record.observed for record in read_jsonl(tmp_path / "polar.jsonl")] == [0, 0, 0]
    events = board.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload()
    assert [event.value for event in events.Scalars("polar/observations")] == [0.0, 0.0, 0.0]


def test_a_module_replaced_on_one_side_is_told() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=20)
    train(model, 20)
    model.fc_logvar = nn.Linear(16, 4)
    with pytest.warns(PolarMonitorWarning, match="'fc_logvar' is another module now"):
        train(model, 100)
    assert [str(alert.kind) for record in sink.records for alert in record.alerts] == ["silent"]
    health = monitor.health()
    assert health.rows_seen + health.rows_dropped == 64 * 120
