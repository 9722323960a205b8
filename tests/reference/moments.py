"""Count, mean and squared deviations of the finite values, one dimension at a time."""

import numpy as np


def empty(dimensions):
    return np.zeros(dimensions, np.int64), np.zeros(dimensions), np.zeros(dimensions)


def slow(x):
    count, mean, m2 = empty(len(x))
    for d, row in enumerate(x.astype(np.float64)):
        row = row[np.isfinite(row)]
        if row.size:
            count[d], mean[d], m2[d] = row.size, row.mean(), ((row - row.mean()) ** 2).sum()
    return count, mean, m2
