"""Promise 7: a saved, copied, scripted, exported or unpickled model never needs the package, at any step."""

from __future__ import annotations

import copy
import copyreg
import gc
import io
import pickle
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from watching import watched

import polar_monitor
from polar_monitor.capture.copies import OwnHook


def saved(model: nn.Module) -> bytes:
    file = io.BytesIO()
    torch.save(model, file)
    return file.getvalue()


def hooks_in(model: nn.Module) -> list[Any]:
    tables = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs")
    return [entry for module in model.modules() for name in tables for entry in getattr(module, name).items()]


class Keeper(nn.Module):
    """Pickles what it likes, and copies itself attribute by attribute, as many models do."""

    def __init__(self) -> None:
        super().__init__()
        self.fc_mu = nn.Linear(12, 4)
        self.cache = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc_mu(x)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "cache"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "cache": []})

    def __deepcopy__(self, memo: dict[int, Any]) -> Keeper:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        for key, value in self.__dict__.items():
            twin.__dict__[key] = copy.deepcopy(value, memo)
        return twin


class Marked(nn.Linear):
    """A layer with an attribute, whose copies somebody makes with `copyreg`."""


SAVES: dict[str, Callable[[nn.Module], bytes]] = {
    "torch.save": saved,
    **{f"pickle {protocol}": lambda model, p=protocol: pickle.dumps(model, p) for protocol in range(6)},
    "saved copy": lambda model: saved(copy.deepcopy(model)),
    "saved shallow copy": lambda model: saved(copy.copy(model)),
    "saved average": lambda model: saved(AveragedModel(model)),
    "saved part": lambda model: saved(next(model.children())),
    "saved in a list": lambda model: pickle.dumps([model, {"model": model}]),
}


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
@pytest.mark.parametrize("options", [{}, {"mean": "fc_mu", "logvar": "fc_logvar", "window": 512, "every": 30}])
def test_no_file_of_a_model_names_the_package_at_any_step(
    save: Callable[[nn.Module], bytes], options: dict[str, Any]
) -> None:
    """In the search of the latent, with hooks on, while they pause, without hooks for a while, and after the end."""
    model = Vae()
    monitor = watched(model, mask=None, **options)
    sizes = set()
    for step in range(40):
        file = save(model)
        assert b"polar" not in file, step
        sizes.add(len(file))
        train(model, 1)
        if step == 20:
            with monitor.detached():
                assert b"polar" not in save(model)
            monitor.evaluate(torch.randn(64, 12))
    monitor.detach()
    assert b"polar" not in save(model)


def test_a_saved_model_is_loaded_where_the_package_is_not_installed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 4), nn.Linear(4, 12))
    monitor = watched(model, mean="0", logvar=None)
    torch.save({"model": model, "copy": copy.deepcopy(model)}, tmp_path / "model.pt")
    code = (
        "import sys, torch\n"
        "sys.modules['polar_monitor'] = None\n"
        f"for model in torch.load({str(tmp_path / 'model.pt')!r}, weights_only=False).values():\n"
        "    seen = []\n"
        "    for module in model.modules():\n"
        "        for _ in range(30): module.register_forward_pre_hook(lambda module, args: seen.append(1))\n"
        "    print(model(torch.ones(1, 12)).sum().item(), len(seen))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    expected = f"{model(torch.ones(1, 12)).sum().item()} 90"
    assert done.stdout.split("\n")[:2] == [expected, expected]
    monitor.detach()


def test_a_class_that_pickles_and_copies_itself_does_so_with_the_monitor() -> None:
    model = Keeper()
    plain = saved(model)
    monitor = watched(model, mean="fc_mu")
    assert len(saved(model)) == len(plain)
    for twin, cache in (
        (pickle.loads(pickle.dumps(model)), []),
        (copy.copy(model), []),
        (copy.deepcopy(model), [1, 2]),
    ):
        x = torch.randn(3, 12)
        assert torch.equal(twin(x), model(x))
        assert twin.cache == cache
        assert b"polar" not in saved(twin)
    monitor.detach()


def test_hooks_of_the_user_are_copied_as_ever() -> None:
    seen: list[str] = []
    model = Vae()
    model.fc_mu.register_forward_hook(Note(seen), with_kwargs=True, always_call=True)
    monitor = watched(model)
    model.register_forward_pre_hook(Note(seen))
    twin = copy.deepcopy(model)
    twin(torch.randn(2, 12))
    assert [hook if hook is True else hook.seen for _, hook in hooks_in(twin)] == [["called"] * 2, ["called"] * 2, True]
    monitor.detach()


class Note:
    """A hook of the user's."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def __call__(self, *_: Any) -> None:
        self.seen.append("called")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripts_traces_and_exports_name_nothing_of_ours(tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model)
    x = torch.randn(2, 12)
    torch.jit.script(copy.deepcopy(model)).save(tmp_path / "copy.pt")
    torch.jit.trace(model, x, check_trace=False).save(tmp_path / "trace.pt")
    torch.export.save(torch.export.export(model, (x,)), tmp_path / "export.pt2")
    with monitor.detached():
        torch.jit.script(model).save(tmp_path / "script.pt")
    traced = torch.fx.symbolic_trace(nn.Sequential(OrderedDict(fc_mu=nn.Linear(12, 4), act=nn.Tanh())))
    inner = watched(traced, mean="fc_mu")
    for graph in (copy.deepcopy(traced), pickle.loads(pickle.dumps(traced))):
        assert b"polar" not in saved(graph)
        assert torch.equal(graph(x), traced(x))
    (tmp_path / "fx.pt").write_bytes(saved(traced))
    for file in tmp_path.iterdir():
        assert b"polar" not in file.read_bytes(), file.name
    inner.detach()
    monitor.detach()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_copy_made_the_users_way_compiles_whole(backend: str) -> None:
    """Such a copy holds a method of the standard library in the place of each hook."""
    torch._dynamo.reset()
    model = Keeper()
    monitor = watched(model, mean="fc_mu")
    twin, x = copy.deepcopy(model), torch.randn(3, 12)
    assert torch.equal(torch.compile(twin, backend=backend, fullgraph=True)(x), model(x))
    monitor.detach()


def test_the_table_of_copyreg_is_as_before() -> None:
    def mine(module: Any) -> Any:
        return module.__reduce_ex__(2)

    gc.collect()
    copyreg.pickle(Marked, mine)
    before = dict(copyreg.dispatch_table)
    try:
        model = nn.Sequential(Marked(12, 4), nn.Linear(4, 4))
        model[0].mark = 1
        monitors = [watched(model, mean=str(place), name=f"latent{place}") for place in (0, 1)]
        assert Marked in copyreg.dispatch_table
        assert copyreg.dispatch_table != before
        twin = copy.deepcopy(model)
        assert (twin[0].mark, hooks_in(twin)) == (1, [])
        train_rows(model)
        for monitor in monitors:
            monitor.detach()
        assert dict(copyreg.dispatch_table) == before
        watched(model, mean="0")
        copyreg.dispatch_table[Marked] = mine  # an entry that somebody makes meanwhile stays
        del model, monitor, monitors
        polar_monitor.PolarMonitor()
        gc.collect()
        assert dict(copyreg.dispatch_table) == before
    finally:
        del copyreg.dispatch_table[Marked]


def train_rows(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(torch.randn(64, 12))
        optimizer.step()


def test_all_our_hooks_are_kept_out() -> None:
    model = Vae()
    monitor = watched(model)
    found = [hook for _, hook in hooks_in(model) if not isinstance(hook, bool)]
    assert found
    assert all(isinstance(hook, OwnHook) for hook in found)
    monitor.detach()
