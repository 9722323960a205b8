"""Baselines against hand and river, and tables that have every rule and kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alert_runs import at, made

from bench.alerts.report.describe import line
from bench.alerts.report.named import calibration, confusion, cost, factors, judged
from bench.alerts.report.tables import causes, curves, figures, sensitivity
from bench.alerts.scoring import baselines
from bench.alerts.scoring.baselines import falls_of_mean
from bench.alerts.scoring.tally import plain
from bench.alerts.training.record import Run


def test_every_baseline_alarms_at_the_place_worked_out_by_hand() -> None:
    kl = np.where(np.arange(60) < 40, 10.0, 1.0)
    variance = np.where(np.arange(60)[:, None] < [40, 50, 60], 1.0, 0.001)
    loss = np.concatenate([np.linspace(5, 4, 30), np.full(30, 4.5)])
    run = made(np.ones((60, 3)), kl=kl, variance=variance, mi=kl, validation=loss)
    assert baselines.active_units(run, 1) == [40, 50]
    assert baselines.active_units(run, 2) == [50]
    assert baselines.kl_floor(run, 2.0) == [40]
    assert baselines.validation_mi(run, 0.0) == [40]
    assert baselines.validation_mi(run, 0.95) == []
    assert baselines.early_stopping(run, 5) == [34]
    assert baselines.page_hinkley(run, 20.0) == [42]
    late = replace(run, warmup=at(45) - 5)
    assert baselines.kl_floor(late, 2.0) == [45]
    assert baselines.validation_mi(late, 0.0) == []


def test_an_alarm_comes_again_only_after_a_recovery() -> None:
    kl = np.array([3.0, 1.0, 1.0, 3.0, 1.0])
    assert baselines.kl_floor(made(np.ones((5, 1)), kl=kl), 2.0) == [1, 4]


def test_page_hinkley_is_river_s() -> None:
    from river import drift

    rng = np.random.default_rng(0)
    series = np.concatenate([rng.normal(5, 1, 100), rng.normal(2, 1, 100), rng.normal(0, 1, 100)])
    detector = drift.PageHinkley(min_instances=30, delta=0.005, threshold=20.0, alpha=1.0, mode="down")
    found = []
    for t, x in enumerate(series.tolist()):
        detector.update(x)
        if detector.drift_detected:
            found.append(t)
    assert found == falls_of_mean(series, 20.0)
    assert len(found) >= 2


def test_the_tables_have_every_rule_and_kind(tiny: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.alerts.scoring.score.DRAWS", 20)
    runs = [tiny, replace(tiny, kind="calm", healthy=True, seed=2)]
    assert figures(runs).count("| Polar Monitor |") == 3
    assert all(name in curves(runs) for name in baselines.BASELINES)
    assert causes(runs).count("\n| ") == 1 + 2
    assert sensitivity(runs).count("\n| ") == 1 + 10
    assert "| made |" not in confusion(runs)
    assert "| tiny | FADING |" in confusion(runs)
    warned = [alert for alert in tiny.alerts if alert.kind in ("fading", "drain", "collapse", "lost")]
    ramp = [replace(tiny, kind="beta_ramp")]
    assert f"| held-out | nothing | {len(warned)} |" in judged(ramp)
    assert judged(runs).count("\n") == 2
    assert calibration(runs).count("\n| ") == 1 + 4
    assert factors(runs).count("\n| ") >= 1
    assert "64 dimensions of tiny-1" in cost(tiny, 64)
    assert line(tiny).startswith("tiny-1")
    assert "COLLAPSE" in line(tiny)
    assert len(plain(tiny.alerts)) == len(tiny.alerts)
