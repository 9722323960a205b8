"""Intervals of the study: shares of dimensions with whole models resampled, and Wilson's for detection rates.

The dimensions of one model share its training run, so they are not independent; models are. A bootstrap draws models
with replacement within each family, so that every resample has as many models of each family as the study.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
Z = 1.959963984540054


class Interval(NamedTuple):
    """A share, or a difference of shares, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """In percent, as the tables have it."""
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"


def bootstrap(
    hits: NDArray[np.float64],
    models: NDArray[np.str_],
    families: NDArray[np.str_],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of `hits` (n,) over all dimensions, with the percentile interval of a bootstrap over models.

    `models` and `families` (n,) say where each dimension is from. For a paired difference of two criteria, `hits` is
    the difference of theirs. Raises ValueError for no dimension at all.
    """
    if len(hits) == 0:
        raise ValueError("hits: expected at least one dimension, got none")
    _, first, member = np.unique(models, return_index=True, return_inverse=True)
    sums, sizes = np.bincount(member, hits), np.bincount(member).astype(float)
    drawn = _drawn(tuple(families[first].tolist()), resamples, seed)
    means = (drawn @ sums) / (drawn @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(hits.mean()), float(low), float(high))


@lru_cache(maxsize=8)
def _drawn(families: tuple[str, ...], resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each model is drawn in each resample (resamples, models), for the family of each model."""
    rng, family = np.random.default_rng(seed), np.array(families)
    drawn = np.zeros((resamples, len(families)))
    for one in np.unique(family):
        inside = np.flatnonzero(family == one)
        drawn[:, inside] = rng.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), size=resamples)
    return drawn


def wilson(successes: int, trials: int) -> Interval:
    """Wilson's score interval (1927) of a share. Raises ValueError for no trial."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 ≤ successes ≤ trials and a trial, got {successes} of {trials}")
    share, weight = successes / trials, Z * Z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    return Interval(share, max(centre - half, 0.0), min(centre + half, 1.0))
