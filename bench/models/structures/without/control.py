"""Actors and a regression: they draw from N(μ, σ²), which is no latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...blocks import mlp, seeded
from ...data import WIDTH, vectors
from ...structure import Structure

ACTIONS = 4


class SacActor(nn.Module):
    """SAC: a normal action with mean_linear and log_std_linear, squashed by tanh; the critic takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.mean_linear, self.log_std_linear = (
            nn.Linear(WIDTH, 48),
            nn.Linear(48, ACTIONS),
            nn.Linear(48, ACTIONS),
        )

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.linear1(state))
        return self.mean_linear(h), self.log_std_linear(h).clamp(-20, 2)

    def sample(self, state: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self(state)
        normal = torch.distributions.Normal(mean, log_std.exp())
        raw = normal.rsample()
        action = torch.tanh(raw)
        return action, (normal.log_prob(raw) - torch.log(1 - action**2 + 1e-6)).sum(1)


class Sac(nn.Module):
    """The actor and a critic."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.critic = SacActor(), mlp(WIDTH + ACTIONS, 48, 1)


class PpoActorCritic(nn.Module):
    """PPO: actor_mean and a parameter actor_logstd, and a critic."""

    def __init__(self) -> None:
        super().__init__()
        self.critic, self.actor_mean = (
            mlp(WIDTH, 48, 1, activation=nn.Tanh),
            mlp(WIDTH, 48, ACTIONS, activation=nn.Tanh),
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, ACTIONS))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.actor_mean(state)
        return mean, self.actor_logstd.expand_as(mean)


class Regressor(nn.Module):
    """A regression with its own uncertainty: mean and log-variance of the target."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mean, self.logvar = mlp(WIDTH, 48, 48), nn.Linear(48, 2), nn.Linear(48, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.body(x))
        return self.mean(h), self.logvar(h)


def _sac_loss(model: Sac, state: Tensor) -> Tensor:
    action, log_prob = model.actor.sample(state)
    wanted = torch.tanh(state[:, :ACTIONS])
    reward = -((action.detach() - wanted) ** 2).sum(1)
    values = model.critic(torch.cat([state, action.detach()], 1)).squeeze(1)
    for parameter in model.critic.parameters():
        parameter.requires_grad_(False)
    chosen = model.critic(torch.cat([state, action], 1)).squeeze(1)
    for parameter in model.critic.parameters():
        parameter.requires_grad_(True)
    return ((values - reward) ** 2).mean() + (0.05 * log_prob - chosen).mean()


def _ppo_loss(model: PpoActorCritic, state: Tensor) -> Tensor:
    mean, logstd = model(state)
    normal = torch.distributions.Normal(mean, logstd.exp())
    action = normal.sample()
    reward = -((action - state[:, :ACTIONS]) ** 2).sum(1)
    value = model.critic(state).squeeze(1)
    advantage = (reward - value).detach()
    return (
        ((value - reward) ** 2).mean()
        - (normal.log_prob(action).sum(1) * advantage).mean()
        - 0.01 * normal.entropy().mean()
    )


def _regression_loss(model: Regressor, x: Tensor) -> Tensor:
    mean, logvar = model(x)
    return functional.gaussian_nll_loss(mean, x[:, :2] * x[:, 2:4], logvar.exp())


STRUCTURES = (
    Structure("sac_actor", "without", "an action, not a latent", seeded(Sac), vectors, None, _sac_loss),
    Structure("ppo_actor", "without", "an action, not a latent", seeded(PpoActorCritic), vectors, None, _ppo_loss),
    Structure(
        "regressor", "without", "mean and log σ² of the target", seeded(Regressor), vectors, None,
        _regression_loss,
    ),
)  # fmt: skip
