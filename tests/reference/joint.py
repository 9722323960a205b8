"""Checks of the joint entropy on its rows, written as their definitions."""

import numpy as np


def first_of_their_kind(x: np.ndarray) -> list[int]:
    """Columns of x (d, n) that no column before is equal to."""
    columns = [tuple(column) for column in x.T.tolist()]
    return [i for i, column in enumerate(columns) if column not in columns[:i]]


def pairs(x: np.ndarray) -> int:
    """Pairs of equal columns of x (d, n)."""
    return sum((x[:, i] == x[:, j]).all() for i in range(x.shape[1]) for j in range(i))


def correlation_times(scores: np.ndarray, least: float) -> tuple[float, float]:
    """The largest 1 + 2 Σ ρ(t) and 1 + 2 Σ ρ(t)², up to the first ρ(t) below `least`, of scores (d, n) and squares."""
    sums = []
    n = scores.shape[1]
    for series in [*scores, *scores**2]:
        series = series - series.mean()
        rho = []
        for t in range(1, n // 4):
            rho.append(sum(series[: n - t] * series[t:]) / sum(series * series))
            if rho[-1] < least:
                rho.pop()
                break
        sums.append((1 + 2 * sum(rho), 1 + 2 * sum(r * r for r in rho)))
    return max(s[0] for s in sums), max(s[1] for s in sums)
