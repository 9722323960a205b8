"""Models inside their wrappers, and models that take no hooks."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from models import Vae
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from polar_monitor.discovery.unwrap import unwrap, unwrapped
from polar_monitor.errors import PolarMonitorError


def test_a_compiled_model_is_unwrapped() -> None:
    model = Vae()
    assert unwrap(model) is model
    assert unwrap(torch.compile(model, backend="eager")) is model


def test_an_attribute_named_module_is_no_wrapper() -> None:
    model = Vae()
    model.module = nn.Linear(2, 2)
    assert unwrap(model) is model


def test_names_do_not_change_with_wrapping() -> None:
    model = Vae()
    names = [name for name, _ in model.named_modules()]
    model.body[0] = checkpoint_wrapper(model.body[0])
    wrapped = torch.compile(model, backend="eager")
    assert list(dict.fromkeys(unwrapped(name) for name, _ in wrapped.named_modules())) == names
    assert unwrapped("module._orig_mod.encoder._fsdp_wrapped_module.fc_mu") == "encoder.fc_mu"


def scripted() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (scripted, "got a ScriptModule, which takes no hooks: attach before torch.jit.script"),
        (lambda: nn.DataParallel(nn.Linear(2, 2)), "got DataParallel, .*: use DistributedDataParallel"),
        (lambda: 3, "model: expected an nn.Module, got int"),
    ],
)
def test_what_takes_no_hooks_is_refused(build: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        unwrap(build())
