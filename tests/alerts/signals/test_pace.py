"""What an evaluation adds: windows, steps, and the growth of the logarithm of the step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.alerts.signals.pace import LONG_RUN, STEPS_OF_A_WINDOW, pace


def test_known_values() -> None:
    assert pace(975, 1000, 2400, 4096) == (
        25.0,
        2400 / 4096,
        pytest.approx(math.log(1001 / 976)),
        25,
        1.0,
        12.5 * 4096 / 2400,
    )
    assert pace(None, 10, 960, 960) == (STEPS_OF_A_WINDOW, 1.0, pytest.approx(math.log(11)), 10, 1.0, 5.0)
    assert pace(5, 6, 8 * 4096, 4096)[:2] == (8 * STEPS_OF_A_WINDOW, 1.0)
    assert pace(900, 100, 10, 0).interval == 0


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30), st.integers(1, 256))
def test_any_spacing_adds_up_to_the_same(gaps: list[int], batch: int) -> None:
    """Up to step 10,000 as many steps, and always the same growth; windows count once at most."""
    step, passed = 1000, []
    for gap in gaps:
        passed.append(pace(step, step + gap, batch * gap, 4096))
        step += gap
    if step <= LONG_RUN:
        assert sum(one.steps for one in passed) == pytest.approx(max(1.0, STEPS_OF_A_WINDOW * batch / 4096) * sum(gaps))
    assert sum(one.growth for one in passed) == pytest.approx(math.log((step + 1) / 1001))
    assert sum(one.windows for one in passed) <= min(len(gaps), sum(gaps) * batch / 4096 + 1e-9)


def test_a_step_of_a_long_run_counts_less() -> None:
    late = pace(1_000_000 - 1000, 1_000_000, 96_000, 4096)
    assert late.scale == 100.0
    assert late.steps == 10.0
