"""Attach, detach, copy and end: nothing is left behind, nothing is lost, nothing is shared by mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from models import Vae
from watching import watched

from polar_monitor import PolarMonitorError
from polar_monitor.sinks.jsonl import read_jsonl


def test_without_close_nothing_is_lost(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import polar_monitor\nfrom models import Vae, train\n"
        "model = Vae()\n"
        "polar_monitor.attach(model, log_dir=sys.argv[1], every=10, max_overhead=1.0)\ntrain(model, 40)\n"
        "raise SystemExit(3)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    assert done.returncode == 3, done.stderr
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [10, 20, 30, 40]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/active")] == [10, 20, 30, 40]


def test_two_monitors_of_one_name_do_not_share_a_folder(tmp_path: Path) -> None:
    first = watched(Vae(), sinks=None, log_dir=tmp_path)
    with pytest.raises(PolarMonitorError, match="another monitor writes to"):
        watched(Vae(), sinks=None, log_dir=tmp_path)
    watched(Vae(), sinks=None, log_dir=tmp_path, name="second")
    first.detach()
    watched(Vae(), sinks=None, log_dir=tmp_path)


def test_default_folders_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len({watched(Vae(), sinks=None).log_dir for _ in range(3)}) == 3
