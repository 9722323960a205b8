"""The document that all views draw: strict JSON, small however long the run is, and never without a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages.logs import fading_alert, falling_run, never_finite, write_log
from records import light, make_evaluation, make_run

from polar_monitor.criteria import CRITERIA
from polar_monitor.sinks.jsonl import read_jsonl
from polar_monitor.views.document import MAX_FRAMES, MAX_STEPS, documents
from polar_monitor.views.find_logs import titles
from polar_monitor.views.log import RunLog
from polar_monitor.views.point import Point, read_point


def of(path: Path, title: str = "run", share: float = 1.0) -> list[dict[str, object]]:
    log = RunLog(path)
    log.refresh()
    return documents(log, title, share)


def test_the_document_of_a_short_run_has_every_evaluation(tmp_path: Path) -> None:
    (data,) = of(write_log(tmp_path, falling_run({500: (fading_alert(500, [0]),)})))
    assert data["steps"] == [100 * i for i in range(1, 8)]
    first = next(row for row in data["lifelines"] if row["dimension"] == 0)
    np.testing.assert_allclose(first["nats"], [2.0, 2.0, 2.0, 1.6, 1.2, 0.8, 0.5], atol=1e-4)
    assert data["spectrum"]["dimensions"] == [1, 0, 4, 2, 3]
    assert data["cuts"] == [0.05, 0.15]
    assert data["text"] == "".join(text for text, _ in data["sentence"])
    assert [alert["kind"] for alert in data["alerts"]] == ["fading"]
    assert len(data["plane"]["mean"]) == 5
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize("run", [never_finite(), make_run(4, 1, bins=8), [make_evaluation(bins=8, empty=True)]])
def test_every_document_is_strict_json_and_says_something(tmp_path: Path, run: list[object]) -> None:
    for data in of(write_log(tmp_path, run)):
        json.dumps(data, allow_nan=False)
        assert data["problem"] or data["text"]


def test_several_latents_and_modes_are_a_document_each(tmp_path: Path) -> None:
    run = [make_evaluation(100, name=name, mode=mode, bins=8) for name, mode in (("z1", "train"), ("z2", "eval"))]
    assert [data["title"] for data in of(write_log(tmp_path, run))] == ["run · z1", "run · z2"]


def test_a_code_without_a_variance_has_another_cut_and_no_plane(tmp_path: Path) -> None:
    run = falling_run()
    run = [replace(one, snapshot=replace(one.snapshot, has_variance=False, resolution=0.1)) for one in run]
    (data,) = of(write_log(tmp_path, run))
    assert data["cuts"] == [0.05, 0.35]
    assert data["plane"] is None
    assert "resolved entropy" in data["text"]


@pytest.mark.parametrize(("dimensions", "evaluations"), [(512, 2000), (10, 100_000)])
def test_a_million_points_stay_small(dimensions: int, evaluations: int) -> None:
    """Each line of a long run costs nothing here: the same point again with another step and number."""
    log = RunLog("nowhere/polar.jsonl")
    base = read_point(json.loads(json.dumps(make_run(8, dimensions, bins=8)[-1].to_dict())))
    points: list[Point] = [base._replace(step=i, number=i) for i in range(1, evaluations + 1)]
    points[1234] = points[1234]._replace(alerts=(fading_alert(1235, [0]),))
    from polar_monitor.views.course import Course

    course = log.courses["", "train"] = Course("", "train")
    course.points, course.begun, log.size = points, 1, 1
    (data,) = documents(log, "long")
    text = json.dumps(data, allow_nan=False)
    assert len(text) < 4e6
    assert 1235 in data["steps"]
    assert data["steps"][-1] == evaluations
    assert len(data["steps"]) <= MAX_STEPS + 1
    assert len(data["frames"]) <= MAX_FRAMES


def test_titles_are_as_short_as_they_can_be() -> None:
    logs = [Path("/a/x/polar.jsonl"), Path("/b/x/polar.jsonl"), Path("/b/y.jsonl")]
    assert titles(logs[1:]) == ["x", "y.jsonl"]
    assert titles(logs) == ["a/x", "b/x", "b/y.jsonl"]


def test_characters_that_act_on_a_terminal_are_shown_as_text(tmp_path: Path) -> None:
    alert = replace(fading_alert(500, [0]), message="\x1b[2J\u202egnidaf", causes=("a\nb",))
    run = [replace(one, name="z\x07") for one in falling_run({500: (alert,)})]
    (data,) = of(write_log(tmp_path, run), "run\x1b")
    text = json.dumps(data, ensure_ascii=False)
    assert all(character.isprintable() for character in text)
    assert "\\\\x1b[2J" in text


@pytest.mark.parametrize("dimensions", [4, 80])
def test_the_criteria_are_those_of_the_newest_full_evaluation(tmp_path: Path, dimensions: int) -> None:
    run = make_run(8, dimensions, bins=8)
    run[-1] = replace(run[-1], snapshot=light(run[-1].snapshot))
    path = write_log(tmp_path, run)
    (data,) = of(path)
    snapshot = read_jsonl(path)[-2].snapshot
    assert data["criteria"]["step"] == 700
    assert len(data["criteria"]["columns"]) >= 8
    for column in data["criteria"]["columns"]:
        labels = CRITERIA[column["name"]](snapshot)
        assert column["letters"] == "".join(labels[j][0] for j in data["criteria"]["dimensions"])
        assert column["active"] == labels.count("active")
