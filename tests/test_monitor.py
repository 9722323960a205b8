"""The whole way from an unchanged loop to labels, alerts and logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import Autoencoder, Vae, train, vae_loss
from torch import nn
from watching import same, watched

import polar_monitor
from polar_monitor import Label, PolarMonitor
from polar_monitor.sinks.jsonl import read_jsonl


@pytest.mark.parametrize("build", [lambda: Vae(dropout=0.3), Autoencoder])
def test_training_is_the_same_bit_for_bit(build: Any, tmp_path: Path) -> None:
    results = []
    for monitored in (False, True):
        torch.manual_seed(3)
        model = build()
        if monitored:
            watched(model, sinks=None, log_dir=tmp_path, every=20, modes=("train", "eval"))
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        train(model, 200, optimizer=optimizer)
        state = optimizer.state_dict()["state"]
        results.append((list(model.parameters()), [s["exp_avg_sq"] for s in state.values()], torch.get_rng_state()))
    (weights, moments, rng), (weights2, moments2, rng2) = results
    assert all(map(torch.equal, weights, weights2))
    assert all(map(torch.equal, moments, moments2))
    assert torch.equal(rng, rng2)


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
    np.testing.assert_allclose(snapshot.mean, mean.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.variance, mean.var(0), rtol=1e-5)
    np.testing.assert_allclose(snapshot.posterior_variance, variance.mean(0), rtol=1e-5)
    kl = 0.5 * (mean**2 + variance - np.log(variance) - 1).mean(0)
    np.testing.assert_allclose(snapshot.kl, kl, rtol=1e-4)
    assert (snapshot.information <= snapshot.information_upper + 3 * snapshot.information_se + 1e-3).all()
    assert (snapshot.information_upper <= snapshot.kl + 1e-6).all()


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
    a, b = (s.to_dict() for s in snapshots)
    assert a.keys() == b.keys()
    for name in a:
        if name not in ("information", "information_se"):
            np.testing.assert_allclose(np.array(a[name], float), np.array(b[name], float), rtol=1e-6, err_msg=name)


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
        states.append(monitor.state_dict()["lanes"]["train"])
        expected = 100 if validate else None
        snapshot = monitor.snapshot("eval")
        assert (None if snapshot is None else snapshot.rows) == expected
    assert same(*states)


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
    assert (snapshot.dimensions, snapshot.n) == (3, 4096)
    assert snapshot.independent == 256
    assert monitor.regime().labels == (Label.UNDECIDED,) * 3  # type: ignore[union-attr]


def test_steps_by_hand_replace_the_optimiser() -> None:
    model = Vae()
    monitor = watched(model, every=3)
    monitor.step()
    train(model, 20)
    assert monitor.health().steps == 1
    monitor.step()
    monitor.step()
    assert monitor.snapshot().rows == 1280  # type: ignore[union-attr]


def test_compiled_models_are_watched(tmp_path: Path) -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=5)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    train(compiled, 10, optimizer=torch.optim.SGD(model.parameters(), 0.01))
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.rows == 640
    torch._dynamo.reset()


def test_every_row_is_counted_or_reported() -> None:
    model = Vae()
    monitor = polar_monitor.attach(model, sinks=(), every=10, window=512)
    train(model, 300, batch=100)
    monitor.evaluate()
    health = monitor.health()
    assert health.calls + health.steps_rested == 300
    assert health.steps_rested > 200
    assert health.rows_seen + health.rows_dropped == 100 * health.calls
    assert health.rows_dropped == 0


def test_a_replayed_log_gives_the_alerts_of_the_run(tmp_path: Path) -> None:
    from polar_monitor.alerts import AlertRules
    from polar_monitor.watch import WatchState, watch

    monitor = PolarMonitor(log_dir=tmp_path, every=1, max_overhead=1.0, strict=True)
    rng = np.random.default_rng(0)
    for t in range(50):
        scale = 1.0 if t < 12 else 0.85 ** (t - 11)
        mean = rng.normal(size=(4096, 2)) * [1.0, scale]
        monitor.observe(mean, var=np.broadcast_to([0.05, 1.0 - 0.95 * scale**2], (4096, 2)))
        monitor.step()
    monitor.detach()
    state, replayed = WatchState(), []
    for record in read_jsonl(tmp_path / "polar.jsonl"):
        state, alerts = watch(state, record.step, record.observed, record.snapshot, record.regime, AlertRules())
        replayed += alerts
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
