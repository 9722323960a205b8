"""Codes around the means of their steps, one step after the other."""

import math

import numpy as np


def slow(mean, steps, place, least, size):
    """The centred rows (D, n), and mean, variance, movement and its error of each dimension (4, D)."""
    n = mean.shape[1]
    order = np.roll(np.arange(n), -place)
    edges = np.flatnonzero(np.diff(steps[order])) + 1
    runs = np.split(order, edges)
    out, about = mean.astype(np.float64), np.full((4, len(mean)), np.nan)
    for d, x in enumerate(mean.astype(np.float64)):
        groups = [run for run in runs if len(run) >= least]
        if len(runs) > 1 and len(runs[0]) < least <= len(runs[1]):
            groups[0] = np.concatenate([runs[0], groups[0]])
        groups = [run[np.isfinite(x[run])] for run in groups]
        groups = [run for run in groups if len(run) > size]
        finite = x[np.isfinite(x)]
        if finite.size:
            about[0, d] = finite.mean()
        if len(groups) > 1:
            rows = sum(len(run) for run in groups)
            middle = np.concatenate([x[run] for run in groups]).mean()
            between = sum(len(run) * (x[run].mean() - middle) ** 2 for run in groups)
            within = sum(((x[run] - x[run].mean()) ** 2).sum() for run in groups) / (rows - size * len(groups))
            square = max(between - within * size * (len(groups) - 1), 0.0) / rows
            k, noise, free = len(groups), within * size / rows, rows / size - len(groups)
            chance = 2 * (k - 1) * noise**2 + 2 * ((k - 1) * noise) ** 2 / free + 4 * noise * square
            about[2, d] = math.sqrt(square)
            ends = [math.sqrt(max(square + side * 1.96 * math.sqrt(chance), 0.0)) for side in (-1, 1)]
            about[3, d] = max(abs(end - math.sqrt(square)) for end in ends) / 1.96
            for run in groups:
                stretch = math.sqrt(len(run) / (len(run) - size))
                out[d, run] = finite.mean() + (x[run] - x[run].mean()) * stretch
        known = out[d][np.isfinite(out[d])]
        if known.size:
            about[1, d] = known.var()
    return out, about
