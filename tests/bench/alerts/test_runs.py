"""Runs of the suite: a stored run is the live one, the truth leaves it alone, and the catalogue is what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from alert_runs import TINY
from watching import same

from bench.alerts.scoring.replay import replay
from bench.alerts.training import catalogue, healthy, train
from bench.alerts.training.course import Course, Host
from bench.alerts.training.intervene import Worth
from bench.alerts.training.record import FIELDS, Run, load


def test_a_replay_gives_exactly_the_live_alerts_and_labels(tiny: Run, tmp_path: Path) -> None:
    tiny.save(tmp_path / "tiny.npz")
    again = load(tmp_path / "tiny.npz")
    alerts, labels = replay(again)
    assert {"fading", "lost", "collapse"} <= {str(alert.kind) for alert in tiny.alerts}
    assert same([a.to_dict() for a in alerts], [a.to_dict() for a in tiny.alerts])
    assert same([a.to_dict() for a in again.alerts], [a.to_dict() for a in tiny.alerts])
    np.testing.assert_array_equal(labels, tiny.labels)


def test_a_stored_run_is_the_run(tiny: Run, tmp_path: Path) -> None:
    tiny.save(tmp_path / "tiny.npz")
    again = load(tmp_path / "tiny.npz")
    for group in ("snapshots", "host", "truth"):
        assert getattr(tiny, group).keys() == getattr(again, group).keys()
        for name, values in getattr(tiny, group).items():
            np.testing.assert_array_equal(values, getattr(again, group)[name])
    assert set(again.snapshots) == {f.name for f in FIELDS}
    assert again.labels.shape == (50, 4)
    assert again.truth["rise"].shape == (25, 4)
    assert again.truth_steps.tolist() == again.steps[1::2].tolist()
    assert again.steps.tolist() == list(range(14, 701, 14))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".npz"]


def test_a_run_of_another_version_is_refused(tiny: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.alerts.training.record.VERSION", 0)
    tiny.save(tmp_path / "old.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="delete it"):
        load(tmp_path / "old.npz")


def test_the_truth_leaves_training_and_monitor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    course = Course(replace(TINY, steps=112))
    with_it = train.train(course, "a", "a", 3, healthy=True)
    nothing = Worth(torch.zeros(4), torch.zeros(4), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    monkeypatch.setattr(train, "worth", lambda *_: nothing)
    without = train.train(course, "a", "a", 3, healthy=True)
    assert with_it.truth["reconstruction"].min() > 0
    for name, values in with_it.snapshots.items():
        np.testing.assert_array_equal(values, without.snapshots[name])
    np.testing.assert_array_equal(with_it.host["loss"], without.host["loss"])


def test_a_run_follows_from_its_seed() -> None:
    course = Course(replace(TINY, steps=60))
    one, two, other = (train.train(course, "a", "a", seed, healthy=True) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.truth["rise"], two.truth["rise"])
    assert (one.host["loss"] != other.host["loss"]).all()


def test_a_restart_goes_on_where_it_was() -> None:
    def killed(host: Host, step: int) -> None:
        if step == 67:
            before = {name: p.clone() for name, p in host.model.state_dict().items()}
            train.restart(host)
            assert all(torch.equal(before[name], p) for name, p in host.model.state_dict().items())

    run = train.train(Course(replace(TINY, steps=112), killed), "a", "a", 3, healthy=True)
    assert run.steps.tolist() == list(range(14, 113, 14))
    assert (run.observed == 14 * 64).all()


def test_the_catalogue_is_what_it_says() -> None:
    full, quick = catalogue.every(), catalogue.every(quick=True)
    assert {entry.seed for entry in catalogue.every(seeds=[101, 103])} == {101, 103}
    assert len({entry.name for entry in full}) == len(full) >= 120
    assert {entry.name for entry in quick} == set(catalogue.QUICK)
    assert sum(entry.kind in healthy.HEALTHY for entry in full) * 2 >= len(full)
    assert sum(entry.kind in healthy.HEALTHY for entry in quick) * 2 == len(quick)
    assert len({entry.recipe for entry in full}) == len(catalogue.KINDS)


def test_only_what_is_missing_or_outdated_is_trained(
    tiny: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalogue.every()[0]
    assert catalogue.kept(entry, tmp_path) is None
    replace(tiny, recipe=entry.recipe).save(tmp_path / f"{entry.name}.npz")
    found = list(catalogue.collect([entry], tmp_path, jobs=1))
    assert [run.name for run in found] == ["tiny-1"]
    replace(tiny, recipe="other").save(tmp_path / f"{entry.name}.npz")
    assert catalogue.kept(entry, tmp_path) is None
    assert len(list(catalogue.stored([entry], tmp_path))) == 1


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_kind_draws_courses_that_fit(kind: str) -> None:
    courses = [catalogue.KINDS[kind](np.random.default_rng([7, seed])) for seed in range(6)]
    assert len({course.setup for course in courses}) > 1
    for course in courses:
        assert 70 <= course.setup.steps / course.setup.pace <= 270
        assert course.setup.warmup < 0.7 * course.setup.steps
