"""Odd and bad latents: finite statistics, counts of what was wrong, one clear error or warning."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from models import Vae
from torch import nn
from watching import Memory, stepped, watched

from polar_monitor import Label, PolarMonitor, PolarMonitorError, PolarMonitorWarning


def test_nan_and_infinities_are_counted_and_told_at_the_first() -> None:
    model, told = Vae(), []
    monitor = watched(model, on_alert=told.append)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(30):
        x = torch.randn(64, 12)
        if step == 15:
            x[0], x[1] = float("nan"), float("inf")
        model(x)
        optimizer.step()
    assert [(str(alert.kind), alert.step) for alert in told] == [("non_finite", 20)]
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.non_finite == 2).all()
    assert np.isfinite(snapshot.information).all()
    assert monitor.should_stop


def test_constant_dimensions_have_finite_statistics() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    rng = np.random.default_rng(0)
    mean = np.concatenate([np.full((1024, 1), 3.0), np.zeros((1024, 1)), rng.normal(size=(1024, 1))], 1)
    monitor.observe(mean, var=np.full((1024, 3), 0.5))
    monitor.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert np.isfinite(snapshot.entropy_knn).all()
    assert np.isfinite(snapshot.entropy_hist).all()
    assert snapshot.information[:2] == pytest.approx([0, 0], abs=1e-3)
    assert monitor.regime().labels[:2] == (Label.PASSIVE, Label.PASSIVE)  # type: ignore[union-attr]


def test_ties_from_bfloat16_do_not_spoil_the_entropy() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    monitor.observe(torch.randn(4096, 1, generator=torch.Generator().manual_seed(0)).bfloat16())
    monitor.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.ties[0] > 0.5
    assert snapshot.entropy_knn[0] == pytest.approx(1.4189, abs=0.05)


@pytest.mark.parametrize("dimensions", [1, 2, 33, 4096])
def test_any_width(dimensions: int) -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(sink := Memory(),), strict=True)
    mean = torch.randn(600, dimensions, generator=torch.Generator().manual_seed(0))
    monitor.observe(mean, logvar=torch.full((600, dimensions), -3.0))
    monitor.step()
    assert sink.records[0].regime is not None
    assert sink.records[0].regime.count(Label.ACTIVE) == dimensions


def test_batches_of_no_row_and_one_row() -> None:
    model = Vae()
    monitor = watched(model, every=5)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for n in (0, 1, 1, 0, 3):
        model(torch.randn(n, 12))
        optimizer.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.rows == 5
    assert monitor.health().rows_empty == 2
    assert monitor.regime().labels == (Label.UNDECIDED,) * 4  # type: ignore[union-attr]


def test_batch_size_and_dtype_may_change() -> None:
    model = Vae()
    monitor = watched(model, every=3)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    model(torch.randn(10, 12))
    optimizer.step()
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.randn(7, 12))
    optimizer.step()
    model.double()(torch.randn(5, 12, dtype=torch.float64))
    optimizer.step()
    assert monitor.snapshot().rows == 22  # type: ignore[union-attr]
    assert monitor.health().errors == 0


@pytest.mark.parametrize(
    ("wrong", "values", "said"),
    [
        ("var", lambda logvar: logvar, "values below 0.*pass it as logvar= if"),
        ("logvar", lambda logvar: logvar.exp(), "no log-variance is below 0.*variance"),
    ],
)
def test_a_spread_in_another_unit_is_noticed(wrong: str, values: Any, said: str) -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    draw = torch.Generator().manual_seed(0)
    with pytest.warns(PolarMonitorWarning, match=said):
        for _ in range(3):
            logvar = torch.randn(1024, 2, generator=draw)
            monitor.observe(torch.randn(1024, 2, generator=draw), **{wrong: values(logvar)})
            monitor.step()


def test_negative_variances_are_not_used() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    var = torch.full((1024, 1), 0.5)
    var[:100] = -1
    with pytest.warns(PolarMonitorWarning, match="below 0"):
        monitor.observe(torch.randn(1024, 1), var=var)
    monitor.step()
    assert monitor.snapshot() is None  # all of them are in another unit
    assert not monitor.should_stop  # an argument of the wrong unit, not a loss that has diverged
    monitor.observe(torch.randn(1024, 1), var=var.clamp(min=0.5))
    monitor.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.n, snapshot.non_finite[0]) == (1024, 0)
    assert monitor.health().rows_dropped == 1024


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mean": torch.zeros(3, 2), "var": torch.zeros(3, 3)}, r"var: expected shape \(3, 2\), got \(3, 3\)"),
        ({"mean": torch.zeros(3, 2), "var": torch.ones(3, 2), "std": torch.ones(3, 2)}, "at most one"),
        ({"mean": torch.zeros(3, 2), "mode": "test"}, "mode: expected one of"),
    ],
)
def test_observe_refuses_what_does_not_fit(arguments: dict[str, Any], said: str) -> None:
    monitor = PolarMonitor(sinks=())
    with pytest.raises(PolarMonitorError, match=said):
        monitor.observe(arguments.pop("mean"), **arguments)


def test_another_default_dtype_changes_nothing() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        model = Vae()
        monitor = watched(model, every=5)
        stepped(model, 5, lambda step: model(torch.randn(600, 12)))
    finally:
        torch.set_default_dtype(torch.float32)
    assert monitor.snapshot().rows == 3000  # type: ignore[union-attr]


def test_rows_of_another_width_are_counted_as_dropped() -> None:
    model = nn.ModuleDict({"mu": nn.Identity()})
    monitor = watched(model, mean="mu", every=5)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.0)
    model.register_parameter("p", optimizer.param_groups[0]["params"][0])
    for step in range(5):
        model["mu"](torch.randn(100, 3 if step < 2 else 4))
        optimizer.step()
    health = monitor.health()
    assert (health.rows_seen, health.rows_dropped) == (300, 200)


def test_rows_that_cannot_be_recorded_are_one_clear_error() -> None:
    monitor = PolarMonitor(sinks=())
    with pytest.raises(PolarMonitorError, match="mean: expected an array"):
        monitor.observe([[1.0, 2.0], [3.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are deprecated
        quantised = torch.quantize_per_tensor(torch.zeros(4, 2), 0.1, 0, torch.qint8)
    with pytest.raises(PolarMonitorError, match="mean: expected a tensor of real numbers, got"):
        monitor.observe(quantised)
    monitor.observe(torch.zeros(4, 2, 3, 3))
    monitor.step()
    monitor.observe(torch.zeros(4, 2, 5, 5))  # another size is no other latent
