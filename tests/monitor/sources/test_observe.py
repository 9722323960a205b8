"""Latents by hand: what is no latent, or not like the rows before, is one clear error and is not recorded."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning, attach

X = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "mean", [torch.zeros(5, 0), torch.zeros(5, 2).to_sparse(), torch.zeros(5, 2, dtype=torch.complex64), "abc"]
)
def test_observe_refuses_what_is_no_latent(mean: Any) -> None:
    with pytest.raises(PolarMonitorError, match="mean: expected"):
        PolarMonitor(sinks=()).observe(mean)


@pytest.mark.parametrize(
    ("mean", "options", "said"),
    [
        (X, {"mode": "eval"}, "mode: expected one of"),
        (X, {"logvar": X[:, :1]}, r"logvar: expected shape \(64, 2\), got \(64, 1\)"),
        (X, {"var": "text"}, "var: expected numbers"),
        ([[1.0], [1.0, 2.0]], {}, "mean: expected an array"),
        (np.array(1.0), {}, r"mean: expected a tensor \(n, D\)"),
        (X, {"logvar": X, "prior": 3}, "prior"),
    ],
)
def test_bad_rows_are_refused_and_not_counted(mean: Any, options: dict[str, Any], said: str) -> None:
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0)
    with pytest.raises(PolarMonitorError, match=said):
        monitor.observe(mean, **options)
    monitor.state_dict()  # takes in the rows that wait
    assert (monitor.health().rows_seen, monitor.health().calls) == (0, 0)


@pytest.mark.parametrize(
    ("mean", "options", "said"),
    [
        (torch.cat([X, X], 1), {"logvar": torch.cat([X, X], 1)}, "mean: expected 2 dimensions as before, got 4"),
        (X, {}, "this monitor reads logvar, got no variance: call"),
        (X, {"var": X.exp()}, "this monitor reads logvar, got var: call"),
        (X, {"logvar": X, "prior": (0.0, 1.0)}, "prior: expected no prior= as before"),
    ],
)
def test_rows_must_be_like_those_before(mean: Any, options: dict[str, Any], said: str) -> None:
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0, strict=True)
    monitor.observe(X, logvar=X)
    monitor.step()
    with pytest.raises(PolarMonitorError, match=said):
        monitor.observe(mean, **options)
    monitor.observe(X, logvar=X)
    monitor.step()
    assert (monitor.health().rows_seen, monitor.health().evaluations) == (128, 2)


def test_a_prior_of_each_row_is_for_every_call_and_not_beside_one_of_all() -> None:
    monitor = PolarMonitor(sinks=(), strict=True)
    monitor.observe(X, logvar=X, prior=(0.0, 1.0))
    with pytest.raises(PolarMonitorError, match="prior: expected a prior of each row as before"):
        monitor.observe(X, logvar=X)
    with pytest.raises(PolarMonitorError, match="prior: this monitor has a prior for all rows already"):
        PolarMonitor(sinks=(), prior=(0.0, 1.0)).observe(X, logvar=X, prior=(0.0, 1.0))


@pytest.mark.parametrize("other", [torch.zeros(5, 3), torch.zeros(5), torch.zeros(5, 3, 4, 4), torch.zeros(5, 4, 3)])
def test_two_widths_before_the_first_evaluation_are_refused(other: torch.Tensor) -> None:
    monitor = PolarMonitor(sinks=(), every=100, strict=True)
    monitor.observe(X)
    with pytest.raises(PolarMonitorError, match="mean: expected 2 dimensions as before, got"):
        monitor.observe(other)
    monitor.observe(X)


@pytest.mark.parametrize("unit", ["var", "std"])
def test_a_negative_spread_is_told_at_once_and_once(unit: str) -> None:
    monitor = PolarMonitor(sinks=(), every=100)
    with pytest.warns(PolarMonitorWarning, match="below 0"):
        monitor.observe(X, **{unit: X})
    monitor.observe(X, **{unit: X})


BAD_LATER: dict[str, tuple[Any, dict[str, Any]]] = {
    "another width": (torch.zeros(64, 3), {"logvar": torch.zeros(64, 3)}),
    "another spread": (X, {"var": X.exp()}),
    "no spread": (X, {}),
    "other rows in the spread": (X, {"logvar": X[:3]}),
    "a mode that is not watched": (X, {"logvar": X, "mode": "eval"}),
    "a mode that is no text": (X, {"logvar": X, "mode": ["train"]}),
    "no numbers": ("text", {}),
    "a prior of other rows": (X, {"logvar": X, "prior": (0.0, 1.0)}),
    "no layout": (X, {"logvar": X, "layout": "nhwdd"}),
}


@pytest.mark.parametrize("bad", BAD_LATER)
def test_in_the_middle_of_a_training_nothing_is_raised(bad: str, caplog: pytest.LogCaptureFixture) -> None:
    monitor, (mean, options) = PolarMonitor(sinks=(), every=1, max_overhead=1.0), BAD_LATER[bad]
    for number in range(6):
        if number in (2, 4):
            monitor.observe(mean, **options)
        monitor.observe(X, logvar=X)
        monitor.step()
    health = monitor.health()
    assert (health.rows_seen, health.evaluations, health.errors) == (6 * 64, 6, 2)
    assert len(caplog.records) == 1
    assert "a call by hand was refused" in caplog.text
    if isinstance(mean, torch.Tensor) and not {"mode"} & options.keys():
        assert health.rows_dropped == 2 * 64


@pytest.mark.parametrize("bad", [{"beta": "high"}, {"reconstruction": torch.zeros(3)}, {"learning_rate": object()}])
def test_numbers_of_the_loop_are_checked_before_the_first_step_alone(bad: dict[str, Any]) -> None:
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0)
    with pytest.raises(PolarMonitorError):
        monitor.log(**bad)
    monitor.observe(X, logvar=X)
    monitor.step()
    monitor.log(**bad)
    assert monitor.health().errors == 1


def test_sequences_with_channels_second_may_have_any_length() -> None:
    """A size that varies is no number of dimensions, as in the forwards of a model."""
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0)
    with pytest.warns(PolarMonitorWarning, match="the statistics begin again"):
        for length in (5, 9, 4, 30, 2):
            x = torch.randn(64, 3, length)
            monitor.observe(x, logvar=x)
            monitor.step()
    health, snapshot = monitor.health(), monitor.snapshot()
    assert (health.errors, health.rows_dropped, snapshot is not None and snapshot.dimensions) == (0, 0, 3)


def test_a_latent_whose_width_changes_in_training_is_one_warning() -> None:
    model = torch.nn.ModuleDict({"fc_mu": torch.nn.Linear(4, 2), "other": torch.nn.Linear(4, 3)})
    monitor = attach(model, mean="fc_mu", sinks=(), every=1, max_overhead=1.0)
    optimiser = torch.optim.SGD(model.parameters(), 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(60):
            model["fc_mu"].weight.data = torch.randn(2 if step < 20 or step > 40 else 3, 4)
            model["fc_mu"].bias.data = torch.zeros(len(model["fc_mu"].weight))
            model["fc_mu"](torch.randn(64, 4))
            optimiser.step()
    monitor.evaluate()
    ours = [str(one.message) for one in caught if one.category is PolarMonitorWarning]
    assert len(ours) == 1
    assert "the latent had 2 dimensions, and now has 3" in ours[0]
    assert monitor.health().errors == 0
    assert monitor.health().rows_dropped > 0
    monitor.detach()
