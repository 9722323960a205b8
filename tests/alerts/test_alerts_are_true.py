"""No alert contradicts its own numbers: random walks of four dimensions, with ramps, breaks and returns."""

from __future__ import annotations

import numpy as np
import pytest
from alert_histories import run

from polar_monitor.alerts.alert import Alert, AlertKind


@pytest.mark.parametrize("seed", range(12))
def test_no_alert_contradicts_its_own_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nats, pull, rows = rng.choice([0.0, 0.5, 2.0], 4), np.zeros(4), list[list[float]]()
    for _ in range(60):
        pull = np.where(rng.random(4) < 0.08, rng.choice([-0.15, 0.0, 0.1], 4), pull)
        nats = np.where(rng.random(4) < 0.02, rng.choice([0.0, 1.0, 2.5], 4), nats * np.exp(pull))
        nats = np.clip(nats, 0.002, 4.0)
        rows.append(nats.tolist())
    for alert in run([*map(list, zip(*rows, strict=True))], noise=0.003):
        check(alert)


def check(alert: Alert) -> None:
    """Assert that message, evidence, steps and forecast of an alert agree."""
    assert list(alert.dimensions) == sorted(set(alert.dimensions))
    assert alert.last_healthy_step is None or alert.last_healthy_step <= alert.step
    if alert.forecast is not None:
        assert alert.step < alert.forecast.low <= alert.forecast.step
        assert alert.forecast.high is None or alert.forecast.step <= alert.forecast.high
        assert f"at step {alert.forecast.step:,}" in alert.message
    evidence = alert.evidence
    single = len(alert.dimensions) == 1
    match alert.kind:
        case AlertKind.FADING if single:
            assert f"{evidence['information']:.3f} of {evidence['from']:.3f} nats" in alert.message
            assert 0.05 < evidence["information"] < evidence["from"]
        case AlertKind.LOST | AlertKind.SETTLING if single:
            assert f"{evidence['information']:.3f} nats are left" in alert.message
            assert evidence["information"] < 0.15
        case AlertKind.REVIVED if single:
            assert f"{evidence['information']:.3f} nats" in alert.message
            assert evidence["information"] > 0.05
        case AlertKind.DRAIN:
            assert f"from {evidence['peak']:.2f} to {evidence['total']:.2f} nats" in alert.message
            assert evidence["total"] < evidence["peak"]
        case AlertKind.COLLAPSE:
            assert evidence["largest"] <= evidence["total"] + 1e-9
            assert evidence["largest"] < 0.15
