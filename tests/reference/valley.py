"""Valleys of one dimension's histogram of log σ², every window and every pair of peaks tried in turn."""

import math
from collections import Counter

import numpy as np

BINS = range(-80, 25)
"""By their centres: σ² / T = 2^(bin / 4)."""


def bins(ls, total):
    """The bin of every row."""
    return [min(max(math.floor(4 * (x - math.log(total)) / math.log(2) + 0.5), BINS[0]), BINS[-1]) for x in ls]


def slow(mu, s2, cluster, share):
    """(valley, its standard error); float32 rows (n,), cluster ids (n,)."""
    fine = np.isfinite(mu) & np.isfinite(s2) & (s2 > 0)
    mu, s2, cluster = (a[fine].astype(np.float64) for a in (mu, s2, cluster))
    if not len(mu):
        return math.nan, math.nan
    where = bins(np.log(s2), mu.var() + s2.mean())
    counts, n, clusters = Counter(where), len(mu), len(np.unique(cluster))
    size = n / clusters

    def full(k):
        return sum(counts[i] for i in (k - 1, k, k + 1))

    centres, best = range(BINS[0] + 1, BINS[-1]), None
    for k in centres:
        left, right = sum(counts[i] for i in BINS if i < k - 1), sum(counts[i] for i in BINS if i > k + 1)
        if min(left, right) < share * n + 1.96 * math.sqrt(size * n * share * (1 - share)):
            continue
        low = max((i for i in centres if i <= min(k - 3, -4)), key=full, default=None)
        high = max((i for i in centres if i >= max(k + 3, -2)), key=full, default=None)
        if low is None or high is None or min(full(low), full(high)) == 0:
            continue
        peak = low if full(low) <= full(high) else high
        depth = full(k) / full(peak)
        error = math.sqrt(size * (full(k) + size + depth**2 * full(peak))) / full(peak)
        if best is None or depth + 2 * error < best[0] - 1e-12:
            best = depth + 2 * error, k, peak, depth
    if best is None:
        return 1.0, 0.0 if clusters > 1 else math.nan
    _, k, peak, depth = best
    influence = np.array([(abs(b - k) <= 1) - depth * (abs(b - peak) <= 1) for b in where])
    sums = [influence[cluster == c].sum() for c in np.unique(cluster)]
    error = math.sqrt(sum(x * x for x in sums) + size**2) / full(peak)
    return min(depth, 1.0), error if clusters > 1 else math.nan


def slow_upper_kind(mu, s2, cluster, share, repeats=1.0):
    """(σ² / T above the uppermost empty gap, its standard error); float32 rows (n,), cluster ids (n,)."""
    fine = np.isfinite(mu) & np.isfinite(s2) & (s2 > 0)
    mu, s2, cluster = (a[fine].astype(np.float64) for a in (mu, s2, cluster))
    if not len(mu):
        return math.nan, math.nan
    total = mu.var() + s2.mean()
    where = np.array(bins(np.log(s2), total))
    n, clusters = len(mu), np.unique(cluster)
    size = n / len(clusters)
    empty = {}
    for k in BINS[: len(BINS) - 6]:
        below, above = (where < k).sum(), (where >= k + 7).sum()
        side, full = min(below, above), n - below - above
        if side == 0 or side < share * n + 1.96 * math.sqrt(size * n * share * (1 - share)):
            continue
        depth = full / side
        bound = depth + 3 * math.sqrt(repeats * size * (full + size + depth**2 * side)) / side
        if bound <= 0.1:
            empty[k] = bound
    if not empty:
        return math.nan, math.nan
    first = last = max(empty)
    while first - 1 in empty:
        first -= 1
    k = min(range(first, last + 1), key=lambda k: (round(empty[k], 12), k))
    high, ratio = where >= k + 7, s2 / total
    log = np.log(ratio[high]).mean()
    influence = np.where(high, np.log(ratio) - log, 0.0) / high.sum() - (((mu - mu.mean()) ** 2 + s2) / total - 1.0) / n
    sums = [influence[cluster == c].sum() for c in clusters]
    return math.exp(log), math.exp(log) * math.sqrt(sum(x * x for x in sums))
