"""Page's CUSUM of the changes of the logarithm, against the sums written out."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.alerts.signals.cusum import MIN_RATIO_TO_RECOVERED, Cusum, Drops, log_of, update_one

ALLOWANCE = 0.002


def over(levels: Sequence[float], drops: Drops = (0.0, 0.0, 0.0, 0.0)) -> Cusum:
    """Return the drops after these levels of one series."""
    for before, now in itertools.pairwise(levels):
        drops = update_one(drops, log_of(now) - log_of(before), ALLOWANCE)
    return Cusum(np.array(drops)[:, None])


def after(cusum: Cusum, levels: Sequence[float]) -> Cusum:
    drop, deepest, recovered, baseline = cusum.drops[:, 0].tolist()
    return over(levels, (drop, deepest, recovered, baseline))


@given(st.lists(st.floats(0.02, 10), min_size=2, max_size=30))
def test_it_is_the_deepest_of_all_falls_that_end_now(levels: list[float]) -> None:
    last = len(levels) - 1
    slow = max(math.log(levels[s] / levels[last]) - ALLOWANCE * (last - s) for s in range(len(levels)))
    assert over(levels).drop[0] == pytest.approx(max(slow, 0.0), abs=1e-9)


def test_slow_settling_is_no_fall() -> None:
    assert over([1.0 * 0.999**t for t in range(500)]).drop[0] == 0.0


def test_a_share_is_exceeded_when_it_is_lost() -> None:
    assert not over([1.0, 0.66]).exceeds(0.35)[0]
    assert over([1.0, 0.64]).exceeds(0.35)[0]


def test_a_fall_that_came_back_has_to_be_deeper() -> None:
    back = [1.0, 0.5, 1.0]
    depth = math.log(2) * MIN_RATIO_TO_RECOVERED
    assert not over([*back, math.exp(-0.98 * depth)]).exceeds(0.35)[0]
    assert over([*back, math.exp(-1.02 * depth)]).exceeds(0.35)[0]


def test_no_fall_is_so_deep_that_nothing_is_raised_any_more() -> None:
    assert over([1.0, 0.011, 1.0, 0.2]).exceeds(0.35)[0]


def test_a_rebased_drop_counts_no_more_and_comes_back_for_free() -> None:
    rebased = over([1.0, 0.5]).rebase()
    assert not rebased.exceeds(0.1)[0]
    assert after(rebased, [0.5, 0.3]).exceeds(0.35)[0]
    risen = after(rebased, [0.5, 1.0, 0.4])
    assert risen.baseline_drop[0] == pytest.approx(0.0, abs=2 * ALLOWANCE)


def test_it_survives_json() -> None:
    cusum = over([1.0, 0.3, 0.9, 0.4])
    next_fall = Cusum.from_dict(json.loads(json.dumps(cusum.to_dict())))
    assert next_fall.to_dict() == cusum.to_dict()
    assert (next_fall.drops == cusum.drops).all()
