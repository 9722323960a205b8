"""Checkpoints of healthy steps over restarts, on disks that fail, and beside files that are not ours."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from records import ACTIVE, PASSIVE, make_evaluation
from test_healthy import BOTH, FADING, LOST, ONE, feed, on_disk, told

from polar_monitor import PolarMonitor, PolarMonitorWarning
from polar_monitor.healthy import KeepHealthy
from polar_monitor.healthy.memory import LONGEST, STATE
from polar_monitor.healthy.series import PAST
from polar_monitor.regime.regime import DWELL
from polar_monitor.sinks.group import SinkGroup

FULL = OSError(28, "No space left on device")


@pytest.fixture
def lost(tmp_path: Path) -> KeepHealthy:
    """All well up to 35, a dimension lost at 38; the file of 30 is the one to go back to."""
    keeper = KeepHealthy(tmp_path, dict, keep=9)
    feed(keeper, range(5, 38, 5))
    feed(keeper, [38], ONE, (2.0, 0.01), alerts=told(38, LOST, 1, 31))
    assert keeper.healthy == keeper.file(30)
    return keeper


def test_a_restart_in_trouble_is_in_trouble_still(lost: KeepHealthy) -> None:
    again = KeepHealthy(lost.folder, dict, keep=9)
    assert again.healthy == lost.healthy
    feed(again, range(40, 90), ONE, (2.0, 0.01))
    assert on_disk(lost.folder) == lost.steps
    feed(again, range(90, 90 + DWELL + 1))
    assert again.steps[-1] == 90 + DWELL
    assert again.healthy == lost.healthy


def test_what_is_wanted_after_a_restart_is_what_was_there_before(tmp_path: Path) -> None:
    """The second process never sees a dimension of one nat before it fades."""
    feed(KeepHealthy(tmp_path, dict), range(5, 38, 5))
    again = KeepHealthy(tmp_path, dict)
    feed(again, [40], nats=(2.0, 0.5), alerts=told(40, FADING, 1, 36))
    feed(again, range(41, 60), nats=(2.5, 0.8))
    assert again.steps[-1] == 35
    feed(again, range(60, 60 + DWELL + 1))
    assert again.steps[-1] == 63


def test_what_was_remembered_is_read_whatever_it_was(tmp_path: Path) -> None:
    """A published criterion may call active what ours finds less than nothing in, or knows nothing of."""
    one = make_evaluation(1, BOTH)
    assert one.snapshot is not None
    KeepHealthy(tmp_path, dict).write(
        replace(one, snapshot=replace(one.snapshot, information=np.array([np.nan, -0.1])))
    )
    with warnings.catch_warnings(record=True) as said:
        assert KeepHealthy(tmp_path, dict).steps == [1]
    assert said == []


def test_resuming_from_the_advised_step_makes_it_go_on(lost: KeepHealthy) -> None:
    again = KeepHealthy(lost.folder, dict, keep=9)
    again.resume(30)
    assert again.healthy is None
    assert on_disk(lost.folder) == again.steps == [5, 10, 15, 20, 25, 30]  # 35 is of the abandoned branch
    feed(again, [31])
    assert again.steps[-1] == 31


@pytest.mark.parametrize("step", [38, 60])
def test_resuming_after_the_alert_does_not(step: int, lost: KeepHealthy) -> None:
    again = KeepHealthy(lost.folder, dict, keep=9)
    again.resume(step)
    feed(again, range(step + 1, step + 30), ONE, (2.0, 0.01))
    assert again.steps == lost.steps
    assert again.healthy == lost.healthy


def test_resuming_between_two_alerts_wants_what_the_first_told(lost: KeepHealthy) -> None:
    feed(lost, [45], (PASSIVE, PASSIVE), (0.0, 0.0), alerts=told(45, LOST, 0, 40))
    lost.resume(40)
    feed(lost, range(41, 41 + DWELL + 1), (PASSIVE, ACTIVE), (0.0, 3.0))
    assert lost.steps == [5, 10, 15, 20, 25, 30, 35, 44]


def test_a_resume_counts_what_is_back_anew(lost: KeepHealthy) -> None:
    feed(lost, range(40, 40 + DWELL - 1))
    lost.resume(41)
    feed(lost, [42, 43])
    assert lost.steps[-1] == 35


def test_a_resume_forgets_the_levels_of_the_abandoned_branch(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 16))
    feed(keeper, range(16, 31), nats=(4.0, 4.0))
    keeper.resume(15)
    feed(keeper, [16], alerts=told(16, LOST, 1, None))
    feed(keeper, range(17, 17 + DWELL + 1))
    assert keeper.steps[-1] == 20


def test_resuming_from_before_the_advised_file_leaves_it_aside(lost: KeepHealthy) -> None:
    again = KeepHealthy(lost.folder, dict)
    again.resume(22)
    assert again.healthy is None
    assert on_disk(lost.folder) == again.steps == [5, 10, 15, 20]
    assert on_disk(lost.folder / "before-1") == [30]
    feed(again, [25])
    assert again.steps[-1] == 25


def test_files_of_an_abandoned_branch_do_not_come_back(tmp_path: Path) -> None:
    first = KeepHealthy(tmp_path, dict, keep=20)
    feed(first, range(1, 31))
    second = KeepHealthy(tmp_path, dict, keep=5)
    second.resume(15)
    feed(second, range(16, 21))
    third = KeepHealthy(tmp_path, dict, keep=5)
    assert on_disk(tmp_path) == third.steps == second.steps
    assert len(third.steps) == 5
    assert max(third.steps) == 20


def test_a_run_that_begins_again_without_its_state_is_another_run(lost: KeepHealthy) -> None:
    again = KeepHealthy(lost.folder, dict)
    with pytest.warns(PolarMonitorWarning, match=r"begins at step 5.*came to step 38.*load_state_dict"):
        feed(again, range(5, 20))
    assert on_disk(lost.folder / "before-1") == lost.steps
    assert min(again.steps) == 5
    assert max(again.steps) == 19
    with pytest.warns(PolarMonitorWarning, match="before-2"):
        feed(again, [1])
    assert on_disk(lost.folder) == again.steps == [1]


def test_giving_up_what_is_lost_does_not_forget_how_far_the_run_came(lost: KeepHealthy) -> None:
    KeepHealthy(lost.folder, dict).clear()
    with pytest.warns(PolarMonitorWarning, match=r"begins at step 37.*came to step 38"):
        feed(KeepHealthy(lost.folder, dict), [37])


def test_a_run_that_was_resumed_came_no_farther_than_since_then(lost: KeepHealthy) -> None:
    again = KeepHealthy(lost.folder, dict)
    again.resume(30)
    feed(again, [31, 32])
    with pytest.warns(PolarMonitorWarning, match=r"begins at step 31.*came to step 32"):
        feed(again, [31])


def test_a_run_goes_on_with_its_monitors_state(tmp_path: Path) -> None:
    """Two dimensions, of which one fades; then the run goes on from the healthy file, in which the monitor is too."""

    def run(keeper: KeepHealthy, steps: int, onset: float, state: dict[str, Any] | None = None) -> None:
        monitor = PolarMonitor(sinks=[keeper], every=1, window=512, max_overhead=1.0)
        keeper.save = lambda: {"monitor": monitor.state_dict()}
        if state is not None:
            monitor.load_state_dict(state)
        for step in range(monitor.health().steps + 1, steps + 1):
            left = np.array([1.0, np.exp(-max(step - onset, 0) / 6)])
            mean = np.random.default_rng(step).normal(size=(512, 2)) * left
            monitor.observe(mean, var=np.broadcast_to(np.clip(1 - 0.95 * left**2, 0.05, 1), mean.shape))
            monitor.step()
        monitor.detach()
        assert monitor.health().sink_drops == monitor.health().errors == 0

    run(KeepHealthy(tmp_path, dict), 70, 30)
    again = KeepHealthy(tmp_path, dict)
    assert again.healthy is not None
    step = int(again.healthy.stem.removeprefix("healthy-"))
    assert 20 <= step <= 31
    state = torch.load(again.healthy, weights_only=True)["monitor"]
    run(again, 70, np.inf, state)
    assert again.healthy is None
    assert on_disk(tmp_path) == again.steps
    assert again.steps[-1] == 70


@pytest.mark.parametrize("name", ["healthy-100-best.pt", "healthy-.pt", "healthy-007.pt", "healthy-²1.pt", "best.pt"])
def test_what_is_not_ours_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    (tmp_path / "healthy-3.pt").mkdir()
    keeper = KeepHealthy(tmp_path, dict, keep=1)
    assert keeper.steps == []
    feed(keeper, range(4, 9))
    keeper.resume(5)
    assert (tmp_path / name).read_text() == "mine"
    assert (tmp_path / "healthy-3.pt").is_dir()


class Broken(dict[str, int]):
    """Fails while it is written, as on a disk that is full."""

    def __reduce__(self) -> Any:
        raise FULL


def fails() -> Any:
    raise FULL


@pytest.mark.parametrize("save", [fails, lambda: {"a": torch.zeros(1000), "b": Broken()}])
def test_a_save_that_fails_leaves_no_file_and_all_else_as_it_is(save: Callable[[], Any], tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=2)
    feed(keeper, range(1, 6))
    before = sorted(tmp_path.iterdir())
    keeper.save = save
    group = SinkGroup([keeper])
    for step in range(6, 26):
        group.write(make_evaluation(step, BOTH, information=(2.0, 1.0)))
    assert group.drops == 10  # never so often in a row that it is switched off
    assert sorted(tmp_path.iterdir()) == before
    assert keeper.steps == on_disk(tmp_path) == [1, 3, 5]
    keeper.save = dict
    feed(keeper, [26, 27])
    assert keeper.steps == [1, 3, 5, 27]
    feed(keeper, [28], alerts=told(28, LOST, 1, 20))
    assert keeper.healthy == keeper.file(5)


def test_a_disk_that_fails_at_the_alert_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 10))

    def full(*_: Any) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        group = SinkGroup([keeper])
        group.write(make_evaluation(10, ONE, alerts=told(10, LOST, 1, 8)))
    assert group.drops == 1
    assert keeper.healthy == keeper.file(8)
    feed(keeper, range(11, 40), ONE, (2.0, 0.01))
    assert keeper.steps == on_disk(tmp_path)
    assert keeper.steps[-1] == 9


def test_a_disk_that_fails_harms_no_monitor(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    monitor = PolarMonitor(sinks=[KeepHealthy(tmp_path, fails)], every=1, window=512, max_overhead=1.0)
    for step in range(20):
        monitor.observe(np.random.default_rng(step).normal(size=(512, 2)), var=np.full((512, 2), 0.05))
        monitor.step()
    monitor.detach()
    assert monitor.health().sink_drops > 0
    assert monitor.health().evaluations == 20
    assert sum("No space left" in record.message for record in caplog.records) == 1


def test_a_file_that_somebody_removed_is_not_pointed_to(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=30)
    feed(keeper, range(1, 10))
    keeper.file(8).unlink()
    feed(keeper, [10], alerts=told(10, LOST, 1, 8))
    assert keeper.healthy == keeper.file(7)
    keeper.file(7).unlink()
    assert KeepHealthy(tmp_path, dict).healthy is None


GOOD: dict[str, Any] = {"version": 1, "step": 9, "healthy": None, "since": -1, "known": False, "series": []}
SERIES: dict[str, Any] = {"name": "", "mode": "train", "wanted": [], "past": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        "[" * 100_000,
        json.dumps(GOOD | {"version": 2}),
        json.dumps(GOOD | {"step": True}),
        json.dumps(GOOD | {"since": 1e300}),
        json.dumps(GOOD | {"healthy": "../../x"}),
        json.dumps(GOOD | {"series": {"a": 1}}),
        json.dumps(GOOD | {"series": [SERIES | {"wanted": [[1, 2]]}]}),
        json.dumps(GOOD | {"series": [SERIES | {"wanted": [[1, None, float("nan")]]}]}),
        json.dumps(GOOD | {"series": [SERIES | {"past": [[i, []] for i in range(PAST + 1)]}]}),
        json.dumps({key: value for key, value in GOOD.items() if key != "known"}),
    ],
)
def test_a_state_that_is_none_is_told_and_left_out(text: str, tmp_path: Path) -> None:
    (tmp_path / STATE).write_text(text)
    with pytest.warns(PolarMonitorWarning, match=r"healthy\.json.* cannot be read"):
        keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [10])
    assert keeper.steps == [10]
    assert KeepHealthy(tmp_path, dict).steps == [10]


def test_a_state_that_has_no_end_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / STATE, "wb") as file:
        file.truncate(LONGEST + 1)
    with pytest.warns(PolarMonitorWarning, match=f"longer than {LONGEST} bytes"):
        KeepHealthy(tmp_path, dict)


def test_a_healthy_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text(json.dumps(GOOD | {"healthy": 7}))
    assert KeepHealthy(tmp_path, dict).healthy is None


def test_a_forked_process_does_nothing(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [1])
    keeper._pid += 1
    feed(keeper, [2])
    keeper.resume(0)
    assert on_disk(tmp_path) == [1]
