"""Attach, detach, copy and end: nothing is left behind, nothing is lost, nothing is shared by mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from polar_monitor.sinks.jsonl import read_jsonl


def test_without_close_nothing_is_lost(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import polar_monitor\nfrom models import Vae, train\n"
        "model = Vae()\n"
        "polar_monitor.attach(model, log_dir=sys.argv[1], every=10, max_overhead=1.0)\ntrain(model, 40)\n"
        "raise SystemExit(3)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parents[1] / "helpers")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    assert done.returncode == 3, done.stderr
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [10, 20, 30, 40]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/active")] == [10, 20, 30, 40]
