"""Moments of merged rows before a snapshot rounds them, beside those of one process and of an exact calculation."""

import math
from fractions import Fraction

import numpy as np
import torch
import torch.distributed as dist

import polar_monitor

SIZES = (1300, 700, 0, 1900)
"""Rows of each part; a rank takes one of them."""
NAMES = ("mean", "variance", "posterior_variance", "kl")


def rows(rank, dimensions=5):
    """Rows far from 0, in tiny and large units, with a spread of their own."""
    generator = torch.Generator().manual_seed(rank)
    scale, shift = torch.tensor([1.0, 1e-3, 300.0, 0.2, 1.0]), torch.tensor([0.0, 2.0, -40.0, 0.1, 3e-4])
    mean = torch.randn(SIZES[rank], dimensions, generator=generator) * scale + shift
    return mean, torch.rand(SIZES[rank], dimensions, generator=generator) * 0.5 + 0.02


def unrounded(monitor, stream):
    """Return the moments that the latest evaluation was computed from, and its counts."""
    pipeline = monitor._loop.pipelines["train"]
    statistics = getattr(pipeline, stream)._statistics
    counts = [pipeline.snapshot.rows, pipeline.snapshot.n, *pipeline.snapshot.non_finite, *statistics["rows"]]
    return {name: np.array(statistics[name]) for name in NAMES}, [int(count) for count in counts]


def observed(*parts):
    monitor = polar_monitor.PolarMonitor(every=1, max_overhead=1.0, sinks=())
    for mean, variance in parts:
        if len(mean):
            monitor.observe(mean, var=variance)
    monitor.step()
    return monitor


def merged(rank, *which):
    """Return moments and counts of the merged ranks, and those of one process that saw all rows."""
    which = [int(one) for one in which]
    assert len(which) == dist.get_world_size()
    monitor, alone = observed(rows(which[rank])), observed(*map(rows, which))
    monitor.sync()
    alone.evaluate()
    return unrounded(monitor, "merged" if len(which) > 1 else "stream"), unrounded(alone, "stream")


def exact(*which):
    """Return the moments of all rows by fractions; logarithms are those of the libm, summed exactly."""
    means, variances = (np.concatenate(sides).astype(np.float64) for sides in zip(*map(rows, which), strict=True))
    result = {name: [] for name in NAMES}
    for mean, variance in zip(means.T.tolist(), variances.T.tolist(), strict=True):
        numbers, n = [Fraction(x) for x in mean], len(mean)
        average = sum(numbers) / n
        result["mean"].append(float(average))
        result["variance"].append(float(sum((x - average) ** 2 for x in numbers) / n))
        result["posterior_variance"].append(float(sum(map(Fraction, variance)) / n))
        logs = Fraction(math.fsum(map(math.log, variance)))
        squares = sum(x * x for x in numbers) + sum(map(Fraction, variance))
        result["kl"].append(float((squares - logs - n) / (2 * n)))
    return {name: np.array(numbers) for name, numbers in result.items()}
