"""Promise 7: copies are not monitored, and attach and detach leave nothing behind."""

from __future__ import annotations

import copy
import gc
import pickle
import pkgutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from watching import Memory, same, watched

from polar_monitor import PolarMonitorWarning
from polar_monitor.schedule import optimizer_clock


def saved(model: nn.Module, folder: Path) -> nn.Module:
    torch.save(model, folder / "model.pt")
    loaded: nn.Module = torch.load(folder / "model.pt", weights_only=False)
    return loaded


COPIES: dict[str, Callable[[nn.Module, Path], nn.Module]] = {
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "torch.save": saved,
    "AveragedModel": lambda model, _: AveragedModel(model).module,
    "EMA": lambda model, _: AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True).module,
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_copy_is_not_monitored(make: Callable[[nn.Module, Path], nn.Module], tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model)
    twin = make(model, tmp_path)
    assert type(twin.fc_mu) is nn.Linear
    assert tables(twin).keys() == tables(model).keys()
    assert [key for key, table in tables(twin).items() if "hook" in key and table] == []
    train(twin, 10)
    x = torch.randn(8, 12)
    assert torch.equal(copy.deepcopy(twin).fc_mu(twin.body(x)), twin.fc_mu(twin.body(x)))
    train(model, 10)
    health = monitor.health()
    assert (health.steps, health.calls, health.rows_seen) == (10, 10, 640)


def test_an_average_that_is_updated_in_training_is_not_counted() -> None:
    model = Vae()
    monitor = watched(model)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(10):
        train(model, 1, optimizer=optimizer)
        average.update_parameters(model)
        average(torch.randn(64, 12))
    assert (monitor.health().calls, monitor.health().rows_seen) == (10, 640)


def test_a_copy_can_be_watched_itself() -> None:
    model = Vae()
    first = watched(model)
    twin = copy.deepcopy(model)
    second = watched(twin)
    train(twin, 10)
    assert (first.health().rows_seen, second.health().rows_seen) == (0, 640)


def test_a_model_that_holds_its_monitor_can_be_copied_and_saved(tmp_path: Path) -> None:
    model = Vae()
    model.monitor = watched(model)
    for other in (copy.deepcopy(model), saved(model, tmp_path)):
        train(other, 10)
        assert not other.monitor.attached
    assert model.monitor.health().steps == 0


def test_the_state_dict_has_the_same_keys_with_and_without() -> None:
    model = Vae()
    watched(model)
    plain = Vae().state_dict()
    assert list(model.state_dict()) == list(plain)
    assert list(model.state_dict()._metadata) == list(plain._metadata)
    model.load_state_dict(plain)
    assert same(dict(model.state_dict()), dict(plain))
    assert [name for name, _ in model.named_buffers()] == []


def test_attached_twice_the_new_one_replaces_the_old_and_says_so() -> None:
    model, first_sink, second_sink = Vae(), Memory(), Memory()
    watched(model, sinks=(first_sink,))
    with pytest.warns(PolarMonitorWarning, match="watched already"):
        watched(model, sinks=(second_sink,))
    train(model, 10)
    assert (len(first_sink.records), len(second_sink.records)) == (0, 1)
    assert second_sink.records[0].observed == 640
    assert len(model.fc_mu._forward_hooks) == 1


def tables(model: nn.Module) -> dict[str, Any]:
    """Everything a module holds, its hook tables included."""
    return {
        f"{name}.{key}": dict(value) if isinstance(value, dict) else value
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if key not in ("_parameters", "_modules")
    }


def test_detach_leaves_the_model_as_it_was() -> None:
    model, sink = Vae(), Memory()
    model.fc_mu.register_forward_hook(mine := lambda module, args, output: None)
    before = tables(model)
    monitor = watched(model, sinks=(sink,))
    assert tables(model) != before
    monitor.detach()
    monitor.detach()
    assert tables(model) == before
    assert list(model.fc_mu._forward_hooks.values()) == [mine]
    train(model, 20)
    assert sink.records == []


class Fused(nn.Module):
    """What a tool that fuses two modules makes: the parts are in it, and it has the hooks of the last."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.layer = getattr(model, name)
        for hook in self.layer._forward_hooks.values():
            self.register_forward_hook(hook)
        self.layer._forward_hooks.clear()
        setattr(model, name, self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + 1


def hooks(model: nn.Module) -> list[Any]:
    return [hook for module in model.modules() for hook in module._forward_hooks.values()]


def test_a_hook_that_was_moved_is_found_by_detach() -> None:
    model = Vae()
    monitor = watched(model, mean="fc_mu", logvar="fc_logvar")
    Fused(model, "fc_mu")
    Fused(model, "fc_logvar")
    assert len(hooks(model)) > 2  # those of the search too
    train(model, 10)
    assert len(hooks(model)) == 2
    assert monitor.health().rows_seen == 640
    monitor.detach()
    assert hooks(model) == []


def test_a_hook_that_was_moved_is_put_back_where_it_was_moved_to() -> None:
    model, sink = Vae(), Memory()
    model.fc_mu.bias.data.zero_()
    monitor = watched(model, mean="fc_mu", logvar="fc_logvar", sinks=(sink,))
    Fused(model, "fc_mu")
    with monitor.detached():
        assert hooks(model) == []
    assert len(hooks(model.fc_mu)) == len(hooks(model.fc_logvar)) == 1  # the search begins again at the next step
    assert hooks(model.fc_mu.layer) == []
    train(model, 10)
    assert monitor.health().rows_seen == 640
    assert monitor.snapshot().mean.mean() > 0.5  # type: ignore[union-attr]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_hook_that_is_not_found_does_nothing_and_holds_nothing(compiled: bool) -> None:
    """It is on a module that is no longer in the model, or was copied to one that never was."""
    torch._dynamo.reset()
    model, reader = Vae(), lambda out: out * 1
    held = weakref.ref(reader)
    monitor = watched(model, latent="fc_mu", mean=reader)
    other = nn.Linear(12, 4)
    other.register_forward_hook(next(iter(model.fc_mu._forward_hooks.values())))
    train(model, 10)
    ring = monitor._loop.pipelines["train"].ring
    monitor.detach()
    before = (ring.calls, ring.pending_rows)
    del reader
    gc.collect()
    assert held() is None
    (torch.compile(other, backend="eager", fullgraph=True) if compiled else other)(torch.randn(64, 12))
    assert (ring.calls, ring.pending_rows) == before
    assert all(drain.take() is None for drain in ring.requests(0))
    (tap,) = hooks(other)
    assert tap.rings == {}


def test_the_name_that_a_pickled_monitor_contains_stays() -> None:
    """Files of models that hold their monitor contain it, so a moved or renamed one could not be loaded."""
    monitor = watched(Vae())
    made = monitor.__reduce__()[0]
    assert f"{made.__module__}.{made.__qualname__}" == "polar_monitor.monitor.monitor.unattached_monitor"
    assert pkgutil.resolve_name("polar_monitor.monitor.monitor.unattached_monitor") is made
    monitor.detach()


def test_all_monitors_share_one_hook_on_the_optimisers() -> None:
    """It stays, and does nothing: one that is taken out while torch goes through its hooks would break a step."""
    watched(Vae()).detach()
    before, running = dict(_global_optimizer_post_hooks), len(optimizer_clock._clocks)
    monitors = [watched(Vae()) for _ in range(3)]
    assert len(optimizer_clock._clocks) == running + 3
    for monitor in monitors:
        monitor.detach()
    assert dict(_global_optimizer_post_hooks) == before
    assert len(optimizer_clock._clocks) <= running


def test_nothing_keeps_the_model_alive_and_nothing_outlives_it() -> None:
    watched(Vae()).detach()
    gc.collect()
    before = dict(_global_optimizer_post_hooks)
    model = Vae()
    gone = weakref.ref(model)
    monitor = weakref.ref(watched(model))
    assert monitor() is not None
    train(model, 10)
    del model
    gc.collect()
    assert gone() is None
    assert monitor() is None
    assert dict(_global_optimizer_post_hooks) == before
