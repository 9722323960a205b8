"""Merged moments before any rounding: those of one process, and of exact arithmetic, to 1e-12; counts to the bit."""

import numpy as np
import pytest
from ranks import moments, start

TOLERANCE = 1e-12


@pytest.mark.parametrize(
    "which",
    [(0,), (0, 2), pytest.param((0, 1), marks=pytest.mark.slow), pytest.param((3, 2, 0, 1), marks=pytest.mark.slow)],
    ids=["one", "two, one empty", "two", "four, one empty"],
)
def test_merged_moments_are_those_of_one_process_and_of_exact_arithmetic(tmp_path, which):
    results = start.run("ranks.moments:merged", len(which), tmp_path, *which)
    exact = moments.exact(*which)
    for (merged, counts), (alone, counts_alone) in results:
        assert counts == counts_alone
        assert counts[:2] == [sum(moments.SIZES[one] for one in which)] * 2
        for name in moments.NAMES:
            scale = np.sqrt(exact["variance"]) if name == "mean" else 0.0  # a mean of 0 is a sum of what cancels
            for other in (alone[name], exact[name]):
                error = np.abs(merged[name] - other) / (np.abs(exact[name]) + scale)
                assert error.max() <= TOLERANCE, (name, error)
            np.testing.assert_array_equal(merged[name], results[0][0][0][name])
