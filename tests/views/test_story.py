"""What became of each dimension, and the sentence about all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pages.logs import FALL, fading_alert, falling_run, never_finite, write_log
from records import ACTIVE, PASSIVE, make_alert, make_evaluation, make_run

from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.evaluation import Evaluation
from polar_monitor.views.course import Course
from polar_monitor.views.log import RunLog
from polar_monitor.views.rows import MAX_ROWS, rows_of
from polar_monitor.views.sentence import as_text, reason, sentence
from polar_monitor.views.story import story_of

GONE = (*FALL, 0.1, 0.02, 0.01)
BACK = (*GONE, 1.9, 2.0)


def course_of(folder: Path, run: list[Evaluation]) -> Course:
    log = RunLog(write_log(folder, run))
    log.refresh()
    (course,) = log.courses.values()
    return course


def described(course: Course) -> tuple[str, list[tuple[int, str, str]], list[str]]:
    story = story_of(course)
    rows, folded = rows_of(course, story)
    lines = [(row.dimension, row.state, row.next) for row in rows]
    return as_text(sentence(course, story, rows)), lines, [fold.text for fold in folded]


def alert_of(kind: AlertKind, step: int, dimension: int | None = 0) -> Alert:
    return replace(make_alert(step, dimension, kind), forecast=None, last_healthy_step=300)


STAYS = [(1, "in use", "steady"), (4, "undecided", "undecided: between the cuts")]
FOLDED = ["0.002 nats or less, never in use: healthy"]


def test_a_fall_that_was_warned_of(tmp_path: Path) -> None:
    course = course_of(tmp_path, falling_run({500: (fading_alert(500, [0]),)}))
    text, rows, folded = described(course)
    assert text == "2 of 5 dimensions are in use and carry 2.9 nats, down from 4.5. 1 is fading, dim 0 now."
    assert rows == [(1, "in use", "steady"), (0, "fading", "going now"), STAYS[1]]
    assert folded == FOLDED
    (row, *_) = [row for row in rows_of(course, story_of(course))[0] if row.dimension == 0]
    assert (row.healthy, row.since, row.forecast) == (300, 100, (700, 700, 900))


def test_each_dimension_of_an_alert_has_its_own_forecast(tmp_path: Path) -> None:
    course = course_of(tmp_path, falling_run({600: (fading_alert(600, [0, 1]),)}))
    assert story_of(course).fading[0].forecast == replace(story_of(course).fading[0].forecast, step=800)
    # dimension 1 keeps its level of step 300, so it does not fade any more
    assert list(story_of(course).fading) == [0]


def test_a_forecast_that_is_over_says_so(tmp_path: Path) -> None:
    course = course_of(tmp_path, falling_run({500: (fading_alert(500, [0], high=100),)}))
    assert (0, "fading", "fading, later than forecast") in described(course)[1]


def test_a_loss_is_named_with_its_step(tmp_path: Path) -> None:
    alerts = {500: (fading_alert(500, [0]),), 900: (alert_of(AlertKind.LOST, 900),)}
    text, rows, _ = described(course_of(tmp_path, falling_run(alerts, GONE)))
    assert text == "1 of 5 dimensions is in use and carries 2.4 nats, down from 4.5. Lost: dim 0 (step 900)."
    assert rows == [*STAYS, (0, "lost", "lost at step 900")]


def test_what_comes_back_is_not_lost(tmp_path: Path) -> None:
    alerts = {900: (alert_of(AlertKind.LOST, 900),), 1100: (alert_of(AlertKind.REVIVED, 1100),)}
    text, rows, _ = described(course_of(tmp_path, falling_run(alerts, BACK)))
    assert "Lost" not in text
    assert (0, "in use", "back in use since step 1,100") in rows


def test_settling_is_no_loss(tmp_path: Path) -> None:
    text, rows, _ = described(course_of(tmp_path, falling_run({900: (alert_of(AlertKind.SETTLING, 900),)}, GONE)))
    assert "Lost" not in text
    assert (0, "taken over", "others took over, step 900") in rows


def test_a_collapse_is_said_and_nothing_is_called_healthy(tmp_path: Path) -> None:
    labels = (PASSIVE,) * 3
    run = [make_evaluation(100, labels, bins=8), make_evaluation(200, labels, bins=8)]
    run[1] = replace(run[1], alerts=(alert_of(AlertKind.COLLAPSE, 200, None),))
    text, _, folded = described(course_of(tmp_path, run))
    assert text == "No dimension of 3 is in use; 0.0 nats in all. Collapsed at step 200."
    assert folded == ["0.010 nats or less, never in use"]


def test_numbers_that_are_all_nan_are_no_blank_page(tmp_path: Path) -> None:
    text, rows, _ = described(course_of(tmp_path, never_finite()))
    assert text.startswith("The 4 dimensions cannot be judged yet: ")
    assert rows[0][2] == "undecided: no finite number"


@pytest.mark.parametrize("dimensions", [1, 10, 512])
def test_rows_are_bounded_and_every_dimension_is_somewhere(tmp_path: Path, dimensions: int) -> None:
    course = course_of(tmp_path, make_run(8, dimensions, bins=8))
    rows, folded = rows_of(course, story_of(course))
    assert len(rows) <= MAX_ROWS + 4
    shown = [row.dimension for row in rows] + [j for fold in folded for j in fold.dimensions]
    assert sorted(shown) == list(range(dimensions))
    nats = [course.information[-1, row.dimension] for row in rows if row.state == "in use"]
    assert nats == sorted(nats, reverse=True)


def test_the_reason_is_that_of_the_newest_alert_with_a_cause(tmp_path: Path) -> None:
    quiet = replace(alert_of(AlertKind.SETTLING, 700), causes=(), advice=())
    course = course_of(tmp_path, falling_run({500: (fading_alert(500, [0]),), 700: (quiet,)}))
    why = reason(course)
    assert why is not None
    assert (why["kind"], why["step"], why["healthy"]) == ("FADING", 500, 300)
    assert reason(course_of(tmp_path / "calm", [make_evaluation(100, (ACTIVE,), bins=8)])) is None


def test_dimensions_in_use_that_are_folded_are_not_called_out_of_use(tmp_path: Path) -> None:
    course = course_of(tmp_path, [make_evaluation(100, (ACTIVE,) * 60 + (PASSIVE,) * 3, bins=8)])
    _, folded = rows_of(course, story_of(course))
    assert [(fold.state, len(fold.dimensions)) for fold in folded] == [("in use", 20), ("out of use", 3)]
