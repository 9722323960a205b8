"""Checkpoints of healthy steps: which one is pointed to, what pauses saving, and what resumes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from keepers import (
    BACK,
    BOTH,
    COLLAPSE,
    DRAIN,
    FADING,
    LOST,
    NONE,
    ONE,
    alert,
    feed,
    keeper_after_a_loss,
    on_disk,
    run,
)
from records import ACTIVE, PASSIVE, UNDECIDED, make_evaluation

from polar_monitor import PolarMonitor, PolarMonitorWarning
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.evaluation import Evaluation
from polar_monitor.healthy import PAUSING, KeepHealthy
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Verdict

# -- an alert ---------------------------------------------------------------------------------------------------------


def test_the_file_of_the_last_healthy_step_is_kept_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[int] = []

    def save() -> dict[str, Any]:
        counted.append(len(counted))
        return {"saved": len(counted)}

    keeper = KeepHealthy(tmp_path, save, keep=6)
    monitor = run(keeper, 40)
    first = next(one for one in monitor.alerts if one.kind in (FADING, DRAIN))
    assert first.last_healthy_step is not None
    assert keeper.healthy is not None
    step = int(keeper.healthy.stem.removeprefix("healthy-"))
    assert step == max(one for one in keeper.steps if one <= first.last_healthy_step)
    assert first.last_healthy_step - step <= 0.5 * (first.step - step) + 1
    assert torch.load(keeper.healthy, weights_only=True) == {"saved": step}
    assert sum("last healthy checkpoint" in record.message for record in caplog.records) == 1
    assert sorted(tmp_path.glob("*.pt")) == sorted(keeper.file(step) for step in keeper.steps)


@pytest.mark.parametrize("lost_dimensions", [1, 2])
def test_no_passing_of_time_makes_what_is_lost_well(lost_dimensions: int, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    monitor = run(keeper, 150, lost=lost_dimensions)
    first = min(one.step for one in monitor.alerts if one.kind in PAUSING)
    assert {one.kind for one in monitor.alerts} >= {LOST} | ({COLLAPSE} if lost_dimensions == 2 else set())
    assert max(on_disk(tmp_path)) < first
    assert keeper.healthy is not None
    assert keeper.healthy.is_file()


@pytest.mark.parametrize("kind", sorted(PAUSING))
def test_each_kind_of_trouble_pauses_it(kind: AlertKind, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=alert(21, kind, 1, 18))
    feed(keeper, range(22, 60), ONE, (2.0, 0.01))
    assert keeper.steps == on_disk(tmp_path)
    assert keeper.steps[-1] == 20
    assert keeper.healthy == keeper.file(max(step for step in keeper.steps if step <= 18))


@pytest.mark.parametrize("kind", sorted(set(AlertKind) - PAUSING))
def test_an_alert_about_no_loss_does_not(kind: AlertKind, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21), alerts=alert(20, kind))
    assert keeper.steps[-1] == 20
    assert keeper.healthy is None
    assert set(AlertKind) - PAUSING == {
        AlertKind.REVIVED,
        AlertKind.SETTLING,
        AlertKind.VARIANCE_COLLAPSE,
        AlertKind.FAR_FROM_PRIOR,
        AlertKind.CUSTOM,
    }


def test_the_earliest_last_healthy_step_of_a_pause_decides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=30)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=alert(21, AlertKind.SILENT, None))
    feed(keeper, [21], alerts=alert(21, AlertKind.SILENT, None))
    assert keeper.healthy == keeper.file(20)
    assert len(caplog.records) == 1
    feed(keeper, [22], alerts=alert(22, LOST, 1, 12))
    feed(keeper, [23], alerts=alert(23, LOST, 0, 15))
    assert keeper.healthy == keeper.file(12)


def test_without_an_old_enough_file_it_says_why_once(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=1)
    feed(keeper, range(1, 21))
    with pytest.warns(PolarMonitorWarning, match=r"step 18 or earlier.* found those of steps \[20\].* keep=") as warned:
        feed(keeper, [21], alerts=alert(21, FADING, 1, 18))
        feed(keeper, [22], alerts=alert(22, LOST, 1, 18))
    assert len(warned) == 1
    assert keeper.healthy is None


def test_a_file_that_somebody_removed_is_not_pointed_to(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=30)
    feed(keeper, range(1, 10))
    keeper.file(8).unlink()
    feed(keeper, [10], alerts=alert(10, LOST, 1, 8))
    assert keeper.healthy == keeper.file(7)


# -- what is never saved ----------------------------------------------------------------------------------------------


def test_a_model_that_is_not_well_is_not_saved_without_any_alert(tmp_path: Path) -> None:
    def finite(step: int, rows: float) -> Evaluation:
        one = make_evaluation(step, BOTH)
        assert one.snapshot is not None
        return replace(one, snapshot=replace(one.snapshot, non_finite=np.array([0.0, rows])))

    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [1, 2], NONE, (0.0, 0.0), verdict=Verdict.COLLAPSED)
    feed(keeper, [3], observed=0)
    feed(keeper, [4], empty=True)
    keeper.write(finite(5, 3.0))
    assert keeper.steps == []
    keeper.write(finite(6, 3.0))  # no more than before
    assert keeper.steps == [6]
    keeper.write(finite(7, 4.0))
    keeper.clear()
    keeper.write(finite(8, 4.0))
    assert keeper.steps == [6, 8]


def test_a_model_that_never_came_into_use_is_saved_once_it_did(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    collapsed: dict[str, Any] = {"verdict": Verdict.COLLAPSED}
    with pytest.warns(PolarMonitorWarning, match=r"found those of steps \[\]"):
        feed(keeper, [1], NONE, (0.0, 0.0), alerts=alert(1, COLLAPSE, None), **collapsed)
    feed(keeper, range(2, 30), NONE, (0.0, 0.0), **collapsed)
    feed(keeper, range(30, 40), (UNDECIDED, UNDECIDED), (0.1, 0.1))
    assert keeper.steps == []
    feed(keeper, range(40, 50))
    assert keeper.steps[0] == 40 + BACK - 1


# -- recovery ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "back"), [(ONE, False), ((ACTIVE, UNDECIDED), False), (BOTH, True)])
def test_it_saves_again_when_a_lost_dimension_is_in_use_three_times_in_a_row(
    labels: tuple[Label, ...], back: bool, tmp_path: Path
) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=2)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=alert(21, LOST, 1, 18))
    healthy = keeper.healthy
    feed(keeper, range(22, 40), ONE, (3.0, 0.01))
    feed(keeper, range(40, 40 + BACK - 1), labels)
    feed(keeper, [45], ONE, (3.0, 0.01))
    feed(keeper, range(46, 46 + BACK - 1), labels)
    assert keeper.steps[-1] == 20
    feed(keeper, range(46 + BACK - 1, 200), labels)
    assert keeper.steps[-1] == (199 if back else 20)
    assert keeper.healthy == healthy
    assert healthy is not None
    assert healthy.is_file()


@pytest.mark.parametrize(
    ("kind", "dimension", "evidence"), [(FADING, 1, {"from": 1.0}), (DRAIN, None, {"peak": 3.0, "total": 1.0})]
)
@pytest.mark.parametrize(("share", "back"), [(0.89, False), (0.91, True)])
def test_after_a_fall_nine_tenths_of_the_information_must_be_back(
    kind: AlertKind, dimension: int | None, evidence: dict[str, float], share: float, back: bool, tmp_path: Path
) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], nats=(1.0, 0.5), alerts=alert(21, kind, dimension, 18, **evidence))
    feed(keeper, range(22, 40), nats=(1.0, 0.5))
    assert keeper.steps[-1] == 20
    feed(keeper, range(40, 60), nats=(2.0 * share, 1.0 * share))
    assert keeper.steps[-1] == (59 if back else 20)


def test_a_later_loss_of_the_dimension_needs_no_less(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], nats=(2.0, 0.5), alerts=alert(21, FADING, 1, 18, **{"from": 1.0}))
    feed(keeper, [22], ONE, (2.0, 0.01), alerts=alert(22, LOST, 1, 18))
    feed(keeper, range(23, 40), nats=(2.0, 0.5))
    assert keeper.steps[-1] == 20
    feed(keeper, range(40, 60))
    assert keeper.steps[-1] == 59


def test_a_dimension_instead_of_the_lost_one_is_not_that_one_again(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21), (ACTIVE, ACTIVE, PASSIVE), (2.0, 1.0, 0.01))
    feed(keeper, [21], alerts=alert(21, LOST, 1, 18))
    feed(keeper, range(22, 60), (ACTIVE, PASSIVE, ACTIVE), (2.0, 0.01, 1.0))
    assert keeper.steps[-1] == 20


def test_one_evaluation_asked_for_often_is_one(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=alert(21, LOST, 1, 18))
    feed(keeper, [22] * BACK)
    feed(keeper, [23])
    assert keeper.steps[-1] == 20


def test_what_is_unknown_is_not_back(tmp_path: Path) -> None:
    """A published criterion may call active what ours finds less than nothing in, or knows nothing of."""
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [1])
    feed(keeper, [2], alerts=alert(2, FADING, 1, 1, **{"from": float("nan")}))
    for step, nats in ((3, np.nan), (4, -0.1), (5, np.nan), (6, np.nan)):
        one = make_evaluation(step, BOTH)
        assert one.snapshot is not None
        keeper.write(replace(one, snapshot=replace(one.snapshot, information=np.array([2.0, nats]))))
    assert keeper.steps == [1]
    feed(keeper, range(20, 30))
    assert keeper.steps[-1] == 29


def test_the_next_trouble_after_a_recovery_has_its_own_file(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=3)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=alert(21, FADING, 1, 18))
    first = keeper.healthy
    assert first == keeper.file(max(step for step in keeper.steps if step <= 18))
    feed(keeper, range(22, 101))
    assert len(on_disk(tmp_path)) == 4  # the healthy one and three more
    feed(keeper, [101], alerts=alert(101, FADING, 0, 100))
    assert keeper.healthy == keeper.file(100)
    feed(keeper, range(102, 110))
    assert len(on_disk(tmp_path)) == 4


def test_clear_saves_although_something_is_lost(tmp_path: Path) -> None:
    lost = keeper_after_a_loss(tmp_path)
    lost.clear()
    assert lost.healthy is None
    feed(lost, [39], ONE, (2.0, 0.01))
    assert lost.steps[-1] == 39


def test_clear_forgets_a_latent_that_ended_unwell(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [1], name="gone", observed=0)
    feed(keeper, [1, 2], name="here")
    assert keeper.steps == []
    keeper.clear()
    feed(keeper, [3], name="here")
    assert keeper.steps == [3]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (alert(30, AlertKind.SILENT, None), alert(40, DRAIN, None, peak=6.0)),
        (alert(30, LOST), alert(40, FADING, **{"from": 3.0})),
    ],
    ids=["the_total", "a_dimension"],
)
def test_a_second_alert_in_a_pause_raises_what_a_recovery_needs(
    first: tuple[Alert, ...], second: tuple[Alert, ...], tmp_path: Path
) -> None:
    keeper = KeepHealthy(tmp_path, lambda: 0, keep=20)
    feed(keeper, [10, 20], nats=(3.0, 3.0))
    feed(keeper, [30], nats=(3.0, 3.0), alerts=first)
    feed(keeper, [40], nats=(1.0, 1.0), alerts=second)
    feed(keeper, range(50, 50 + 10 * 2 * BACK, 10), nats=(0.9, 0.9))
    assert keeper.steps == [10, 20]
    feed(keeper, range(200, 200 + 10 * BACK, 10), nats=(3.0, 3.0))
    assert keeper.steps == [10, 20, 200 + 10 * (BACK - 1)]


def test_a_late_record_of_another_latent_does_not_remove_the_healthy_file(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, lambda: 0)
    feed(keeper, [10, 20], name="a")
    feed(keeper, [21], name="a", alerts=alert(21, LOST, healthy=20))
    feed(keeper, [20], NONE, (0.0, 0.0), name="b")
    assert keeper.healthy == keeper.file(20)
    assert keeper.file(20).is_file()


# -- which evaluations count ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_only_mode_counts(mode: str, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=3, keep=9)
    feed(keeper, range(1, 9), mode=mode)
    assert keeper.steps == [1, 4, 7]


def test_a_validation_before_the_training_does_not_lead(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=2, keep=9)
    feed(keeper, [0], mode="eval")
    feed(keeper, range(1, 8))
    assert keeper.steps == [0, 2, 4, 6]


@pytest.mark.parametrize("order", [1, -1])
def test_beside_training_validation_counts_nothing_but_pauses(order: int, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=2, keep=9)
    for step in range(1, 10):
        for mode in ("train", "eval")[::order]:
            feed(keeper, [step], mode=mode)
    assert keeper.steps == [1, 3, 5, 7, 9]
    feed(keeper, [10], mode="eval", alerts=alert(10, LOST, 1, 7))
    feed(keeper, range(11, 30))
    assert keeper.steps[-1] == 9
    assert keeper.healthy == keeper.file(7)


@pytest.mark.parametrize("names", [("a", "b"), ("", "")])
def test_several_latents_count_once_and_each_must_be_well(names: tuple[str, str], tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=3, keep=99)
    for step in range(1, 12):
        for name in names:
            feed(keeper, [step], name=name)
    assert keeper.steps == [1, 4, 7, 10]
    feed(keeper, [12, 13], name=names[0])
    assert keeper.steps[-1] == 13
    feed(keeper, [13], name=names[1], alerts=alert(13, LOST, 1, 11))
    assert on_disk(tmp_path) == keeper.steps == [1, 4, 7, 10]  # it was not well at 13, as the second one showed
    for step in range(14, 14 + BACK - 1):
        for name in names:
            feed(keeper, [step], name=name)
    feed(keeper, [16], name=names[0])
    feed(keeper, [16], name=names[1], observed=0)
    feed(keeper, [17], name=names[0])
    assert keeper.steps[-1] == 10


def test_all_must_be_well_at_once(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    for step in range(1, 9):
        feed(keeper, [step], NONE, (0.0, 0.0), name="a", verdict=Verdict.COLLAPSED)
        feed(keeper, [step], name="b")
    assert keeper.steps == []
    feed(keeper, [9], name="a")
    assert keeper.steps == [9]
    feed(keeper, [9], NONE, (0.0, 0.0), name="b", verdict=Verdict.COLLAPSED)
    assert keeper.steps == on_disk(tmp_path) == []


def test_two_monitors_share_a_keeper(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=4, keep=99)
    pair = [PolarMonitor(sinks=[keeper], every=1, window=512, max_overhead=1.0, name=name) for name in ("a", "b")]
    for step in range(1, 14):
        for monitor in pair:
            mean = np.random.default_rng(step).normal(size=(512, 2))
            monitor.observe(mean, var=np.full(mean.shape, 0.05))
            monitor.step()
    for monitor in pair:
        monitor.detach()
    assert keeper.steps == [1, 5, 9, 13]
