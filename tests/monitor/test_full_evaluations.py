"""Which evaluations have all statistics, and that asking the monitor completes the latest one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from watching import Memory

from polar_monitor import PolarMonitor
from polar_monitor.monitor.pipeline import FULL_EVERY, ModePipeline


def observed(evaluations: int, collapse_at: int | None = None, **options: Any) -> tuple[PolarMonitor, Memory]:
    """A monitor that evaluates each step of a latent with three dimensions in use, or none after `collapse_at`."""
    sink, generator = Memory(), torch.Generator().manual_seed(0)
    monitor = PolarMonitor(
        **{"every": 1, "max_overhead": 1.0, "sinks": (sink,), "strict": True, "window": 1024} | options
    )
    for step in range(evaluations):
        alive = collapse_at is None or step < collapse_at
        mean = (1.0 if alive else 0.01) * torch.randn(1024, 3, generator=generator)
        monitor.observe(mean, var=torch.full((1024, 3), 0.02 if alive else 1.0))
        monitor.step()
    return monitor, sink


def full(sink: Memory) -> list[bool]:
    return [record.snapshot is not None and record.snapshot.full for record in sink.records]


def test_the_first_and_every_eighth_evaluation_is_full() -> None:
    monitor, sink = observed(20)
    assert full(sink) == [i % FULL_EVERY == 0 for i in range(20)]
    monitor.detach()


def test_the_first_of_a_very_wide_latent_is_light_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What labels need already takes long: the rest comes with the eighth evaluation, or when somebody asks."""
    now = iter(np.arange(1000) * 0.3)
    monkeypatch.setattr("polar_monitor.statistics.stream.thread_time", lambda: next(now))
    with caplog.at_level("INFO", "polar_monitor"):
        monitor, sink = observed(9)
    assert full(sink) == [i + 1 == FULL_EVERY for i in range(9)]
    assert [record.regime.labels for record in sink.records] == [sink.records[-1].regime.labels] * 9
    said = [record.getMessage() for record in caplog.records if "come with a later one" in record.getMessage()]
    assert len(said) == 1 and "monitor.snapshot()" in said[0]
    assert "come with a later one" not in monitor.explain()  # the eighth had it
    monitor.detach()
    now = iter(np.arange(1000) * 0.3)
    early, _ = observed(1)
    assert "come with a later one" in early.explain()
    assert early.snapshot().full and np.isfinite(early.snapshot().entropy_knn).all()
    early.detach()


def test_a_change_of_verdict_is_full_and_starts_the_count_again() -> None:
    monitor, sink = observed(20, collapse_at=3)
    verdicts = [record.regime.verdict for record in sink.records]
    changed = next(i for i in range(1, 20) if verdicts[i] is not verdicts[i - 1])
    assert full(sink) == [i == 0 or (i >= changed and (i - changed) % FULL_EVERY == 0) for i in range(20)]
    monitor.detach()


def test_a_completion_that_fails_at_a_change_of_verdict_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    complete, failures = ModePipeline.complete, []

    def fail_once(pipeline: ModePipeline, remember: bool = False) -> None:
        if not failures:
            failures.append(pipeline.regime)
            raise RuntimeError("once")
        complete(pipeline, remember)

    monkeypatch.setattr(ModePipeline, "complete", fail_once)
    monitor, sink = observed(20, collapse_at=12, strict=False)
    expected, whole = observed(20, collapse_at=12)
    assert [record.step for record in sink.records] == [record.step for record in whole.records]
    changed = full(whole).index(True, 9)
    assert full(sink)[changed : changed + 2] == [False, True]
    assert [record.alerts for record in sink.records] == [record.alerts for record in whole.records]
    assert monitor.alerts == expected.alerts != ()
    assert monitor.health().errors == 1
    monitor.detach()
    expected.detach()


@pytest.mark.parametrize("options", [{"criterion": "active_units"}])
def test_a_published_criterion_may_need_any_statistic(options: dict[str, str]) -> None:
    monitor, sink = observed(10, **options)
    assert all(full(sink))
    monitor.detach()


@pytest.mark.parametrize("ask", [PolarMonitor.snapshot, lambda m: m.regime().snapshot])
def test_asking_completes_the_latest_evaluation_from_its_own_rows(ask: Any) -> None:
    monitor, sink = observed(5)
    logged = sink.records[-1].snapshot
    assert not logged.full
    s = ask(monitor)
    assert s.full and s.step == logged.step
    assert np.isfinite(s.entropy_knn).all() and np.isfinite(s.effective_rank) and len(s.histograms) == 3
    np.testing.assert_array_equal(s.information, logged.information)
    np.testing.assert_array_equal(s.kl_se, logged.kl_se)
    assert len(sink.records) == 5
    monitor.detach()


@pytest.mark.parametrize("look", ["regime", "snapshot", "summary"])
def test_a_look_changes_nothing_of_what_is_written(look: str) -> None:
    def kinds(asked: bool) -> list[bool]:
        sink = Memory()
        monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(sink,))
        draw = torch.Generator().manual_seed(0)
        for _ in range(30):
            monitor.observe(torch.randn(600, 3, generator=draw))
            monitor.step()
            if asked:
                getattr(monitor, look)()
        assert all(e.snapshot is not None for e in sink.records)
        return [(e.snapshot.full, e.snapshot.surplus) for e in sink.records]  # type: ignore[union-attr,misc]

    np.testing.assert_equal(kinds(asked=True), kinds(asked=False))
