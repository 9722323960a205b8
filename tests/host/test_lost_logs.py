"""Logs that another program moves, cuts or removes in a run: it goes on, in files that can be read, and says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from models import Vae, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from watching import warned, watched

import polar_monitor
from polar_monitor.sinks.jsonl import read_jsonl


def move(folder: Path) -> None:
    os.rename(folder / "polar.jsonl", folder / "polar.jsonl.1")


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def cut(folder: Path) -> None:
    os.truncate(folder / "polar.jsonl", 0)


CHANGES = [(move, "removed or replaced"), (remove, "removed or replaced"), (cut, "cut")]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_log_that_is_taken_away_goes_on_and_says_so_once(
    change: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder, model = tmp_path / "run", Vae()
    monitor = watched(model, sinks=None, log_dir=folder, every=10)
    train(model, 20)
    change(folder)
    with warned() as caught:
        train(model, 30)
        monitor.detach()
    assert len(caught) == 1
    assert f"polar.jsonl' was {said} while this run wrote to it" in caught[0]
    assert [record.step for record in read_jsonl(folder / "polar.jsonl", strict=True)] == [30, 40, 50]
    assert len(polar_monitor.read(folder)) == 3 * 4
    shown = [10, 20, 30, 40, 50] if change is not remove else [30, 40, 50]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in events.Scalars("polar/information")] == shown
    health = monitor.health()
    assert (health.errors, health.sink_drops) == (1, 0)
    assert said in health.last_error


def test_a_log_that_several_monitors_share_goes_on_in_one_file(tmp_path: Path) -> None:
    folder, models = tmp_path / "run", [Vae(), Vae()]
    for number, model in enumerate(models):
        watched(model, sinks=None, log_dir=folder, name=f"latent{number}")
    for model in models:
        train(model, 10)
    remove(folder)
    with warned() as caught:
        for model in models:
            train(model, 20)
    assert len(caught) in (1, 2)
    assert len(read_jsonl(folder / "polar.jsonl", strict=True)) == 4
