"""Files of healthy checkpoints: which are kept, over resumes and other runs, and with disks that fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keepers import (
    BACK,
    BOTH,
    FULL,
    LOST,
    NONE,
    ONE,
    alert,
    feed,
    keeper_after_a_loss,
    on_disk,
    run,
)
from records import ACTIVE, PASSIVE, make_evaluation

from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning
from polar_monitor.healthy import KeepHealthy
from polar_monitor.sinks.group import SinkGroup

# -- which files are kept ---------------------------------------------------------------------------------------------


@given(keep=st.integers(1, 8), gaps=st.lists(st.integers(1, 50), min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_the_newest_is_kept_and_the_others_lie_the_wider_apart_the_farther_back(
    keep: int, gaps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    keeper = KeepHealthy(tmp_path_factory.mktemp("healthy"), dict, keep=keep)
    feed(keeper, np.cumsum(gaps).tolist(), bins=2)
    assert keeper.steps == on_disk(keeper.folder)
    assert keeper.steps[-1] == sum(gaps)
    assert len(keeper.steps) == min(keep, len(gaps))
    if keep > 1:
        assert keeper.steps[0] == gaps[0]


@pytest.mark.parametrize(
    ("steps", "keep", "left"),
    [([1, 2, 3, 4, 5], 4, [1, 3, 4, 5]), ([0, 6, 7, 8, 10], 4, [0, 6, 8, 10]), ([1, 2, 3], 1, [3])],
)
def test_files_by_hand(steps: list[int], keep: int, left: list[int], tmp_path: Path) -> None:
    """Ages 3, 2, 1 and gaps of two each: the oldest between the ends has the least gap for its age."""
    keeper = KeepHealthy(tmp_path, dict, keep=keep)
    feed(keeper, steps)
    assert keeper.steps == on_disk(tmp_path) == left


@pytest.mark.parametrize("name", ["healthy-100-best.pt", "healthy-.pt", "healthy-007.pt", "healthy-²1.pt", "best.pt"])
def test_other_files_are_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    (tmp_path / "healthy-3.pt").mkdir()
    keeper = KeepHealthy(tmp_path, dict, keep=1)
    assert keeper.steps == []
    feed(keeper, range(4, 9))
    keeper.resume(5)
    assert (tmp_path / name).read_text() == "mine"
    assert (tmp_path / "healthy-3.pt").is_dir()


# -- resumed runs and other runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("new_process", [False, True])
def test_going_back_to_the_healthy_step_makes_it_save_again(new_process: bool, tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    keeper = KeepHealthy(lost.folder, dict, keep=9) if new_process else lost
    keeper.resume(30)
    assert keeper.healthy is None
    assert on_disk(lost.folder) == keeper.steps == [5, 10, 15, 20, 25, 30]  # 35 is of the abandoned branch
    feed(keeper, [31])
    assert keeper.steps[-1] == 31


@pytest.mark.parametrize("step", [38, 60])
def test_resuming_after_the_alert_does_not(step: int, tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    lost.resume(step)
    feed(lost, range(step + 1, step + 30), ONE, (2.0, 0.01))
    assert lost.steps == on_disk(lost.folder) == [5, 10, 15, 20, 25, 30, 35]
    assert lost.healthy == lost.file(30)


def test_resuming_between_two_alerts_needs_what_the_first_lost(tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    feed(lost, [45], NONE, (0.0, 0.0), alerts=alert(45, LOST, 0, 40))
    lost.resume(40)
    feed(lost, range(41, 41 + BACK), (PASSIVE, ACTIVE), (0.0, 3.0))
    assert lost.steps == [5, 10, 15, 20, 25, 30, 35, 40 + BACK]


def test_a_resume_counts_a_recovery_from_the_beginning(tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    feed(lost, range(40, 40 + BACK - 1))
    lost.resume(41)
    feed(lost, [42, 43])
    assert lost.steps[-1] == 35


def test_an_evaluation_at_the_step_of_a_resume_leaves_its_file(tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    lost.resume(30)
    feed(lost, [30], observed=0)
    assert on_disk(lost.folder)[-1] == 30


def test_a_run_that_starts_again_without_its_state_is_another_run(tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    keeper = KeepHealthy(lost.folder, dict)
    with pytest.warns(PolarMonitorWarning, match=r"starts at step 5;.*up to step 35.*load_state_dict"):
        feed(keeper, range(5, 20))
    assert sorted(file.name for file in lost.folder.glob("*.old")) == sorted(
        f"healthy-{step}.pt.old" for step in (5, 10, 15, 20, 25, 30, 35)
    )
    assert on_disk(lost.folder) == keeper.steps
    assert (min(keeper.steps), max(keeper.steps)) == (5, 19)
    with pytest.warns(PolarMonitorWarning, match=r"starts at step 1;.*up to step 19"):
        feed(keeper, [1])
    assert on_disk(lost.folder) == keeper.steps == [1]


def test_a_run_goes_on_with_its_monitors_state(tmp_path: Path) -> None:
    """Two dimensions, of which one fades; then the run goes on from the healthy file, in which the monitor is too."""
    first = KeepHealthy(tmp_path, dict)
    run(first, 70, 30, with_state=True)
    assert first.healthy is not None
    step = int(first.healthy.stem.removeprefix("healthy-"))
    assert 20 <= step <= 31
    state = torch.load(first.healthy, weights_only=True)["monitor"]
    again = KeepHealthy(tmp_path, dict)
    run(again, 70, np.inf, with_state=True, state=state)
    assert again.healthy is None
    assert on_disk(tmp_path) == again.steps
    assert again.steps[-1] == 70


# -- disks that fail, and bad arguments -------------------------------------------------------------------------------


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
    feed(keeper, [28], alerts=alert(28, LOST, 1, 20))
    assert keeper.healthy == keeper.file(5)


def test_a_disk_that_fails_has_no_half_written_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 10))

    def full(*_: Any) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            feed(keeper, [10])
    assert sorted(tmp_path.iterdir()) == sorted(keeper.file(step) for step in keeper.steps)
    feed(keeper, [11])
    assert keeper.steps[-1] == 11


def test_a_disk_that_fails_harms_no_monitor(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    monitor = PolarMonitor(sinks=[KeepHealthy(tmp_path, fails)], every=1, window=512, max_overhead=1.0)
    for step in range(20):
        monitor.observe(np.random.default_rng(step).normal(size=(512, 2)), var=np.full((512, 2), 0.05))
        monitor.step()
    monitor.detach()
    assert monitor.health().sink_drops > 0
    assert monitor.health().evaluations == 20
    assert sum("No space left" in record.message for record in caplog.records) == 1


def test_a_forked_process_does_nothing(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [1])
    keeper._pid += 1
    feed(keeper, [2])
    keeper.resume(0)
    assert on_disk(tmp_path) == [1]


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(PolarMonitorError, match="save: expected a callable"):
        KeepHealthy(tmp_path, {})  # type: ignore[arg-type]
    with pytest.raises(PolarMonitorError, match="keep: expected a whole number of 1"):
        KeepHealthy(tmp_path, dict, keep=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(PolarMonitorError, match="folder: cannot make"):
        KeepHealthy(tmp_path / "file" / "below", dict)


def test_a_disk_that_fails_at_an_alert_does_not_hide_the_healthy_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = KeepHealthy(tmp_path, lambda: 0)
    feed(keeper, [10, 20], name="a")

    def fail(*_: Any, **__: Any) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", fail)
        with pytest.raises(OSError, match="No space"):
            feed(keeper, [20], name="b", alerts=alert(20, LOST, healthy=10))
    assert keeper.healthy == keeper.file(10)
