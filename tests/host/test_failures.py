"""Nothing is raised after `attach` has returned: what fails in us is told once, switched off, and seen in health()."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import Tensor, nn
from watching import Memory, watched

from polar_monitor import PolarMonitor, PolarMonitorWarning
from polar_monitor.monitor.pipeline import ModePipeline
from polar_monitor.schedule import optimizer_clock
from polar_monitor.sinks.console import PlainConsole
from polar_monitor.sinks.jsonl import JsonlSink
from polar_monitor.sinks.tensorboard import TensorBoardSink

STAGES = {
    "clock": "polar_monitor.schedule.optimizer_clock.OptimizerClock._counts_as_step",
    "commit": "polar_monitor.capture.ring.PairedRingBuffer.commit",
    "drain": "polar_monitor.capture.ring.PairedRingBuffer.requests",
    "transfer": "polar_monitor.capture.transfer.HostTransfer.take",
    "histogram": "polar_monitor.statistics.windowed_histogram.WindowedHistogram.catch_up",
    "statistics": "polar_monitor.statistics.stream.light_statistics",
    "snapshot": "polar_monitor.statistics.stream.LatentStream.snapshot",
    "labels": "polar_monitor.monitor.pipeline.judge",
    "alerts": "polar_monitor.alerts.engine.follow",
    "ask": "polar_monitor.monitor.training_context.TrainingContextBuffer.request",
    "told": "polar_monitor.monitor.training_context.TrainingContextBuffer.take",
    "record": "polar_monitor.monitor.pipeline.Evaluation",
    "rest": "polar_monitor.schedule.duty_cycle.HookDutyCycle.begin",
}
ALWAYS_FULL = {"histogram": {"criterion": "active_units"}}
"""Options with which every evaluation calls a stage that light ones leave out."""
SINKS = {"tensorboard": TensorBoardSink, "jsonl": JsonlSink, "console": PlainConsole}
EVERY, STEPS = 4, 60


@pytest.fixture(autouse=True)
def nobody_else_listens() -> None:
    """Monitors that other tests left behind hear our optimisers too, and would fail beside ours."""
    for reference in tuple(optimizer_clock._clocks):
        left = reference()
        if left is not None:
            left.stop()


class Broken:
    """Stands in for a function of ours: works for some steps of the training, fails in those that follow."""

    def __init__(self, works: Callable[..., Any], stage: str, first: int, steps: Callable[[], int]) -> None:
        self.works, self.said, self.first, self.steps = works, f"broken {stage}", first, steps
        self.calls = 0

    def __get__(self, owner: Any, kind: Any = None) -> Callable[..., Any]:
        return self if owner is None else lambda *args, **kwargs: self(owner, *args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.steps() < self.first:
            return self.works(*args, **kwargs)
        self.calls += 1
        raise RuntimeError(self.said)


def break_(patch: pytest.MonkeyPatch, target: Any, stage: str, first: int, steps: Callable[[], int]) -> Broken:
    """Break `target`, a dotted name or (owner, name)."""
    owner, name = target if isinstance(target, tuple) else target.rsplit(".", 1)
    owner = pkgutil.resolve_name(owner) if isinstance(owner, str) else owner
    broken = Broken(vars(owner)[name], stage, first, steps)
    patch.setattr(owner, name, broken)
    return broken


def always_long_way(patch: pytest.MonkeyPatch) -> None:
    """Let the clock look at each step as if there were several optimisers."""
    patch.setattr(optimizer_clock.OptimizerClock, "_busy", property(lambda _: True, lambda *_: None), raising=False)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("first", [0, 21], ids=["from_the_first_step", "from_a_later_step"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_fails_is_told_once_and_switched_off(
    stage: str, first: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, strict=False, every=EVERY, window=512, sinks=(sink,), **ALWAYS_FULL.get(stage, {}))
    if stage == "clock":
        always_long_way(monkeypatch)
    broken = break_(monkeypatch, STAGES[stage], stage, first, lambda: monitor.health().steps)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, STEPS)
    health = monitor.health()
    assert health.last_error == f"RuntimeError: broken {stage}"
    assert broken.calls == health.errors == 5
    assert errors(caplog) == [
        f"polar_monitor: internal error (RuntimeError: broken {stage}); training is not affected, monitoring goes on",
        "polar_monitor: the monitor is disabled because it failed 5 times in a row "
        f"(last: RuntimeError: broken {stage}); see monitor.health()",
    ]
    assert not monitor.attached
    assert not any(module._forward_hooks for module in model.modules())
    assert health.steps < STEPS
    if stage != "rest":  # which comes after the evaluation
        assert all(record.step <= first for record in sink.records)
        assert bool(sink.records) is (first > 0)


@pytest.mark.parametrize("first", [0, 21], ids=["at_the_first_step", "at_a_later_step"])
@pytest.mark.parametrize("stage", STAGES)
def test_strict_raises_what_failed(stage: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Vae()
    monitor = watched(model, every=EVERY, window=512, **ALWAYS_FULL.get(stage, {}))
    if stage == "clock":
        always_long_way(monkeypatch)
    break_(monkeypatch, STAGES[stage], stage, first, lambda: monitor.health().steps)
    with pytest.raises(RuntimeError, match=f"broken {stage}"):
        train(model, STEPS)
    assert first <= monitor.health().steps <= first + EVERY + 1


def test_a_full_evaluation_that_fails_is_made_again_at_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Light evaluations go on until the next full one is due, here the eighth."""
    model, sink = Vae(), Memory()
    monitor = watched(model, strict=False, every=EVERY, window=512, sinks=(sink,))
    still = torch.optim.SGD(model.parameters(), 0.0)
    train(model, 2 * EVERY, optimizer=still)  # until there is a verdict: a change of it is full too
    monitor.evaluate()
    sink.records.clear()
    with pytest.MonkeyPatch.context() as patch:
        broken = break_(patch, STAGES["histogram"], "histogram", 0, lambda: 0)
        train(model, 9 * EVERY, optimizer=still)
    train(model, EVERY, optimizer=still)
    assert broken.calls == monitor.health().errors == 2
    assert [(record.step, record.snapshot.full) for record in sink.records if record.snapshot is not None] == [
        *((EVERY * number, False) for number in range(3, 10)),
        (12 * EVERY, True),
    ]


def test_one_failure_is_got_over(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, strict=False, every=EVERY, sinks=(sink,))
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.ERROR, logger="polar_monitor"):
        break_(patch, STAGES["statistics"], "statistics", 0, lambda: 0)
        train(model, 3 * EVERY)
    train(model, 20 * EVERY)
    assert len(sink.records) == 20
    assert monitor.health().errors == 3
    assert len(errors(caplog)) == 1


def test_each_cause_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def drain(*_: Any) -> Any:
        raise RuntimeError("broken")

    def statistics(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")

    model = Vae()
    watched(model, strict=False, every=EVERY)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        for broken in (drain, drain, statistics, drain, statistics):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(STAGES[broken.__name__], broken)
                train(model, EVERY)
            train(model, EVERY)
    assert ["internal error" in said for said in errors(caplog)] == [True, True]


@pytest.mark.parametrize("first", [0, 21], ids=["from_the_first_step", "from_a_later_step"])
def test_a_tap_that_fails_is_told_once_and_taken_off(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Vae()
    monitor = watched(model, strict=False, every=EVERY)
    break_(monkeypatch, "polar_monitor.capture.tap.Tap.record", "tap", first, lambda: monitor.health().steps)
    with pytest.warns(PolarMonitorWarning, match="broken tap") as caught:
        train(model, STEPS)
    assert len(caught) == 1
    health = monitor.health()
    assert health.last_error == "RuntimeError: broken tap"
    assert 2 * 5 * EVERY <= health.errors <= 2 * 6 * EVERY
    assert health.rows_seen == 64 * first
    assert not any(module._forward_hooks for module in model.modules())


def test_strict_raises_what_failed_in_a_tap(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Vae()
    monitor = watched(model)
    break_(monkeypatch, "polar_monitor.capture.tap.Tap.record", "tap", 3, lambda: monitor.health().steps)
    with pytest.raises(RuntimeError, match="broken tap"):
        train(model, 10)
    assert monitor.health().steps == 3


@pytest.mark.parametrize("first", [0, 21], ids=["from_the_first_step", "from_a_later_step"])
@pytest.mark.parametrize("kind", SINKS)
def test_a_sink_that_fails_is_told_once_and_switched_off_and_the_others_go_on(
    kind: str, first: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    model, other = Vae(), Memory()
    monitor = watched(model, strict=False, every=EVERY, log_dir=tmp_path, sinks=(PlainConsole(), other))
    broken = break_(monkeypatch, (SINKS[kind], "write"), kind, first,
                    lambda: monitor.health().steps)  # fmt: skip
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, STEPS)
    assert [record.step for record in other.records] == list(range(EVERY, STEPS + 1, EVERY))
    assert broken.calls == 5
    assert monitor.health().sink_drops == sum(step >= first for step in range(EVERY, STEPS + 1, EVERY))
    name = SINKS[kind].__name__
    assert errors(caplog) == [
        f"{name} failed (RuntimeError: broken {kind}); this evaluation is dropped",
        f"{name} is disabled: it failed 5 times in a row; its records are dropped",
    ]
    assert monitor.attached


@pytest.mark.parametrize("kind", SINKS)
def test_strict_raises_what_failed_in_a_sink(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    model = Vae()
    monitor = watched(model, every=EVERY, log_dir=tmp_path, sinks=(PlainConsole(),))
    steps = lambda: monitor.health().steps  # noqa: E731
    break_(monkeypatch, (SINKS[kind], "write"), kind, 9, steps)
    with pytest.raises(RuntimeError, match=f"broken {kind}"):
        train(model, STEPS)
    assert monitor.health().steps == 12


@pytest.mark.parametrize("verb", ["flush", "close"])
def test_a_sink_that_cannot_flush_or_close_is_told_once(
    verb: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = Vae()
    monitor = watched(model, strict=False, every=EVERY, sinks=(Memory(),))
    break_(monkeypatch, f"watching.Memory.{verb}", verb, 0, lambda: 0)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        for _ in range(2 * EVERY):
            model(torch.full((64, 12), float("nan")))  # an alert, which is flushed at once
            optimizer.step()
        monitor.detach()
    assert errors(caplog) == [f"Memory failed (RuntimeError: broken {verb}); training is not affected"]


def nan_steps(model: Vae, steps: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(steps):
        model(torch.full((64, 12), float("nan")))
        optimizer.step()


def test_a_callback_that_raises_never_reaches_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    def callback(alert: object) -> None:
        raise KeyError("mine")

    model, sink = Vae(), Memory()
    monitor = watched(model, strict=False, on_alert=callback, sinks=(sink,))
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        nan_steps(model, 30)
    assert monitor.should_stop
    assert monitor.attached
    assert len(sink.records) == 3
    assert monitor.health().last_error == "KeyError: 'mine'"
    assert errors(caplog) == [
        "polar_monitor: on_alert failed (KeyError: 'mine'); training is not affected; it is called again at the next "
        "alert"
    ]


def test_a_callback_that_raises_is_raised_when_strict() -> None:
    def callback(alert: object) -> None:
        raise KeyError("mine")

    model = Vae()
    watched(model, on_alert=callback)
    with pytest.raises(KeyError, match="mine"):
        nan_steps(model, 30)


ASKED: dict[str, Callable[[PolarMonitor], object]] = {
    "evaluate": PolarMonitor.evaluate,
    "state_dict": PolarMonitor.state_dict,
    "step": PolarMonitor.step,
    "summary": PolarMonitor.summary,
    "explain": PolarMonitor.explain,
    "health": PolarMonitor.health,
    "detach": PolarMonitor.detach,
}


@pytest.mark.parametrize("asked", ASKED)
def test_what_the_loop_may_call_raises_nothing_while_we_are_broken(
    asked: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = Vae()
    monitor = watched(model, strict=False, every=EVERY)
    train(model, EVERY + 2)
    for stage in ("histogram", "statistics", "labels", "alerts"):
        break_(monkeypatch, STAGES[stage], stage, 0, lambda: 0)
    with caplog.at_level(logging.CRITICAL, logger="polar_monitor"):
        ASKED[asked](monitor)
        train(model, 8 * EVERY)
        ASKED[asked](monitor)


@pytest.mark.parametrize("works_between", [False, True])
def test_a_cause_with_a_number_in_it_is_one_cause(
    works_between: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, calls, works = Vae(), [0], ModePipeline.evaluate

    def broken(*args: Any) -> Any:
        calls[0] += 1
        if works_between and calls[0] % 2:
            return works(*args)
        raise ValueError(f"bad value {0.123 * calls[0]}")

    monkeypatch.setattr(ModePipeline, "evaluate", broken)
    monitor = watched(model, strict=False, every=EVERY)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, STEPS)
    assert monitor.health().errors == (STEPS // EVERY // 2 if works_between else 5)
    assert monitor.health().last_error == f"ValueError: bad value {0.123 * (14 if works_between else 5)}"
    assert len([said for said in errors(caplog) if "internal error" in said]) == 1


class Unhashable(torch.optim.SGD):
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]


class OtherGroups(torch.optim.SGD):
    """Keeps its parameters under another name."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), 0.0)
        for group in self.param_groups:
            group["weights"] = group.pop("params")

    def step(self, closure: Any = None) -> None: ...


def test_an_optimiser_without_a_hash_is_heard() -> None:
    model = Vae()
    monitor = watched(model)
    train(model, 12, optimizer=Unhashable(model.parameters(), 0.01))
    assert monitor.health().steps == 12
    assert monitor.health().evaluations == 1


def test_an_optimiser_that_cannot_be_looked_at_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("polar_monitor.schedule.optimizer_clock._clocks", [])  # strict ones of other tests would raise
    model, other = Vae(), OtherGroups(nn.Linear(2, 2))
    monitor = watched(model, strict=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        for _ in range(20):
            other.step()
            train(model, 1, optimizer=optimizer)
    assert monitor.health().steps == 20
    assert monitor.health().errors == 1
    assert errors(caplog) == [
        "polar_monitor: internal error (KeyError: 'params'); training is not affected, monitoring goes on"
    ]


def test_an_error_of_the_host_passes_unchanged() -> None:
    class Failing(Vae):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            if x.shape[0] == 13:
                raise ZeroDivisionError("the user's own")
            return super().forward(x)

    model = Failing()
    monitor = watched(model)
    train(model, 10)
    with pytest.raises(ZeroDivisionError, match="the user's own"):
        train(model, 1, batch=13)
    train(model, 10)
    assert monitor.health().errors == 0
    assert monitor.health().rows_seen == 20 * 64
