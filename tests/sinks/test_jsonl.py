"""The JSON log: exact, and complete after a crash."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import ACTIVE, PASSIVE, make_alert, make_evaluation, make_run

from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.errors import PolarMonitorError
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl, to_line
from polar_monitor.statistics.snapshot import DRAWN


def written(path: Path, evaluations: list[Evaluation]) -> Path:
    sink = JsonlSink(path)
    for evaluation in evaluations:
        sink.write(evaluation)
    sink.close()
    return path


def assert_same(one: Evaluation, other: Evaluation) -> None:
    for name in ("step", "time", "name", "mode", "observed", "regime", "alerts", "health"):
        assert getattr(one, name) == getattr(other, name), name
    assert (one.snapshot is None) == (other.snapshot is None)
    for f in fields(one.snapshot) if one.snapshot is not None else ():
        if f.name not in DRAWN:
            a, b = getattr(one.snapshot, f.name), getattr(other.snapshot, f.name)
            np.testing.assert_array_equal(a, b, err_msg=f.name, strict=isinstance(a, np.ndarray))


def test_what_is_read_is_what_was_written(tmp_path):
    run = [*make_run(20, 9), make_evaluation(2500, empty=True), make_evaluation(2600, alerts=(make_alert(2600, None),))]
    for one, other in zip(run, read_jsonl(written(tmp_path / "log", run)), strict=True):
        assert_same(one, other)


def test_a_log_of_version_1_is_read_to_the_last_digit_and_continued(tmp_path):
    old = [replace(e, snapshot=replace(e.snapshot, mean=e.snapshot.mean / 3)) for e in make_run(3, 9)]
    path = tmp_path / "log"
    path.write_bytes(b"".join(json.dumps(e.to_dict(), separators=(",", ":")).encode() + b"\n" for e in old))
    new = make_evaluation(400, (ACTIVE,) * 9)
    for one, other in zip([*old, new], read_jsonl(written(path, [new])), strict=True):
        assert_same(one, other)


def test_the_line_is_strict_json(tmp_path):
    alert = replace(make_alert(), evidence={"information": math.nan, "before": np.float64(0.1), "rows": np.int64(3)})
    health = replace(make_evaluation().health, overhead=math.nan)
    before = replace(make_evaluation(information=[math.nan] * 4, alerts=(alert,)), health=health)
    line = to_line(before)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    json.loads(line, parse_constant=lambda constant: pytest.fail(constant))
    (after,) = read_jsonl(written(tmp_path / "log", [before]))
    assert math.isnan(after.health.overhead)
    evidence = after.alerts[0].evidence
    assert math.isnan(evidence["information"])
    assert (evidence["before"], evidence["rows"]) == (0.1, 3)


def test_a_replay_gives_the_same_alerts(tmp_path):
    def alerts(run: list[Evaluation]) -> list[Any]:
        engine = AlertEngine()
        return [
            alert
            for e in run
            for alert in engine.evaluate(Observation(e.step, e.observed, e.snapshot, e.regime), AlertRules())
        ]

    nats = np.linspace(3.0, 0.01, 40)
    run = [
        make_evaluation(100 * (i + 1), (ACTIVE, PASSIVE if n < 0.05 else ACTIVE), information=(2 + 1 / 3, n))
        for i, n in enumerate(nats)
    ]
    live = alerts(run)
    assert live
    assert alerts(read_jsonl(written(tmp_path / "log", run))) == live


def test_a_line_is_there_once_write_returns(tmp_path):
    sink = JsonlSink(tmp_path / "a" / "b" / "log")
    for n in range(1, 4):
        sink.write(make_evaluation(100 * n))
        assert len(read_jsonl(sink.path)) == n
    sink.close()


@pytest.mark.parametrize("cut", [1, 2, 50, 1500])
def test_a_torn_last_line_is_left_out_and_mended(tmp_path, cut):
    path = written(tmp_path / "log", make_run(3, 4))
    os.truncate(path, path.stat().st_size - cut)
    kept = 3 if cut == 1 else 2  # only the line's end is missing
    assert [e.step for e in read_jsonl(path)] == [100, 200, 300][:kept]
    written(path, [make_evaluation(400)])
    assert [e.step for e in read_jsonl(path)] == [*[100, 200, 300][:kept], 400]


def test_a_file_of_one_torn_line_is_mended(tmp_path):
    path = written(tmp_path / "log", make_run(1, 4))
    os.truncate(path, 5)
    assert read_jsonl(path) == []
    written(path, [make_evaluation(100)])
    assert [e.step for e in read_jsonl(path)] == [100]


@pytest.mark.parametrize("content", [b"loss,step\n1,2\n", b"{}", b'{"steps": 1}\n', b"\x80\x04\x95"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(PolarMonitorError, match="holds something else"):
        JsonlSink(path)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_written_or_read(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PolarMonitorError, match=r"cannot write to .*pass a path in a folder"):
        JsonlSink(tmp_path / "file" / "log")
    with pytest.raises(PolarMonitorError, match="cannot read"):
        read_jsonl(tmp_path / "nothing")
    with pytest.raises(PolarMonitorError, match="cannot read"):
        read_jsonl(tmp_path)


def test_a_closed_sink_says_so(tmp_path):
    sink = JsonlSink(tmp_path / "log")
    sink.close()
    sink.close()
    sink.flush()
    with pytest.raises(PolarMonitorError, match="closed: make a new one"):
        sink.write(make_evaluation())


def test_a_forked_child_writes_nothing(tmp_path):
    sink = JsonlSink(tmp_path / "log")
    sink.write(make_evaluation(100))
    child = os.fork()
    if child == 0:
        try:
            sink.write(make_evaluation(200))
            sink.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    sink.write(make_evaluation(300))
    sink.close()
    assert [e.step for e in read_jsonl(sink.path)] == [100, 300]


def test_a_full_disk_costs_one_record(tmp_path):
    class FullDisk:
        def __init__(self, file: Any) -> None:
            self.file, self.calls = file, 0

        def write(self, data: memoryview) -> int:
            self.calls += 1
            if self.calls == 1:
                return self.file.write(data[:100])
            if self.calls == 2:
                raise OSError(28, "No space left on device")
            return self.file.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    sink = JsonlSink(tmp_path / "log")
    sink.write(make_evaluation(100))
    sink._file = FullDisk(sink._file)
    with pytest.raises(OSError, match="No space left"):
        sink.write(make_evaluation(200))
    sink.write(make_evaluation(300))
    sink.close()
    assert [e.step for e in read_jsonl(sink.path, strict=True)] == [100, 300]
