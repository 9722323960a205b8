"""Promise 5: every row is counted once, or reported as dropped, whatever the loop around it looks like."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import Vae, train, vae_loss
from torch import Tensor, nn
from watching import same, stepped, watched


def test_four_micro_batches_are_one_batch() -> None:
    snapshots = []
    for pieces in (1, 4):
        torch.manual_seed(0)
        model = Vae()
        monitor = watched(model, every=1)
        optimizer = torch.optim.SGD(model.parameters(), 0.0)
        x = torch.randn(512, 12, generator=torch.Generator().manual_seed(1))
        for part in x.chunk(pieces):
            (vae_loss(model(part), part) / pieces).backward()
        optimizer.step()
        snapshots.append(monitor.snapshot())
        assert (monitor.health().steps, monitor.health().calls, monitor.health().rows_seen) == (1, pieces, 512)
    a, b = (s.to_dict() for s in snapshots)
    assert a.keys() == b.keys()
    for name in a:
        if name not in ("information", "information_se"):
            np.testing.assert_allclose(np.array(a[name], float), np.array(b[name], float), rtol=1e-6, err_msg=name)


def test_the_copies_of_an_importance_ensemble_are_rows_and_say_so() -> None:
    """An IWAE that repeats its input K times shows K rows an input: they are counted, each once."""
    model = Vae()
    monitor = watched(model, every=4)
    x = torch.randn(64, 12)
    stepped(model, 4, lambda step: model(x.repeat(5, 1)))
    health = monitor.health()
    assert (health.calls, health.rows_seen, health.rows_dropped) == (4, 4 * 5 * 64, 0)


def test_the_two_optimisers_of_a_gan_are_one_step() -> None:
    model, critic = Vae(), nn.Linear(12, 1)
    monitor = watched(model)
    mine, its = (torch.optim.SGD(part.parameters(), 0.01) for part in (model, critic))
    for _ in range(20):
        x = torch.randn(64, 12)
        output = model(x)
        (vae_loss(output, x) - critic(output[0]).mean()).backward()
        mine.step()
        critic(model(x)[0].detach()).mean().backward()
        its.step()
    health = monitor.health()
    assert health.steps == 20
    assert health.calls == 40  # what the critic sees is a forward too
    assert health.rows_seen + 64 == 40 * 64  # the last one waits for the next step


def test_a_shared_module_counts_every_one_of_its_calls() -> None:
    class Siamese(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc_mu, self.fc_logvar = nn.Linear(12, 4), nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Tensor:
            return sum(self.fc_mu(one) + self.fc_logvar(one) for one in x.chunk(2))  # type: ignore[return-value]

    model = Siamese()
    monitor = watched(model, every=3)
    x = torch.randn(100, 12)
    stepped(model, 3, lambda step: model(x))
    health = monitor.health()
    assert (health.calls, health.rows_seen, health.rows_dropped) == (6, 300, 0)


def test_eval_in_the_middle_of_training_changes_nothing() -> None:
    states = []
    for validate in (False, True):
        torch.manual_seed(0)
        model = Vae()
        monitor = watched(model, modes=("train", "eval"))
        train(model, 20)
        if validate:
            rng = torch.get_rng_state()
            model.eval()
            with torch.no_grad():
                model(torch.randn(100, 12))
            model.train()
            torch.set_rng_state(rng)
        train(model, 20, seed=1, optimizer=torch.optim.SGD(model.parameters(), 0.01))
        states.append(monitor.state_dict()["pipelines"]["train"])
        expected = 100 if validate else None
        snapshot = monitor.snapshot("eval")
        assert (None if snapshot is None else snapshot.rows) == expected
    assert same(*states)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_forward_without_gradients_is_read(context: type[torch.no_grad] | type[torch.inference_mode]) -> None:
    """Probe forwards; the first of them allocates the ring, which must serve those with gradients too."""
    model = Vae()
    monitor = watched(model)
    with context():
        model(torch.randn(100, 12))
    train(model, 10)
    health = monitor.health()
    assert (health.rows_seen, health.rows_dropped, health.errors) == (740, 0, 0)


def test_an_evaluation_by_default_is_not_mixed_into_training() -> None:
    model = Vae()
    monitor = watched(model)
    model.eval()
    model(torch.randn(100, 12))
    model.train()
    train(model, 10)
    assert monitor.health().rows_seen == 640


def test_a_batch_without_rows_is_counted_as_empty() -> None:
    model = Vae()
    monitor = watched(model, every=4)
    stepped(model, 4, lambda step: model(torch.randn(0 if step % 2 else 64, 12)))
    health = monitor.health()
    assert (health.calls, health.rows_empty, health.rows_seen, health.errors) == (4, 2, 128, 0)


def test_more_rows_than_the_window_holds_are_reported_as_not_needed() -> None:
    model = Vae()
    monitor = watched(model, every=10, window=512, modes=("train", "eval"))  # no rest between evaluations
    stepped(model, 10, lambda step: model(torch.randn(300, 12)))
    health = monitor.health()
    assert health.rows_dropped == 0
    assert health.rows_skipped > 0
    assert health.rows_seen + health.rows_skipped == 3000


def test_every_row_is_counted_or_reported_at_rest_too() -> None:
    model = Vae()
    monitor = watched(model, every=10, window=512, strict=False)
    train(model, 300, batch=100)
    monitor.evaluate()
    health = monitor.health()
    assert health.calls + health.steps_rested == 300
    assert health.steps_rested > 0
    assert health.rows_dropped == 0
    assert health.rows_seen + health.rows_skipped == 100 * health.calls


def test_a_mean_without_its_spread_is_reported_as_dropped() -> None:
    model = Vae()
    monitor = watched(model, every=4)

    def forward(step: int) -> None:
        model(torch.randn(64, 12))
        if step == 1:
            model.fc_mu(torch.randn(10, 16))

    stepped(model, 4, forward)
    health = monitor.health()
    assert health.rows_seen == 3 * 64
    assert health.rows_seen + health.rows_dropped == 4 * 64 + 10
