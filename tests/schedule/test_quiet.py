"""What ends a quiet stretch: a label, a verdict, or information beyond its errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from records import ACTIVE, PASSIVE, make_evaluation

from polar_monitor.regime.regime import Verdict
from polar_monitor.schedule.quiet import differs, relabelled
from polar_monitor.statistics.snapshot import Snapshot


def snapshot(information: list[float], errors: float = 0.01) -> Snapshot:
    """A snapshot with this information."""
    made = make_evaluation(1, [ACTIVE] * len(information)).snapshot
    assert made is not None
    values = np.asarray(information, dtype=np.float64)
    return replace(made, information=values, information_se=np.full(len(values), errors))


@pytest.mark.parametrize(
    ("now", "errors", "changed"),
    [
        ([1.0, 0.0], 0.01, False),
        ([1.04, 0.01], 0.001, False),  # less than 5 % and 0.02 nats
        ([1.2, 0.0], 0.01, True),
        ([0.8, 0.0], 0.01, True),
        ([0.8, 0.0], 0.05, False),  # within four errors
        ([1.0, 0.03], 0.001, True),
        ([float("nan"), 0.0], 0.01, False),
    ],
)
def test_information_that_moves_beyond_its_errors_is_a_change(now: list[float], errors: float, changed: bool) -> None:
    assert differs(snapshot([1.0, 0.0], errors), snapshot(now, errors)) is changed


def test_the_first_snapshot_and_one_of_another_width_are_a_change() -> None:
    one = snapshot([1.0, 0.0])
    assert differs(None, one)
    assert differs(snapshot([1.0]), one)
    assert not differs(None, None)


def test_a_label_or_a_verdict_is_a_change() -> None:
    one = make_evaluation(1, [ACTIVE, PASSIVE]).regime
    assert one is not None
    assert not relabelled(one, one)
    assert relabelled(None, one)
    assert not relabelled(None, None)
    assert relabelled(one, make_evaluation(1, [ACTIVE, ACTIVE]).regime)
    other = next(verdict for verdict in Verdict if verdict is not one.verdict)
    assert relabelled(one, replace(one, verdict=other))
