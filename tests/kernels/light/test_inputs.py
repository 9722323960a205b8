"""Inputs of a window are numbered as their rows lie."""

import numpy as np
import pytest

from polar_monitor.kernels.light.inputs import least_step, number_inputs


@pytest.mark.parametrize("ids", [[], [7], [7, 7, 9, 8, 8, 8, 7], [2**40, 2**40, 1]])
def test_a_new_input_begins_where_the_id_changes(ids):
    inputs, group = np.array(ids, np.int64), np.full(len(ids), -1, np.int32)
    count = number_inputs(inputs, group)
    expected = [sum(ids[k] != ids[k - 1] for k in range(1, i + 1)) for i in range(len(ids))]
    assert group.tolist() == expected
    assert count == (expected[-1] + 1 if ids else 0)


@pytest.mark.parametrize("ids", [[], [7], [7, 7, 9], [7, 9, 8], [2**40, 0], [1, 2, 3], [1, 5, 9]])
def test_the_smallest_step_is_that_of_the_differences(ids):
    assert least_step(np.array(ids, np.int64)) == np.diff(ids).min(initial=1)
