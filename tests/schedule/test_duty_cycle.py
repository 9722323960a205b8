"""Rest between evaluations: no hook, nothing missed, and no silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import nn
from watching import Memory, stepped, watched


def test_at_rest_there_is_no_hook_and_nothing_is_missed(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, every=100, window=512)
    seen = []
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(1, 301):
        model(torch.full((64, 12), step / 100))
        seen.append(len(model.fc_mu._forward_hooks))
        optimizer.step()
    assert seen[:2] == [1, 0]
    assert seen[95:100] == [1] * 5
    assert sum(seen) < 40
    health = monitor.health()
    assert health.calls == sum(seen)
    assert health.steps_rested == 300 - sum(seen)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.n == 512
    with torch.no_grad():
        expected = torch.cat([model.fc_mu(model.body(torch.full((64, 12), s / 100))) for s in range(293, 301)])
    np.testing.assert_allclose(snapshot.mean, expected.mean(0).numpy(), rtol=1e-5)
    with monitor.detached():
        pass
    assert not model.fc_mu._forward_hooks
    assert monitor.evaluate() == ()
    assert len(recwarn) == 0


def test_where_validations_are_watched_too_the_hooks_stay() -> None:
    model = Vae()
    watched(model, every=100, window=512, modes=("train", "eval"))
    train(model, 20)
    assert len(model.fc_mu._forward_hooks) == 1


def test_training_something_else_for_a_while_is_no_silence(recwarn: pytest.WarningsRecorder) -> None:
    model, sink = Vae(), Memory()
    watched(model, sinks=(sink,), every=50, window=512)
    x = torch.randn(64, 12)
    stepped(model, 600, lambda step: model(x) if step // 60 % 2 == 0 else model.decoder(torch.randn(64, 4)))
    assert [record for record in sink.records if record.observed == 0] == []
    assert len(sink.records) > 5
    assert len(recwarn) == 0


def test_a_smaller_batch_does_not_leave_the_window_old() -> None:
    model = Vae()
    monitor = watched(model, every=100, window=2048)

    nn.init.constant_(model.fc_logvar.bias, -1.0)

    def forward(step: int) -> None:
        nn.init.constant_(model.fc_mu.bias, float(step))
        model(torch.zeros(512 if step < 1000 else 32, 12))

    stepped(model, 1300, forward)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.mean.min() > 1200


def test_asked_at_rest_it_wakes_and_answers_later() -> None:
    model = Vae()
    monitor = watched(model, every=1000, window=512)
    train(model, 60)
    assert monitor.evaluate() == ()
    assert monitor.snapshot() is None
    train(model, 10)
    (record,) = monitor.evaluate()
    assert record.observed == 11 * 64
    assert record.step == 70


def test_a_validation_need_not_come_at_once(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, modes=("eval",), every=20)
    train(model, 100)
    assert monitor.alerts == ()
    assert len(recwarn) == 0
