"""The callback of transformers' Trainer: folder, checkpoints, accumulation, stopping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import OPTIONS, STEPS, OwnNoise, is_installed, trainer

from polar_monitor.sinks.jsonl import read_jsonl

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("transformers"), reason="transformers is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]


def callback(**options: Any) -> Any:
    from polar_monitor.integrations.transformers import PolarCallback

    return PolarCallback(**OPTIONS, **options)


def test_the_log_lies_in_the_folder_of_the_run(tmp_path: Path) -> None:
    ours = callback()
    trainer(OwnNoise(), tmp_path, [ours]).train()
    folder = tmp_path / "out" / "runs" / "polar_monitor"
    assert ours.monitor.log_dir == folder
    assert [e.step for e in read_jsonl(folder / "polar.jsonl")] == [12, 24, 36, 48]
    assert list(folder.glob("events.out.tfevents.*"))


def test_accumulated_gradients_are_one_step(tmp_path: Path) -> None:
    ours = callback(sinks=())
    trainer(OwnNoise(), tmp_path, [ours], gradient_accumulation_steps=4).train()
    health = ours.monitor.health()
    assert (health.steps, health.calls, health.rows_seen) == (STEPS // 4, STEPS, STEPS * 64)


def test_a_resumed_training_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = {"save_strategy": "steps", "save_steps": 30}
    straight, resumed = callback(log_dir=tmp_path / "straight"), callback(log_dir=tmp_path / "resumed")
    trainer(OwnNoise(), tmp_path, [straight], **settings).train()
    checkpoint = tmp_path / "out" / "checkpoint-30"
    assert torch.load(checkpoint / "polar_monitor.pt", weights_only=True)["schedule"]["steps"] == 30
    trainer(OwnNoise(), tmp_path, [resumed], **settings).train(resume_from_checkpoint=str(checkpoint))
    first, second = (read_jsonl(tmp_path / name / "polar.jsonl") for name in ("straight", "resumed"))
    assert [e.step for e in second] == [36, 48]
    assert [e.snapshot.rows for e in second] == [e.snapshot.rows for e in first[2:]]


def test_the_trainer_stops_when_it_should(tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class Breaks(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            if state.global_step == 13:
                model.net.fc_mu.bias.data.fill_(torch.nan)

    ours = callback(sinks=())
    run = trainer(OwnNoise(), tmp_path, [ours, Breaks()], logging_nan_inf_filter=False)
    run.train()
    assert run.state.global_step == 24
    assert not ours.monitor.attached
