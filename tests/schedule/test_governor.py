"""A governor that keeps to its budget."""

from __future__ import annotations

from math import ceil

import pytest

from polar_monitor.schedule import governor as module
from polar_monitor.schedule.governor import PLANNED_SHARE, Governor


@pytest.mark.parametrize(
    ("cost", "expected"), [(0.0001, 100), (0.02, 200 / PLANNED_SHARE), (0.2, 2000 / PLANNED_SHARE)]
)
def test_the_governor_stretches_to_the_budget(monkeypatch: pytest.MonkeyPatch, cost: float, expected: float) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor = Governor(100, 0.01)
    governor.started(0)
    step = 0
    for _ in range(20):
        step += governor.every
        now[0] += 0.01 * governor.every + cost
        governor.own += cost
        governor.evaluated(cost, step)
    assert governor.every == pytest.approx(expected, rel=0.02)
    assert governor.overhead <= 0.012


def test_the_governor_comes_back_when_the_loop_slows_down(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor = Governor(100, 0.01)
    governor.started(0)
    step, seen = 0, []
    for loop in [0.001] * 10 + [0.1] * 10:
        step += governor.every
        now[0] += loop * governor.every + 0.05
        governor.own += 0.05
        governor.evaluated(0.05, step)
        seen.append(governor.every)
    assert seen[9] == pytest.approx(5000 / PLANNED_SHARE, rel=0.02)
    assert seen[-1] == 100


def test_time_that_is_left_out_is_not_the_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    intervals = []
    for pause in (0.0, 100.0):
        now[0] = 0.0
        governor = Governor(100, 0.01)
        governor.leave_out(pause)  # before the beginning there is nothing to leave out
        governor.started(0)
        now[0] = 1.0 + pause
        governor.leave_out(pause)
        governor.own += 0.03
        now[0] += 0.03
        governor.evaluated(0.03, 100)  # the first plans nothing
        now[0] += 1.0
        governor.own += 0.03
        now[0] += 0.03
        governor.evaluated(0.03, 200)
        intervals.append(governor.every)
        assert governor.overhead == pytest.approx(0.06 / 2.06)
    assert intervals == [ceil(300 / PLANNED_SHARE)] * 2


def planned(monkeypatch: pytest.MonkeyPatch, recording: float, costs: list[float], wanted: int = 32) -> Governor:
    """Plan after evaluations of these costs, every fourth one full, in a loop of 1 ms steps."""
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor, step = Governor(100, 0.01), 0
    governor.started(0)
    for turn, cost in enumerate(costs):
        recorded = governor.recordings or wanted
        step += governor.every
        now[0] += 0.001 * governor.every + cost + recorded * recording
        governor.own += cost + recorded * recording
        governor.evaluated(cost, step, turn % 4 == 0, recorded, wanted)
    return governor


def test_light_and_full_evaluations_are_planned_with_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    governor = planned(monkeypatch, 0.0, [0.05] + [0.002, 0.002, 0.002, 0.006] * 8)
    assert governor.every == pytest.approx(0.003 / (PLANNED_SHARE * 1e-5), rel=0.02)


def test_the_first_evaluation_plans_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned(monkeypatch, 0.0, [0.5]).every == 100
    assert planned(monkeypatch, 0.0, [0.5, 0.0001]).every == 100


@pytest.mark.parametrize(("recording", "steps"), [(0.0, 32), (2e-5, 32), (2e-4, 10), (1.0, 1)])
def test_recorded_steps_take_no_more_than_evaluations_where_the_budget_is_short(
    monkeypatch: pytest.MonkeyPatch, recording: float, steps: int
) -> None:
    assert planned(monkeypatch, recording, [0.0021] * 20).recordings == steps


def test_recorded_steps_take_what_is_left_of_a_large_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    governor = planned(monkeypatch, 2e-5, [0.0001] * 20, wanted=100)
    assert governor.every == 100
    assert governor.recordings == pytest.approx((PLANNED_SHARE * 1e-3 - 1e-4) / 2e-5, abs=1)
