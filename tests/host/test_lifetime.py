"""What a monitor holds and for how long: the model dies when it should, and one monitor follows another safely."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import nn
from watching import Memory, stepped, watched

from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning
from polar_monitor.healthy import KeepHealthy


class HoldingRule:
    """A rule of a third party that has the model."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def start(self) -> int:
        return 0

    def update(self, state: int, *_: object) -> tuple[int, tuple[()]]:
        return state + 1, ()


class HoldingSink(Memory):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


HOLDERS: dict[str, Callable[[nn.Module, Path], dict[str, Any]]] = {
    "nothing": lambda model, path: {},
    "callback": lambda model, path: {"on_alert": lambda alert: model.state_dict()},
    "keeper": lambda model, path: {"sinks": (KeepHealthy(path, lambda: model.state_dict()),)},
    "sink": lambda model, path: {"sinks": (HoldingSink(model),)},
    "rule": lambda model, path: {"extra_rules": (HoldingRule(model),)},
}


def without_counters(monitor: PolarMonitor) -> str:
    """All rows of the summary, without its last paragraph: that says the overhead, so it may become a line longer."""
    return monitor.summary(all=True).rpartition("\n\n")[0]


@pytest.mark.parametrize("steps", [0, 3, 20])
@pytest.mark.parametrize("detached", [False, True])
def test_a_model_whose_latent_functions_read_dies_with_its_last_name(detached: bool, steps: int) -> None:
    """Before the search in the first forwards, within it, and after it."""
    model = Vae()
    monitor: PolarMonitor | None = watched(model, mean=lambda out: out[1], logvar=lambda out: out[2])
    if steps:
        train(model, steps)
    if detached and monitor is not None:
        monitor.detach()
    else:
        monitor = None
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_detached_monitor_does_not_keep_the_model(holder: str, tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model, **HOLDERS[holder](model, tmp_path))
    train(model, 20)
    before = monitor.state_dict(), without_counters(monitor), monitor.explain(0), monitor.alerts
    monitor.detach()
    monitor.detach()
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert (without_counters(monitor), monitor.explain(0), monitor.alerts) == before[1:]
    assert (
        monitor.state_dict()["pipelines"]["train"]["alerts"]["custom"]
        == before[0]["pipelines"]["train"]["alerts"]["custom"]
    )
    assert monitor.health().evaluations == 2
    assert monitor.snapshot() is not None
    assert monitor.regime() is not None


def test_a_monitor_that_is_detached_and_dropped_dies_with_its_sinks() -> None:
    model, sink = Vae(), Memory()
    monitor, gone = watched(model, sinks=(sink,)), weakref.ref(sink)
    dead = weakref.ref(monitor)
    train(model, 10)
    monitor.detach()
    assert sink.closed == 1
    del monitor, sink
    gc.collect()
    assert dead() is None
    assert gone() is None


def test_the_model_keeps_its_monitor_until_it_is_detached() -> None:
    model, sink = Vae(), Memory()
    dead = weakref.ref(watched(model, sinks=(sink,)))
    gc.collect()
    train(model, 10)
    assert len(sink.records) == 1
    assert dead() is not None
    del model
    gc.collect()
    assert dead() is None
    assert sink.closed == 1


def test_one_context_without_hooks_within_another_ends_with_it() -> None:
    model = Vae()
    monitor = watched(model)
    with monitor.detached():
        with monitor.detached():
            train(model, 1)
        assert not model.fc_mu._forward_hooks
        train(model, 3)
        assert monitor.health().steps == 0
    train(model, 2)
    assert monitor.health().steps == 2
    assert monitor.health().calls == 2


def test_a_monitor_that_cannot_open_its_log_leaves_the_old_one(tmp_path: Path) -> None:
    model, sink = Vae(), Memory()
    old = watched(model, sinks=(sink,), log_dir=tmp_path / "old")
    (tmp_path / "file").write_text("no folder")
    for folder in ("file", "file/within"):
        with pytest.raises(PolarMonitorError, match="cannot"):
            watched(model, log_dir=tmp_path / folder)
    assert old.attached
    assert sink.closed == 0
    train(model, 10)
    assert [record.step for record in sink.records] == [10]
    with pytest.raises(PolarMonitorError, match="another monitor writes to"):
        watched(Vae(), log_dir=tmp_path / "old")


def test_a_monitor_may_follow_another_in_its_folder(tmp_path: Path) -> None:
    model, sink = Vae(), Memory()
    old = watched(model, sinks=(sink,), log_dir=tmp_path)
    with pytest.warns(PolarMonitorWarning, match="watched already: the new monitor replaces the old one") as told:
        new = watched(model, log_dir=tmp_path)
    assert told[0].filename.endswith("watching.py")  # the line that attaches
    assert (old.attached, new.attached, sink.closed) == (False, True, 1)
    stepped(model, 10, lambda step: model(torch.randn(64, 12)))
    assert (old.health().steps, new.health().steps) == (0, 10)
    with pytest.raises(PolarMonitorError, match="another monitor writes to"):
        watched(Vae(), log_dir=tmp_path)
