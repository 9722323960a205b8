"""The user's code is a boundary: whatever it raises when we call it, the training goes on as without the monitor."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from models import Vae
from watching import left_behind, same

import polar_monitor

STEPS = 30


class UnreadableError(Exception):
    """Fails once more when somebody asks for its text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


FAILURES = [AssertionError("the user's own"), UnreadableError(), RecursionError("deep"), UnicodeError("\ud800")]


class Raiser:
    """Sink, rule, callback, filter, handler, prior, mask and stream, all of which raise."""

    level = 0

    def __init__(self, failure: Exception) -> None:
        self.failure, self.calls = failure, 0

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        raise self.failure

    write = flush = close = begin = resume = update = filter = handle = __call__

    def start(self) -> int:
        return 0

    def __repr__(self) -> str:
        raise self.failure


@contextmanager
def added(method: str, raiser: Raiser) -> Iterator[None]:
    logger = logging.getLogger("polar_monitor")
    before = logger.filters[:], logger.handlers[:]
    getattr(logger, method)(raiser)
    try:
        yield
    finally:
        logger.filters[:], logger.handlers[:] = before


@contextmanager
def hooked(raiser: Raiser) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = raiser
        yield


@contextmanager
def no_stderr(raiser: Raiser) -> Iterator[None]:
    """A filter that raises, and no stream that could say so."""
    with added("addFilter", raiser), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", raiser)
        yield


@contextmanager
def nothing(_: Raiser) -> Iterator[None]:
    yield


BOUNDARIES: dict[str, tuple[Callable[[Raiser], Any], Callable[[Raiser], dict[str, Any]]]] = {
    "handler": (lambda r: added("addHandler", r), lambda r: {}),
    "filter": (lambda r: added("addFilter", r), lambda r: {}),
    "filter and stderr": (no_stderr, lambda r: {}),
    "hook of warnings": (hooked, lambda r: {"mean": "fc_mu", "logvar": "fc_logvar", "mask": r}),
    "sink": (nothing, lambda r: {"sinks": [r]}),
    "callback": (nothing, lambda r: {"on_alert": r}),
    "rule": (nothing, lambda r: {"extra_rules": [r]}),
    "prior": (nothing, lambda r: {"latent": "whole", "prior": r}),
    "mask": (nothing, lambda r: {"mask": r}),
    "reader": (nothing, lambda r: {"latent": "whole", "mean": r}),
    "handler and sink": (lambda r: added("addHandler", r), lambda r: {"sinks": [r]}),
    "handler and rule": (lambda r: added("addHandler", r), lambda r: {"extra_rules": [r]}),
}


class Whole(Vae):
    """Its latent, both parts, is the output of one module."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = torch.nn.Identity()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        recon, mean, logvar = super().forward(x)
        return (recon, *self.whole((mean, logvar)))


def run(options: dict[str, Any] | None) -> tuple[dict[str, Any], Any]:
    """Train a model whose inputs become NaN in the middle, an alert; return what is left, and the monitor."""
    torch.manual_seed(3)
    model = Whole()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    monitor = None
    if options is not None:
        monitor = polar_monitor.attach(model, **{"every": 5, "sinks": (), "max_overhead": 1.0, **options})
    for step in range(STEPS):
        optimizer.zero_grad()
        x = torch.randn(64, 12)
        recon, _, _ = model(x)
        (recon - x).square().mean().backward()
        optimizer.step()
        if step == STEPS // 2:
            with torch.no_grad():
                model.fc_mu.weight[0] = float("nan")
    if monitor is not None:
        monitor.health()
        monitor.summary()
        monitor.detach()
    return left_behind(model, optimizer), monitor


@pytest.mark.filterwarnings("ignore::polar_monitor.PolarMonitorWarning")
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_whatever_user_code_raises_the_training_goes_on(boundary: str, failure: Exception) -> None:
    context, options = BOUNDARIES[boundary]
    raiser = Raiser(failure)
    plain, _ = run(None)
    with context(raiser):
        left, monitor = run(options(raiser))
    assert raiser.calls
    assert same(plain, left)
    if boundary != "hook of warnings":  # a warning is no work of the monitor; its text is in the log
        assert monitor.health().errors
        assert type(failure).__name__ in monitor.health().last_error


def test_a_message_that_logging_refuses_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with added("addFilter", Raiser(AssertionError("no errors here"))):
        run({})
    said = capsys.readouterr().err
    assert "logging failed (AssertionError: no errors here)" in said
    assert "NON_FINITE" in said


def test_an_object_without_a_repr_cannot_break_a_message() -> None:
    class Rule:
        name = "odd"

        def start(self) -> int:
            return 0

        def update(self, state: Any, observation: Any) -> Any:
            return 0, [Raiser(RuntimeError("no repr"))]

    _, monitor = run({"extra_rules": [Rule()]})
    assert "RuntimeError: no repr" in monitor.health().last_error


WARNS = """
import torch, polar_monitor
model = torch.nn.Sequential(torch.nn.Linear(12, 4))
monitor = polar_monitor.attach(model, mean="0", sinks=())
optimizer = torch.optim.SGD(model.parameters(), 0.0)
for _ in range(120):
    model[0].forward(torch.randn(8, 12))
    optimizer.step()
print(monitor.health().steps)
"""


@pytest.mark.parametrize(("option", "lines"), [("ignore", 0), ("error", 1)])
def test_the_options_of_python_decide_about_warnings(option: str, lines: int) -> None:
    command = [sys.executable, "-W", option, "-c", WARNS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "120\n"
    assert done.stderr.count("no latent seen from '0'") == lines
