"""Logs that another program moves, cuts or removes in a run: it goes on, in files that can be read, and says so."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import Vae, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from watching import warned, watched

import polar_monitor
from polar_monitor.cli import main
from polar_monitor.replay import replay
from polar_monitor.sinks import jsonl
from polar_monitor.sinks.jsonl import read_jsonl
from polar_monitor.web.report import runs_of


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
    with warned() as caught:
        assert len(polar_monitor.read(folder)) == 3 * 4
    assert len(caught) == 1
    assert "the log has lost 2 evaluations (before step 30): it was cut, removed or replaced" in caught[0]
    shown = [10, 20, 30, 40, 50] if change is not remove else [30, 40, 50]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in events.Scalars("polar/information")] == shown
    health = monitor.health()
    assert (health.errors, health.sink_drops, health.log_incomplete) == (1, 0, True)
    assert said in health.last_error


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_log_that_is_taken_away_after_the_latest_record_is_known_in_health(
    change: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder, model = tmp_path / "run", Vae()
    monitor = watched(model, sinks=None, log_dir=folder, every=10)
    train(model, 20)
    assert not monitor.health().log_incomplete
    change(folder)
    monitor.detach()
    assert monitor.health().log_incomplete
    assert said in monitor.health().last_error


class Full(io.FileIO):
    """A file on a disk that is full for a while."""

    full = False

    def write(self, data: Any) -> int:
        if Full.full:
            raise OSError(28, "No space left on device")
        return super().write(data)


def gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Log of a run whose disk was full at steps 30 and 40."""
    monkeypatch.setattr(jsonl, "open", lambda *_, **__: Full(tmp_path / "run" / "polar.jsonl", "ab"), raising=False)
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path / "run", every=10, strict=False)
    train(model, 20)
    Full.full = True
    train(model, 20)
    Full.full = False
    train(model, 20)
    monitor.detach()
    monkeypatch.undo()
    health = monitor.health()
    assert (health.sink_drops, health.log_incomplete) == (2, True)
    return tmp_path / "run"


SENTENCE = "the log has lost 2 evaluations (between steps 20 and 50): it was cut, removed or replaced while"


def test_evaluations_that_were_not_written_are_missed_by_every_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = gap(tmp_path, monkeypatch)
    assert [record.step for record in read_jsonl(folder / "polar.jsonl")] == [10, 20, 50, 60]
    with warned() as caught:
        history = polar_monitor.read(folder)
    assert len(caught) == 1
    assert SENTENCE in caught[0]
    assert SENTENCE in history.notes[0]
    assert SENTENCE in repr(history)
    assert SENTENCE in replay(folder).losses[0]
    assert SENTENCE in runs_of([folder])[0]["notes"][0]
    for command in (["replay"], ["check"], ["compare"], ["export"], ["report", "-o", str(tmp_path / "report.md")]):
        with warned() as caught:
            main([command[0], str(folder), *command[1:]])
        assert not caught
        assert SENTENCE in capsys.readouterr().err
    assert SENTENCE.partition("(")[0] in (tmp_path / "report.md").read_text()


def test_a_run_that_goes_on_in_another_folder_has_lost_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=first, every=10)
    train(model, 30)
    state = monitor.state_dict()
    monitor.detach()
    monitor = watched(model, sinks=None, log_dir=second, every=10)
    monitor.load_state_dict(state)
    train(model, 30)
    monitor.detach()
    with warned() as caught:
        notes = [polar_monitor.read(folder).notes for folder in (first, second)]
    assert (notes, caught) == ([(), ()], [])
    assert not replay(second).losses


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
