"""Sinks of trackers: the numbers of `scalars`, alerts, and what a tracker is called with; real ones where installed."""

from __future__ import annotations

import importlib
import inspect
import json
import sqlite3
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frameworks import is_installed
from records import make_alert, make_evaluation

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.alerts.alert import AlertKind
from polar_monitor.integrations import trackers
from polar_monitor.sinks.scalars import Scalars


class Calls:
    """Records the calls of one tracker."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []


class Log(Calls):
    """trackio's module and run, and an Accelerator, but for the alerts."""

    def log(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self.calls.append(("log", dict(metrics), step))


class Alerting(Log):
    """trackio's run."""

    def alert(self, title: str, text: str | None = None, level: str = "warn") -> None:
        self.calls.append(("alert", title, text))


class Mlflow(Calls):
    """MLflow's module, as of 2.15 and later."""

    def __init__(self, active: bool = True) -> None:
        super().__init__()
        self.run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="first")) if active else None

    def active_run(self) -> Any:
        return self.run

    def log_metrics(
        self, metrics: dict[str, float], step: int | None = None, synchronous: bool | None = None,
        run_id: str | None = None, timestamp: int | None = None, model_id: str | None = None, dataset: Any = None,
    ) -> None:  # fmt: skip
        self.calls.append(("log_metrics", dict(metrics), step, run_id))


class Aim(Calls):
    """A run of Aim."""

    def track(
        self, value: Any, name: str | None = None, step: int | None = None, epoch: int | None = None, *,
        context: Any = None,
    ) -> None:  # fmt: skip
        self.calls.append(("track", name, value, step))


class Wandb(Calls):
    """A run of W&B: its rows, and the step at which the next one is made."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.row, self.rows = 0, {}, {}

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.calls.append(("define_metric", name, step_metric))

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        if step is not None and step > self.step:
            self._flush()
            self.step = step
        assert step is None or step == self.step, "W&B drops rows of an earlier step"
        self.row |= data
        if commit or (commit is None and step is None):
            self._flush()
            self.step += 1

    def _flush(self) -> None:
        self.rows[self.step], self.row = self.row, {}

    def alert(self, title: str, text: str, level: str | None = None, wait_duration: Any = None) -> None:
        assert len(title) < 64
        self.calls.append(("alert", title, level))


EVALUATION = replace(
    make_evaluation(100),
    alerts=(
        make_alert(kind=AlertKind.FADING, step=100),
        replace(make_alert(kind=AlertKind.FADING, step=100), amends=80),
        make_alert(kind=AlertKind.SETTLING, step=100),
    ),
)
NUMBERS = Scalars()(EVALUATION)


def test_numbers_and_the_first_alert_of_an_event() -> None:
    tracker = Alerting()
    trackers.TrackioSink(tracker).write(EVALUATION)
    assert tracker.calls[0] == ("log", NUMBERS, 100)
    assert [call[0] for call in tracker.calls] == ["log", "alert"]
    assert tracker.calls[1][1] == "Polar Monitor: FADING"
    assert tracker.calls[1][2].startswith("step 100 FADING")


def test_a_tracker_without_alerts_gets_numbers() -> None:
    tracker = Log()
    trackers.TrackerSink(tracker).write(EVALUATION)
    assert tracker.calls == [("log", NUMBERS, 100)]


def test_mlflow_gets_all_numbers_in_the_run_of_the_beginning() -> None:
    tracker = Mlflow()
    sink = trackers.MlflowSink(tracker)
    tracker.run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="nested"))
    sink.write(EVALUATION)
    assert tracker.calls == [("log_metrics", NUMBERS, 100, "first")]


def test_mlflow_begins_no_run_by_itself() -> None:
    with pytest.raises(PolarMonitorError, match=r"expected an active run, got none.*mlflow.start_run"):
        trackers.MlflowSink(Mlflow(active=False))


def test_aim_tracks_each_number() -> None:
    tracker = Aim()
    trackers.AimSink(tracker).write(EVALUATION)
    assert tracker.calls == [("track", tag, number, 100) for tag, number in NUMBERS.items()]


def evaluations(*steps: int) -> list[Any]:
    return [replace(EVALUATION, step=step) for step in steps]


def test_wandb_numbers_join_the_rows_of_the_loop() -> None:
    run = Wandb()
    sink = trackers.WandbSink(run)
    for step, evaluation in enumerate(evaluations(10, 20, 30)):
        run.log({"loss": float(step)})
        sink.write(evaluation)
    run.log({"loss": 3.0})
    assert run.step == 4, "the steps of the loop's own rows are those without the sink"
    assert [run.rows[row].get("polar/step") for row in range(4)] == [None, 10, 20, 30]
    assert [run.rows[row]["loss"] for row in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert run.calls[:2] == [("define_metric", tags, "polar/step") for tags in ("polar/*", "polar_dims/*")]
    assert [call for call in run.calls if call[0] == "alert"] == [("alert", "Polar Monitor: FADING", "WARN")] * 3


def test_wandb_rows_that_the_loop_numbers_itself_are_kept() -> None:
    run = Wandb()
    sink = trackers.WandbSink(run)
    for step in (1, 2, 3):
        run.log({"loss": float(step)}, step=step)
        sink.write(replace(EVALUATION, step=10 * step))
    run.log({}, step=4)
    assert [(row, run.rows[row]["loss"], run.rows[row]["polar/step"]) for row in (1, 2, 3)] == [
        (1, 1.0, 10),
        (2, 2.0, 20),
        (3, 3.0, 30),
    ]


def test_wandb_gets_rows_of_its_own_where_the_loop_logs_nothing() -> None:
    run = Wandb()
    sink = trackers.WandbSink(run)
    for evaluation in evaluations(10, 20, 30):
        sink.write(evaluation)
    run.log({})
    assert [row["polar/step"] for row in run.rows.values()] == [10, 20, 30]


def test_wandb_as_a_module_has_its_run_later() -> None:
    module = types.ModuleType("wandb")
    module.log, module.run = print, None  # type: ignore[attr-defined]
    sink = trackers.WandbSink(module)
    with pytest.raises(PolarMonitorError, match=r"expected a run, got none: call wandb.init"):
        sink.write(EVALUATION)
    module.run = run = Wandb()  # type: ignore[attr-defined]
    sink.write(EVALUATION)
    assert run.row["polar/step"] == 100


@pytest.mark.parametrize(
    ("sink", "method"),
    [
        (trackers.TrackioSink, "log"),
        (trackers.WandbSink, "log"),
        (trackers.MlflowSink, "log_metrics"),
        (trackers.AimSink, "track"),
    ],
)
def test_an_object_without_the_method_is_one_error(sink: Any, method: str) -> None:
    with pytest.raises(PolarMonitorError, match=rf"expected an object with a method {method}\(…\), got list"):
        sink([])


def test_each_sink_is_short() -> None:
    sinks = [value for value in vars(trackers).values() if inspect.isclass(value) and value.__name__.endswith("Sink")]
    assert len(sinks) == 6
    assert all(len(inspect.getsource(sink).splitlines()) < 45 for sink in sinks)


def observed(sink: Any) -> PolarMonitor:
    monitor = PolarMonitor(every=1, sinks=[sink], max_overhead=1.0, strict=True)
    monitor.observe(np.random.default_rng(0).normal(size=(512, 2)), var=np.full((512, 2), 0.1))
    monitor.step()
    monitor.detach()
    return monitor


@pytest.mark.integrations
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not is_installed("wandb"), reason="wandb is not installed")
def test_a_real_run_of_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb = importlib.import_module("wandb")
    run = wandb.init(project="polar", dir=tmp_path, mode="offline")
    try:
        run.log({"loss": 1.0})
        observed(trackers.WandbSink(run))
        assert run.step == 1
        run.log({"loss": 2.0})
        assert run.step == 2
        summary = dict(run.summary)
    finally:
        run.finish()
    assert (summary["polar/active"], summary["polar/step"], summary["loss"]) == (2, 1, 2.0)
    assert {"alert", "define_metric"} <= set(dir(run))


@pytest.mark.integrations
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not is_installed("trackio"), reason="trackio is not installed")
def test_a_real_run_of_trackio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    trackio = importlib.import_module("trackio")
    trackio.init(project="polar", embed=False, auto_log_cpu=False)
    observed(trackers.TrackioSink(trackio))
    trackio.finish()
    with sqlite3.connect(tmp_path / "polar.db") as database:
        ((step, numbers),) = database.execute("SELECT step, metrics FROM metrics").fetchall()
    assert step == 1
    assert json.loads(numbers)["polar/active"] == 2
    assert {"title", "text"} <= inspect.signature(trackio.alert).parameters.keys()


@pytest.mark.integrations
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not is_installed("mlflow"), reason="mlflow is not installed")
def test_a_real_run_of_mlflow(tmp_path: Path) -> None:
    mlflow = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    with mlflow.start_run() as run:
        observed(trackers.MlflowSink(mlflow))
    assert mlflow.get_run(run.info.run_id).data.metrics["polar/active"] == 2


@pytest.mark.integrations
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not is_installed("aim"), reason="aim is not installed")
def test_a_real_run_of_aim(tmp_path: Path) -> None:
    aim = importlib.import_module("aim")
    run = aim.Run(repo=str(tmp_path), system_tracking_interval=None, capture_terminal_logs=False)
    observed(trackers.AimSink(run))
    assert "polar/active" in {name for name, *_ in run.iter_metrics_info()}
    run.close()
