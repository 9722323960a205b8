"""Codes of a window around the mean of their own optimiser step: weights move between the steps, and inputs do not.

The rows of a step are consecutive in time. `place` is the oldest row of the window, which is circular. A step with
`least` rows or more is centred; the oldest step, of which newer rows have overwritten a part, around the mean of the
next one. Other rows stay as they are.
"""

import math

import numpy as np

from .._jit import helper, kernel

MEAN, VARIANCE, DRIFT, DRIFT_SE = range(4)
"""Rows of `about`: mean and variance of the rows around their steps' means, the movement of those means, its error."""
Z = 1.96
"""Standard errors of half an interval."""
WIDTH = 32
"""Number of partial sums: no addition waits for the one before, so that the compiler can use vectors."""
START, STOP, RUN = range(3)
"""Rows of the pieces: a piece is consecutive in memory and of one step; its run is -1 if it is not centred."""


@helper
def _pieces(steps, place, least, pieces, counts):
    """Fill pieces (3, n + 1) and counts (n,), the rows of each step; return the numbers of pieces and of steps."""
    n, number, runs = steps.shape[0], 0, 0
    for k in range(n):
        i = (place + k) % n
        new = k > 0 and steps[i] != steps[(place + k - 1) % n]
        runs += 1 if new else 0
        counts[runs] += 1
        if k == 0 or new or i == 0:
            pieces[START, number], pieces[STOP, number], pieces[RUN, number] = i, i, runs
            number += 1
        pieces[STOP, number - 1] += 1
    runs += 1
    joins = runs > 1 and counts[0] < least <= counts[1]
    for p in range(number):
        run = pieces[RUN, p]
        if counts[run] < least:
            pieces[RUN, p] = 1 if joins and run == 0 else -1
    return number, runs


@helper
def _sums(x, centre, part):
    """Return the number of the finite ones of x (n,), their sum and their sum of squares, around a centre."""
    part[:] = 0.0
    for start in range(0, x.shape[0], WIDTH):
        some = x[start : start + WIDTH]
        for i in range(some.shape[0]):
            value = np.float64(some[i]) - centre
            finite = value - value == 0.0
            value = value if finite else 0.0
            part[0, i] += 1.0 if finite else 0.0
            part[1, i] += value
            part[2, i] += value * value
    number = total = squares = 0.0
    for i in range(WIDTH):
        number += part[0, i]
        total += part[1, i]
        squares += part[2, i]
    return number, total, squares


@kernel("void(float32[:, ::1], int64[::1], int64, int64, float64, float64[::1], float64[:, ::1], float32[:, ::1])")
def around_steps(mean, steps, place, least, size, scale, about, out):
    """Write the rows of mean (D, n), around their steps' means and times scale (D,), to out (D, n), or (0, n) for none.

    about (4, D) gets what MEAN, VARIANCE, DRIFT and DRIFT_SE name, without the scale. The mean of all rows is added
    again, and each step is stretched by the freedom that its mean has taken. steps (n,): the step of each row. size:
    rows of an input. A dimension in which fewer than two steps are centred stays as it is, and its movement is NaN.

    With k steps whose means have the sampling variance u (of all rows together, from `free` inputs beyond their steps'
    means), Σ rows (means − centre)² / rows is a noncentral χ²: the movement D² = that − (k − 1) u has the variance
    2 (k − 1) u² (1 + (k − 1) / free) + 4 u D². The error of D is the larger half of its interval, whose ends are the
    roots of those of D².
    """
    n = mean.shape[1]
    pieces, counts, part = np.empty((3, n + 1), np.int64), np.zeros(n + 1, np.int64), np.empty((3, WIDTH))
    number, runs = _pieces(steps, place, least, pieces, counts) if n > 0 else (0, 0)
    means, rows = np.empty(runs), np.empty(runs)
    for d in range(mean.shape[0]):
        x = mean[d]
        means[:], rows[:] = 0.0, 0.0
        finite = total = 0.0
        for p in range(number):
            some, one, _ = _sums(x[pieces[START, p] : pieces[STOP, p]], 0.0, part)
            finite, total = finite + some, total + one
            if pieces[RUN, p] >= 0:
                rows[pieces[RUN, p]] += some
                means[pieces[RUN, p]] += one
        middle = total / finite if finite > 0.0 else np.nan
        used, among, centre = 0, 0.0, 0.0
        for r in range(runs):
            if rows[r] > size:
                used, among, centre = used + 1, among + rows[r], centre + means[r]
                means[r] /= rows[r]
            else:
                rows[r] = 0.0
        centred = used > 1
        within = squares = moved = between = 0.0
        for p in range(number):
            run, shift, stretch = pieces[RUN, p], middle, 1.0
            own = centred and run >= 0 and rows[run] > 0.0
            if own:
                shift, stretch = means[run], math.sqrt(rows[run] / (rows[run] - size))
            some, one, square = _sums(x[pieces[START, p] : pieces[STOP, p]], shift, part)
            if own:
                within += square
            moved += stretch * one
            squares += stretch * stretch * square
            for i in range(pieces[START, p] if out.shape[0] > 0 else n, pieces[STOP, p]):
                value = middle + (x[i] - shift) * stretch if own else np.float64(x[i])
                out[d, i] = value * scale[d]
        drift = error = np.nan
        if centred:
            for r in range(runs):
                between += rows[r] * (means[r] - centre / among) ** 2
            noise, free = within / (among - used * size) * size / among, among / size - used
            square = max(between / among - noise * (used - 1), 0.0)
            chance = 2.0 * (used - 1) * noise**2 * (1.0 + (used - 1) / free) + 4.0 * noise * square
            drift = math.sqrt(square)
            half = Z * math.sqrt(chance)
            error = max(math.sqrt(square + half) - drift, drift - math.sqrt(max(square - half, 0.0))) / Z
        about[MEAN, d], about[DRIFT, d], about[DRIFT_SE, d] = middle, drift, error
        about[VARIANCE, d] = squares / finite - (moved / finite) ** 2 if finite > 0.0 else np.nan
