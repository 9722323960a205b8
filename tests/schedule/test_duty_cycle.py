"""Rest between evaluations: no hook, nothing missed, and no silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import nn
from watching import Memory, stepped, watched

from polar_monitor.capture.tap import Tap
from polar_monitor.schedule.duty_cycle import BURST, BURSTS, HookDutyCycle


def recorded(every: int, intervals: int, wanted: int, rows: Callable[[int], int]) -> list[list[int]]:
    """The recorded steps of each interval, where step s gives so many rows; the hooks are on in the first step."""
    cycle, total, on = HookDutyCycle(), 0, True
    seen: list[list[int]] = [[] for _ in range(intervals)]
    for now in range(1, every * intervals + 1):
        goes_on = False
        if on:
            seen[(now - 1) // every].append(now)
            total += rows(now)
            goes_on = cycle.count(total)
        due = now + every - now % every
        begins = now == 1 or now % every == 0
        if begins:
            cycle.begin(now, total, wanted)
        if begins or (on and not goes_on):
            on = not cycle.pause(now, due)
        elif not on:
            on = cycle.until <= now < due
        if on and cycle.until:
            cycle.end(now)
    assert cycle.steps(every * intervals) == every * intervals - sum(map(len, seen))
    return seen


@pytest.mark.parametrize("every", [50, 64, 100, 333])
@pytest.mark.parametrize("steps", [3, 8, 32])
def test_recorded_steps_are_spread_over_the_interval(every: int, steps: int) -> None:
    intervals = recorded(every, 100, 128 * steps, lambda step: 128)[1:]
    assert {len(interval) for interval in intervals} <= {steps - 1, steps}
    places = (np.concatenate(intervals) - 1) % every
    quarters = np.bincount(places * 4 // every) / len(places)
    np.testing.assert_allclose(quarters, 0.25, atol=0.04)
    bursts = -(-steps // min(BURST, max(steps // BURSTS, 1)))
    assert np.diff(np.concatenate(intervals)).max() <= 2 * every / bursts + 1


@pytest.mark.parametrize("period", range(2, 13))
@pytest.mark.parametrize(("every", "steps"), [(96, 8), (96, 32), (100, 16), (100, 33), (1000, 33)])
def test_a_training_with_a_period_is_seen_in_all_its_phases(period: int, every: int, steps: int) -> None:
    """Two optimisers that take turns, accumulation, a schedule over a few batches."""
    phases = np.concatenate(recorded(every, 100, 64 * steps, lambda step: 64)) % period
    share = np.bincount(phases, minlength=period) / len(phases) * period
    np.testing.assert_allclose(share, 1.0, atol=0.25)


def test_batches_that_become_smaller_in_an_interval_are_recorded_more_often() -> None:
    intervals = recorded(100, 6, 2048, lambda step: 512 if step < 330 else 64)
    assert [len(interval) for interval in intervals[1:3]] == [4, 4]
    assert sum(512 if step < 330 else 64 for step in intervals[3]) >= 0.9 * 2048
    assert [len(interval) for interval in intervals[4:]] == [32, 32]


def test_a_step_without_a_row_does_not_count() -> None:
    """Every second step trains something else."""
    intervals = recorded(100, 20, 640, lambda step: 64 if step % 2 else 0)[1:]
    assert {sum(step % 2 for step in interval) for interval in intervals} <= {9, 10}


def test_a_pause_can_be_prevented_until_the_next_interval() -> None:
    cycle = HookDutyCycle()
    cycle.count(64)
    cycle.begin(1, 64, 64)
    cycle.hold()
    assert not cycle.pause(1, 100)
    cycle.begin(100, 640, 64)
    assert cycle.pause(100, 200)
    assert 100 < cycle.until < 200


def test_at_rest_there_is_no_hook_and_nothing_is_missed(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, every=100, window=512)
    seen = []
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(1, 301):
        model(torch.full((64, 12), step / 100))
        seen.append(sum(isinstance(hook, Tap) for hook in model.fc_mu._forward_hooks.values()))
        optimizer.step()
    assert [sum(seen[first : first + 100]) for first in (0, 100, 200)] == [9, 8, 8]
    assert max(len(rest) for rest in "".join(map(str, seen)).split("1")) <= 26
    health = monitor.health()
    assert health.calls == sum(seen)
    assert health.steps_rested == 300 - sum(seen)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.n == 512
    steps = [step for step in range(201, 301) if seen[step - 1]]
    with torch.no_grad():
        expected = torch.cat([model.fc_mu(model.body(torch.full((64, 12), s / 100))) for s in steps])
    np.testing.assert_allclose(snapshot.mean, expected.mean(0).numpy(), rtol=1e-4)
    assert (snapshot.rows_from, snapshot.rows_to) == (steps[0], steps[-1])
    with monitor.detached():
        pass
    assert not model.fc_mu._forward_hooks
    assert [record.observed for record in monitor.evaluate()] == [0]
    assert len(model.fc_mu._forward_hooks) == 1
    assert len(recwarn) == 0


def test_where_validations_are_watched_too_the_hooks_stay() -> None:
    model = Vae()
    watched(model, every=100, window=512, modes=("train", "eval"))
    train(model, 20)
    assert len(model.fc_mu._forward_hooks) == 1


def test_training_something_else_for_a_while_is_no_silence(recwarn: pytest.WarningsRecorder) -> None:
    model, sink = Vae(), Memory()
    watched(model, sinks=(sink,), every=50, window=512)
    x = torch.randn(64, 12)
    stepped(model, 600, lambda step: model(x) if step // 60 % 2 == 0 else model.decoder(torch.randn(64, 4)))
    assert [record for record in sink.records if record.observed == 0] == []
    assert len(sink.records) > 5
    assert len(recwarn) == 0


def test_a_smaller_batch_does_not_leave_the_window_old() -> None:
    model = Vae()
    monitor = watched(model, every=100, window=2048)

    nn.init.constant_(model.fc_logvar.bias, -1.0)

    def forward(step: int) -> None:
        nn.init.constant_(model.fc_mu.bias, float(step))
        model(torch.zeros(512 if step < 1000 else 32, 12))

    stepped(model, 1300, forward)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.mean.min() > 1200


def test_asked_at_rest_it_answers_with_the_rows_there_are_or_wakes_and_answers_later() -> None:
    model = Vae()
    monitor = watched(model, every=1000, window=512)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    train(model, 60, optimizer=optimizer)
    (record,) = monitor.evaluate()
    assert (record.step, record.observed) == (60, 64)
    (again,) = monitor.evaluate()
    assert (again.observed, again.snapshot) == (0, record.snapshot)
    train(model, 10, optimizer=optimizer)
    (record,) = monitor.evaluate()
    assert (record.step, record.observed) == (70, 10 * 64)


def test_two_optimisers_in_turn_are_both_seen() -> None:
    """One trains the model on rows of ones, then another one on rows of twos."""
    model = Vae()
    monitor = watched(model, every=100, window=512)
    nn.init.constant_(model.fc_logvar.bias, -1.0)
    taken = []
    for step in range(400):
        nn.init.constant_(model.fc_mu.bias, step % 2)
        model(torch.zeros(64, 12))
        taken += [step % 2] * sum(isinstance(hook, Tap) for hook in model.fc_mu._forward_hooks.values())
        monitor.step()
    assert abs(sum(taken) / len(taken) - 0.5) < 0.1


def test_a_validation_need_not_come_at_once(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, modes=("eval",), every=20)
    train(model, 100)
    assert monitor.alerts == ()
    assert len(recwarn) == 0
