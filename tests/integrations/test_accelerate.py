"""Accelerate without an adapter: accumulation, `register_for_checkpointing`, and its trackers as a sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from frameworks import OPTIONS, STEPS, OwnNoise, adam, is_installed, loader
from models import vae_loss

import polar_monitor
from polar_monitor.integrations.trackers import TrackerSink

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("accelerate"), reason="accelerate is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]


def train(accelerator: Any, model: Any, optimizer: Any, batches: Any) -> None:
    for (x,) in batches:
        with accelerator.accumulate(model):
            accelerator.backward(vae_loss(model(x), x))
            optimizer.step()
            optimizer.zero_grad()


@pytest.mark.parametrize("after", [False, True])
def test_accumulated_gradients_are_one_step(after: bool) -> None:
    from accelerate import Accelerator

    accelerator, model = Accelerator(cpu=True, gradient_accumulation_steps=4), OwnNoise()
    monitor = None if after else polar_monitor.attach(model, sinks=(), **OPTIONS)
    prepared = accelerator.prepare(model, adam(model), loader())
    monitor = monitor or polar_monitor.attach(prepared[0], sinks=(), **OPTIONS)
    train(accelerator, *prepared)
    monitor.detach()
    health = monitor.health()
    assert (health.steps, health.calls, health.rows_seen) == (STEPS // 4, STEPS, STEPS * 64)


def test_the_state_is_part_of_a_checkpoint(tmp_path: Path) -> None:
    from accelerate import Accelerator

    monitors = []
    for folder in (None, tmp_path):
        accelerator, model = Accelerator(cpu=True), OwnNoise()
        monitor = polar_monitor.attach(model, sinks=(), **OPTIONS)
        prepared = accelerator.prepare(model, adam(model), loader())
        accelerator.register_for_checkpointing(monitor)
        if folder is not None:
            accelerator.load_state(str(folder))
        train(accelerator, *prepared)
        if folder is None:
            accelerator.save_state(str(tmp_path))
        monitor.detach()
        monitors.append(monitor)
    assert [monitor.health().steps for monitor in monitors] == [STEPS, 2 * STEPS]
    assert monitors[1].snapshot().rows == 2 * STEPS * 64


def test_its_trackers_get_the_scalars(tmp_path: Path) -> None:
    from accelerate import Accelerator
    from accelerate.tracking import GeneralTracker

    rows: dict[int, dict[str, float]] = {}

    class Tracker(GeneralTracker):  # type: ignore[misc]
        name, requires_logging_directory, tracker = "rows", False, None

        def store_init_configuration(self, values: Any) -> None: ...

        def log(self, values: dict[str, float], step: int | None = None, **_: Any) -> None:
            rows[step or 0] = values

    accelerator, model = Accelerator(cpu=True, log_with=Tracker()), OwnNoise()
    accelerator.init_trackers("polar")
    monitor = polar_monitor.attach(model, sinks=[TrackerSink(accelerator)], **OPTIONS)
    train(accelerator, *accelerator.prepare(model, adam(model), loader()))
    monitor.detach()
    assert list(rows) == [12, 24, 36, 48]
    assert rows[48]["polar/active"] == len([label for label in monitor.regime().labels if label == "active"])
