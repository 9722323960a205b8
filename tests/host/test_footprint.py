"""What of us is in the host: no thread, no random number, no global hook, no tensor that stays."""

from __future__ import annotations

import gc
import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import TransformerVae, Vae, train
from torch import Tensor, nn
from watching import stepped, watched

import polar_monitor


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_no_tensor_piles_up() -> None:
    model = Vae()
    watched(model, every=50)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    train(model, 200, optimizer=optimizer)
    before = tensors()
    train(model, 400, optimizer=optimizer)
    assert tensors() <= before


def test_no_random_number_is_drawn() -> None:
    model = Vae()
    x = torch.randn(64, 12)
    watched(model, every=10)

    def states() -> tuple[Any, ...]:
        return torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002

    before = states()
    stepped(model, 50, lambda step: (model.fc_mu(model.body(x)), model.fc_logvar(model.body(x))))
    after = states()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_no_thread_is_started(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    model = Vae()
    monitor = polar_monitor.attach(model, log_dir=tmp_path, every=10, max_overhead=1.0)
    train(model, 30)
    assert set(threading.enumerate()) == before
    monitor.detach()


def global_hooks() -> dict[str, Any]:
    return {name: dict(table) for name, table in vars(nn.modules.module).items() if name[:8] == "_global_" and table}


def test_no_hook_is_global() -> None:
    """Dynamo warns that global module hooks fire an extra time; the files say whether there is one."""
    package = Path(polar_monitor.__file__).parent
    for word in ("register_module_forward", "register_module_full", "register_module_module"):
        assert not [path for path in package.rglob("*.py") if word in path.read_text()], word
    before = global_hooks()
    model = Vae()
    watched(model)
    assert global_hooks() == before


def test_only_the_latents_own_modules_carry_a_hook() -> None:
    model = TransformerVae()
    monitor = watched(model)
    model(torch.randn(256, 5, 12))[0].mean().backward()
    torch.optim.SGD(model.parameters(), 0.01).step()  # the search of the latent has ended
    assert "confirmed" in monitor.explain()
    hooked = [name for name, module in model.named_modules() if module._forward_hooks]
    assert hooked == ["fc_mu", "fc_logvar"]
    assert [name for name, module in model.named_modules() if module._forward_pre_hooks] == [""]
    assert not any(module._backward_hooks for module in model.modules())


def test_the_fused_path_of_layers_that_are_not_hooked_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook turns off the inference fast path of a TransformerEncoderLayer, so none sits there."""
    calls = []
    fused = torch._transformer_encoder_layer_fwd
    monkeypatch.setattr(torch, "_transformer_encoder_layer_fwd", lambda *a: (calls.append(1), fused(*a))[1])
    counts = []
    for monitored in (False, True):
        model = TransformerVae()
        if monitored:
            watched(model)
        model.eval()
        calls.clear()
        with torch.inference_mode():
            model(torch.randn(4, 5, 12))
        counts.append(len(calls))
    assert counts == [2, 2]
