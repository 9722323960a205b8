"""The whole way from an unchanged loop to labels, alerts and logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import nn
from watching import watched

import polar_monitor
from polar_monitor import Label, PolarMonitor
from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks.jsonl import read_jsonl


def test_the_statistics_are_of_the_rows_that_went_by() -> None:
    model = Vae()
    monitor = watched(model, every=50)
    seen: dict[str, list[torch.Tensor]] = {"mean": [], "logvar": []}
    model.fc_mu.register_forward_hook(lambda m, a, o: seen["mean"].append(o.detach().clone()))
    model.fc_logvar.register_forward_hook(lambda m, a, o: seen["logvar"].append(o.detach().clone()))
    train(model, 50)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    mean, variance = (torch.cat(seen[key]).numpy().astype(np.float64) for key in ("mean", "logvar"))
    variance = np.exp(variance)
    assert (snapshot.step, snapshot.rows, snapshot.n, snapshot.independent) == (50, 3200, 3200, 3200)
    np.testing.assert_allclose(snapshot.mean, mean.mean(0), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.variance, mean.var(0), rtol=2e-5)
    np.testing.assert_allclose(snapshot.posterior_variance, variance.mean(0), rtol=2e-5)
    kl = 0.5 * (mean**2 + variance - np.log(variance) - 1).mean(0)
    np.testing.assert_allclose(snapshot.kl, kl, rtol=1e-4)
    assert (snapshot.information <= snapshot.information_upper + 3 * snapshot.information_se + 1e-3).all()
    assert (snapshot.information_upper <= snapshot.kl + 1e-6).all()


def test_labels_of_known_latents() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    rng = np.random.default_rng(0)
    for _ in range(8):
        on = rng.random((1024, 1)) < 0.5
        mean = np.concatenate(
            [
                rng.normal(size=(1024, 1)),
                0.01 * rng.normal(size=(1024, 1)),
                np.where(on, rng.normal(size=(1024, 1)), 0),
            ],
            1,
        )
        var = np.concatenate([np.full((1024, 1), 0.02), np.full((1024, 1), 0.99), np.where(on, 0.02, 0.98)], 1)
        monitor.observe(mean, var=var)
        monitor.step()
    regime = monitor.regime()
    assert regime is not None
    assert regime.labels == (Label.ACTIVE, Label.PASSIVE, Label.MIXED)
    assert str(regime.verdict) == "polarised"
    assert "2 informative" in regime.reasons[0]


def test_the_published_criterion_decides_when_asked() -> None:
    model = Vae()
    monitor = watched(model, criterion="bonheme")
    train(model, 20)
    regime = monitor.regime()
    assert regime is not None
    assert regime.criterion == "bonheme"
    assert "Bonheme" in regime.explain(0)


def test_spatial_latents_count_images() -> None:
    class Conv(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mu, self.logvar = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mu(x) + self.logvar(x)

    model = Conv()
    monitor = watched(model, every=1)
    model(torch.randn(600, 1, 8, 8)).sum().backward()
    torch.optim.SGD(model.parameters(), 0.0).step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, snapshot.n) == (3, 2400)
    assert snapshot.independent == 600
    assert monitor.regime().verdict is not Verdict.NOT_ESTIMABLE  # type: ignore[union-attr]


def test_steps_by_hand_replace_the_optimiser() -> None:
    model = Vae()
    monitor = watched(model, every=3)
    monitor.step()
    train(model, 20)
    assert monitor.health().steps == 1
    monitor.step()
    monitor.step()
    assert monitor.snapshot().rows == 1280  # type: ignore[union-attr]


def test_a_replayed_log_gives_the_alerts_of_the_run(tmp_path: Path) -> None:
    from polar_monitor.alerts.alert_rules import AlertRules
    from polar_monitor.alerts.engine import AlertEngine
    from polar_monitor.alerts.observation import Observation

    monitor = PolarMonitor(log_dir=tmp_path, every=1, max_overhead=1.0, strict=True)
    rng = np.random.default_rng(0)
    for t in range(50):
        scale = 1.0 if t < 12 else 0.85 ** (t - 11)
        mean = rng.normal(size=(4096, 2)) * [1.0, scale]
        monitor.observe(mean, var=np.broadcast_to([0.05, 1.0 - 0.95 * scale**2], (4096, 2)))
        monitor.step()
    monitor.detach()
    engine, replayed = AlertEngine(), []
    for record in read_jsonl(tmp_path / "polar.jsonl"):
        observation = Observation(record.step, record.observed, record.snapshot, record.regime)
        replayed += engine.evaluate(observation, AlertRules())
    kinds = [str(alert.kind) for alert in monitor.alerts]
    assert kinds.index("fading") < kinds.index("lost")
    assert tuple(replayed) == monitor.alerts


def test_words() -> None:
    model = Vae()
    monitor = watched(model)
    assert "nothing has been evaluated" in monitor.summary()
    assert "fc_mu" in monitor.explain()
    train(model, 20)
    assert "verdict" not in monitor.summary()
    assert monitor.summary().count("\n") >= 8
    assert monitor.explain(0).startswith("dimension 0 is ")
    monitor.raise_on_collapse()


def test_alerts_tell_their_mode_and_latent() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True, modes=("train", "eval"), name="z")
    bad = torch.full((600, 1), float("nan"))
    monitor.observe(bad, mode="eval")
    monitor.observe(torch.randn(600, 1))
    monitor.step()
    assert [(alert.name, alert.mode) for alert in monitor.alerts] == [("z", "eval")]
    assert "z/eval NON_FINITE" in monitor.summary()


def test_the_history_is_that_of_the_log(tmp_path: Path) -> None:
    monitor = polar_monitor.PolarMonitor(every=1, log_dir=tmp_path, max_overhead=1.0)
    for _ in range(2):
        monitor.observe(torch.randn(600, 2), logvar=torch.zeros(600, 2))
        monitor.step()
    assert {(record.step, record.dimension) for record in monitor.history} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert str(list(monitor.history)) == str(list(polar_monitor.read(tmp_path)))
    monitor.detach()
    assert len(monitor.history) == 4


def test_a_monitor_without_a_log_says_how_to_get_a_history() -> None:
    with pytest.raises(polar_monitor.PolarMonitorError, match=r"writes no log: attach\(model, log_dir="):
        _ = polar_monitor.PolarMonitor(sinks=()).history
