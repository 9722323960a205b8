"""The log of a stored run, up to a step, is that of its monitor: the same evaluations and alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.alerts.lifelines import draw, write_log
from bench.alerts.scoring.replay import replay
from bench.alerts.training.record import Run
from polar_monitor.sinks.jsonl import read_jsonl


def test_the_log_has_the_evaluations_and_alerts_up_to_the_step(tiny: Run, tmp_path: Path) -> None:
    until = int(tiny.steps[-1]) - 100
    records = read_jsonl(write_log(tiny, until, tmp_path), strict=True)
    assert [record.step for record in records] == [step for step in tiny.steps.tolist() if step <= until]
    logged = [alert for record in records for alert in record.alerts]
    assert logged
    raised = [(alert.kind, alert.step, alert.dimensions) for alert in replay(tiny, told=True)[0] if alert.step <= until]
    assert [(alert.kind, alert.step, alert.dimensions) for alert in logged] == raised


def test_the_picture_says_what_happens_and_the_verdict(tiny: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert draw(tiny, int(tiny.steps[-1]), "β rises", tmp_path).get_suptitle().startswith("β rises (verdict: ")
