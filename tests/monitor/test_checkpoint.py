"""A run that is stopped and resumed says what the uninterrupted one says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from models import Vae, train, vae_loss
from torch import nn
from watching import same, watched

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.sinks.jsonl import read_jsonl


@pytest.mark.parametrize(("split", "window"), [(13, 4096), (20, 4096), (37, 512), (25, 512), (12, 512)])
def test_a_resumed_run_says_what_the_uninterrupted_one_says(split: int, window: int, tmp_path: Path) -> None:
    def start(where: Path) -> tuple[nn.Module, PolarMonitor, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = Vae()
        return (
            model,
            watched(model, sinks=None, log_dir=where, every=20, window=window),
            torch.optim.SGD(model.parameters(), 0.05),
        )

    model, whole, optimizer = start(tmp_path / "whole")
    draw = [torch.randn(64, 12, generator=torch.Generator().manual_seed(i)) for i in range(60)]

    def go(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[torch.Tensor]) -> None:
        for i, x in enumerate(batches):
            torch.manual_seed(int(1000 * float(x[0, 0])) + i * 0)
            optimizer.zero_grad()
            vae_loss(model(x), x).backward()
            optimizer.step()

    go(model, optimizer, draw)
    first_model, first, first_optimizer = start(tmp_path / "parts")
    go(first_model, first_optimizer, draw[:split])
    torch.save({"monitor": first.state_dict(), "model": first_model.state_dict()}, tmp_path / "checkpoint.pt")
    saved, weights = torch.load(tmp_path / "checkpoint.pt", weights_only=True).values()
    go(first_model, first_optimizer, draw[split : split + 15])  # what a crash throws away
    first.detach()
    model2, second, optimizer2 = start(tmp_path / "parts")
    model2.load_state_dict(weights)
    second.load_state_dict(saved)
    go(model2, optimizer2, draw[split:])
    one, two = whole.state_dict(), second.state_dict()
    assert same(one["pipelines"]["train"]["stream"]["histogram"], two["pipelines"]["train"]["stream"]["histogram"])
    assert same(one["pipelines"], two["pipelines"])
    assert one["alerts"] == two["alerts"]
    assert whole.regime() == second.regime()
    whole.detach()
    second.detach()
    logs = [read_jsonl(tmp_path / part / "polar.jsonl") for part in ("whole", "parts")]
    assert [r.step for r in logs[0]] == [r.step for r in logs[1]] == [20, 40, 60]
    assert (whole.health().steps_rested > 0) is (window == 512)
    assert whole.health().steps_rested == second.health().steps_rested
    assert [r.regime for r in logs[0]] == [r.regime for r in logs[1]]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(tmp_path / "parts"), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/information")] == [20, 40, 60]


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    model = Vae()
    monitor = watched(model)
    train(model, 20)
    before = monitor.state_dict()
    train_part = before["pipelines"]["train"]
    other = Vae(latents=5)
    watched_other = watched(other)
    train(other, 20)
    for bad, said in (
        (watched_other.state_dict(), "expected 4 dimensions, as the model has, got 5"),
        ({"version": 2}, "version 1, .* got version 2"),
        (before | {"schedule": 3}, r"state\['schedule'\]: expected a dict, got int"),
        (before | {"pipelines": {}}, "expected the mode 'train', got none"),
        (before | {"schedule": {}}, r"state\['schedule'\]: .* no field 'duty_cycle'"),
        (before | {"alerts": [5]}, r"state\['alerts'\]: .* got values of another type"),
        (before | {"alerts": [{"kind": "nonsense"}]}, r"state\['alerts'\]: expected what PolarMonitor.state_dict"),
        (
            before | {"pipelines": {"train": before["pipelines"]["train"] | {"stream": {"dimensions": 4}}}},
            "expected version 1",
        ),
        (
            before | {"pipelines": {"train": train_part | {"stream": train_part["stream"] | {"window": 1000}}}},
            r"got 1000: write attach\(model, window=1000\), as in the saved run",
        ),
        (None, "expected a dict .* got NoneType"),
    ):
        with pytest.raises(PolarMonitorError, match=said):
            monitor.load_state_dict(bad)  # type: ignore[arg-type]
    assert same(monitor.state_dict(), before)


def test_a_state_without_the_numbers_of_the_automatic_schedule_loads() -> None:
    model = Vae()
    monitor = watched(model, start_allowance=1.0)
    train(model, 20)
    state = monitor.state_dict()
    later = {"quiet", "allowance"}
    old = state | {"schedule": {key: value for key, value in state["schedule"].items() if key not in later}}
    assert len(old["schedule"]) == len(state["schedule"]) - len(later)
    monitor.load_state_dict(old)
    assert monitor.health().steps == 20
    assert monitor.health().allowance_used == 1.0  # an older run has had its beginning


def test_a_resumed_automatic_schedule_goes_on_and_does_not_look_early_again() -> None:
    def start() -> tuple[Vae, PolarMonitor]:
        torch.manual_seed(0)
        model = Vae()
        return model, watched(model, every=None, window=512)

    model, first = start()
    train(model, 300)
    state = first.state_dict()
    assert state["schedule"]["next"] > 300
    other, second = start()
    second.load_state_dict(state)
    assert second.health().every == first.health().every
    train(other, 5)
    assert second.health().evaluations == first.health().evaluations
    assert second.state_dict()["schedule"]["next"] == state["schedule"]["next"]


@pytest.mark.parametrize(("window", "dimensions"), [(1000, 3), (777, 3), (20_000, 3), (4096, 700), (4096, 2000)])
def test_a_state_is_taken_back_with_the_same_arguments(
    window: int, dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window holds a multiple of 16 rows, and fewer of a wide latent; arguments say what is wanted."""
    monkeypatch.setattr("polar_monitor.statistics.stream.WINDOW_BYTES", 4 * 1024 * 1024)

    def start() -> PolarMonitor:
        return PolarMonitor(window=window, every=2, sinks=(), max_overhead=1.0, strict=True)

    first, second = start(), start()
    for step in range(4):
        rows = torch.randn(64, dimensions, generator=torch.Generator().manual_seed(step))
        first.observe(rows, logvar=-rows.abs())
        first.step()
    state = first.state_dict()
    second.load_state_dict(state)
    assert same(second.state_dict(), state)
    assert second.snapshot().n == 256
    first.detach()
    second.detach()


def test_the_bound_of_a_state_grows_with_its_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide latent has many items, and its state is taken back; a short state with as many items is not."""
    monkeypatch.setattr("polar_monitor.monitor.checkpoint.MAX_LEAVES", 10_000)

    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mu, self.weight = nn.Identity(), nn.Parameter(torch.zeros(1))

        def forward(self, mean: torch.Tensor) -> torch.Tensor:
            return self.mu(mean)

    def run(width: int) -> PolarMonitor:
        model = Given()
        monitor = watched(model, mean="mu", every=2, window=512)
        optimizer = torch.optim.SGD(model.parameters(), 0.0)
        for _ in range(8):
            model(torch.randn(32, width))
            optimizer.step()
        monitor.kept = model  # type: ignore[attr-defined]
        return monitor

    state = run(700).state_dict()
    run(700).load_state_dict(state)
    short = run(2)
    before = short.state_dict()
    with pytest.raises(PolarMonitorError, match="expected fewer items, for its number of dimensions"):
        short.load_state_dict({**before, "alerts": [[1] * 100] * 200})
    assert same(short.state_dict(), before)
