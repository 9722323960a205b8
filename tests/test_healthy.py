"""Checkpoints of healthy steps: which are kept, which one is pointed to, and what makes it save again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from records import ACTIVE, PASSIVE, UNDECIDED, make_alert, make_evaluation

from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.evaluation import Evaluation
from polar_monitor.healthy import KeepHealthy
from polar_monitor.healthy.keeper import BAD
from polar_monitor.healthy.series import BACK, thinned
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import DWELL, Verdict

LOST, FADING, COLLAPSE = AlertKind.LOST, AlertKind.FADING, AlertKind.COLLAPSE
BOTH, ONE, NONE = (ACTIVE, ACTIVE), (ACTIVE, PASSIVE), (PASSIVE, PASSIVE)


def told(step: int, kind: AlertKind, dimension: int | None = 1, healthy: int | None = None) -> tuple[Alert, ...]:
    return (replace(make_alert(step, dimension, kind), last_healthy_step=healthy, evidence={}),)


def feed(
    keeper: KeepHealthy,
    steps: range | list[int],
    labels: tuple[Label, ...] = BOTH,
    nats: tuple[float, ...] = (2.0, 1.0),
    **more: Any,
) -> None:
    """Evaluations of two dimensions, two and one nats without more words."""
    for step in steps:
        keeper.write(make_evaluation(step, labels, information=nats, **more))


def on_disk(folder: Path) -> list[int]:
    return sorted(int(file.stem.removeprefix("healthy-")) for file in folder.glob("healthy-*.pt"))


def trained(keeper: KeepHealthy, steps: int, onset: int = 30, lost: int = 1) -> PolarMonitor:
    """`lost` of two dimensions fade from `onset` on."""
    monitor = PolarMonitor(sinks=[keeper], every=1, window=512, max_overhead=1.0)
    for step in range(1, steps + 1):
        left = np.ones(2)
        left[-lost:] = np.exp(-max(step - onset, 0) / 6)
        mean = np.random.default_rng(step).normal(size=(512, 2)) * left
        monitor.observe(mean, var=np.broadcast_to(np.clip(1 - 0.95 * left**2, 0.05, 1), mean.shape))
        monitor.step()
    monitor.detach()
    return monitor


def test_the_file_of_the_last_healthy_step_is_kept_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[int] = []

    def save() -> dict[str, Any]:
        counted.append(len(counted))
        return {"saved": len(counted)}

    keeper = KeepHealthy(tmp_path, save, keep=6)
    monitor = trained(keeper, 40)
    first = next(alert for alert in monitor.alerts if alert.kind in (FADING, AlertKind.DRAIN))
    assert first.last_healthy_step is not None
    assert keeper.healthy is not None
    step = int(keeper.healthy.stem.removeprefix("healthy-"))
    assert step <= first.last_healthy_step
    assert step == max(one for one in keeper.steps if one <= first.last_healthy_step)
    assert first.last_healthy_step - step <= 0.5 * (first.step - step) + 1
    assert torch.load(keeper.healthy, weights_only=True) == {"saved": step}
    assert sum("last healthy checkpoint" in record.message for record in caplog.records) == 1
    assert sorted(tmp_path.glob("*.pt")) == sorted(keeper.file(step) for step in keeper.steps)
    assert monitor.health().errors == 0


@pytest.mark.parametrize("lost", [1, 2])
def test_no_passing_of_time_makes_what_is_lost_well(lost: int, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    monitor = trained(keeper, 150, lost=lost)
    first = min(alert.step for alert in monitor.alerts if alert.kind in BAD)
    assert {alert.kind for alert in monitor.alerts} >= {LOST} | ({COLLAPSE} if lost == 2 else set())
    assert max(on_disk(tmp_path)) < first
    assert keeper.healthy is not None
    assert keeper.healthy.is_file()


@pytest.mark.parametrize("kind", sorted(BAD))
def test_each_kind_of_trouble_stops_it(kind: AlertKind, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=told(21, kind, None, 18))
    feed(keeper, range(22, 60), ONE, (2.0, 0.01))
    assert keeper.steps == on_disk(tmp_path)
    assert keeper.steps[-1] == 20
    assert keeper.healthy == keeper.file(max(step for step in keeper.steps if step <= 18))


@pytest.mark.parametrize("kind", sorted(set(AlertKind) - BAD))
def test_what_is_no_loss_does_not(kind: AlertKind, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21), alerts=told(20, kind))
    assert keeper.steps[-1] == 20
    assert keeper.healthy is None


@pytest.mark.parametrize(("nats", "back"), [((2.0, 0.89), False), ((2.0, 0.91), True), ((1.6, 0.95), False)])
def test_it_saves_again_when_what_was_lost_is_back(nats: tuple[float, float], back: bool, tmp_path: Path) -> None:
    """The dimension that was told of and the total, 2.7 of 3 nats, three times in a row."""
    keeper = KeepHealthy(tmp_path, dict, keep=2)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=told(21, LOST, 1, 18))
    healthy = keeper.healthy
    feed(keeper, range(22, 40), ONE, (3.0, 0.01))
    feed(keeper, range(40, 40 + DWELL - 1), BOTH, nats)
    feed(keeper, [45], ONE, (3.0, 0.01))
    feed(keeper, range(46, 46 + DWELL), BOTH, nats)
    assert keeper.steps[-1] == 20
    feed(keeper, range(49, 200), BOTH, nats)
    assert keeper.steps[-1] == (199 if back else 20)
    assert keeper.healthy == healthy
    assert healthy is not None
    assert healthy.is_file()
    assert BACK == 0.9


def test_one_evaluation_asked_for_often_is_one(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=told(21, LOST, 1, 18))
    feed(keeper, [22] * DWELL)
    feed(keeper, [23])
    assert keeper.steps[-1] == 20


def test_what_is_wanted_is_of_the_last_healthy_step(tmp_path: Path) -> None:
    """Not what was left when it was told, nor what was left of the other dimension during the trouble."""
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 15))
    feed(keeper, range(15, 21), nats=(4.0, 0.4))
    feed(keeper, [21], alerts=told(21, FADING, 1, 14))
    feed(keeper, range(22, 30), nats=(4.0, 0.4))
    assert keeper.steps[-1] == 20
    feed(keeper, range(30, 33))
    feed(keeper, [33])
    assert keeper.steps[-1] == 33
    feed(keeper, [34], alerts=told(34, FADING, 1, 33))
    feed(keeper, range(35, 40), nats=(1.0, 1.0))
    feed(keeper, [40], alerts=told(40, FADING, 0, 39))
    feed(keeper, range(41, 60), nats=(1.0, 3.0))
    assert keeper.steps[-1] == 33


def test_the_total_that_is_wanted_is_of_the_first_alert(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 15))
    feed(keeper, range(15, 21), nats=(4.0, 1.0))
    feed(keeper, [21], alerts=told(21, AlertKind.DRAIN, None, 14))
    feed(keeper, [22], alerts=told(22, AlertKind.SILENT, None))
    feed(keeper, range(23, 23 + DWELL + 1))
    assert keeper.steps[-1] == 26


def test_without_a_past_the_alert_says_what_is_wanted(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    alert = replace(make_alert(1, 1, FADING), last_healthy_step=0, evidence={"from": 1.0})
    with pytest.warns(PolarMonitorWarning, match="none has been saved"):
        feed(keeper, [1], alerts=(alert,))
    feed(keeper, range(2, 20), nats=(2.0, 0.5))
    assert keeper.steps == []
    feed(keeper, range(20, 20 + DWELL + 1))
    assert keeper.steps == [23]


def test_a_dimension_instead_of_the_lost_one_is_not_that_one_again(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21), (ACTIVE, ACTIVE, PASSIVE), (2.0, 1.0, 0.01))
    feed(keeper, [21], alerts=told(21, LOST, 1, 18))
    feed(keeper, range(22, 60), (ACTIVE, PASSIVE, ACTIVE), (2.0, 0.01, 1.0))
    assert keeper.steps[-1] == 20


def test_the_next_trouble_after_a_recovery_has_its_own_file(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=3)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=told(21, FADING, 1, 18))
    feed(keeper, [22], alerts=told(22, LOST, 1, 12))
    first = keeper.healthy
    assert first == keeper.file(max(step for step in keeper.steps if step <= 18))
    feed(keeper, range(23, 101))
    assert len(on_disk(tmp_path)) == 4  # the healthy one and three more
    feed(keeper, [101], alerts=told(101, FADING, 0, 100))
    assert keeper.healthy == keeper.file(100)
    feed(keeper, range(102, 110))
    assert len(on_disk(tmp_path)) == 4


def test_clear_gives_up_what_is_lost(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, range(1, 21))
    feed(keeper, [21], ONE, (2.0, 0.01), alerts=told(21, LOST, 1, 18))
    keeper.clear()
    assert keeper.healthy is None
    assert KeepHealthy(tmp_path, dict).healthy is None
    feed(keeper, [22], ONE, (2.0, 0.01))
    assert keeper.steps[-1] == 22


def test_clear_forgets_a_latent_that_ended_unwell(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    feed(keeper, [1], name="gone", observed=0)
    feed(keeper, [1, 2], name="here")
    assert keeper.steps == []
    keeper.clear()
    feed(keeper, [3], name="here")
    assert keeper.steps == [3]


def test_what_is_not_well_by_itself_is_not_saved_without_any_alert(tmp_path: Path) -> None:
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


def test_nothing_in_use_ever_is_no_trouble_that_waits_for_a_level(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    collapsed: dict[str, Any] = {"verdict": Verdict.COLLAPSED}
    with pytest.warns(PolarMonitorWarning, match="none has been saved"):
        feed(keeper, [1], NONE, (0.0, 0.0), alerts=told(1, COLLAPSE, None), **collapsed)
    feed(keeper, range(2, 30), NONE, (0.0, 0.0), **collapsed)
    feed(keeper, range(30, 40), (UNDECIDED, UNDECIDED), (0.1, 0.1))
    assert keeper.steps == []
    feed(keeper, range(40, 50))
    assert keeper.steps[0] == 40 + DWELL


def test_without_an_old_enough_file_it_says_why(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=1)
    feed(keeper, range(1, 21))
    said = "the last healthy step is 18, and the oldest one is of step 20"
    with pytest.warns(PolarMonitorWarning, match=said) as warned:
        feed(keeper, [21], alerts=told(21, FADING, 1, 18))
        feed(keeper, [22], alerts=told(22, LOST, 1, 18))
    assert len(warned) == 1
    assert keeper.healthy is None


def test_the_first_known_step_decides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = KeepHealthy(tmp_path, dict, keep=30)
    feed(keeper, range(1, 21))
    feed(keeper, [21], alerts=told(21, AlertKind.SILENT, None))
    feed(keeper, [21], alerts=told(21, AlertKind.SILENT, None))
    assert keeper.healthy == keeper.file(20)
    assert len(caplog.records) == 1
    feed(keeper, [22], alerts=told(22, LOST, 1, 12))
    feed(keeper, [23], alerts=told(23, LOST, 0, 5))
    assert keeper.healthy == keeper.file(12)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_mode_that_there_is_counts(mode: str, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=3, keep=9)
    feed(keeper, range(1, 9), mode=mode)
    assert keeper.steps == [1, 4, 7]


def test_a_validation_before_the_training_does_not_lead(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=2, keep=9)
    feed(keeper, [0], mode="eval")
    feed(keeper, range(1, 8))
    assert keeper.steps == [0, 2, 4, 6]


@pytest.mark.parametrize("order", [1, -1])
def test_beside_training_validation_counts_nothing_but_stops_it(order: int, tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict, every=2, keep=9)
    for step in range(1, 10):
        for mode in ("train", "eval")[::order]:
            feed(keeper, [step], mode=mode)
    assert keeper.steps == [1, 3, 5, 7, 9]
    feed(keeper, [10], mode="eval", alerts=told(10, LOST, 1, 7))
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
    feed(keeper, [13], name=names[1], alerts=told(13, LOST, 1, 11))
    assert on_disk(tmp_path) == keeper.steps == [1, 4, 7, 10]  # it was not well at 13, as the second one said
    for step in range(14, 14 + DWELL - 1):
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


@given(st.integers(1, 8), st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_the_newest_is_kept_and_the_rest_lie_the_wider_the_farther_back(keep: int, gaps: list[int]) -> None:
    steps: list[int] = []
    for step in np.cumsum(gaps).tolist():
        steps.append(step)
        gone = thinned(steps, keep)
        assert len(gone) == max(len(steps) - keep, 0)
        steps = [one for one in steps if one not in gone]
    assert steps[-1] == sum(gaps)
    assert len(steps) == min(keep, len(gaps))
    if keep > 1:
        assert steps[0] == gaps[0]


def test_thinning_by_hand() -> None:
    """Ages 3, 2, 1 and gaps of two each: the oldest between the ends has the least gap for its age."""
    assert thinned([1, 2, 3, 4, 5], 4) == [2]
    assert thinned([0, 6, 7, 8, 10], 4) == [7]
    assert thinned([1, 2, 3], 1) == [1, 2]


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(PolarMonitorError, match="save: expected a callable"):
        KeepHealthy(tmp_path, {})  # type: ignore[arg-type]
    with pytest.raises(PolarMonitorError, match="keep: expected a whole number of 1"):
        KeepHealthy(tmp_path, dict, keep=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(PolarMonitorError, match="cannot make"):
        KeepHealthy(tmp_path / "file" / "below", dict)
