"""What is watched is still what its name means, at every evaluation and at the end; else one warning says so."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.utils import parametrizations
from watching import warned, watched

REMEDY = "call polar_monitor.attach(model, …) again, with the same arguments, to watch the model as it is now"


class Scaled(nn.Module):
    """A module around another one, with an output of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = 3 * self.inner(x)
        return scaled


def wrap(model: Vae) -> None:
    model.fc_mu = Scaled(model.fc_mu)  # type: ignore[assignment]


def exchange(model: Vae) -> None:
    model.fc_mu, model.fc_logvar = model.fc_logvar, model.fc_mu


def replace(model: Vae) -> None:
    model.fc_mu = copy.deepcopy(model.fc_mu)


def clear(model: Vae) -> None:
    for module in model.modules():
        module._forward_hooks.clear()


def clear_one(model: Vae) -> None:
    model.fc_logvar._forward_hooks.clear()


CHANGES: list[tuple[Callable[[Vae], None], str]] = [
    (wrap, "'fc_mu' is another module now: the one that is watched is 'fc_mu.inner'"),
    (exchange, "'fc_mu' is another module now: the one that is watched is 'fc_logvar'; 'fc_logvar' is another module"),
    (replace, "'fc_mu' is another module now, and the one that was there at attach() is watched"),
    (clear, "the hook on 'fc_mu' was removed by other code; the hook on 'fc_logvar' was removed by other code"),
    (clear_one, "the hook on 'fc_logvar' was removed by other code"),
]


@pytest.mark.parametrize(
    ("change", "said", "at_the_end"),
    [(*one, False) for one in CHANGES] + [(*one, True) for one in CHANGES[:3]],  # hooks that pause are put on again
)
def test_a_changed_module_is_told_once_and_doing_what_it_says_ends_it(
    change: Callable[[Vae], None], said: str, at_the_end: bool
) -> None:
    model, named = Vae(), {"mean": "fc_mu", "logvar": "fc_logvar"}
    monitor = watched(model, **named, every=1000 if at_the_end else 10)
    train(model, 20)
    change(model)
    with warned() as caught:
        train(model, 15 if at_the_end else 40)
        assert len(caught) == (not at_the_end)
        monitor.detach()
    assert len(caught) == 1
    assert said in caught[0] and REMEDY in caught[0]
    again = watched(model, **named)
    with warned() as caught:
        train(model, 20)
        again.detach()
    assert not caught
    assert again.health().rows_seen == 20 * 64


def wrap_in_torch(model: Vae) -> None:
    model.fc_mu = checkpoint_wrapper(model.fc_mu)


def parametrise(model: Vae) -> None:
    parametrizations.weight_norm(model.fc_mu)


def move(model: Vae) -> None:
    """Another place of the same modules, with nothing in the old one."""
    heads = nn.ModuleList([model.fc_mu, model.fc_logvar])
    del model.fc_mu, model.fc_logvar
    object.__setattr__(model, "fc_mu", heads[0])
    object.__setattr__(model, "fc_logvar", heads[1])
    model.heads = heads


def nothing(model: Any) -> None:
    """Change nothing."""


@pytest.mark.parametrize("change", [nothing, wrap_in_torch, parametrise, move])
def test_what_the_name_still_means_is_no_change(change: Callable[[Vae], None]) -> None:
    model = Vae()
    monitor = watched(model, mean="fc_mu", logvar="fc_logvar")
    train(model, 20)
    change(model)
    with warned() as caught:
        train(model, 20)
        with monitor.detached():
            train(model, 3)
        monitor.detach()
    assert not caught
    assert monitor.health().rows_seen == 40 * 64


def test_steps_without_any_forward_are_told_at_the_end() -> None:
    model = Vae()
    monitor = watched(model, every=100)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(7):
        optimizer.step()
    with warned() as caught:
        monitor.detach()
    assert len(caught) == 1
    assert "no latent seen from 'fc_mu', 'fc_logvar' in 7 steps" in caught[0]
