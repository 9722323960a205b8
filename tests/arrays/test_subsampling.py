"""The even choice of rows: its size, its nesting, and its independence of the split into chunks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.arrays.subsampling import halvings_needed, kept_rows, row_of_block


@given(rows=st.integers(1, 10**6), max_rows=st.integers(1, 10**5))
def test_at_most_so_many_rows_are_kept_and_at_least_half(rows: int, max_rows: int) -> None:
    halvings = halvings_needed(rows, max_rows)
    blocks = -(-rows // 2**halvings)
    assert blocks <= max_rows
    assert halvings == 0 or -(-rows // 2 ** (halvings - 1)) > max_rows


@given(halvings=st.integers(0, 6), cuts=st.lists(st.integers(0, 3000), max_size=5))
def test_any_split_keeps_the_same_rows(halvings: int, cuts: list[int]) -> None:
    together = kept_rows(0, 3000, halvings)
    ends = [0, *sorted(cuts), 3000]
    apart = [kept_rows(start, stop, halvings) for start, stop in pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(apart), together)
    full = together[together >> halvings < 3000 >> halvings]
    assert len(full) == 3000 >> halvings  # one of each full block
    assert np.array_equal(np.unique(together >> halvings), together >> halvings)


@pytest.mark.parametrize("halvings", range(1, 8))
def test_choices_nest(halvings: int) -> None:
    coarse, fine = kept_rows(0, 4096, halvings), kept_rows(0, 4096, halvings - 1)
    assert set(coarse) < set(fine)
    again = fine[fine == row_of_block(fine >> halvings, halvings)]
    np.testing.assert_array_equal(again, coarse)


def test_no_phase_of_a_pattern_is_preferred() -> None:
    rows = kept_rows(0, 2**16, 4)
    for period in (2, 3, 4, 8, 16):
        counts = np.bincount(rows % period)
        assert counts.min() > 0.85 * counts.mean()
