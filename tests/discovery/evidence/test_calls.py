"""Modules that are called several times in a step: a sample belongs to the call that it was drawn from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evidence_runs import H, N, Net, Toy, X, mlp, noise, rows, run
from torch import Tensor, nn


def earlier_call(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    """Draw from a second call; the first was on other inputs, as those of a step of a critic."""
    mean, spread = model.heads(torch.randn_like(x))
    return model.dec(noise(mean, (spread / 2).exp())), m, s


def later_call(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    output = model.dec(noise(m, (s / 2).exp()))
    return output, *model.heads(torch.randn_like(x))


def drawn_before(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    """Draw from the first call after a second one on other inputs."""
    others = model.heads(torch.randn_like(x))
    return model.dec(noise(m, (s / 2).exp())), *others


def head_alone(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    """Call one head once more, on more rows than the other."""
    again = model.mu(model.body(torch.randn(3 * len(x), X)))
    return model.dec(noise(m, (s / 2).exp())), again, s


def stacked(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    """Draw from three calls, and decode the samples of all at once."""
    samples = [noise(m, (s / 2).exp())]
    for _ in range(2):
        mean, spread = model.heads(torch.randn_like(x))
        samples.append(noise(mean, (spread / 2).exp()))
    return model.dec(torch.stack(samples))


@pytest.mark.parametrize("forward", [earlier_call, later_call, drawn_before, head_alone, stacked])
def test_a_sample_is_paired_with_the_call_that_it_was_drawn_from(forward: Any) -> None:
    torch.manual_seed(1)
    model = Toy(forward)
    nn.init.normal_(model.lv.weight, std=0.3)
    nn.init.normal_(model.mu.weight, std=0.5)
    assert run(model, rows(N, X), 40).names == [("'mu'", "'lv'", "log σ²")]


def test_heads_that_are_called_unequally_are_paired_by_the_nearest_call_before() -> None:
    def forward(model: Net, x: Tensor) -> Any:
        model.mu(torch.randn(len(x), H))
        model.mu(torch.randn(len(x), H))
        h = model.body(x)
        mean, spread = model.mu(h), model.lv(h)
        return model.dec(noise(mean, (spread / 2).exp())), mean, spread

    torch.manual_seed(1)
    model = Net(forward, body=mlp(X, H), mu=nn.Linear(H, 6), lv=nn.Linear(H, 6), dec=mlp(6, X))
    nn.init.normal_(model.lv.weight, std=0.3)
    assert run(model, rows(N, X), 40).names == [("'mu'", "'lv'", "log σ²")]
