"""The whole way from an unchanged loop to labels, alerts and logs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import nn
from watching import Memory, stepped, watched

from polar_monitor import Label, PolarMonitor
from polar_monitor.alerts import custom_rule
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.evaluation import Evaluation
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
    np.testing.assert_allclose(snapshot.mean, mean.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.variance, mean.var(0), rtol=1e-5)
    np.testing.assert_allclose(snapshot.posterior_variance, variance.mean(0), rtol=1e-5)
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


# -- what sinks and callbacks may do ----------------------------------------------------------------------------------


class Saving(Memory):
    """A sink that saves the monitor's state with every record, as KeepHealthy does."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[dict[str, Any]] = []
        self.monitor: PolarMonitor | None = None

    def write(self, evaluation: Evaluation) -> None:
        super().write(evaluation)
        if self.monitor is not None:
            self.states.append(copy.deepcopy(self.monitor.state_dict()))

    @property
    def seen(self) -> list[tuple[int, str, int]]:
        return [(record.step, record.mode, record.observed) for record in self.records]


@pytest.mark.parametrize("window", [512, 4096])
@pytest.mark.parametrize("modes", [("train",), ("train", "eval")])
def test_a_state_saved_by_a_sink_goes_on_exactly(window: int, modes: tuple[str, ...]) -> None:
    def start() -> tuple[Vae, Saving, PolarMonitor]:
        torch.manual_seed(0)
        model, sink = Vae(), Saving()
        return model, sink, watched(model, sinks=(sink,), every=50, window=window, modes=modes)

    def go(model: Vae, steps: int) -> None:
        def forward(step: int) -> None:
            model(torch.zeros(64, 12))
            model.eval()
            model(torch.zeros(32, 12))
            model.train()

        stepped(model, steps, forward)

    model, whole, whole.monitor = start()
    go(model, 250)
    at = next(i for i, record in enumerate(whole.records) if record.step == 100)
    state = whole.states[at]
    assert (state["clock"]["steps"], state["clock"]["next"]) == (100, 150)
    assert state["clock"]["evaluations"] == 2 * len(modes)
    model, resumed, monitor = start()
    monitor.load_state_dict(state)
    go(model, 150)
    assert resumed.seen == [seen for seen in whole.seen if seen[0] > 100]
    assert [record.mode for record in whole.records] == list(modes) * 5


class Flood:
    """A rule that alerts at every evaluation."""

    def start(self) -> int:
        return 0

    def update(self, state: int, step: int, *_: object) -> tuple[int, list[Alert]]:
        return state + 1, [custom_rule.alert(step, "again")]


@pytest.mark.parametrize("window", [512, 4096])
@pytest.mark.parametrize("act", [PolarMonitor.evaluate, PolarMonitor.state_dict, PolarMonitor.summary])
def test_a_callback_may_ask_the_monitor(act: Callable[[PolarMonitor], object], window: int) -> None:
    seen, called = [], []

    def callback(alert: Alert) -> None:
        called.append(alert.step)
        given = act(monitor)
        assert act is not PolarMonitor.evaluate or given == ()

    for on_alert in (None, callback):
        model, sink = Vae(), Memory()
        monitor = watched(model, sinks=(sink,), extra_rules=[Flood()], every=100, window=window, on_alert=on_alert)
        train(model, 350)
        assert monitor.health().steps == 350
        seen.append([(record.step, record.observed, record.health.calls) for record in sink.records])
    assert called == [100, 200, 300]
    assert seen[0] == seen[1]


def test_a_callback_may_detach() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), extra_rules=[Flood()], on_alert=lambda alert: monitor.detach())
    train(model, 50)
    assert not monitor.attached
    assert [record.step for record in sink.records] == [10]


def test_a_callback_may_go_back() -> None:
    model, sink, called = Vae(), Memory(), []

    def callback(alert: Alert) -> None:
        called.append((alert.step, alert.mode))
        if len(called) == 1:
            monitor.load_state_dict(state)

    monitor = watched(model, sinks=(sink,), extra_rules=[Flood()], modes=("train", "eval"), warmup=25)
    stepped(
        model, 20, lambda step: (model.train(), model(torch.zeros(64, 12)), model.eval(), model(torch.zeros(9, 12)))
    )
    state = copy.deepcopy(monitor.state_dict())
    monitor.detach()
    monitor = watched(
        model, sinks=(sink,), extra_rules=[Flood()], modes=("train", "eval"), warmup=25, on_alert=callback
    )
    monitor.load_state_dict(state)
    sink.records.clear()
    stepped(
        model, 30, lambda step: (model.train(), model(torch.zeros(64, 12)), model.eval(), model(torch.zeros(9, 12)))
    )
    assert monitor.health().steps == 40
    assert [(record.step, record.mode) for record in sink.records] == [
        (30, "train"), (30, "eval"), (30, "train"), (30, "eval"), (40, "train"), (40, "eval"),
    ]  # fmt: skip
    assert called == [(30, "train"), (30, "train"), (30, "eval"), (40, "train"), (40, "eval")]
    assert [alert.step for alert in monitor.alerts] == [30, 30, 40, 40]


def test_the_time_of_sinks_and_callbacks_is_the_monitors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    for module in ("schedule.governor", "monitor.evaluation_loop"):
        monkeypatch.setattr(f"polar_monitor.{module}.perf_counter", lambda: now[0])

    class Slow(Memory):
        def write(self, evaluation: Evaluation) -> None:
            super().write(evaluation)
            now[0] += 3.0

    def callback(alert: Alert) -> None:
        now[0] += 2.0

    sink = Slow()
    monitor = PolarMonitor(sinks=(sink,), every=100, on_alert=callback, extra_rules=[Flood()], strict=True)
    for _ in range(1201):
        now[0] += 1.0
        monitor.observe(torch.zeros(8, 2))
        monitor.step()
    assert [record.step for record in sink.records] == [100, 600, 1156]
    assert monitor.health().every == 556  # 5 s in 0.9 * 1 % of as many steps of one second
    assert monitor.health().overhead == pytest.approx(15 / (now[0] - 1), rel=1e-9)


def test_the_alerts_kept_are_bounded_and_the_first_to_stop_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.monitor.evaluation_loop.MOST", 5)
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True, extra_rules=[Flood()])
    for step in range(40):
        monitor.observe(torch.randn(512, 1) if step != 3 else torch.full((512, 1), float("nan")))
        monitor.step()
    kinds = [alert.kind for alert in monitor.alerts]
    assert kinds.count(AlertKind.NON_FINITE) == 1
    assert len(kinds) <= 5 + 2
    assert [alert.step for alert in monitor.alerts if alert.kind is AlertKind.CUSTOM][-4:] == [37, 38, 39, 40]
    assert monitor.should_stop
    monitor.load_state_dict(monitor.state_dict())
    assert monitor.should_stop
    assert [alert.kind for alert in monitor.alerts] == kinds
