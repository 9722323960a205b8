"""A log gives the alerts of its run again; other rules, third parties' rules and broken input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polar_monitor import AlertRules, PolarMonitor, PolarMonitorError, rules
from polar_monitor.alerts import Alert, AlertKind
from polar_monitor.cli import main
from polar_monitor.replay import replay
from polar_monitor.rules_file import from_plain, read_rules, to_plain
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl


class Weak:
    """A third party's rule: says once that the total is below a nat."""

    def start(self) -> Any:
        return {"told": False}

    def update(self, state: Any, step: int, observed: int, snapshot: Any, regime: Any) -> tuple[Any, Sequence[Alert]]:
        if snapshot is None or state["told"] or snapshot.information.sum() > 1.0:
            return state, ()
        return {"told": True}, [rules.alert(step, "less than a nat", evidence={"total": snapshot.information.sum()})]


class Broken(Weak):
    """A third party's rule that fails."""

    def update(self, state: Any, step: int, observed: int, snapshot: Any, regime: Any) -> tuple[Any, Sequence[Alert]]:
        raise RuntimeError("no such table")


def run(log: Path, steps: range = range(1, 61), state: Any = None, **options: Any) -> PolarMonitor:
    """Dimensions that lose their information one after the other, one of them with NaN in the end."""
    monitor = PolarMonitor(sinks=[JsonlSink(log)], every=1, window=512, max_overhead=1.0, **options)
    if state is not None:
        monitor.load_state_dict(state)
    for step in steps:
        rng = np.random.default_rng(step)
        left = np.array([1.0, np.exp(-max(step - 15, 0) / 6), np.exp(-max(step - 25, 0) / 4)])
        mean = rng.normal(size=(512, 3)) * left
        if step > 55:
            mean[:4, 2] = np.nan
        monitor.observe(mean, var=np.broadcast_to(np.clip(1 - 0.95 * left**2, 0.05, 1), mean.shape))
        monitor.step()
    monitor.detach()
    return monitor


def test_a_log_gives_exactly_the_alerts_of_its_run(tmp_path: Path) -> None:
    monitor = run(tmp_path / "run.jsonl", warmup=3, alerts=AlertRules(horizon=15.0))
    found = replay(tmp_path)
    assert found.live == monitor.alerts
    assert {AlertKind.FADING, AlertKind.LOST, AlertKind.NON_FINITE} <= {alert.kind for alert in found.live}
    assert found.replayed == found.live
    assert found.both == found.live
    assert (found.only_live, found.only_replayed, found.missing) == ((), (), ())


def test_a_resumed_run_too(tmp_path: Path) -> None:
    first = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0)
    first.observe(np.zeros((8, 3)), var=np.ones((8, 3)))
    log = tmp_path / "run.jsonl"
    monitor = run(log, range(1, 31))
    state = monitor.state_dict()
    run(log, range(31, 40), state)
    again = run(log, range(31, 61), state)
    found = replay(log)
    assert found.live == tuple(alert for record in read_jsonl(log) for alert in record.alerts)
    assert found.replayed == found.live
    assert found.live == again.alerts


def test_two_latents_and_two_modes_in_one_log(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    for name in ("a", "b"):
        run(log, range(1, 41), name=name)
    found = replay(log)
    assert {alert.name for alert in found.live} == {"a", "b"}
    assert found.replayed == found.live


def test_other_rules(tmp_path: Path) -> None:
    run(tmp_path / "run.jsonl")
    found = replay(tmp_path, AlertRules(kinds=frozenset({"lost"})))
    assert {alert.kind for alert in found.replayed} == {AlertKind.LOST}
    assert found.only_replayed == ()
    assert AlertKind.FADING in {alert.kind for alert in found.only_live}
    assert {alert.kind for alert in replay(tmp_path, warmup=1000).replayed} <= {AlertKind.NON_FINITE}


def test_rules_of_third_parties_are_live_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "run.jsonl"
    monitor = run(log, range(1, 4), extra_rules=[Weak()])
    assert not [alert for alert in monitor.alerts if alert.kind is AlertKind.CUSTOM]
    log.unlink()
    empty = PolarMonitor(sinks=[JsonlSink(log)], every=1, window=512, extra_rules=[Weak()])
    for _ in range(3):
        empty.observe(np.random.default_rng(0).normal(size=(512, 2)) * 0.01, var=np.ones((512, 2)))
        empty.step()
    empty.detach()
    (alert,) = [one for one in empty.alerts if one.kind is AlertKind.CUSTOM]
    assert alert.message == "Weak: less than a nat"
    assert replay(log).missing == ("Weak",)
    point = type("Point", (), {"name": "Weak", "value": "mine:Weak", "load": staticmethod(lambda: Weak)})()
    monkeypatch.setattr(rules, "installed", lambda: (point,))
    assert replay(log).replayed == empty.alerts


def test_a_rule_that_fails_is_told_once_and_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    monitor = PolarMonitor(sinks=(), every=1, window=512, extra_rules=[Broken(), Weak()])
    for _ in range(3):
        monitor.observe(np.random.default_rng(0).normal(size=(512, 2)) * 0.01, var=np.ones((512, 2)))
        monitor.step()
    assert [record.message for record in caplog.records if "Broken" in record.message] == [
        "rule 'Broken' failed (RuntimeError: no such table) and is switched off; training is not affected"
    ]
    assert [alert.message for alert in monitor.alerts if alert.kind is AlertKind.CUSTOM] == ["Weak: less than a nat"]
    strict = PolarMonitor(sinks=(), every=1, window=512, extra_rules=[Broken()], strict=True)
    strict.observe(np.zeros((512, 2)), var=np.ones((512, 2)))
    with pytest.raises(RuntimeError, match="no such table"):
        strict.step()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Weak", "expected a list of names or rules"),
        ([object()], "expected a rule with start"),
        (["nobody"], "no such entry point"),
        ([Weak(), Weak()], "expected every rule once"),
    ],
)
def test_rules_that_cannot_be_used(wanted: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        PolarMonitor(sinks=(), extra_rules=wanted)


def test_rules_as_plain_data_and_back() -> None:
    some = AlertRules(horizon=7.0, kinds=frozenset({"lost", "drain"}))
    assert from_plain(json.loads(json.dumps(to_plain(some)))) == some
    assert from_plain({}) == AlertRules()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("horizont = 3", "expected some of kinds.*'horizont'"),
        ("horizon = 'far'", "expected horizon to be a number"),
        ("patience = 2.5", "expected patience to be a whole number"),
        ("kinds = ['gone']", "expected some of fading"),
        ("kinds = 3", "expected kinds to be a list of strings"),
        ("= 3", "expected TOML"),
    ],
)
def test_a_rules_file_that_cannot_be_meant(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(PolarMonitorError, match=said):
        read_rules(file)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "run.jsonl")
    assert main(["replay", str(tmp_path)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("60 evaluations; ")
    assert "0 of the run alone, 0 new" in first
    assert all(line.startswith("  step ") for line in lines)
    file = tmp_path / "rules.toml"
    file.write_text('kinds = ["lost"]\n')
    assert main(["replay", str(tmp_path / "run.jsonl"), "--rules", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {alert["kind"] for alert in told["both"]} == {"lost"}
    assert told["only_replayed"] == []
    assert main(["replay", "--list-rules"]) == 0


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "nowhere.jsonl"], ["replay", "."]])
def test_the_command_without_a_log(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("polar-monitor replay: ")


def test_a_log_that_was_tampered_with_is_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "run.jsonl"
    run(log)
    lines = log.read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    for record in kept:
        record["alerts"] = []
    log.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in kept))
    assert main(["replay", str(log)]) == 1
    assert "+ step" in capsys.readouterr().out
