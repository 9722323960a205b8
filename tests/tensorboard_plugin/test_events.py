"""Runs without a log on this machine are drawn from TensorBoard's events, and say what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pages.logs import fading_alert, falling_run, write_log
from records import ACTIVE, PASSIVE, make_alert, make_evaluation
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from werkzeug.test import Client

from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.context import Context
from polar_monitor.sinks.tensorboard import TensorBoardSink
from polar_monitor.sinks.tensorboard.protobuf import alert_markdown
from polar_monitor.tensorboard_plugin.alert_text import BETWEEN, read_alerts
from polar_monitor.tensorboard_plugin.events import NOTE
from polar_monitor.tensorboard_plugin.plugin import PolarisationPlugin
from polar_monitor.web.report import runs_of


def written(folder: Path, run: list[Any]) -> None:
    sink = TensorBoardSink(folder)
    for one in run:
        sink.write(one)
    sink.close()


def ask(plugin: PolarisationPlugin, seen: str = "") -> Any:
    plugin._logs._next = 0.0
    return json.loads(Client(plugin.get_plugin_apps()["/runs"]).get("/", query_string={"seen": seen}).get_data())


def plugin_of(folder: Path, logdir: Path | None = None) -> PolarisationPlugin:
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    flags = SimpleNamespace(logdir_spec="")
    return PolarisationPlugin(SimpleNamespace(logdir=str(logdir or folder), flags=flags, data_provider=provider))


def test_a_run_of_events_alone_is_the_run_of_the_log_as_far_as_it_goes(tmp_path: Path) -> None:
    run = [replace(one, context=Context(beta=4.0)) for one in falling_run({500: (fading_alert(500, [0]),)})]
    written(tmp_path / "events" / "a", run)
    write_log(tmp_path / "logs" / "a", run)
    plugin = plugin_of(tmp_path / "events")
    assert plugin.is_active()
    answer = ask(plugin)
    (of_events,), (of_log,) = answer["runs"], runs_of([tmp_path / "logs"])
    assert of_events["notes"] == [NOTE]
    for name in ("title", "dimensions", "step", "verdict", "text", "in_use", "letters", "steps", "context", "cuts"):
        assert of_events[name] == of_log[name], name
    assert [row["dimension"] for row in of_events["lifelines"]] == [row["dimension"] for row in of_log["lifelines"]]
    for mine, other in zip(of_events["lifelines"], of_log["lifelines"], strict=True):
        np.testing.assert_allclose(mine["nats"], other["nats"], atol=1e-4)
        assert all(mine[name] == json.loads(json.dumps(other[name])) for name in ("state", "next", "forecast", "since"))
    assert of_events["plane"] is of_events["criteria"] is of_events["distributions"] is None
    assert of_events["alerts"] == of_log["alerts"]
    assert ask(plugin, answer["seen"])["runs"] is None


def test_a_run_with_its_log_is_not_shown_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, falling_run())
    write_log(tmp_path / "a", falling_run())
    runs = ask(plugin_of(tmp_path))["runs"]
    assert [(run["title"], bool(run["notes"])) for run in runs] == [("a", False), ("b", True)]


def test_a_wide_latent_has_the_number_of_its_dimensions_and_modes_are_apart(tmp_path: Path) -> None:
    labels = [PASSIVE] * 299 + [ACTIVE]
    nats = np.linspace(0.0, 0.01, 300)
    nats[299] = 2.0
    run = [
        make_evaluation(100 * i, labels, information=nats, bins=8, mode=m) for i in (1, 2) for m in ("train", "eval")
    ]
    written(tmp_path / "a", run)
    train, evaluated = ask(plugin_of(tmp_path))["runs"]
    assert (train["title"], evaluated["title"]) == ("a", "a · eval")
    for document in (train, evaluated):
        assert document["dimensions"] == 300
        assert document["in_use"] == 1
        assert document["lifelines"][0]["dimension"] == 299


def test_a_dimension_whose_line_begins_late_is_out_of_use_before(tmp_path: Path) -> None:
    nats = np.linspace(0.03, 0.0, 300)
    later = nats.copy()
    later[150] = 1.5
    labels = [PASSIVE] * 150 + [ACTIVE] + [PASSIVE] * 149
    run = [make_evaluation(100, [PASSIVE] * 300, information=nats, bins=8)]
    run += [make_evaluation(step, labels, information=later, bins=8) for step in (200, 300)]
    written(tmp_path / "a", run)
    (document,) = ask(plugin_of(tmp_path))["runs"]
    (row,) = document["lifelines"]
    assert (row["dimension"], row["since"], row["nats"]) == (150, 200, [None, 1.5, 1.5])


def test_events_of_others_and_a_provider_that_fails_are_no_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = plugin_of(tmp_path)
    assert not plugin.is_active()
    assert "No run of Polar Monitor" in ask(plugin)["error"]
    monkeypatch.setattr(plugin._events._provider, "list_scalars", lambda *_, **__: 1 / 0)
    assert not plugin.is_active()
    assert "ZeroDivisionError" in ask(plugin)["error"]


ALERTS = (
    make_alert(500, 7),
    make_alert(100, None, AlertKind.COLLAPSE),
    fading_alert(500, [0, 3, 12], high=None),
    replace(fading_alert(900, [4, 5]), amends=700, message="a *b* [c](d) `e` _f_ # 1 | 2 \\ 3"),
    replace(make_alert(5, None, AlertKind.DRAIN), forecast=None, last_healthy_step=None, causes=(), advice=()),
)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert.kind))
def test_an_alert_comes_back_from_its_text_without_its_evidence(alert: Alert) -> None:
    assert read_alerts(alert_markdown(alert)) == [replace(alert, evidence={})]
    both = BETWEEN.join([alert_markdown(alert), "something else", alert_markdown(ALERTS[0])])
    assert read_alerts(both) == [replace(alert, evidence={}), replace(ALERTS[0], evidence={})]


def test_of_many_dimensions_the_named_ones_come_back() -> None:
    alert = replace(make_alert(500, 0), dimension=0, dimensions=tuple(range(40)))
    (back,) = read_alerts(alert_markdown(alert))
    assert back.dimensions == tuple(range(7))
