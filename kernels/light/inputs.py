"""Numbers the inputs of a window, whose rows lie side by side."""

from .._jit import kernel


@kernel("int64(int64[::1])")
def least_step(inputs):
    """Return the smallest difference of an input's id (n,) to the one before it; 1 if none is smaller."""
    least = 1
    for i in range(1, inputs.shape[0]):
        least = min(least, inputs[i] - inputs[i - 1])
    return least


@kernel("int64(int64[::1], int32[::1])")
def number_inputs(inputs, group):
    """Fill group (n,) with the number of the input of each row, from 0 in the order of the rows; return their number.

    inputs (n,): the ids of the inputs.
    """
    count = 0
    for i in range(inputs.shape[0]):
        count += int(i == 0 or inputs[i] != inputs[i - 1])
        group[i] = count - 1
    return count
