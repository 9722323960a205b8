"""Actions of a policy that feed a critic or a world model of the same module are no latent; a CVAE's sample is one."""

from __future__ import annotations

import pytest
import torch
from searched import hooks, steps, watched
from torch import Tensor, nn

X, ACTIONS = 24, 3


class Actor(nn.Module):
    """A policy, and a module that takes what it sees beside what it does."""

    def __init__(self, given: int, mean: str = "mu", spread: str = "log_std", is_squashed: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(X, 32), nn.ReLU())
        self.names, self.is_squashed = (mean, spread), is_squashed
        for name in self.names:
            setattr(self, name, nn.Linear(32, ACTIONS))
        self.model = nn.Sequential(nn.Linear(X + ACTIONS, 32), nn.ReLU(), nn.Linear(32, given))

    def act(self, x: Tensor) -> Tensor:
        h = self.body(x)
        mean, std = (getattr(self, name)(h) for name in self.names)
        action = mean + std.exp() * torch.randn_like(mean)
        return action.tanh() if self.is_squashed else action

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.model(torch.cat([x, self.act(x)], 1))
        return given


class Conditional(Actor):
    """A CVAE: its decoder takes the condition, which is half of the data, beside the sample."""

    def __init__(self) -> None:
        super().__init__(X)
        self.model = nn.Linear(X // 2 + ACTIONS, X)

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.model(torch.cat([x[:, : X // 2], self.act(x)], 1))
        return given


@pytest.mark.parametrize("given", [1, X], ids=["critic", "world model"])
@pytest.mark.parametrize("is_squashed", [False, True])
def test_an_action_is_told_once_and_not_watched(given: int, is_squashed: bool) -> None:
    torch.manual_seed(0)
    model = Actor(given, is_squashed=is_squashed)
    with torch.no_grad():
        model.mu.weight.mul_(3)  # type: ignore[union-attr, operator]
    monitor = watched(model)
    told = steps(model, 120)
    assert len(told) == 1
    assert "nothing is watched any more: 'mu' and 'log_std' give an action, not a latent" in told[0]
    assert told[0].endswith('If it is a latent, write attach(model, mean="mu", logstd="log_std")')
    assert (monitor.regime(), hooks(model)) == (None, 0)
    again = watched(model, mean="mu", logstd="log_std")
    assert not [text for text in steps(model, 20) if "nothing is watched" in text]
    assert again.snapshot() is not None


def test_an_action_of_heads_without_names_is_not_recorded() -> None:
    torch.manual_seed(0)
    model = Actor(X, "a", "b")
    monitor = watched(model)
    told = steps(model, 60)
    assert monitor.regime() is None
    assert len(told) == 1
    assert "beside all of the model's inputs" in told[0]


def test_a_sample_beside_a_condition_is_a_latent() -> None:
    torch.manual_seed(0)
    model = Conditional()
    monitor = watched(model)
    assert steps(model, 40) == []
    assert f"confirmed: the last {ACTIONS} columns of what enters 'model'" in monitor.explain()
