"""A log gives the alerts of its run again: resumed, repeated or begun anew; other rules, and broken input."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import make_alert

import polar_monitor
from polar_monitor import AlertRules, PolarMonitor, PolarMonitorError
from polar_monitor.alerts.alert import Alert, AlertKind, add_alert
from polar_monitor.alerts.alert_rules import from_plain, read_rules, to_plain
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.arrays.finite_json import finite_json
from polar_monitor.cli import main
from polar_monitor.cli.replay import table
from polar_monitor.evaluation import Evaluation
from polar_monitor.regime.judge import judge
from polar_monitor.replay import replay
from polar_monitor.replay.replay import Replay
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl
from polar_monitor.statistics.snapshot import DRAWN, Snapshot


def run(log: Path, steps: range = range(1, 61), state: Any = None, twice: bool = False, **options: Any) -> PolarMonitor:
    """Dimensions that lose their information one after the other, one of them with NaN in the end.

    With `twice` every step is evaluated once more, after more rows.
    """
    options = {"every": 1, "window": 512, "max_overhead": 1.0} | options
    monitor = PolarMonitor(sinks=[JsonlSink(log)], **options)
    if state is not None:
        monitor.load_state_dict(state)
    for step in steps:
        observe(monitor, step)
        monitor.step()
        if twice:
            observe(monitor, step)
            monitor.evaluate()
    monitor.detach()
    return monitor


def observe(monitor: PolarMonitor, step: int, wide: int = 3) -> None:
    for mode in monitor._loop.options.modes:
        rng = np.random.default_rng(step)
        left = np.resize([1.0, np.exp(-max(step - 15, 0) / 6), np.exp(-max(step - 25, 0) / 4)], wide)
        mean = rng.normal(size=(512, wide)) * left
        if step > 55:
            mean[:4, 2] = np.nan
        monitor.observe(mean, var=np.broadcast_to(np.clip(1 - 0.95 * left**2, 0.05, 1), mean.shape), mode=mode)


class Keep:
    """Sink that keeps the evaluations."""

    def __init__(self, kept: list[Evaluation]) -> None:
        self.write = kept.append

    def flush(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The log of one run, for the tests that only read it or change their own copy."""
    run(file := tmp_path_factory.mktemp("recorded") / "run.jsonl")
    return file.read_bytes()


@pytest.fixture
def log(recorded: bytes, tmp_path: Path) -> Path:
    (tmp_path / "run.jsonl").write_bytes(recorded)
    return tmp_path / "run.jsonl"


def edit(log: Path, change: Callable[[dict[str, Any]], Any], line: int = 1) -> None:
    """Change one record of a log."""
    lines = log.read_bytes().splitlines(keepends=True)
    record = json.loads(lines[line - 1])
    change(record)
    lines[line - 1] = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    log.write_bytes(b"".join(lines))


def test_a_log_gives_exactly_the_alerts_of_its_run(tmp_path: Path) -> None:
    monitor = run(tmp_path / "run.jsonl", warmup=3, alerts=AlertRules(horizon_steps=375.0))
    found = replay(tmp_path)
    assert found.live == monitor.alerts
    assert {AlertKind.FADING, AlertKind.LOST, AlertKind.NON_FINITE} <= {alert.kind for alert in found.live}
    assert found.replayed == found.live
    assert found.both == found.live
    assert (found.only_live, found.only_replayed, found.missing, found.added, found.torn) == ((), (), {}, (), None)


@pytest.mark.parametrize("form", ["written", "version 1"])
@pytest.mark.parametrize("wide", [3, 90])
def test_light_evaluations_give_the_labels_and_the_alerts_of_the_run(tmp_path: Path, wide: int, form: str) -> None:
    """90 dimensions are written as text that is not decimal."""
    log, kept = tmp_path / "run.jsonl", list[Evaluation]()
    monitor = PolarMonitor(sinks=[JsonlSink(log), Keep(kept)], every=1, window=512, max_overhead=1.0)
    for step in range(1, 61):
        observe(monitor, step, wide)
        monitor.step()
    monitor.detach()
    if form == "version 1":
        lines = [json.dumps(one.to_dict(), separators=(",", ":"), default=finite_json) for one in kept]
        log.write_text("".join(line + "\n" for line in lines))
    found = replay(log)
    assert found.live == found.replayed == monitor.alerts
    assert {AlertKind.FADING, AlertKind.LOST, AlertKind.NON_FINITE} <= {alert.kind for alert in found.live}
    previous = None
    for record, live in zip(read_jsonl(log), kept, strict=True):
        assert record.snapshot is not None
        previous = judge(record.snapshot, previous)
        assert previous == record.regime == live.regime
        for f in fields(Snapshot):
            if f.name not in DRAWN:
                np.testing.assert_array_equal(getattr(record.snapshot, f.name), getattr(live.snapshot, f.name))
    assert {one.snapshot.full for one in kept if one.snapshot is not None} == {True, False}


def test_a_resumed_run_too(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    monitor = run(log, range(1, 31))
    state = monitor.state_dict()
    run(log, range(31, 40), state)
    again = run(log, range(31, 61), state)
    found = replay(log)
    written: list[Alert] = []
    for record in read_jsonl(log):
        for alert in record.alerts:
            add_alert(written, alert)
    assert found.live == tuple(written)
    assert found.replayed == found.live
    assert found.live == again.alerts


@pytest.mark.parametrize("at", [20, 31, 45])
def test_a_run_resumed_into_a_new_folder(tmp_path: Path, at: int) -> None:
    """The log begins in mid-run: it has the state that its first evaluation goes on from."""
    whole = run(tmp_path / "whole.jsonl", modes=("train", "eval"))
    first = run(tmp_path / "first.jsonl", range(1, at), modes=("train", "eval"))
    second = run(tmp_path / "second.jsonl", range(at, 61), first.state_dict(), modes=("train", "eval"))
    assert second.alerts == whole.alerts
    records = read_jsonl(tmp_path / "second.jsonl")
    assert [record.resumed is not None for record in records] == [True, True] + [False] * (len(records) - 2)
    found = replay(tmp_path / "second.jsonl")
    assert found.live == found.replayed
    assert [alert for alert in whole.alerts if alert not in first.alerts] == sorted(found.live, key=whole.alerts.index)
    assert {alert.mode for alert in found.live} == {"train", "eval"}


def test_a_log_without_the_state_that_it_goes_on_from_differs(tmp_path: Path) -> None:
    first = run(tmp_path / "first.jsonl", range(1, 31))
    log = tmp_path / "second.jsonl"
    run(log, range(31, 61), first.state_dict())
    edit(log, lambda record: record.pop("resumed"))
    assert replay(log).only_live


def test_other_rules_begin_from_the_state_of_the_run_only_where_its_log_does(tmp_path: Path) -> None:
    """What the log has from the beginning is judged by the other rules from the beginning."""
    log, rules = tmp_path / "run.jsonl", AlertRules(fall=0.2, established_steps=2.0)
    whole = run(tmp_path / "whole.jsonl", alerts=rules)
    first = run(log, range(1, 31))
    run(log, range(31, 61), first.state_dict())
    assert replay(log, rules).replayed == whole.alerts


def test_two_evaluations_at_one_step_are_two_records(tmp_path: Path) -> None:
    monitor = run(tmp_path / "run.jsonl", twice=True, modes=("train", "eval"))
    found = replay(tmp_path)
    assert found.evaluations == monitor.health().evaluations == 240
    assert found.live == found.replayed == monitor.alerts
    assert found.live


def test_a_run_begun_anew_in_its_folder_replaces_the_other(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    run(log, every=2)
    monitor = run(log, every=15, alerts=AlertRules(established_steps=1.0, patience_windows=0.5))
    found = replay(log)
    assert [record.step for record in read_jsonl(log)] == [15, 30, 45, 60]
    assert found.live == found.replayed == monitor.alerts
    assert found.live


def test_rules_that_change_on_a_resume(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    first = run(log, range(1, 31))
    second = run(log, range(31, 61), first.state_dict(), alerts=AlertRules(kinds=frozenset({"lost"})))
    found = replay(log)
    assert found.live == found.replayed == second.alerts
    assert {alert.kind for alert in found.live if alert.step > 30} == {AlertKind.LOST}


def test_two_latents_and_two_modes_in_one_log(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    for name in ("a", "b"):
        run(log, range(1, 41), name=name)
    found = replay(log)
    assert {alert.name for alert in found.live} == {"a", "b"}
    assert found.replayed == found.live


@pytest.mark.usefixtures("log")
def test_other_rules(tmp_path: Path) -> None:
    found = replay(tmp_path, AlertRules(kinds=frozenset({"lost"})))
    assert {alert.kind for alert in found.replayed} == {AlertKind.LOST}
    assert found.only_replayed == ()
    assert AlertKind.FADING in {alert.kind for alert in found.only_live}
    assert {alert.kind for alert in replay(tmp_path, warmup=1000).replayed} <= {AlertKind.NON_FINITE}


def test_some_fields_of_other_rules_are_changed_in_those_of_the_run(tmp_path: Path) -> None:
    kinds, file = frozenset({"lost", "fading"}), tmp_path / "rules.toml"
    run(tmp_path / "run.jsonl", alerts=AlertRules(kinds=kinds, worth=3.0))
    file.write_text("worth = 0.35\n")
    found = replay(tmp_path, read_rules(file))
    assert found.replayed == replay(tmp_path, AlertRules(kinds=kinds, worth=0.35)).replayed
    assert found.replayed != replay(tmp_path, AlertRules(worth=0.35)).replayed
    assert found.only_replayed


def test_an_alert_raised_twice_and_found_once_is_found_once(log: Path) -> None:
    edit(log, lambda record: record.update(alerts=record["alerts"] * 2), line=56)
    found = replay(log)
    assert len(found.only_live) == len(found.live) - len(found.replayed) == 1


def test_the_module_is_there_without_being_imported() -> None:
    assert polar_monitor.replay.replay is replay
    code = "import polar_monitor, sys; assert 'polar_monitor.replay' not in sys.modules; polar_monitor.replay.replay"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_rules_as_plain_data_and_back() -> None:
    some = AlertRules(horizon_steps=7.0, kinds=frozenset({"lost", "drain"}))
    assert from_plain(json.loads(json.dumps(to_plain(some)))) == some
    assert from_plain({}) == AlertRules()


def test_rules_that_counted_evaluations_are_those_of_evaluations_25_steps_apart() -> None:
    earlier = {"horizon": 20.0, "patience": 2, "established": 5, "collapsed": 60}
    expected = AlertRules(horizon_steps=500.0, patience_windows=1.0, established_steps=125.0, collapsed_steps=1500.0)
    assert from_plain(earlier) == expected
    assert from_plain({"horizon": "inf"}).horizon_steps == float("inf")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("horizont = 3", "unknown 'horizont'; the fields are kinds, horizon_steps"),
        ("horizon = 'far'", "expected horizon to be a number"),
        ("patience_windows = true", "expected patience_windows to be a number"),
        ("kinds = ['gone', 'away']", "expected some of fading.*; got away, gone$"),
        ("kinds = 3", "expected kinds to be a list of strings"),
        ("= 3", "expected TOML"),
    ],
)
def test_a_rules_file_that_cannot_be_meant(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(PolarMonitorError, match=said):
        read_rules(file)


@pytest.mark.usefixtures("log")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("60 evaluations; ")
    assert "0 only in the run, 0 only in the replay" in first
    assert all(line.startswith("  step ") for line in lines)
    file = tmp_path / "rules.toml"
    file.write_text('kinds = ["lost"]\n')
    assert main(["replay", str(tmp_path / "run.jsonl"), "--rules", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {alert["kind"] for alert in told["both"]} == {"lost"}
    assert told["only_replayed"] == []
    assert main(["replay", "--list-rules"]) == 0
    said = capsys.readouterr().err
    assert said == "polar-monitor replay: no rules are installed (entry-point group polar_monitor.rules)\n"


def test_alerts_that_differ_in_a_field_that_is_not_shown_are_one_line_that_names_it() -> None:
    run, other = make_alert(100, 2), make_alert(200, 3)
    lines = table(
        Replay(evaluations=3, live=(run, other), replayed=(replace(run, causes=("β",), advice=("lower it",)),))
    ).splitlines()
    assert lines[0].endswith("0 matched, 2 only in the run, 1 only in the replay")
    assert lines[1].startswith("~ step 100 FADING")
    assert lines[1].endswith("(differs in causes and advice)")
    assert [line[:17] for line in lines[2:]] == ["- step 200 FADING"]


@pytest.mark.parametrize(
    "arguments", [["replay"], ["replay", "nowhere.jsonl"], ["replay", "."], ["replay", "empty.jsonl"]]
)
def test_the_command_without_a_log(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    if arguments[-1] == "empty.jsonl":
        Path("empty.jsonl").touch()
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("polar-monitor replay: ")


def test_a_log_that_was_tampered_with_is_an_exit_code(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = log.read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    for record in kept:
        record["alerts"] = []
    log.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in kept))
    assert main(["replay", str(log)]) == 1
    assert "+ step" in capsys.readouterr().out


def test_a_torn_last_line_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "run.jsonl"
    run(log, range(1, 4))
    log.write_bytes(log.read_bytes()[:-30])
    assert main(["replay", str(log)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 evaluations; ")
    assert err == "polar-monitor replay: line 3 is incomplete, as a killed run leaves it, and is left out\n"
    log.write_bytes(log.read_bytes()[:50])
    assert main(["replay", str(log)]) == 2
    assert capsys.readouterr().err.endswith("run.jsonl: expected evaluations, got a part of one\n")


def test_a_warm_up_that_cannot_be_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "run.jsonl", range(1, 4))
    assert main(["replay", str(tmp_path), "--warmup", "-5"]) == 2
    assert "warmup: expected a whole number of steps from 0 on, got -5" in capsys.readouterr().err
    for wrong in (True, 2.5, "3"):
        with pytest.raises(PolarMonitorError, match="warmup: expected"):
            replay(tmp_path, warmup=wrong)  # type: ignore[arg-type]


STATE = json.dumps(AlertEngine().state_dict())


def state(place: str, value: Any) -> str:
    """The state of alerts with something else in one place."""
    state = json.loads(STATE)
    inner = state
    *path, last = place.split(".")
    for key in path:
        inner = inner[key]
    inner[last] = value
    return json.dumps(state)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("resumed", 3, "the state of this version's alerts"),
        ("resumed", "", "the state of this version's alerts"),
        ("resumed", "[" * 100_000, "the state of this version's alerts"),
        ("resumed", "[]", "the state of this version's alerts"),
        ("resumed", "{}", "got no field 'history'"),
        ("resumed", state("builtin.drain.total", "much"), "expected drain total to be a number"),
        ("resumed", state("builtin.further", 1), "with further"),
        ("resumed", state("history", {}), "got no field 'in_use'"),
        ("resumed", state("history.in_use", [1]), "the state of this version's alerts"),
        ("resumed", state("custom", 3), "the state of this version's alerts"),
        ("setup", {"rules": {"sharpness": 1.0}}, "the log is of a newer version, whose rules have 'sharpness'"),
        ("setup", {"rules": {"horizon": "far"}}, "expected horizon to be a number"),
        ("setup", {"rules": [1]}, "expected the rules of a run"),
        ("setup", {"warmup": "x"}, "expected warmup to be a whole number"),
        ("setup", {"warmup": None}, "expected warmup to be a whole number"),
        ("setup", {"extra_rules": "Weak"}, "expected extra_rules to be a list of names"),
        ("setup", {"extra_rules": [1]}, "expected extra_rules to be a list of names"),
    ],
)
def test_a_broken_record_is_one_error_with_its_line(
    field: str, value: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.jsonl"
    run(log, range(1, 4))
    edit(log, lambda record: record.update({field: value}), line=2)
    with pytest.raises(PolarMonitorError, match=f"run.jsonl, line 2: .*{said}"):
        replay(log)
    assert main(["replay", str(log)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("change", [{"labels": "aa"}, {"latest": "a" * 9}])
def test_numbers_that_no_run_can_have_made_are_one_error(change: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    run(log, range(1, 4))
    edit(log, lambda record: record["regime"].update(change), line=2)
    with pytest.raises(PolarMonitorError, match="line 2: expected numbers that a run can have made"):
        replay(log)


HUGE = st.sampled_from([10**400, -(10**400), 2**63, 10**4000])
"""Whole numbers that no float, or no machine word, can hold."""
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | HUGE
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def second_half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("halves")
    first = run(folder / "first.jsonl", range(1, 31))
    run(folder / "second.jsonl", range(31, 34), first.state_dict())
    return folder / "second.jsonl"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, for numbers out of bounds
@given(data=st.data())
def test_anything_in_one_place_of_a_state_is_replayed_or_refused(data: Any, second_half: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    log.write_bytes(second_half.read_bytes())
    value = data.draw(VALUES)

    def change(record: dict[str, Any]) -> None:
        state = json.loads(record["resumed"])
        inner = state["builtin"] if data.draw(st.booleans()) else state["history"]
        inner[data.draw(st.sampled_from(sorted(inner)))] = value
        record["resumed"] = json.dumps(state)

    edit(log, change)
    with contextlib.suppress(PolarMonitorError):
        assert replay(log).evaluations == 3


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a record."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(data=st.data())
def test_anything_in_one_place_of_a_record_is_replayed_or_refused(data: Any, log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "changed.jsonl"
    lines = log.read_text().splitlines()
    number = data.draw(st.sampled_from([0, 20, 55]))
    record = json.loads(lines[number])
    *path, last = data.draw(st.sampled_from([place for place in places(record) if place]))
    inner = record
    for key in path:
        inner = inner[key]
    inner[last] = data.draw(VALUES)
    copy.write_text("\n".join([*lines[:number], json.dumps(record), *lines[number + 1 :]]) + "\n")
    for rules in (None, {"worth": 0.5}):
        with contextlib.suppress(PolarMonitorError):
            replay(copy, rules)


@pytest.mark.parametrize("number", ["1" + 400 * "0", "-1" + 400 * "0", "0x" + 9000 * "f"])
def test_a_number_beyond_a_float_in_the_rules_is_one_clear_error(number: str, log: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(f"worth = {number}\n")
    with pytest.raises(PolarMonitorError, match="expected worth to be at most"):
        read_rules(tmp_path / "rules.toml")
    with pytest.raises(PolarMonitorError, match="worth: expected a number of at most"):
        AlertRules(worth=int(number, 0))
    with pytest.raises(PolarMonitorError, match="expected horizon to be at most"):
        replay(log, {"horizon": int(number, 0)})


def test_numbers_that_no_run_can_have_made_give_no_warning(log: Path, tmp_path: Path) -> None:
    """Huge, negative and zero numbers in a log, under warnings that are errors."""
    lines = log.read_text().splitlines()
    rng = np.random.default_rng(0)
    words = ("information", "information_se", "variance", "posterior_variance", "kl", "information_upper")
    for number in (-1.0, 0.0, 1e308, -1e308, 5e-324):
        records = [json.loads(line) for line in lines]
        for record in records[15:]:
            for word in words:
                record["snapshot"][word][int(rng.integers(3))] = number
            record["context"] = {"beta": number, "learning_rate": number, "reconstruction": number}
        (tmp_path / "broken.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
        assert replay(tmp_path / "broken.jsonl").evaluations == len(lines)
