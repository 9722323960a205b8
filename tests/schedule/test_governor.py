"""A governor that keeps to its budget."""

from __future__ import annotations

import itertools
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


def spend(
    monkeypatch: pytest.MonkeyPatch, pace: float, cost: float, seconds: float, every: int = 50
) -> tuple[list[int], list[float], Governor]:
    """Steps of the evaluations, own seconds beyond 1 % of the loop's at each, and the governor, with 1 s to start."""
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor, step, steps, beyond = Governor(every, 0.01, 1.0), 0, [], []
    governor.started(0)
    while now[0] < seconds:
        passed = governor.every
        step, now[0] = step + passed, now[0] + pace * passed
        while wait := governor.wait(step):
            step, now[0] = step + wait, now[0] + pace * wait
        now[0] += cost
        governor.own += cost
        governor.evaluated(cost, step)
        steps.append(step)
        beyond.append(governor.own - 0.01 * now[0])
    return steps, beyond, governor


@pytest.mark.parametrize("pace", [0.0005, 0.001, 0.005, 0.02, 0.1])
@pytest.mark.parametrize("cost", [0.001, 0.005, 0.02, 0.1])
def test_the_share_and_the_allowance_are_never_exceeded(
    monkeypatch: pytest.MonkeyPatch, pace: float, cost: float
) -> None:
    _, beyond, _ = spend(monkeypatch, pace, cost, 300.0)
    assert max(beyond) <= 1.0
    if pace <= 0.005 and cost >= 0.005:
        assert max(beyond) > 0.7  # and it is used where the share alone is short


def test_a_spent_allowance_leaves_no_blind_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, _, governor = spend(monkeypatch, 0.001, 0.005, 300.0)
    gaps = [after - before for before, after in itertools.pairwise(steps)]
    assert gaps[:10] == [50] * 10
    assert max(gaps) <= 1.1 * 0.005 / (PLANNED_SHARE * 1e-5)
    assert all(after <= 1.5 * before for before, after in itertools.pairwise(gaps))
    assert governor.every == pytest.approx(0.005 / (PLANNED_SHARE * 1e-5), rel=0.05)


def test_a_first_evaluation_that_takes_all_of_the_allowance_is_followed_when_the_share_has_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps, beyond, _ = spend(monkeypatch, 0.001, 0.9, 300.0, every=3)
    assert steps[1] * 0.001 * PLANNED_SHARE * 0.01 == pytest.approx(0.8, rel=0.01)
    assert max(beyond) <= 1.0


@pytest.mark.parametrize("cost", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("pace", [0.001, 0.02])
def test_dear_evaluations_wait_until_they_are_paid(monkeypatch: pytest.MonkeyPatch, pace: float, cost: float) -> None:
    steps, beyond, governor = spend(monkeypatch, pace, cost, 1000.0)
    assert max(beyond) <= 1.0
    assert governor.overhead <= 0.01 + 1.0 / 1000.0
    assert max(after - before for before, after in itertools.pairwise(steps)) * pace <= 1.1 * cost / 0.009


def test_a_light_evaluation_waits_until_a_full_one_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor = Governor(50, 0.01, 1.0)
    governor.started(0)
    for step, cost in ((10, 0.6), (20, 0.1)):
        now[0] += 0.1 + cost
        governor.own += cost
        governor.evaluated(cost, step, full=cost > 0.5)
    assert governor.wait(21) > 0  # 0.3 s are left, which a light one takes and a full one does not


def test_an_evaluation_that_costs_more_than_the_allowance_comes_when_the_account_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps, _, governor = spend(monkeypatch, 0.02, 1.8, 2000.0)
    assert len(steps) >= 8
    assert governor.overhead <= 0.01 + 1.8 / 2000.0


def test_an_interval_becomes_what_the_budget_demands_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned(monkeypatch, 0.0, [0.5, 0.09]).every == ceil(0.09 / (PLANNED_SHARE * 1e-5))


def test_a_stop_of_an_hour_within_an_evaluation_blinds_for_four_minutes_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor, step = Governor(50, 0.01, 1.0), 0
    governor.started(0)
    for cost in (0.01, 0.01, 3600.0):
        step, now[0] = step + 50, now[0] + 0.5 + cost
        governor.own += cost
        governor.evaluated(cost, step)
    began = now[0]
    step, now[0] = step + 50, now[0] + 0.5
    while wait := governor.wait(step):
        step, now[0] = step + wait, now[0] + 0.01 * wait
    assert now[0] - began <= module.MAX_DEBT_SECONDS + 1.0 / 0.009 + 1.0


def test_what_the_state_says_is_spent_stays_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    governor = Governor(50, 0.01, 1.0)
    governor.resume(10_000, 400, 0)
    assert governor.allowance.used == 1.0
    governor.want(50)
    assert governor.every == 400  # until the first costs of this process are known
