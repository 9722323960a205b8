"""A wide latent: what full evaluations leave out is said in the summary, in the explanation and once in the log."""

from __future__ import annotations

import logging

import pytest
import torch

from polar_monitor import PolarMonitor
from polar_monitor.statistics import stream


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(stream, "thread_time", lambda: float(next(ticks)))
    monitor = PolarMonitor(sinks=(), every=1000, strict=True, window=512)
    with caplog.at_level(logging.INFO, "polar_monitor"):
        for _ in range(2):
            monitor.observe(torch.randn(512, 300), logvar=torch.zeros(512, 300))
            monitor.step()
            monitor.evaluate()
    words = "of all 300 dimensions; entropies, correlations, rank and histograms of 256, those with most information"
    assert words in " ".join(monitor.summary().split()) and words in monitor.explain()
    assert sum(words in record.getMessage() for record in caplog.records) == 1
    regime = monitor.regime()
    assert regime is not None and len(regime.labels) == 300
    monitor.detach()


def test_nothing_is_said_where_nothing_is_left_out() -> None:
    monitor = PolarMonitor(sinks=(), every=1000, strict=True, window=512)
    monitor.observe(torch.randn(512, 3), logvar=torch.zeros(512, 3))
    monitor.step()
    monitor.evaluate()
    assert "entropies, correlations" not in " ".join(monitor.summary().split()) + monitor.explain()
    monitor.detach()
