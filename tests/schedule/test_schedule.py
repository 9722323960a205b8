"""When an evaluation is due, when the hooks pause, and what a resumed schedule does. No clock is real."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.schedule import governor, schedule
from polar_monitor.schedule.schedule import Pace, Schedule


class Hooks:
    """Stands in for hooks: what the schedule did to them."""

    def __init__(self) -> None:
        self.reasons: set[str] = set()
        self.muted = self.compiled = False
        self.taken = 0.0

    def off(self, why: str) -> None:
        self.reasons.add(why)

    def on(self, why: str) -> None:
        self.reasons.discard(why)

    def mute(self, muted: bool) -> None:
        self.muted = muted

    def compiled_without(self) -> bool:
        compiled, self.compiled = self.compiled, False
        return compiled

    def seconds(self) -> float:
        taken, self.taken = self.taken, 0.0
        return taken


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    for module in (governor, schedule):
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def made(every: int = 100, max_overhead: float = 1.0, training_only: bool = True) -> tuple[Schedule, Any]:
    made, hooks = Schedule(Pace(every, max_overhead, 512)), Hooks()
    made.hooks, made.ring, made.training_only = hooks, PairedRingBuffer(1024, False), training_only  # type: ignore[assignment]
    return made, hooks


def run(
    plan: Schedule, steps: int, now: list[float], cost: float = 0.0, rows: int = 64, places: int = 0
) -> tuple[list[int], int]:
    """The steps that evaluated, and how many recorded."""
    evaluated, recorded = [], 0
    for _ in range(steps):
        now[0] += 1.0
        if plan.ring is not None and not plan.paused:
            if rows:
                plan.ring.write(plan.ring.mean, torch.zeros((rows, places, 2) if places else (rows, 2)))
            recorded += 1
        if not plan.count():
            continue
        plan.start_charging()
        assert plan.ring is not None
        if plan.wakes():
            continue
        plan.ring.commit(plan.steps)
        plan.begin_step()
        if plan.due():
            begun = plan.begin()
            now[0] += cost
            plan.measured(begun)
            plan.plan_next(begun)
            plan.finish(begun)
            evaluated.append(begun.step)
        plan.charge()
    return evaluated, recorded


def test_an_evaluation_is_due_every_so_many_steps_and_the_hooks_pause_in_between(now: list[float]) -> None:
    plan, hooks = made()
    evaluated, recorded = run(plan, 300, now)
    assert evaluated == [100, 200, 300]
    assert recorded < 50
    assert recorded + plan.duty_cycle.steps(plan.steps) == 300
    assert hooks.reasons == {schedule.PAUSED}


def test_the_hooks_stay_where_validation_is_watched_too(now: list[float]) -> None:
    plan, hooks = made(training_only=False)
    assert run(plan, 300, now) == ([100, 200, 300], 300)
    assert not hooks.reasons


def test_the_cost_of_an_evaluation_stretches_the_interval_and_the_plan_follows(now: list[float]) -> None:
    plan, _ = made(max_overhead=0.01)
    evaluated, _ = run(plan, 700, now, cost=5.0)
    assert evaluated == [100, 600]  # the first would take twice the budget of any 500 steps if it came again at once
    assert plan.next == 600 + plan.governor.every
    assert plan.governor.every == 556


def test_a_requested_evaluation_is_not_due_again_and_keeps_its_step() -> None:
    plan, _ = made(every=2)
    plan.hooks = None
    for _ in range(2):
        plan.count()
        plan.begin_step()
    assert plan.due()
    plan.requested = plan.steps
    plan.count()
    assert not plan.due()
    begun = plan.begin()
    assert (begun.step, begun.now, plan.requested) == (2, 3, None)


def test_rows_are_expected_only_after_steps_without_a_pause(now: list[float]) -> None:
    plan, _ = made(training_only=False)
    assert plan.expects_rows(0)
    run(plan, 100, now)
    assert not plan.expects_rows(100)
    assert plan.expects_rows(101)
    plan.duty_cycle.recent = 1
    assert not plan.expects_rows(101)


def test_a_model_compiled_during_a_pause_is_warned_of_once_and_its_hooks_stay(now: list[float]) -> None:
    plan, hooks = made()
    run(plan, 50, now)
    assert hooks.reasons
    hooks.compiled = True
    with pytest.warns(UserWarning, match="compiled while the hooks were paused.*torch._dynamo.reset"):
        run(plan, 30, now, rows=0)
    assert not hooks.reasons
    evaluated, recorded = run(plan, 250, now)
    assert evaluated == [100, 200, 300]
    assert recorded == 250
    assert not hooks.reasons


def test_a_resumed_schedule_goes_on_with_the_same_steps_and_pauses_without_removing_hooks(now: list[float]) -> None:
    first, _ = made()
    run(first, 130, now)
    second, hooks = made()
    assert first.ring is not None
    assert second.ring is not None
    second.ring.rows = first.ring.rows
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert second.paused
    assert hooks.muted
    assert not hooks.reasons
    first_run, second_run = run(first, 200, now), run(second, 200, now)
    assert first_run == second_run
    assert first_run[0] == [200, 300]
    assert second.resumed == 1


def test_a_state_loaded_within_an_evaluation_is_not_planned_over(now: list[float]) -> None:
    plan, _ = made(max_overhead=0.01)
    run(plan, 99, now)
    now[0] += 1.0
    plan.count()
    plan.begin_step()
    plan.start_charging()
    begun = plan.begin()
    plan.plan_next(begun)
    now[0] += 50.0
    plan.load_state_dict(plan.state_dict() | {"steps": 10, "next": 40, "every": 30})
    plan.finish(begun)
    assert (plan.steps, plan.next) == (10, 40)


def test_the_time_between_charges_is_the_monitors_own(now: list[float]) -> None:
    plan, _ = made()
    plan.start_charging()
    now[0] += 2.0
    plan.charge()
    now[0] += 3.0
    plan.start_charging()
    now[0] += 1.0
    plan.charge()
    assert plan.governor.own == 3.0


def test_time_left_out_is_neither_ours_nor_the_loop_s(now: list[float]) -> None:
    plan, _ = made(every=10, max_overhead=0.5)
    run(plan, 9, now)
    own, overhead = plan.governor.own, plan.governor.overhead
    plan.start_charging()
    now[0] += 7.0
    plan.leave_out(7.0)
    plan.charge()
    assert plan.governor.own == own
    assert plan.governor.overhead == overhead


def automatic(max_overhead: float = 1.0, start_allowance: float = 0.0) -> tuple[Schedule, Any]:
    plan, hooks = Schedule(Pace(None, max_overhead, 4096, start_allowance)), Hooks()
    plan.hooks, plan.ring, plan.training_only = hooks, PairedRingBuffer(8192, False), True  # type: ignore[assignment]
    return plan, hooks


def test_the_automatic_schedule_looks_early(now: list[float]) -> None:
    plan, _ = automatic()
    assert run(plan, 40, now)[0] == list(range(10, 41))  # a step takes a second: each is looked at
    assert plan.governor.every == 1


def test_the_first_evaluation_waits_for_the_rows_of_a_label_but_not_for_ever(now: list[float]) -> None:
    for rows, first in ((64, 10), (32, 16), (5, 100), (0, 100)):
        plan, _ = automatic()
        assert run(plan, 100, now, rows=rows)[0][0] == first


def test_places_of_one_input_count_once(now: list[float]) -> None:
    plan, _ = automatic()
    assert run(plan, 100, now, rows=16, places=4)[0][0] == 32


def test_a_turn_without_rows_is_not_evaluated_at_once(now: list[float]) -> None:
    plan, _ = automatic()
    run(plan, 40, now)
    assert run(plan, 60, now, rows=0)[0] == []
    assert run(plan, 2, now)[0] == [101, 102]


def test_the_resumed_automatic_schedule_does_not_look_early_again(now: list[float]) -> None:
    first, _ = automatic(0.01, 1.0)
    run(first, 2000, now, cost=0.05)
    state = first.state_dict()
    second, _ = automatic(0.01, 1.0)
    assert second.ring is not None
    assert first.ring is not None
    second.ring.rows = first.ring.rows
    second.load_state_dict(state)
    assert second.state_dict() == state
    second.load_state_dict(state | {"allowance": 0})
    assert second.governor.allowance.used == 1.0
    assert run(second, 60, now, cost=0.05)[0][0] == state["next"]
    evaluated = run(second, 600, now, cost=0.05)[0]
    assert min(after - before for before, after in itertools.pairwise(evaluated)) >= 2


def test_a_quiet_stretch_reaches_the_plan(now: list[float]) -> None:
    plan, _ = automatic()
    run(plan, 3000, now)
    begun = plan.begin()
    for _ in range(30):
        plan.plan_next(begun, restless=False)
    assert plan.next == begun.now + 12  # 1/250 of 3,000 steps
    plan.plan_next(begun, restless=True)
    assert plan.next == begun.now + 5  # 1/600


def test_a_slow_first_forward_is_no_part_of_the_pace(now: list[float]) -> None:
    """It comes before the first step, where the measured time begins."""
    plan, hooks = automatic(0.01, 1.0)
    hooks.taken = 50.0
    run(plan, 10, now)
    assert plan.governor.own == 50.0
    assert plan.governor.pace == pytest.approx(0.9)  # nine seconds since then, for ten steps
    assert plan.governor.allowance.used == 0.0
