"""Runs as a monitor sees them that looks more seldom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alert_runs import GONE, STEADY, TINY, made

from bench.alerts.scoring import density
from bench.alerts.scoring.density import DENSITIES, default, regular, thinned
from bench.alerts.scoring.outcomes import outcome, prepared
from bench.alerts.scoring.replay import replay
from bench.alerts.scoring.truth import events
from bench.alerts.training import train
from bench.alerts.training.course import Course
from bench.alerts.training.record import Run
from polar_monitor.alerts.alert_rules import AlertRules


def test_the_default_schedule_looks_early_and_then_every_fifty_steps() -> None:
    steps = default(1000)
    assert steps[:6].tolist() == [10, 13, 17, 22, 29, 37]
    gaps = np.diff(steps)
    assert (gaps[-10:] == 50).all()
    assert gaps.max() == 50
    assert steps[-1] == 1000


def test_a_further_monitor_sees_what_it_would_see_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    course = Course(replace(TINY, steps=112, every=7, seldom=(28,)))
    both = train.train(course, "a", "a", 3, healthy=True)
    alone = train.train(replace(course, setup=replace(course.setup, every=28, seldom=())), "a", "a", 3, healthy=True)
    monkeypatch.setitem(density.DENSITIES, "every=28", regular(28))
    monkeypatch.setitem(density.SOURCES, "every=28", 28)
    thin = thinned(both, "every=28")
    assert thin.every == 28
    for name in ("steps", "observed"):
        np.testing.assert_array_equal(getattr(thin, name), getattr(alone, name))
    for name, values in alone.snapshots.items():
        np.testing.assert_array_equal(thin.snapshots[name], values, name)
    np.testing.assert_allclose(thin.host["loss"], alone.host["loss"])
    np.testing.assert_array_equal(thin.host["beta"], alone.host["beta"])


def test_a_thinned_run_is_that_of_a_monitor_that_never_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    course = Course(replace(TINY, steps=112, every=7, seldom=()))
    often = train.train(course, "a", "a", 3, healthy=True)
    seldom = train.train(replace(course, setup=replace(course.setup, every=14)), "a", "a", 3, healthy=True)
    monkeypatch.setitem(density.DENSITIES, "every=14", regular(14))
    thin = thinned(often, "every=14")
    for name in ("steps", "observed"):
        np.testing.assert_array_equal(getattr(thin, name), getattr(seldom, name))
    for name in (
        "information",
        "information_se",
        "kl",
        "variance",
        "share_passive",
        "valley",
        "n",
        "rows",
        "rows_from",
    ):
        np.testing.assert_array_equal(thin.snapshots[name], seldom.snapshots[name], name)


def test_the_nearest_evaluations_are_taken_once_each() -> None:
    run = made(np.stack([GONE, STEADY], 1))
    thin = thinned(run, "every=100")
    assert thin.steps.tolist() == list(range(100, 1501, 100))
    assert (thin.observed == 4 * 2400).all()
    assert thinned(run, "every=20").steps.tolist() == run.steps.tolist()
    early = thinned(run, "default").steps
    assert len(set(early.tolist())) == len(early)


def test_the_truth_does_not_depend_on_the_density() -> None:
    run = made(np.stack([GONE, STEADY], 1))
    assert events(thinned(run, "every=500")) is events(run)


def test_an_outcome_is_a_replay_of_each_density(tiny: Run) -> None:
    found = outcome(prepared(tiny), AlertRules())
    assert list(found.alarms) == list(DENSITIES)
    for name in ("every=20", "every=100"):
        alerts = replay(thinned(tiny, name))[0]
        assert [alarm.step for alarm in found.alarms[name]] == [alert.step for alert in alerts]
    assert found.alarms["every=20"]
    assert found.tally("every=20").leads
