"""`evaluate()` always answers: with new rows, without any, and at the end of the run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Vae, train
from watching import Memory, same, warned, watched

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.alerts import custom_rule
from polar_monitor.alerts.alert import Alert
from polar_monitor.evaluation import Evaluation
from polar_monitor.monitor.summary import _counters
from polar_monitor.sinks.jsonl import read_jsonl

# -- without new rows --------------------------------------------------------------------------------------------------


def test_before_the_first_row_there_is_no_answer_and_no_silence() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,))
    with warned() as caught:
        assert monitor.evaluate() == ()
    assert (monitor.alerts, sink.records, caught, monitor.health().evaluations) == ((), [], [], 0)
    assert PolarMonitor(sinks=()).evaluate() == ()


def test_without_new_rows_it_is_the_latest_evaluation_and_says_how_old() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=10)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    train(model, 10, optimizer=optimizer)
    with monitor.detached():  # no row
        pass
    for _ in range(7):
        monitor._loop.schedule.count()
    (answer,) = monitor.evaluate()
    assert (answer.step, answer.observed, answer.alerts, answer.age) == (17, 0, (), 7)
    assert answer.snapshot is not None and answer.snapshot.full
    assert (answer.snapshot.step, answer.snapshot.rows_from, answer.snapshot.rows_to) == (10, 1, 10)
    assert answer.regime is not None and answer.regime.labels == sink.records[-1].regime.labels
    assert [record.step for record in sink.records] == [10]
    assert sink.records[0].age == 0


def test_asking_without_new_rows_changes_no_state_and_no_plan() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), extra_rules=[Flood()], every=10, modes=("train", "eval"))
    train(model, 20)
    monitor.evaluate()
    before, alerts = monitor.state_dict(), monitor.alerts
    for _ in range(5):
        monitor.evaluate()
    assert same(monitor.state_dict(), before)
    assert monitor.alerts == alerts
    assert len(sink.records) == 2
    train(model, 10)
    assert [record.step for record in sink.records] == [10, 20, 30]


def test_rows_that_wait_are_evaluated_at_fifty_steps_of_a_default_run() -> None:
    torch.manual_seed(0)
    model = Vae()
    monitor = watched(model, every=100, max_overhead=0.01)
    train(model, 50, batch=128)
    (answer,) = monitor.evaluate()
    assert answer.snapshot is not None and answer.snapshot.rows > 512
    assert monitor.snapshot() is not None


def test_rows_of_an_evaluation_that_failed_are_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Vae()
    monitor = watched(model, strict=False, every=10)
    with monkeypatch.context() as patch:
        patch.setattr("polar_monitor.monitor.pipeline.judge", None)
        train(model, 10)
    assert monitor.regime() is None
    (answer,) = monitor.evaluate()
    assert (answer.observed, answer.step) == (640, 10)
    assert answer.regime is not None


def test_one_mode_may_have_new_rows_and_another_none() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=1, modes=("train", "eval"))
    model.eval()
    model(torch.randn(600, 12))
    model.train()
    train(model, 1)
    model(torch.randn(40, 12))
    answers = monitor.evaluate()
    assert [(answer.mode, answer.observed) for answer in answers] == [("train", 40), ("eval", 0)]
    assert answers[1].snapshot is not None
    assert answers[1].snapshot.rows == 600
    assert [(record.mode, record.observed) for record in sink.records] == [("train", 64), ("eval", 600), ("train", 40)]


# -- the end of the run ------------------------------------------------------------------------------------------------


class Flood:
    """A rule that alerts at every evaluation."""

    def start(self) -> int:
        return 0

    def update(self, state: int, step: int, *_: object) -> tuple[int, list[Alert]]:
        return state + 1, [custom_rule.alert(step, "again")]


def test_detach_evaluates_what_is_there_and_tells_everybody(tmp_path: Path) -> None:
    model, called = Vae(), []
    monitor = watched(
        model, sinks=None, log_dir=tmp_path, every=100, extra_rules=[Flood()], on_alert=lambda a: called.append(a.step)
    )
    train(model, 30)
    assert monitor.snapshot() is None
    monitor.detach()
    (record,) = read_jsonl(tmp_path / "polar.jsonl", strict=True)
    assert (record.step, record.observed) == (30, 64 * monitor.health().calls)
    assert record.snapshot is not None and record.snapshot.full
    assert called == [30] == [alert.step for alert in monitor.alerts]
    assert monitor.regime() is not None
    (answer,) = monitor.evaluate()
    assert answer.observed == 0
    monitor.detach()
    assert len(read_jsonl(tmp_path / "polar.jsonl", strict=True)) == 1


def test_detach_without_new_rows_writes_nothing() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=10)
    train(model, 20)
    monitor.detach()
    assert [record.step for record in sink.records] == [10, 20]
    untrained, other = Vae(), Memory()
    watched(untrained, sinks=(other,)).detach()
    assert other.records == []


def test_leaving_the_block_evaluates_on_an_exception_too() -> None:
    model, sink = Vae(), Memory()

    def trained() -> None:
        with watched(model, sinks=(sink,), every=100):
            train(model, 12)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        trained()
    assert [record.step for record in sink.records] == [12]
    assert sink.closed == 1


@pytest.mark.parametrize("broken", ["evaluation", "sink"])
def test_detach_raises_nothing_and_still_closes(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, sink = Vae(), Memory(failing=broken == "sink")
    monitor = watched(model, sinks=(sink,), every=100, strict=False)
    train(model, 12)
    if broken == "evaluation":
        monkeypatch.setattr("polar_monitor.monitor.pipeline.judge", None)
    monitor.detach()
    assert not monitor.attached
    assert not model.fc_mu._forward_hooks
    assert sink.closed == 1
    assert monitor.health().errors == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_detach_in_a_fork_evaluates_nothing(tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path, every=100)
    train(model, 12)
    child = os.fork()
    if not child:
        code = 1
        try:
            monitor.detach()
            code = monitor.health().evaluations
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert read_jsonl(tmp_path / "polar.jsonl") == []
    monitor.detach()
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [12]


def test_after_detach_rows_and_steps_by_hand_count_no_more() -> None:
    sink = Memory()
    monitor = PolarMonitor(sinks=(sink,), every=2, max_overhead=1.0, strict=True)
    for _ in range(3):
        monitor.observe(torch.randn(600, 2))
        monitor.step()
    monitor.detach()
    assert [(record.step, record.observed) for record in sink.records] == [(2, 1200), (3, 600)]
    before = monitor.health()
    for _ in range(4):
        monitor.observe(torch.randn(600, 2))
        monitor.step()
    assert replace(monitor.health(), overhead=before.overhead) == before
    assert monitor.snapshot().rows == 1800  # type: ignore[union-attr]


# -- what is asked for and what is told --------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [PolarMonitor.snapshot, PolarMonitor.regime])
@pytest.mark.parametrize("rows", [False, True])
def test_a_mode_that_is_not_watched_is_one_error(ask: Any, rows: bool) -> None:
    model = Vae()
    monitor = watched(model, every=1, modes=("train", "eval"))
    if rows:
        train(model, 1)
    assert ask(monitor, "eval") is None
    with pytest.raises(PolarMonitorError, match=r"mode: expected one of \('train', 'eval'\), got 'foo'"):
        ask(monitor, "foo")
    with pytest.raises(PolarMonitorError, match="write attach"):
        ask(watched(Vae()), "eval")


class Breaking(Flood):
    def update(self, *_: object) -> tuple[int, list[Alert]]:
        raise RuntimeError("broken rule")


def test_failures_of_rules_and_sinks_are_in_health() -> None:
    model = Vae()
    monitor = watched(model, sinks=(Memory(failing=True),), extra_rules=[Breaking()], every=1, strict=False)
    train(model, 3)
    health = monitor.health()
    assert (health.errors, health.sink_drops) == (3 + 1, 3)
    assert health.last_error == "Memory: OSError: no space left on device"
    monitor.detach()
    assert monitor.health().errors == 4


def test_the_summary_says_the_step_of_its_numbers_and_that_of_the_training() -> None:
    model = Vae()
    monitor = watched(model, every=1000)
    assert "monitor.evaluate()" not in monitor.summary()
    train(model, 1200)
    text = monitor.summary()
    assert text.startswith("step 1,000 (training is at step 1,200): ")
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert f"from 4,096 rows of steps {snapshot.rows_from:,} to {snapshot.rows_to:,}\n" in text
    assert "0 dropped; not recorded: " in text and "steps (hooks paused)" in " ".join(text.split())
    monitor.evaluate()
    assert monitor.summary().startswith("step 1,200: ")


def test_the_summary_before_the_first_evaluation_says_what_to_call() -> None:
    model = Vae()
    monitor = watched(model, every=100)
    train(model, 1)
    assert "1 forwards recorded: monitor.evaluate() evaluates them now" in monitor.summary()


def test_rows_that_were_not_needed_are_not_called_dropped() -> None:
    monitor = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0)
    monitor.observe(torch.randn(3000, 2))
    monitor.step()
    assert "1,024 rows of 1 forwards seen, 0 dropped; 1,976 not needed" in monitor.summary()


def test_an_evaluation_from_a_log_says_its_age() -> None:
    model, sink = Vae(), Memory()
    watched(model, sinks=(sink,), every=5)
    train(model, 5)
    record = Evaluation.from_dict(sink.records[0].to_dict())
    assert record.age == 0


def test_what_is_asked_prints_in_a_line() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=())
    monitor.observe(torch.randn(600, 2, generator=torch.Generator().manual_seed(0)), logvar=torch.full((600, 2), -4.0))
    monitor.step()
    (evaluation,) = monitor.evaluate()
    assert repr(monitor.regime()) == "<Regime of step 1: all_active; 2 active>"
    assert repr(monitor.snapshot()).startswith("<Snapshot of step 1: 2 dimensions, 600 rows, ")
    assert str(evaluation).startswith("<Evaluation of train at step 1: <Regime of step 1: all_active; 2 active>, ")
    assert str(evaluation).count("\n") == 0


@pytest.mark.parametrize(("used", "named"), [(0.0, False), (0.004, False), (0.01, True)])
def test_the_summary_names_the_start_allowance_where_it_is_used(used: float, named: bool) -> None:
    monitor = watched(Vae(), every=1)
    health = replace(monitor.health(), steps=1, allowance_used=used)
    assert ("start allowance" in _counters(health)) is named
    assert "overhead" not in _counters(replace(health, steps=0))
