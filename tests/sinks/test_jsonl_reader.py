"""Reading a log: which records count, and a clear error for everything that is not a record."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import ACTIVE, PASSIVE, make_alert, make_evaluation, make_run

from polar_monitor.errors import PolarMonitorError
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl, to_line
from polar_monitor.sinks.jsonl_reader import read_numbered
from polar_monitor.sinks.jsonl_record import VERSION


def written(path: Path, evaluations: list[Evaluation]) -> Path:
    sink = JsonlSink(path)
    for evaluation in evaluations:
        sink.write(evaluation)
    sink.close()
    return path


def numbered(number: int, step: int, **options: Any) -> Evaluation:
    """The record of the evaluation with this running number."""
    evaluation = make_evaluation(step, **options)
    return replace(evaluation, health=replace(evaluation.health, evaluations=number))


def test_a_torn_last_line_is_an_error_when_strict(tmp_path):
    path = written(tmp_path / "log", make_run(3, 4))
    os.truncate(path, path.stat().st_size - 20)
    with pytest.raises(PolarMonitorError, match="line 3: not a record"):
        read_jsonl(path, strict=True)


def test_a_torn_line_within_is_an_error(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(to_line(make_evaluation(100))[:-40] + b"\n" + to_line(make_evaluation(200)))
    with pytest.raises(PolarMonitorError, match="line 1: not a record"):
        read_jsonl(path)


def test_records_of_a_resumed_run_replace_those_it_repeats(tmp_path):
    path = tmp_path / "log"
    steps = [(step, mode) for step in (100, 200, 300) for mode in ("train", "eval")]
    written(path, [numbered(n, step, observed=1, mode=mode) for n, (step, mode) in enumerate(steps, 1)])
    written(path, [numbered(n, step, observed=1, name="other") for n, step in ((1, 100), (2, 200))])
    written(path, [numbered(3, 200, observed=2), numbered(4, 250, observed=2)])
    assert [(e.step, e.name, e.mode, e.observed) for e in read_jsonl(path)] == [
        (100, "", "train", 1),
        (100, "", "eval", 1),
        (100, "other", "train", 1),
        (200, "other", "train", 1),
        (200, "", "train", 2),
        (250, "", "train", 2),
    ]


def test_two_evaluations_at_one_step_are_kept(tmp_path):
    run = [numbered(1, 100), numbered(2, 100), numbered(3, 100, mode="eval"), numbered(4, 100, mode="eval")]
    assert len(read_jsonl(written(tmp_path / "log", run))) == 4


def test_a_run_begun_anew_replaces_all_of_the_one_before(tmp_path):
    path = written(tmp_path / "log", [numbered(n, 10 * n) for n in range(1, 20)])
    assert [e.step for e in read_jsonl(written(path, [numbered(1, 100)]))] == [100]


@given(st.lists(st.tuples(st.sampled_from(["", "a"]), st.integers(-2, 6)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_record_replaces_the_earlier_ones_with_its_number_or_a_higher_one(tmp_path, run):
    """Whatever the numbers; records without one (below 1), which no monitor wrote, stay."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(to_line(numbered(n, 100, name=name, observed=i)) for i, (name, n) in enumerate(run)))
    kept = [
        i
        for i, (name, n) in enumerate(run)
        if n < 1 or not any(other == name and 1 <= m <= n for other, m in run[i + 1 :])
    ]
    assert [e.observed for e in read_jsonl(path)] == kept


def test_the_lines_of_the_records_and_of_a_truncated_last_one_are_numbered(tmp_path):
    path = written(tmp_path / "log", [numbered(n, 100) for n in (1, 2, 1)])
    os.truncate(path, path.stat().st_size - 20)
    kept, truncated, replaced = read_numbered(path)
    assert replaced >= 0
    assert (list(kept), truncated) == ([1, 2], 3)


def test_a_newer_version_is_refused_by_name(tmp_path):
    record = json.loads(to_line(make_evaluation())) | {"version": VERSION + 1}
    path = tmp_path / "log"
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(PolarMonitorError, match=f"line 1: .*got version {VERSION + 1}.*the version that wrote it"):
        read_jsonl(path)


def edited(change: Callable[[dict[str, Any]], Any], dimensions: int = 4) -> bytes:
    record = json.loads(to_line(make_evaluation(labels=(ACTIVE,) * dimensions, alerts=(make_alert(),))))
    change(record)
    return json.dumps(record).encode() + b"\n"


def old(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A changed line as version 1 has it."""
    record = make_evaluation(alerts=(make_alert(),)).to_dict()
    change(record)
    return json.dumps(record).encode() + b"\n"


HOSTILE = {
    "deep": b"[" * 200_000 + b"]" * 200_000 + b"\n",
    "deep_in_a_record": b'{"version":1,"a":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"\n",
    "many_digits": b'{"version":1,"step":' + b"9" * 10_000 + b"}\n",
    "nan": to_line(make_evaluation()).replace(b'"observed":12800', b'"observed":NaN'),
    "infinity": to_line(make_evaluation()).replace(b'"observed":12800', b'"observed":Infinity'),
    "overflow": to_line(make_evaluation()).replace(b'"observed":12800', b'"observed":1e999'),
    "pickle": pickle.dumps(asdict(make_evaluation().health)) + b"\n",
    "not_utf8": b'{"version":1,"name":"\xff"}\n',
    "list": b"[1, 2]\n",
    "number": b"1\n",
    "null": b"null\n",
    "missing": edited(lambda r: r.pop("health")),
    "missing_statistic": old(lambda r: r["snapshot"].pop("mean")),
    "old_label": old(lambda r: r["regime"].update(labels=["alive"])),
    "missing_number": edited(lambda r: r["snapshot"].pop("rows")),
    "missing_dimensions": edited(lambda r: r["snapshot"].pop("dimensions")),
    "no_dimensions": edited(lambda r: r["snapshot"].update(dimensions=0)),
    "too_many_dimensions": edited(lambda r: r["snapshot"].update(dimensions=10**12)),
    "fewer_numbers": edited(lambda r: r["snapshot"].update(mean=[1.0] * 3)),
    "not_base64": edited(lambda r: r["snapshot"].update(mean="!" * 4)),
    "fewer_bytes": edited(lambda r: r["snapshot"].update(mean="AAAA"), dimensions=100),
    "labels_of_words": edited(lambda r: r["regime"].update(labels=["active"] * 4)),
    "other_letters": edited(lambda r: r["regime"].update(labels="aaxa")),
    "answers_of_text": edited(lambda r: r["regime"].update(sides="3")),
    "answers_out_of_range": edited(lambda r: r["regime"].update(sides=43)),
    "answers_listed": edited(lambda r: r["regime"].update(sides=[1, 2])),
    "answers_elsewhere": edited(lambda r: r["regime"].update(sides={"4": 1})),
    "evidence_of_a_label_listed": edited(lambda r: r["regime"].update(sides=1, evidence=[1.0])),
    "evidence_elsewhere": edited(lambda r: r["regime"].update(sides=1, evidence={"12": 1.0})),
    "evidence_below": edited(lambda r: r["regime"].update(sides=1, evidence={"-1": 1.0})),
    "evidence_without_answers": edited(lambda r: r["regime"].update(sides=[], evidence={"0": 1.0})),
    "negative_evidence": edited(lambda r: r["regime"].update(sides=1, evidence={"0": -1.0})),
    "label": edited(lambda r: r["regime"].update(labels=["alive"])),
    "snapshot_of_text": edited(lambda r: r.update(snapshot="text")),
    "statistic_of_text": edited(lambda r: r["snapshot"].update(mean=["a"] * 4)),
    "statistic_of_lists": edited(lambda r: r["snapshot"].update(mean=[[1.0], [1.0, 2.0]])),
    "health_with_more": edited(lambda r: r["health"].update(__class__="os.system")),
    "alerts_of_numbers": edited(lambda r: r.update(alerts=[1])),
    "alert_kind": edited(lambda r: r["alerts"][0].update(kind="nothing")),
    "evidence_of_text": edited(lambda r: r["alerts"][0].update(evidence={"a": "b"})),
    "evidence_of_numbers": edited(lambda r: r["alerts"][0].update(evidence=3)),
    "huge_statistic": edited(lambda r: r["snapshot"].update(mean=[10**400] * 4)),
    "number_of_text": edited(lambda r: r["health"].update(evaluations="many")),
    "no_number": edited(lambda r: r["health"].update(evaluations=None)),
    "version_of_text": edited(lambda r: r.update(version="1")),
    "version_of_list": edited(lambda r: r.update(version=[1])),
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("error")
def test_hostile_lines_are_refused(tmp_path, line):
    path = tmp_path / "log"
    path.write_bytes(to_line(make_evaluation(50)) + line)
    with pytest.raises(PolarMonitorError, match="line 2: "):
        read_jsonl(path)


def test_a_line_without_end_is_refused_without_reading_it_all(tmp_path, monkeypatch):
    monkeypatch.setattr("polar_monitor.sinks.jsonl_reader.MAX_LINE_BYTES", 1000)
    path = tmp_path / "log"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(PolarMonitorError, match="line 1: longer than 1000 bytes"):
        read_jsonl(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_or_left_out(tmp_path, data):
    path = tmp_path / "log"
    path.write_bytes(data)
    for act in (read_jsonl, JsonlSink):
        try:
            made = act(path)
        except PolarMonitorError:
            continue
        if act is JsonlSink:
            made.close()
        else:
            assert made == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, item in inner for place in places(item, (*here, key)))]


RECORD = json.loads(to_line(make_evaluation(100, (ACTIVE, PASSIVE), alerts=(make_alert(),), bins=4)))
RECORD |= {"resumed": "{}", "setup": {"rules": {"horizon": 3.0}, "warmup": 3, "extra_rules": ["a"]}}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(places(RECORD)[1:]), values)
def test_a_record_with_anything_in_one_place_is_read_or_refused(tmp_path, place, value):
    record = json.loads(json.dumps(RECORD))
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path = tmp_path / "log"
    path.write_bytes(json.dumps(record).encode("ascii") + b"\n")
    with contextlib.suppress(PolarMonitorError):
        (evaluation,) = read_jsonl(path)
        assert isinstance(evaluation, Evaluation)
