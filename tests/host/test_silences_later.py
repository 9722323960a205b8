"""If it sees nothing, it says so: in another process, at the end of a run, and when the monitor itself is gone."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import Tensor, nn
from watching import Memory, warned, watched

import polar_monitor
from polar_monitor import PolarMonitor
from polar_monitor.errors import PolarMonitorWarning

X = torch.randn(16, 12, generator=torch.Generator().manual_seed(0))


def hooks_of(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_a_monitor_that_nobody_keeps_works_as_long_as_its_model() -> None:
    model, sink = Vae(), Memory()
    PolarMonitor(sinks=[sink], every=10, max_overhead=1.0).attach(model)
    gc.collect()
    train(model, 30)
    assert [record.step for record in sink.records] == [10, 20, 30]
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert sink.closed == 1


def test_two_monitors_of_one_name_that_nobody_keeps_both_work() -> None:
    model, sinks = Vae(), (Memory(), Memory())
    for sink in sinks:
        PolarMonitor(sinks=[sink], every=10, max_overhead=1.0).attach(model)
    gc.collect()
    train(model, 10)
    assert [len(sink.records) for sink in sinks] == [1, 1]


def test_an_attached_object_that_is_gone_leaves_no_hook_and_is_told() -> None:
    encoder, decoder = Vae(), nn.Linear(4, 12)
    polar_monitor.attach(nn.ModuleList([encoder, decoder]), mean="0.fc_mu", logvar="0.fc_logvar", sinks=())
    gc.collect()
    assert hooks_of(encoder) == 0
    with warned() as said:
        train(encoder, 3)
    assert len(said) == 1
    assert "the object that attach() got is gone" in said[0]
    assert "its modules '0.fc_mu', '0.fc_logvar' are trained, and nothing is recorded: keep that object" in said[0]


def test_a_part_that_outlives_its_trained_model_is_no_silence() -> None:
    model = Vae()
    watched(model)
    train(model, 20)
    with warned() as said:
        heads = model.fc_mu, model.fc_logvar
        del model
        gc.collect()
        train(Vae(), 3)
    assert not said
    assert not any(hooks_of(head) for head in heads)


def in_child(model: nn.Module, path: str, steps: int) -> None:
    with warnings.catch_warnings(), Path(path).open("w") as file:
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: print(message, file=file)
        train(model, steps)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("steps", [0, 40])
def test_a_training_in_a_forked_child_is_told_there_once(steps: int, tmp_path: Path) -> None:
    """A child that makes no step, as a worker of a loader, is no training."""
    model = Vae()
    watched(model)
    path = str(tmp_path / "stderr")
    child = multiprocessing.get_context("fork").Process(target=in_child, args=(model, path, steps))
    child.start()
    child.join()
    assert child.exitcode == 0
    said = Path(path).read_text()
    assert said.count("nothing is recorded here: call polar_monitor.attach(model) in the process") == (steps > 0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_that_is_trained_is_told_at_the_end(copied: Any) -> None:
    model = Vae()
    monitor = watched(model)
    other = copied(model)
    assert sum(p.numel() for p in other.parameters()) > 0
    with warned() as said:
        monitor.detach()
    assert len(said) == 1
    assert "the model was copied" in said[0]


def by_hand(model: nn.Module, forward: Any, steps: int, step: Any = None) -> None:
    for _ in range(steps):
        forward(X)[0].square().mean().backward()
        if step is not None:
            step()
            continue
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.grad = None


@pytest.mark.parametrize("way", ["compiled step", "no optimiser", "called by hand"])
def test_compiled_forwards_without_a_step_that_is_heard_are_told_at_the_end(way: str) -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model)
    forward = torch.compile(model, backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    steps = {
        "compiled step": torch.compile(lambda: optimizer.step(), backend="eager"),
        "no optimiser": None,
        "called by hand": monitor.step,
    }
    with pytest.warns() as caught:
        by_hand(model, forward, 60, steps[way])
        monitor.detach()
        warnings.warn("the last one", stacklevel=1)
    said = [str(one.message) for one in caught]
    told = [words for words in said if "60 forwards with 'fc_mu', 'fc_logvar' in training were seen" in words]
    assert len(told) == (way != "called by hand")
    assert all("call monitor.step() after each update" in words for words in told)


AT_EXIT = """
import torch, polar_monitor
from torch import nn
class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc_mu, self.fc_logvar = nn.Linear(12, 4), nn.Linear(12, 4)
    def forward(self, x):
        return self.fc_mu(x), self.fc_logvar(x)
model = Vae()
polar_monitor.attach(model, sinks=())
forward = torch.compile(model, backend="eager")
for _ in range(60):
    forward(torch.randn(64, 12))[0].square().mean().backward()
"""


def test_it_is_told_at_the_exit_too() -> None:
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.count("60 forwards with 'fc_mu', 'fc_logvar' in training were seen, but no step") == 1


class Narrow(nn.Module):
    """Both sides of its latent come from modules that do not tell their width."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mu, self.logvar = nn.Linear(12, 8), nn.Tanh(), nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.body(x).chunk(2, 1)
        return self.mu(mean), self.logvar(logvar)


class Given(nn.Module):
    """Its width is that of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar, self.weight = nn.Identity(), nn.Identity(), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mu(self.weight * x), self.logvar(self.weight * x)


@pytest.mark.filterwarnings("ignore::polar_monitor.PolarMonitorWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("dynamic", [None, True, False])
def test_a_width_that_no_layer_tells_is_read_while_the_model_compiles(backend: str, dynamic: bool | None) -> None:
    torch._dynamo.reset()
    model = Narrow()
    monitor = watched(model, mean="mu", logvar="logvar")
    train_compiled(model, torch.compile(model, backend=backend, dynamic=dynamic, fullgraph=True))
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, monitor.health().rows_seen, monitor.health().rows_dropped) == (4, 20 * 16, 0)


def test_a_width_that_may_vary_in_compiled_code_is_a_silence_with_its_cause() -> None:
    torch._dynamo.reset()
    model = Given()
    watched(model, mean="mu", logvar="logvar")
    with pytest.warns(PolarMonitorWarning, match="number of dimensions is no constant of the compiled code") as caught:
        train_compiled(model, torch.compile(model, backend="eager", dynamic=True))
    assert len([one for one in caught if "no latent seen" in str(one.message)]) == 1


def train_compiled(model: nn.Module, forward: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        forward(X)[0].square().mean().backward()
        optimizer.step()
