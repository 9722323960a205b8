"""Attach, detach, copy and end: nothing is left behind, nothing is lost, nothing is shared by mistake."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from models import Vae, train
from torch import nn
from watching import Memory, watched

from polar_monitor import PolarMonitorError, PolarMonitorWarning
from polar_monitor.sinks.jsonl import read_jsonl


def test_a_model_is_watched_once() -> None:
    model, first_sink, second_sink = Vae(), Memory(), Memory()
    watched(model, sinks=(first_sink,))
    with pytest.warns(PolarMonitorWarning, match="watched already"):
        watched(model, sinks=(second_sink,))
    train(model, 10)
    assert (len(first_sink.records), len(second_sink.records)) == (0, 1)
    assert second_sink.records[0].observed == 640


def test_detach_leaves_the_model_as_it_was() -> None:
    model, sink = Vae(), Memory()
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    monitor = watched(model, sinks=(sink,))
    assert set(model.state_dict()) == set(Vae().state_dict())
    monitor.detach()
    monitor.detach()
    train(model, 20)
    assert sink.records == []
    for name, module in model.named_modules():
        assert module.__dict__.keys() == before[name].keys()
        assert not module._forward_hooks


def test_nothing_keeps_the_model_alive() -> None:
    model = Vae()
    gone = weakref.ref(model)
    monitor = weakref.ref(watched(model))
    assert monitor() is not None
    train(model, 10)
    del model
    gc.collect()
    assert gone() is None
    assert monitor() is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripting_works_inside_detached() -> None:
    model = nn.Sequential(nn.Linear(12, 4), nn.ReLU())
    monitor = watched(model, mean="0")
    with monitor.detached():
        scripted = torch.jit.script(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for forward in (scripted, model):
            forward(torch.randn(64, 12)).sum().backward()
            optimizer.step()
    assert monitor.health().steps == 0
    for _ in range(10):
        model(torch.randn(64, 12)).sum().backward()
        optimizer.step()
    assert monitor.snapshot().rows == 640  # type: ignore[union-attr]


def test_without_close_nothing_is_lost(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import polar_monitor\nfrom models import Vae, train\n"
        "model = Vae()\n"
        "polar_monitor.attach(model, log_dir=sys.argv[1], every=10, max_overhead=1.0)\ntrain(model, 40)\n"
        "raise SystemExit(3)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[1])
    assert done.returncode == 3, done.stderr
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [10, 20, 30, 40]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/active")] == [10, 20, 30, 40]


def test_a_model_that_holds_its_monitor_can_be_copied_and_saved(tmp_path: Path) -> None:
    model = Vae()
    model.monitor = watched(model)
    twin = copy.deepcopy(model)
    torch.save(model, tmp_path / "model.pt")
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    for other in (twin, loaded):
        train(other, 10)
        assert not other.monitor.attached
    assert model.monitor.health().steps == 0


def test_two_monitors_of_one_name_do_not_share_a_folder(tmp_path: Path) -> None:
    first = watched(Vae(), sinks=None, log_dir=tmp_path)
    with pytest.raises(PolarMonitorError, match="another monitor writes to"):
        watched(Vae(), sinks=None, log_dir=tmp_path)
    watched(Vae(), sinks=None, log_dir=tmp_path, name="second")
    first.detach()
    watched(Vae(), sinks=None, log_dir=tmp_path)


def test_default_folders_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len({watched(Vae(), sinks=None).log_dir for _ in range(3)}) == 3
