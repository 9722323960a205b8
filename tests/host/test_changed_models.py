"""Models that are changed or called in unusual ways after they are watched: rows are counted, or one warning comes."""

from __future__ import annotations

import pytest
import torch
from models import Vae, train
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from watching import warned, watched

X = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))


class Normed(nn.Module):
    """Batch norm below the heads, and at `last` in place of the mean's head."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16))
        self.fc_mu: nn.Module = nn.BatchNorm1d(16) if last else nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc_mu(self.body(x)).sum(1, keepdim=True).expand(-1, 12)


@pytest.mark.parametrize("last", [False, True])
def test_conversion_to_synchronised_batch_norm_is_seen_through_or_told(last: bool) -> None:
    """It puts new modules in the place of all batch norms: a latent read from one is no longer seen."""
    model = Normed(last)
    monitor = watched(model, mean="fc_mu")
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert converted is model
    model.eval()  # without a process group it runs in this mode only
    model.fc_mu.train(not last)
    with warned() as caught:
        train(model, 60)
    assert len(caught) == last
    assert all("no latent seen from 'fc_mu'" in said and "'fc_mu' is another module now" in said for said in caught)
    assert monitor.health().rows_seen == (0 if last else 60 * 64)


def test_a_schedule_and_frozen_parameters_change_no_count() -> None:
    model = Vae()
    monitor = watched(model)
    for parameter in model.body.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with warned() as caught:
        for epoch in range(6):
            train(model, 10, seed=epoch, optimizer=optimizer)
            schedule.step()
    assert not caught
    health = monitor.health()
    assert (health.steps, health.rows_seen, health.errors) == (60, 60 * 64, 0)


def test_a_frozen_optimiser_still_tells_what_the_model_sees() -> None:
    """A learning rate that has gone to nothing: the latents are the same, and are measured."""
    model = Vae()
    monitor = watched(model)
    with warned() as caught:
        train(model, 60, optimizer=torch.optim.SGD(model.parameters(), 0.0))
    assert not caught
    assert monitor.health().rows_seen == 60 * 64


@pytest.mark.parametrize("later", [False, True])
def test_a_parametrised_head_is_watched(later: bool) -> None:
    model = Vae()
    monitor = watched(model) if later else None
    parametrizations.weight_norm(model.fc_mu)
    parametrizations.orthogonal(model.fc_logvar)
    monitor = monitor or watched(model)
    with warned() as caught:
        train(model, 10)
        parametrize.remove_parametrizations(model.fc_mu, "weight")
        train(model, 10)
    assert not caught
    health = monitor.health()
    assert (health.rows_seen, health.errors) == (20 * 64, 0)


def test_a_functional_call_is_a_forward() -> None:
    """With other parameters it is one of the same module: a meta-learner's inner step counts as a probe does."""
    model = Vae()
    monitor = watched(model, every=10)
    fast = {name: parameter.detach() * 2 for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with warned() as caught:
        for _ in range(60):
            torch.func.functional_call(model, fast, (X,))
            optimizer.step()
    assert not caught
    health = monitor.health()
    assert (health.calls, health.rows_seen, health.errors) == (60, 60 * 64, 0)
    with torch.no_grad():
        mean = torch.func.functional_call(model, fast, (X,))[1]
    snapshot = monitor.snapshot()
    assert snapshot is not None
    torch.testing.assert_close(torch.from_numpy(snapshot.mean), mean.double().mean(0), rtol=2e-5, atol=1e-6)


def test_a_model_that_runs_under_vmap_alone_is_a_silence_that_is_told() -> None:
    """What vmap hands out is no tensor with rows of its own."""
    model = nn.Sequential(nn.Linear(12, 4), nn.Tanh())
    monitor = watched(model, mean="0")
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with warned() as caught:
        for _ in range(60):
            optimizer.zero_grad()
            torch.vmap(model)(X).square().mean().backward()
            optimizer.step()
    assert len(caught) == 1
    assert "no latent seen from '0'" in caught[0]
    assert (monitor.health().rows_seen, monitor.health().errors) == (0, 0)
