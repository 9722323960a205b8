"""What sinks and callbacks may do while an evaluation is published, what is kept, and in which process."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import Vae, train
from watching import Memory, stepped, watched

from polar_monitor import AlertRules, PolarMonitor
from polar_monitor.alerts import custom_rule
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.evaluation import Evaluation
from polar_monitor.monitor import evaluation_loop
from polar_monitor.schedule.process import forks


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
    assert (state["schedule"]["steps"], state["schedule"]["next"]) == (100, 150)
    assert state["schedule"]["evaluations"] == 2 * len(modes)
    model, resumed, monitor = start()
    monitor.load_state_dict(state)
    go(model, 150)
    assert resumed.seen == [seen for seen in whole.seen if seen[0] > 100]
    assert [record.mode for record in whole.records] == list(modes) * 5


def test_a_late_compilation_is_not_charged_and_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.3]

    def compile_missing() -> float:
        time.sleep(seconds[0])
        return seconds.pop(0)

    monkeypatch.setattr(evaluation_loop, "compile_missing", compile_missing)
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=5)
    began = time.perf_counter()
    stepped(model, 10, lambda step: model(torch.zeros(64, 12)))
    taken = time.perf_counter() - began
    assert len(sink.records) == 2
    assert not seconds
    assert monitor._loop.schedule.governor.own < taken - 0.3


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
        assert act is not PolarMonitor.evaluate or [(e.step, e.observed) for e in given] == [(alert.step, 0)]

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
    for module in ("schedule.governor", "schedule.schedule"):
        monkeypatch.setattr(f"polar_monitor.{module}.perf_counter", lambda: now[0])

    class Slow(Memory):
        def write(self, evaluation: Evaluation) -> None:
            super().write(evaluation)
            now[0] += 3.0

    def callback(alert: Alert) -> None:
        now[0] += 2.0

    sink = Slow()
    monitor = PolarMonitor(
        sinks=(sink,),
        every=100,
        on_alert=callback,
        extra_rules=[Flood()],
        strict=True,
        alerts=AlertRules(kinds=["custom"]),
    )
    for _ in range(1201):
        now[0] += 1.0
        monitor.observe(torch.zeros(8, 2))
        monitor.step()
    # The first leaves a debt of 2 minutes' share, 1.08 s; the account has its second again after 2.08 / 0.009 steps.
    assert [record.step for record in sink.records] == [100, 332, 888]
    assert monitor.health().every == 556  # 5 s in 0.9 * 1 % of as many steps of one second
    assert monitor.health().overhead == pytest.approx(15 / (now[0] - 1), rel=1e-9)


def test_the_alerts_kept_are_bounded_and_the_first_to_stop_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.alerts.alert_log.MAX_ALERTS", 5)
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


def test_a_forked_process_knows_that_it_is_another() -> None:
    before = forks()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if forks() == before + 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert forks() == before


def test_nothing_is_evaluated_while_a_cuda_graph_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned memory, queries of events and copies would end the capture of a step with its optimiser."""
    capturing = False
    monkeypatch.setattr(evaluation_loop, "is_capturing", lambda: capturing)
    model = Vae()
    monitor = watched(model, every=5, max_overhead=1.0)
    train(model, 12)
    before, capturing = monitor.health().evaluations, True
    train(model, 12)
    during, capturing = monitor.health().evaluations, False
    train(model, 12)
    assert before == during > 0
    assert monitor.health().evaluations > during
