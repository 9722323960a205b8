"""If it sees nothing it says so, and rest between evaluations is no silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import Vae, train, vae_loss
from torch import nn
from watching import Memory, stepped, watched

from polar_monitor import PolarMonitorWarning


def test_silence_is_loud_once() -> None:
    model = Vae()
    sink = Memory()
    watched(model, sinks=(sink,), every=100)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with pytest.warns(PolarMonitorWarning, match="no latent seen from fc_mu, fc_logvar in 50 steps") as caught:
        for _ in range(200):
            optimizer.step()
    assert len(caught) == 1
    assert [str(alert.kind) for record in sink.records for alert in record.alerts] == ["silent"]
    assert [record.observed for record in sink.records] == [0, 0]


def test_at_rest_there_is_no_hook_and_nothing_is_missed(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, every=100, window=512)
    seen = []
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(1, 301):
        model(torch.full((64, 12), float(step)))
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
        expected = torch.cat([model.fc_mu(model.body(torch.full((64, 12), float(s)))) for s in range(293, 301)])
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


def test_a_module_replaced_on_one_side_is_told() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=20)
    train(model, 20)
    model.fc_logvar = nn.Linear(16, 4)
    with pytest.warns(PolarMonitorWarning, match="rows were given up: .* not called equally often"):
        train(model, 100)
    assert [str(alert.kind) for record in sink.records for alert in record.alerts] == ["silent"]
    health = monitor.health()
    assert health.rows_seen + health.rows_dropped == 64 * 120


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


def test_a_model_compiled_during_rest_is_told() -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=100, window=512)
    train(model, 20)
    compiled, optimizer = torch.compile(model, backend="eager"), torch.optim.SGD(model.parameters(), 0.01)
    with pytest.warns(PolarMonitorWarning) as caught:
        train(compiled, 200, optimizer=optimizer)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 2
    assert "compiled while the monitor was at rest" in said[0]
    assert "no latent seen" in said[1]
    torch._dynamo.reset()  # what it advises
    before = monitor.health()
    train(compiled, 200, optimizer=optimizer)
    after = monitor.health()
    assert after.calls > before.calls + 100
    assert after.rows_seen > before.rows_seen + 512
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_optimiser_step_is_not_traced_into_us() -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=2)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    for _ in range(4):
        optimizer.zero_grad()
        vae_loss(model(x := torch.randn(64, 12)), x).backward()
        step()
    assert monitor.health().steps == 0
    monitor.step()
    monitor.step()
    assert monitor.health().evaluations == 1
    torch._dynamo.reset()


def test_a_validation_need_not_come_at_once(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, modes=("eval",), every=20)
    train(model, 100)
    assert monitor.alerts == ()
    assert len(recwarn) == 0
