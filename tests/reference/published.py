"""Statistics of published criteria for one dimension, as plainly as their authors wrote them."""

import math

import numpy as np


def slow(mu, s2, prior_mean=0.0, prior_var=1.0, bins=30):
    """The statistics by the names of `Snapshot`; mu, s2 (n,), s2 may be None."""
    fine = np.isfinite(mu) if s2 is None else np.isfinite(mu) & np.isfinite(s2) & (s2 > 0)
    mu = mu[fine].astype(np.float64)
    names = (
        "mean_largest",
        "entropy_minmax",
        "posterior_deviation",
        "share_narrow",
        "share_standard",
        "share_collapsed",
    )
    found = dict.fromkeys(names, math.nan)
    if not len(mu):
        return found
    found["mean_largest"] = max(abs(mu.min()), abs(mu.max()))
    found["entropy_minmax"] = 0.0
    if not abs(mu.min() - mu.max()) <= 1e-8 + 1e-5 * abs(mu.max()):  # torch.isclose
        counts = np.zeros(bins)
        for x in mu:
            counts[min(int((x - mu.min()) / (mu.max() - mu.min()) * bins), bins - 1)] += 1
        p = counts[counts > 0] / len(mu)
        found["entropy_minmax"] = -(p * np.log(p)).sum()
    if s2 is not None:
        s2 = s2[fine].astype(np.float64)
        sigma = np.sqrt(s2)
        kl = 0.5 * (((mu - prior_mean) ** 2 + s2) / prior_var - 1 - np.log(s2 / prior_var))
        found["posterior_deviation"] = sigma.mean()
        found["share_narrow"] = (sigma < 0.5).mean()
        found["share_standard"] = ((abs(sigma - 1) <= 0.1) & (abs(mu) <= 0.1)).mean()
        found["share_collapsed"] = (kl < 0.01).mean()
    return found
