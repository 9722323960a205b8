"""One tick for each real update, and a governor that keeps to its budget."""

from __future__ import annotations

import gc
import os
import weakref
from math import ceil

import pytest
import torch
from torch import nn

from polar_monitor.monitor.process import forks
from polar_monitor.schedule import governor as module
from polar_monitor.schedule.governor import AIM, Governor
from polar_monitor.schedule.optimizer_clock import PATIENCE, OptimizerClock


class Counter:
    def __init__(self) -> None:
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1


def test_updates_of_the_model_are_counted_and_others_are_not() -> None:
    model, other, counter = nn.Linear(2, 2), nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    mine, theirs = torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(other.parameters(), 0.1)
    for _ in range(3):
        mine.step()
        theirs.step()
    assert counter.ticks == 3
    clock.stop()
    clock.stop()
    mine.step()
    assert counter.ticks == 3


def test_accumulated_gradients_are_one_step_and_skipped_steps_are_none() -> None:
    model, counter = nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu")
    for bad in (False, True, False):
        for _ in range(4):
            scaler.scale(model(torch.randn(3, 2)).sum()).backward()
        if bad:
            for p in model.parameters():
                p.grad = torch.full_like(p, torch.inf)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert counter.ticks == 2
    clock.stop()


def test_two_optimisers_of_one_model_count_once_an_iteration() -> None:
    model, counter = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Counter()
    clock = OptimizerClock(model, counter.tick)
    first, second = (torch.optim.SGD(part.parameters(), 0.1) for part in model)
    for _ in range(5):
        first.step()
        second.step()
    assert counter.ticks == 5
    for _ in range(PATIENCE + 3):  # the first one is used no more
        second.step()
    assert counter.ticks > 5
    clock.stop()


@pytest.mark.parametrize("rare_is_first", [True, False])
def test_the_optimiser_that_steps_most_leads(rare_is_first: bool) -> None:
    """Of an embedding whose optimiser steps every seventh time, and the rest."""
    model, counter = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Counter()
    clock = OptimizerClock(model, counter.tick)
    rare, main = (torch.optim.SGD(part.parameters(), 0.1) for part in model)
    for step in range(50):
        if rare_is_first and step % 7 == 0:
            rare.step()
        main.step()
        if not rare_is_first and step % 7 == 0:
            rare.step()
    assert counter.ticks == 50
    clock.stop()


def test_a_leader_of_long_is_replaced_by_one_that_steps_more() -> None:
    model, counter = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Counter()
    clock = OptimizerClock(model, counter.tick)
    first, second = (torch.optim.SGD(part.parameters(), 0.1) for part in model)
    for _ in range(100):
        first.step()
    for step in range(700):
        if step % 7 == 0:
            first.step()
        second.step()
    assert 800 - 2 * PATIENCE < counter.ticks <= 800
    clock.stop()


@pytest.mark.parametrize("order", ["ab", "abba", "aabb", "baab", "abc", "abccba"])
def test_optimisers_that_step_as_often_count_once_in_any_order(order: str) -> None:
    model, counter = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3))), Counter()
    clock = OptimizerClock(model, counter.tick)
    optimizers = dict(zip("abc", (torch.optim.SGD(part.parameters(), 0.1) for part in model), strict=True))
    for _ in range(50):
        for name in order:
            optimizers[name].step()
    assert abs(counter.ticks - 50 * order.count("a")) <= 2
    clock.stop()


def test_an_optimiser_that_took_the_place_of_a_dead_one_is_looked_at() -> None:
    """Two that were never alive together may have one id."""
    model, counter = nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    other = torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    other.step()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    clock._known[id(optimizer)] = clock._known.pop(id(other))
    del other
    gc.collect()
    optimizer.step()
    optimizer.step()
    assert counter.ticks == 2
    clock.stop()


def test_a_clock_keeps_nothing_alive() -> None:
    model, counter = nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    gone = weakref.ref(model)
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    del model
    gc.collect()
    assert gone() is None
    optimizer.step()
    del counter
    gc.collect()
    optimizer.step()
    clock.stop()


@pytest.mark.parametrize(("cost", "expected"), [(0.0001, 100), (0.02, 200 / AIM), (0.2, 2000 / AIM)])
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
    assert seen[9] == pytest.approx(5000 / AIM, rel=0.02)
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
        governor.evaluated(0.03, 100)
        intervals.append(governor.every)
        assert governor.overhead == pytest.approx(0.03 / 1.03)
    assert intervals == [ceil(300 / AIM)] * 2


def test_a_forked_process_knows_that_it_is_another() -> None:
    before = forks()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if forks() == before + 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert forks() == before
