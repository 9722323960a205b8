"""A log is read as far as it is whole, by offset, whatever stands in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages.logs import drawn_line, falling_run, never_finite, write_log
from records import make_evaluation, make_run

from polar_monitor.errors import PolarMonitorError
from polar_monitor.sinks.jsonl import read_jsonl
from polar_monitor.sinks.jsonl_record import to_line
from polar_monitor.views.log import RunLog
from polar_monitor.views.point import STATISTICS


def read(path: Path) -> RunLog:
    log = RunLog(path)
    log.refresh()
    return log


@pytest.mark.parametrize("dimensions", [1, 10, 80])
def test_the_numbers_are_those_of_the_reader_of_whole_evaluations(tmp_path: Path, dimensions: int) -> None:
    path = write_log(tmp_path, make_run(12, dimensions, bins=8))
    (course,) = read(path).courses.values()
    slow = read_jsonl(path)
    assert course.steps.tolist() == [one.step for one in slow]
    assert course.alerts == [a for one in slow for a in one.alerts]
    for point, one in zip(course.measured, slow, strict=True):
        assert one.regime is not None
        assert point.letters == "".join(label[0] for label in one.regime.labels)
        for name in STATISTICS:
            np.testing.assert_allclose(point.arrays[name], getattr(one.snapshot, name), rtol=1e-4)


def test_a_log_of_the_first_version_is_read_and_versions_may_be_mixed(tmp_path: Path) -> None:
    first, second, *_ = make_run(12, 4, bins=8)
    path = tmp_path / "polar.jsonl"
    path.write_bytes(json.dumps(first.to_dict()).encode() + b"\n" + to_line(second))
    (course,) = read(path).courses.values()
    assert course.steps.tolist() == [100, 200]


def test_only_new_bytes_are_read_and_an_incomplete_line_waits_for_its_end(tmp_path: Path) -> None:
    run = falling_run()
    lines = [to_line(one) for one in run]
    path = tmp_path / "polar.jsonl"
    path.write_bytes(lines[0] + lines[1][:500])
    log = read(path)
    assert [len(course.points) for course in log.courses.values()] == [1]
    assert "being written" in log.notes[0]
    with open(path, "ab") as file:
        file.write(lines[1][500:] + lines[2])
    assert log.refresh()
    assert not log.refresh()
    assert log.notes == []
    (course,) = log.courses.values()
    assert course.steps.tolist() == [100, 200, 300]
    assert course.information.shape == (3, 5)


def test_a_file_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    log = read(write_log(tmp_path, falling_run()))
    write_log(tmp_path, falling_run()[:2])
    log.refresh()
    (course,) = log.courses.values()
    assert course.steps.tolist() == [100, 200]


def test_two_runs_in_one_file_do_not_mix(tmp_path: Path) -> None:
    log = read(write_log(tmp_path, falling_run() + falling_run()[:3]))
    (course,) = log.courses.values()
    assert course.steps.tolist() == [100, 200, 300]
    assert "2 runs were written to this file" in log.notes[0]


def test_a_resumed_run_replaces_what_it_repeats_as_the_other_reader_does(tmp_path: Path) -> None:
    run = falling_run()
    path = write_log(tmp_path, [*run[:5], replace(run[3], resumed="{}"), *run[4:]])
    log = read(path)
    (course,) = log.courses.values()
    assert course.steps.tolist() == [one.step for one in read_jsonl(path)] == [100 * i for i in range(1, 8)]
    assert log.notes == []


def test_a_run_of_another_width_in_the_same_file_is_another_run(tmp_path: Path) -> None:
    wider = make_evaluation(800, bins=8)
    log = read(write_log(tmp_path, [*falling_run(), wider]))
    (course,) = log.courses.values()
    assert course.dimensions == 4
    assert "2 runs" in log.notes[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the log is empty"),
        (b'{"version":2,"ste', "being written"),
        (b"step,loss\n1,2\n", "not a log of Polar Monitor (line 1"),
        (b'{"a": 1}\n', "not a log of Polar Monitor (line 1: no record of a monitor)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not a log of Polar Monitor"),
        (to_line(make_evaluation(bins=8, empty=True)), "no row of a latent was recorded"),
        (to_line(make_evaluation(bins=8)).replace(b'"version":2', b'"version":9'), "a record of version 9"),
    ],
)
def test_a_file_without_numbers_says_why(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "polar.jsonl"
    path.write_bytes(content)
    assert expected in read(path).problem


def test_histograms_that_cannot_be_are_broken_lines(tmp_path: Path) -> None:
    plain = json.loads(drawn_line(falling_run()[0]))
    good = plain["distributions"]["mean"]
    bad = [
        {"distributions": {**plain["distributions"], "dimensions": [0, 1, 2, 3, 9]}},
        {"distributions": {**plain["distributions"], "mean": good[:4]}},
        {"distributions": {**plain["distributions"], "mean": [[0.0, 0.0, [1]], *good[1:]]}},
        {"distributions": {**plain["distributions"], "mean": [[0.0, 1.0, [-1]], *good[1:]]}},
        {"distributions": {**plain["distributions"], "mean": [[0.0, 1.0], *good[1:]]}},
    ]
    path = tmp_path / "polar.jsonl"
    lines = [plain, *(plain | other for other in bad)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    log = read(path)
    assert log.bad_lines == len(bad)
    (course,) = log.courses.values()
    assert [step for step, _ in course.drawn] == [100]


def test_broken_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = [to_line(one) for one in falling_run()]
    path = tmp_path / "polar.jsonl"
    other_width = lines[1].replace(b'"dimensions":5', b'"dimensions":7')
    path.write_bytes(lines[0] + b"[1]\n" + b"NaN\n" + other_width + lines[2])
    log = read(path)
    (course,) = log.courses.values()
    assert course.steps.tolist() == [100, 300]
    assert log.problem == ""
    assert log.notes == ["3 lines are left out, no record that can be read (line 2: no record of a monitor)"]


def test_no_finite_number_is_no_problem_of_the_file(tmp_path: Path) -> None:
    (course,) = read(write_log(tmp_path, never_finite())).courses.values()
    assert np.isnan(course.information).all()


def test_a_file_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PolarMonitorError, match="cannot read"):
        RunLog(tmp_path / "polar.jsonl").refresh()
