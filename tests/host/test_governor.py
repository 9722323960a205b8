"""The monitor keeps to its share of the loop's time when steps or evaluations change their cost. No clock is real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor import PolarMonitor
from polar_monitor.context import Context
from polar_monitor.evaluation import Evaluation
from polar_monitor.monitor.pipeline import ModePipeline

BUDGET = 0.01
SPAN = 500


@dataclass
class Loop:
    """A training loop in made-up time: what a step and an evaluation take, and what they have taken."""

    step_takes: float
    evaluation_takes: float
    now: float = 0.0
    loop: list[float] = field(default_factory=list)
    """Seconds of the loop in each step."""
    own: list[float] = field(default_factory=list)
    """Seconds of the monitor in each step."""
    evaluated: list[int] = field(default_factory=list)
    monitor: PolarMonitor = field(init=False)

    def start(self, patch: pytest.MonkeyPatch, **options: Any) -> Loop:
        patch.setattr("polar_monitor.schedule.governor.perf_counter", lambda: self.now)
        patch.setattr("polar_monitor.schedule.schedule.perf_counter", lambda: self.now)
        self.monitor = PolarMonitor(sinks=(), max_overhead=BUDGET, strict=True, **{"start_allowance": 0.0} | options)
        self.monitor.observe(torch.zeros(8, 2))

        def evaluate(pipeline: ModePipeline, step: int, context: Context, health: Any, full: bool) -> Evaluation:
            self.now += self.evaluation_takes
            self.own[-1] += self.evaluation_takes
            self.evaluated.append(step)
            return Evaluation(step, 0.0, "", pipeline.mode, 1, None, None, (), health(), context)

        patch.setattr(ModePipeline, "evaluate", evaluate)
        return self

    def run(self, steps: int, rows: int = 0) -> None:
        ring = self.monitor._loop.pipelines["train"].ring
        for _ in range(steps):
            ring.rows += rows
            self.now += self.step_takes
            self.loop.append(self.step_takes)
            self.own.append(0.0)
            self.monitor.step()

    def shares(self) -> np.ndarray:
        """The monitor's share of the time of every SPAN steps in a row."""
        own, loop = (np.convolve(part, np.ones(SPAN), "valid") for part in (self.own, self.loop))
        return np.asarray(own / (own + loop))

    def share_after(self, evaluations: int, since: int) -> float:
        """The share from so many evaluations after a step on, whole intervals only."""
        later = [step for step in self.evaluated if step > since][evaluations:]
        span = slice(later[0], later[-1])
        return sum(self.own[span]) / (sum(self.own[span]) + sum(self.loop[span]))


CHEAP = [0.05, 0.1, 0.14]
"""Seconds of an evaluation, in steps of one second: 50 times as much is less than 2 % of 500 steps."""


@pytest.mark.parametrize("cost", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("at", [2000, 2050, 2099, 2100])
def test_steps_that_get_ten_times_faster(cost: float, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(1.0, cost).start(monkeypatch, every=100)
    loop.run(at)
    loop.step_takes = 0.1
    loop.run(20_000)
    assert loop.share_after(5, at) <= BUDGET
    assert loop.shares().max() <= 2 * BUDGET


@pytest.mark.parametrize("cost", CHEAP)
@pytest.mark.parametrize("at", [2000, 2050, 2099])
def test_an_evaluation_that_gets_fifty_times_slower(cost: float, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(1.0, cost).start(monkeypatch, every=100)
    loop.run(at)
    loop.evaluation_takes *= 50
    loop.run(20_000)
    assert loop.share_after(5, at) <= BUDGET
    assert loop.shares().max() <= 2 * BUDGET


def test_an_evaluation_slower_than_that_stands_alone_in_any_500_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an evaluation costs is known when it is over: one can be too dear for 500 steps, a second cannot."""
    loop = Loop(1.0, 1.0).start(monkeypatch, every=100)
    loop.run(2000)
    loop.evaluation_takes = 50.0
    loop.run(60_000)
    assert loop.share_after(5, 2000) <= BUDGET
    dear = np.convolve(np.array(loop.own) > 10, np.ones(SPAN), "valid")
    assert dear.max() == 1


def test_one_slow_evaluation_does_not_blind_the_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(1.0, 0.1).start(monkeypatch, every=100)
    loop.run(2050)
    loop.evaluation_takes = 50.0
    loop.run(50)
    loop.evaluation_takes = 0.1
    loop.run(2000)
    after = [step for step in loop.evaluated if step > 2100]
    assert after[0] <= 2100 + SPAN
    assert np.diff(after).tolist() == [100] * (len(after) - 1)


def test_an_evaluation_that_becomes_cheap_again_comes_as_often_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(1.0, 5.0).start(monkeypatch, every=100)
    loop.run(10_000)
    assert loop.monitor.health().every == 556
    loop.evaluation_takes = 0.1
    loop.run(5000)
    assert loop.monitor.health().every == 100


def test_without_a_budget_the_interval_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "BUDGET", 1.0)
    loop = Loop(1.0, 500.0).start(monkeypatch, every=10)
    loop.run(200)
    assert loop.evaluated == list(range(10, 201, 10))


def test_the_share_that_is_told_is_the_share_that_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(1.0, 0.7).start(monkeypatch, every=100)
    loop.run(5000)
    loop.monitor.evaluate()
    assert loop.monitor.health().overhead == pytest.approx(sum(loop.own) / (loop.now - 1.0), rel=1e-9)


@pytest.mark.parametrize("pace", [0.0005, 0.001, 0.005, 0.02, 0.1])
def test_own_time_never_exceeds_its_share_and_the_start_allowance(pace: float, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(pace, 0.005).start(monkeypatch, start_allowance=1.0)
    loop.run(int(60 / pace), rows=128)
    beyond = np.cumsum(loop.own) - BUDGET * np.cumsum(np.array(loop.own) + loop.loop)
    assert beyond.max() <= 1.0
    assert 0.0 < loop.monitor.health().allowance_used <= 1.0
    twenty = int(np.searchsorted(np.cumsum(loop.loop), 20.0))
    assert sum(step <= twenty for step in loop.evaluated) >= 50
    assert loop.evaluated[:3] == [10, 13, 17] or pace > 0.05


def test_three_thousand_steps_of_a_millisecond_have_sixty_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(0.001, 0.005).start(monkeypatch, start_allowance=1.0)
    loop.run(3000, rows=128)
    assert len(loop.evaluated) >= 60
