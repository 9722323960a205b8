"""Histograms of a run are few however long it is, and each is at the step at which it was drawn."""

from __future__ import annotations

import json
from pathlib import Path

from pages.logs import drawn_line, falling_run, write_log

from polar_monitor.sinks.jsonl_record import to_line
from polar_monitor.views.course import Course
from polar_monitor.views.distribution import MAX_DRAWN, Drawn, distributions_of
from polar_monitor.views.document import documents
from polar_monitor.views.log import RunLog
from polar_monitor.views.point import read_point


def test_the_document_has_the_histograms_of_the_log(tmp_path: Path) -> None:
    log = RunLog(write_log(tmp_path, falling_run()))
    log.refresh()
    (data,) = documents(log, "run")
    drawn = data["distributions"]
    assert drawn["steps"] == [100, 400, 700]
    assert drawn["dimensions"] == [0, 1, 2, 3, 4]
    left, width, counts = drawn["mean"][0][2]
    histogram = falling_run()[-1].snapshot.histograms[0]
    assert (left, width, sum(counts)) == (histogram.left, histogram.width, histogram.counts.sum())


def test_a_log_of_an_older_version_has_none(tmp_path: Path) -> None:
    (tmp_path / "polar.jsonl").write_bytes(b"".join(to_line(one) for one in falling_run()))
    log = RunLog(tmp_path / "polar.jsonl")
    log.refresh()
    (data,) = documents(log, "run")
    assert data["distributions"] is None


def test_a_long_run_keeps_few_and_the_newest() -> None:
    course = Course("", "train")
    base = read_point(json.loads(drawn_line(falling_run()[0])))
    for i in range(1, 1001):
        course.add(base._replace(step=i, number=i))
    assert len(course.drawn) <= MAX_DRAWN
    assert course.drawn[-1][0] == 1000
    resumed = base._replace(step=500, number=500, resumed=True)
    course.add(resumed)
    assert [step for step, _ in course.drawn][-1] == 500
    assert max(step for step, _ in course.drawn[:-1]) < 500


def test_steps_are_chosen_evenly_with_the_first_and_the_newest() -> None:
    one: Drawn = {0: [[0.0, 1.0, [3]], None]}
    other: Drawn = {0: [[0.0, 1.0, [3]], None], 7: [None, [1.0, 0.5, [1, 2]]]}
    data = distributions_of([(step, one) for step in range(1, 40)] + [(40, other)], 4)
    assert data is not None
    assert data["steps"] == [1, 14, 27, 40]
    assert data["dimensions"] == [0, 7]
    assert data["log_variance"][1] == [None, None, None, [1.0, 0.5, [1, 2]]]
    assert distributions_of([], 4) is None
