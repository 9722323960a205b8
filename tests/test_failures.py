"""What fails in us, or in what the user gave us, never reaches the loop."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from models import Vae, train
from watching import Memory, watched


def test_a_failing_sink_is_told_once_and_training_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    model, good = Vae(), Memory()
    monitor = watched(model, sinks=(Memory(failing=True), good), strict=False)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, 50)
    assert len(good.records) == 5
    assert monitor.health().sink_drops == 5
    assert [record.message for record in caplog.records] == [
        "Memory failed (OSError: no space left on device); its records are dropped"
    ]


@pytest.mark.parametrize("stage", ["ring", "snapshot", "judge", "watch"])
def test_a_failure_of_ours_never_reaches_the_loop(
    stage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"broken {stage}")

    model = Vae()
    monitor = watched(model, strict=False)
    target = {
        "ring": "polar_monitor.ring.Ring.requests",
        "snapshot": "polar_monitor.stream.LatentStream.snapshot",
        "judge": "polar_monitor.lane.judge",
        "watch": "polar_monitor.lane.watch",
    }[stage]
    monkeypatch.setattr(target, broken)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, 30)
    assert monitor.health().errors >= 3
    assert monitor.health().last_error == f"RuntimeError: broken {stage}"
    assert sum(f"broken {stage}" in record.message for record in caplog.records) == 1


def test_a_callback_that_raises_never_reaches_the_loop() -> None:
    def callback(alert: object) -> None:
        raise KeyError("mine")

    model = Vae()
    monitor = watched(model, strict=False, on_alert=callback)
    x = torch.full((64, 12), float("nan"))
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(x)
        optimizer.step()
    assert monitor.should_stop
    assert "mine" in monitor.health().last_error
