"""What the loop tells of itself: kept, averaged, saved, written to the log, and never in the way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.context import NOTHING, Context
from polar_monitor.evaluation import Evaluation
from polar_monitor.monitor.training_context import TrainingContextBuffer
from polar_monitor.replay import replay
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl


def test_beta_stays_the_rate_is_the_highest_and_the_reconstruction_a_mean() -> None:
    buffer = TrainingContextBuffer()
    assert buffer.take() == NOTHING
    for beta, rate, reconstruction in (
        (0.5, 1e-3, 70.0),
        (None, 1e-1, torch.tensor([80.0])),
        (np.float32(2), 1e-3, 90),
    ):
        buffer.add(beta, rate, reconstruction)
    assert buffer.take() == Context(2.0, 1e-1, 80.0)
    assert buffer.take() == Context(2.0, 1e-3, None)


def test_what_is_not_finite_is_as_good_as_not_told() -> None:
    buffer = TrainingContextBuffer()
    buffer.add(math.nan, math.inf, torch.tensor(math.nan))
    assert buffer.take() == NOTHING
    buffer.add(0.0, 0.0, 1.0)
    buffer.add(math.nan, math.nan, math.nan)
    assert buffer.take() == Context(0.0, 0.0, 1.0)


@pytest.mark.parametrize("wrong", ["much", [1.0, 2.0], torch.zeros(3), {}, 1j])
@pytest.mark.parametrize("word", ["beta", "learning_rate", "reconstruction"])
def test_what_is_no_number_is_one_clear_error(word: str, wrong: Any) -> None:
    monitor = PolarMonitor(sinks=())
    with pytest.raises(PolarMonitorError, match=f"{word}: expected one number, got"):
        monitor.log(**{word: wrong})


class Strange:
    """A number that is none, and does not say what it is either."""

    def __float__(self) -> float:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("wrong", [Strange(), 10**400, torch.zeros((), device="meta"), torch.zeros(2).to_sparse()])
def test_what_cannot_be_read_is_the_same_error(wrong: Any) -> None:
    monitor = PolarMonitor(sinks=())
    for word in ("beta", "learning_rate", "reconstruction"):
        with pytest.raises(PolarMonitorError, match=f"{word}: expected one number, got"):
            monitor.log(**{word: wrong})
    assert monitor.state_dict()["training_context"]["count"] == 0


def test_a_loss_that_is_trained_on_is_read_without_a_warning() -> None:
    buffer = TrainingContextBuffer()
    buffer.add(None, None, torch.nn.Parameter(torch.tensor(3.0)) * 2)
    assert buffer.take() == Context(reconstruction=6.0)


class Away(TrainingContextBuffer):
    """A device is played: what is said to be there is added up as there."""

    def add(self, beta: Any, learning_rate: Any, reconstruction: Any) -> None:
        self._add_on_device(reconstruction)


def test_numbers_on_a_device_are_added_up_there() -> None:
    buffer = Away()
    for value in (1.0, math.nan, 2.0, math.inf, 6.0):
        buffer.add(None, None, torch.tensor([value]))
    assert buffer._count == 0
    buffer.request()
    buffer.add(None, None, torch.tensor(5.0))  # of the next mean, unless a state is taken between
    assert buffer.take() == Context(reconstruction=3.0)
    buffer.request()
    buffer.add(None, None, torch.tensor(7.0))
    assert buffer.state_dict()["sum"] == 12.0
    assert buffer.take() == Context(reconstruction=6.0)
    with pytest.raises(PolarMonitorError, match=r"reconstruction: expected one number, got a tensor \(3,\) on cpu"):
        buffer.add(None, None, torch.zeros(3))


def loop(monitor: PolarMonitor, steps: range) -> None:
    for step in steps:
        rng = np.random.default_rng(step)
        left = np.exp(-max(step - 15, 0) / 6)
        mean = rng.normal(size=(512, 2)) * [1.0, left]
        monitor.log(beta=0.5 + 0.1 * max(step - 15, 0), reconstruction=70.0 + step)
        monitor.observe(mean, var=np.broadcast_to([0.05, np.clip(1 - 0.95 * left**2, 0.05, 1)], mean.shape))
        monitor.step()


def watched(log: Path) -> PolarMonitor:
    return PolarMonitor(sinks=[JsonlSink(log)], every=1, window=512, max_overhead=1.0)


def test_the_log_holds_it_and_a_replay_gives_the_alerts_of_the_run(tmp_path: Path) -> None:
    monitor = watched(tmp_path / "run.jsonl")
    loop(monitor, range(1, 50))
    monitor.detach()
    records = read_jsonl(tmp_path / "run.jsonl")
    assert records[30].context == Context(0.5 + 0.1 * 16, None, 70.0 + 31)
    assert any("β has risen" in cause for alert in monitor.alerts for cause in alert.causes)
    found = replay(tmp_path)
    assert found.live == found.replayed == monitor.alerts


def test_a_resumed_run_says_what_the_uninterrupted_one_would(tmp_path: Path) -> None:
    whole, first = watched(tmp_path / "whole.jsonl"), watched(tmp_path / "first.jsonl")
    loop(whole, range(1, 50))
    loop(first, range(1, 24))
    first.log(beta=7.0, learning_rate=1.0, reconstruction=torch.tensor(3.0))
    second = watched(tmp_path / "second.jsonl")
    second.load_state_dict(first.state_dict())
    assert second.state_dict()["training_context"] == first.state_dict()["training_context"]
    loop(second, range(24, 50))
    for monitor in (whole, first, second):
        monitor.detach()
    mine, theirs = read_jsonl(tmp_path / "second.jsonl"), read_jsonl(tmp_path / "whole.jsonl")[23:]
    assert [e.context for e in mine][1:] == [Context(e.context.beta, 1.0, e.context.reconstruction) for e in theirs][1:]
    assert [a.message for a in second.alerts] == [a.message for a in whole.alerts]


GOOD = {"beta": None, "rate": 1e-3, "highest_rate": 1e-3, "sum": 1.0, "count": 1}


@pytest.mark.parametrize(
    "broken",
    [
        *({}, {"beta": 1.0}, "x", GOOD | {"beta": "x"}, GOOD | {"beta": math.inf}, GOOD | {"sum": math.nan}),
        *(GOOD | {"count": count} for count in (-1, 10**400, True, 2.7, "7")),
    ],
)
def test_a_broken_state_is_refused_and_changes_nothing(broken: Any, tmp_path: Path) -> None:
    monitor = watched(tmp_path / "run.jsonl")
    loop(monitor, range(1, 5))
    before = monitor.state_dict()["training_context"]
    with pytest.raises(PolarMonitorError, match=r"state\['training_context'\]: "):
        monitor.load_state_dict(monitor.state_dict() | {"training_context": broken})
    assert monitor.state_dict()["training_context"] == before


@pytest.mark.parametrize("broken", [{"beta": math.inf}, {"beta": "x"}, {"gamma": 1.0}, {"reconstruction": [1.0]}])
def test_a_context_that_no_loop_can_have_told_is_refused(broken: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Context.from_dict(broken)


def test_a_record_without_it_says_nothing_of_it(tmp_path: Path) -> None:
    monitor = watched(tmp_path / "run.jsonl")
    for _ in range(3):
        monitor.observe(np.zeros((512, 2)), var=np.ones((512, 2)))
        monitor.step()
    monitor.detach()
    (record, *_) = read_jsonl(tmp_path / "run.jsonl")
    assert "context" not in record.to_dict()
    assert Evaluation.from_dict(record.to_dict()).context == NOTHING


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"count": -3}, "count must be at least 0, got -3"),
        ({"count": True}, "count must be a whole number, got True"),
        ({"count": 2**62}, "count must be below"),
        ({"sum": math.nan}, "sum must be finite, got nan"),
        ({"rate": math.inf}, "rate must be finite, got inf"),
    ],
)
def test_an_error_names_the_part_the_number_and_the_bound(broken: dict[str, Any], message: str) -> None:
    monitor = PolarMonitor(sinks=())
    monitor.observe(np.zeros((8, 2)))
    with pytest.raises(PolarMonitorError) as error:
        monitor.load_state_dict(monitor.state_dict() | {"training_context": GOOD | broken})
    assert str(error.value).startswith(f"state['training_context']: {message}")
