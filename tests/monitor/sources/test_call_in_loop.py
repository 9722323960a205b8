"""A misspelt name in a call of the loop: an error at once, and no error in the middle of a training."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest
import torch

from polar_monitor import PolarMonitor
from polar_monitor.evaluation import Evaluation

X = torch.randn(64, 3)
WRONG: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], str]] = {
    "a name of log": ("log", (), {"reconstrution": 1.0}, "did you mean reconstruction=?"),
    "a name far from all": ("log", (), {"zzz": 1.0}, "it has baseline, beta, learning_rate, reconstruction"),
    "a number without a name": (
        "log",
        (0.5,),
        {},
        "expected names for all arguments, got 1 without: write monitor.log(ba",
    ),
    "a name of observe": ("observe", (X,), {"log_var": X}, "did you mean logvar=?"),
    "no mean": ("observe", (), {"logvar": X}, "write monitor.observe(mean, …)"),
    "the mean twice": ("observe", (X,), {"mean": X}, "write monitor.observe(mean, …)"),
    "a spread without a name": ("observe", (X, X), {}, "write monitor.observe(mean, layout=…, logstd=…)"),
    "a mode that is no text too": ("observe", (X,), {"log_var": X, "mode": ["train"]}, "did you mean logvar=?"),
}
CASES = pytest.mark.parametrize(("method", "arguments", "named", "said"), WRONG.values(), ids=list(WRONG))


class Keep:
    """Sink that keeps the evaluations."""

    def __init__(self, kept: list[Evaluation]) -> None:
        self.write = kept.append

    def flush(self) -> None: ...
    def close(self) -> None: ...


def monitored(kept: list[Evaluation], steps: int = 1, **options: Any) -> PolarMonitor:
    monitor = PolarMonitor(sinks=[Keep(kept)], every=1, max_overhead=1.0, **options)
    train(monitor, steps)
    return monitor


def train(monitor: PolarMonitor, steps: int = 1) -> None:
    for _ in range(steps):
        monitor.observe(X, logvar=X)
        monitor.step()


@CASES
def test_before_the_first_step_it_is_an_error(method: str, arguments: Any, named: Any, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(monitored([], 0), method)(*arguments, **named)
    assert said in str(caught.value)


@CASES
def test_in_the_middle_of_a_training_it_is_one_line(
    method: str, arguments: Any, named: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = monitored([])
    with caplog.at_level(logging.INFO, "polar_monitor"):
        for _ in range(3):
            getattr(monitor, method)(*arguments, **named)
            train(monitor)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert said in caplog.text
    assert "training is not affected" in caplog.text
    health = monitor.health()
    assert (health.errors, health.rows_seen, health.evaluations) == (3, 4 * 64, 4)
    assert health.rows_dropped == (3 * 64 if arguments and arguments[0] is X and "mode" not in named else 0)
    assert said in health.last_error


def test_the_other_numbers_of_the_loop_count() -> None:
    monitor = monitored(kept := [])
    monitor.log(beta=0.5, learning_rat=1e-3, reconstruction=2.0)  # type: ignore[call-arg]
    train(monitor)
    assert (kept[-1].context.beta, kept[-1].context.reconstruction) == (0.5, 2.0)
    assert kept[-1].context.learning_rate is None


def test_after_detach_nothing_happens() -> None:
    monitor = monitored([])
    monitor.detach()
    monitor.log(betta=1.0)  # type: ignore[call-arg]
    assert monitor.health().errors == 0


@pytest.mark.parametrize("method", ["log", "observe"])
def test_editors_see_the_arguments(method: str) -> None:
    parameters = inspect.signature(getattr(PolarMonitor, method)).parameters
    assert "reconstruction" in parameters or "logvar" in parameters
    assert all(one.kind is not one.VAR_KEYWORD for one in parameters.values())
