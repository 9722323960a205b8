"""All sinks together: none can harm the training or another sink."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from records import make_evaluation

from polar_monitor import PolarMonitor
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.group import SinkGroup


class Memory:
    """Keeps what it is given; fails in the given order."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures, self.taken, self.calls = list(failures), [], []

    def write(self, evaluation: Evaluation) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.taken.append(evaluation.step)

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self) -> None:
        self.calls.append("close")


class Optional(Memory):
    """Has the two optional methods."""

    def resume(self, step: int) -> None:
        self.calls.append(f"resume {step}")

    def begin(self, name: str, setup: Mapping[str, Any]) -> None:
        self.calls.append(f"begin {name} {sorted(setup)}")


def test_a_failing_sink_is_logged_once_and_counted_and_the_others_go_on(caplog):
    bad, good = Memory(*[OSError(28, "disk full")] * 3, ValueError("odd"), None), Memory()
    group = SinkGroup((bad, good))
    with caplog.at_level(logging.ERROR, "polar_monitor"):
        for step in range(1, 6):
            group.write(make_evaluation(step, empty=True))
    assert good.taken == [1, 2, 3, 4, 5]
    assert bad.taken == [5]
    assert group.drops == 4
    assert [record.getMessage() for record in caplog.records] == [
        "Memory failed (OSError: [Errno 28] disk full); this evaluation is dropped",
        "Memory failed (ValueError: odd); this evaluation is dropped",
    ]


def test_two_sinks_with_the_same_failure_are_both_logged(caplog):
    group = SinkGroup((Memory(OSError("one")), Memory(OSError("two"))))
    with caplog.at_level(logging.ERROR, "polar_monitor"):
        group.write(make_evaluation(empty=True))
    assert group.drops == len(caplog.records) == 2


def test_strict_raises():
    group = SinkGroup((Memory(OSError(28, "disk full")),))
    group.strict = True
    with pytest.raises(OSError, match="disk full"):
        group.write(make_evaluation(empty=True))


def test_what_is_no_error_of_the_sink_passes():
    group = SinkGroup((Memory(KeyboardInterrupt()),))
    with pytest.raises(KeyboardInterrupt):
        group.write(make_evaluation(empty=True))


def test_every_method_reaches_the_sinks_that_have_it():
    plain, optional = Memory(), Optional()
    group = SinkGroup((plain, optional))
    group.begin("z", {"warmup": 3})
    group.flush()
    group.resume(7)
    group.close()
    assert plain.calls == ["flush", "close"]
    assert optional.calls == ["begin z ['warmup']", "flush", "resume 7", "close"]


def test_the_monitor_begins_every_sink_that_can_before_the_first_evaluation():
    plain, optional = Memory(), Optional()
    monitor = PolarMonitor(sinks=[plain, optional], every=1, name="z")
    monitor.observe(np.zeros((64, 2)))
    monitor.step()
    monitor.detach()
    assert plain.taken == optional.taken == [1]
    assert optional.calls[0] == "begin z ['extra_rules', 'rules', 'warmup']"


def test_a_sink_that_cannot_begin_is_logged_and_written_to(caplog):
    class Stuck(Memory):
        def begin(self, name: str, setup: Mapping[str, Any]) -> None:
            raise OSError("stuck")

    bad = Stuck()
    group = SinkGroup((bad,))
    group.begin("", {})
    group.write(make_evaluation(empty=True))
    assert bad.taken == [100]
    assert "Stuck failed (OSError: stuck)" in caplog.text


def test_a_sink_that_cannot_close_keeps_no_other_from_it(caplog):
    class Stuck(Memory):
        def close(self) -> None:
            raise OSError("stuck")

    good = Memory()
    SinkGroup((Stuck(), good)).close()
    assert good.calls == ["close"]
    assert "Stuck failed (OSError: stuck)" in caplog.text


class Remote(Memory):
    """Handle of a sink elsewhere; from some call on even the look-up of a method fails."""

    reachable = True

    def __getattribute__(self, name: str) -> Any:
        if name in ("write", "flush", "close", "resume", "begin") and not type(self).reachable:
            raise ConnectionError("gone")
        return super().__getattribute__(name)


def test_a_sink_whose_methods_cannot_be_looked_up_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    remote, good = Remote(), Optional()
    group = SinkGroup((remote, good))
    group.write(make_evaluation(1))
    monkeypatch.setattr(Remote, "reachable", False)
    for step in (2, 3):
        group.write(make_evaluation(step))
    group.begin("z", {})
    group.flush()
    group.resume(1)
    group.close()
    assert good.taken == [1, 2, 3]
    assert good.calls == ["begin z []", "flush", "resume 1", "close"]
    assert group.drops == 2
