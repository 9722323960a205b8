"""The labels of a monitor are those of the numbers beside them, from the first minute to the last evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from polar_monitor import PolarMonitor
from polar_monitor.regime.regime import Verdict


def seen(batches: Sequence[tuple[int, float, float]], dimensions: int = 3) -> PolarMonitor:
    """A monitor after one evaluation of each batch: its rows, the scale of its means, and its log σ²."""
    torch.manual_seed(0)
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0)
    for rows, scale, logvar in batches:
        observe(monitor, rows, scale, logvar, dimensions)
    return monitor


def observe(monitor: PolarMonitor, rows: int, scale: float, logvar: float, dimensions: int = 3) -> None:
    spread = torch.full((rows, dimensions), logvar)
    monitor.observe(scale * torch.randn(rows, dimensions), logvar=spread)
    monitor.step()


def labels(monitor: PolarMonitor) -> list[str]:
    regime = monitor.regime()
    assert regime is not None
    return [str(label) for label in regime.labels]


def test_an_untrained_model_does_not_leave_its_labels_behind() -> None:
    monitor = seen([(2000, 1e-3, 0.0), *[(2000, 1.0, -4.0)] * 3])
    assert labels(monitor) == ["active"] * 3
    head, _, table = monitor.summary().partition("\n\n")
    assert "all_active; 3 active" in head
    assert "passive " not in table


def test_a_code_that_dies_between_two_evaluations_is_passive_at_the_second() -> None:
    monitor = seen([(4096, 2.0, 0.0), (4096, 0.001, 0.0)])
    regime = monitor.regime()
    assert regime is not None
    assert (regime.verdict, regime.count("passive")) == (Verdict.COLLAPSED, 3)
    assert regime.reasons == ("no dimension carries information",)


def test_rows_that_are_enough_at_last_are_labelled_at_once() -> None:
    monitor = seen([(100, 2.0, 0.0), (500, 2.0, 0.0)])
    assert labels(monitor) == ["active"] * 3


def test_a_model_that_never_used_a_dimension_says_so() -> None:
    regime = seen([(1000, 1e-3, 0.0)] * 2).regime()
    assert regime is not None
    assert regime.reasons == ("no dimension carries information; none has come into use so far",)


def test_a_saved_run_keeps_the_evidence() -> None:
    first, again = seen([(4096, 2.0, 0.0)]), PolarMonitor(sinks=(), every=1, max_overhead=1.0)
    again.load_state_dict(first.state_dict())
    regime = first.regime()
    assert regime is not None
    assert set(regime.sides) == {0b011001}
    assert again.regime() == regime
    for monitor in (first, again):
        torch.manual_seed(1)
        observe(monitor, 4096, 0.4, 0.0)
    assert first.regime() == again.regime()
