"""The information of a window's mixture by quadrature on a fine grid with every component, in float64."""

import math

import numpy as np


def quadrature(mean, variance, fineness=8):
    """I of the mixture with all n components, and 1/2n (∫ q₂/q − 1), on a grid of the least σ by `fineness`."""
    mu, s2 = np.float64(mean), np.float64(variance)
    s = np.sqrt(s2)
    step = s.min() / fineness
    z = np.arange(mu.min() - 9 * s.max(), mu.max() + 9 * s.max(), step)
    assert z.size < 400_000, "a twin for moderate ratios"
    q, q2 = np.zeros(z.size), np.zeros(z.size)
    for m, sigma in zip(mu, s, strict=True):
        here = slice(*np.searchsorted(z, [m - 9 * sigma, m + 9 * sigma]))
        each = np.exp(-0.5 * ((z[here] - m) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        q[here] += each / len(mu)
        q2[here] += each**2 / len(mu)
    some = q > 0
    entropy = -(q[some] * np.log(q[some])).sum() * step
    bias = 0.5 / len(mu) * ((q2[some] / q[some]).sum() * step - 1)
    return float(entropy - 0.5 * np.log(2 * np.pi * np.e * s2).mean()), float(bias)


def dense(mean, variance):
    """I of the mixture with all n components on a grid of a quarter of the least σ."""
    return quadrature(mean, variance, 4)[0]


def divergences(mean, variance):
    """KL(N_i ‖ q) of every row, and 1/2n (∫ q₂/q − 1), with all n components."""
    mu, s = np.float64(mean)[:, None], np.sqrt(np.float64(variance))[:, None]
    step = 0.25 * s.min()
    z = np.arange(mu.min() - 9 * s.max(), mu.max() + 9 * s.max(), step)
    each = np.exp(-0.5 * ((z - mu) / s) ** 2) / (s * math.sqrt(2 * math.pi))
    q = np.maximum(each.mean(axis=0), 1e-300)
    kl = -(each @ np.log(q)) * step - 0.5 * np.log(2 * np.pi * np.e * s[:, 0] ** 2)
    return kl, 0.5 / len(mu) * (((each**2).mean(axis=0) / q).sum() * step - 1)


def entropy(mean, variance, nodes=6):
    """h(q) of the mixture with all n components: Gauss-Legendre between points 0.75 σ apart of every component.

    It needs no grid, so that any ratio of scales costs the same: 17 n intervals at most.
    """
    m, s = np.float64(mean), np.sqrt(np.float64(variance))
    centre, width = np.unique(np.stack([m, s]), axis=1)
    ends = np.unique((centre[:, None] + width[:, None] * np.arange(-8, 8.01, 0.75)).ravel())
    x, weight = np.polynomial.legendre.leggauss(nodes)
    half, middle = 0.5 * np.diff(ends)[:, None], 0.5 * (ends[1:] + ends[:-1])[:, None]
    z, weight = (middle + half * x).ravel(), (half * weight).ravel()
    total = 0.0
    for some in np.array_split(np.arange(z.size), z.size // 20000 + 1):
        each = np.exp(-0.5 * ((z[some, None] - m) / s) ** 2) / (s * math.sqrt(2 * math.pi))
        q = each.mean(axis=1)
        total -= (np.where(q > 0, q * np.log(np.maximum(q, 1e-300)), 0.0) * weight[some]).sum()
    return float(total)


def information(mean, variance):
    """I of the mixture with all n components, at any ratio of scales."""
    return entropy(mean, variance) - 0.5 * np.log(2 * np.pi * np.e * np.float64(variance)).mean()
