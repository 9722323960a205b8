"""Statistics of one dimension's posterior parameters, all influence values written out."""

import math

import numpy as np

from polar_monitor.kernels.posterior import NAMES


def clustered_error(influence, cluster):
    sums = np.array([influence[cluster == c].sum() for c in np.unique(cluster)])
    k = len(sums)
    return math.sqrt((sums**2).sum() * k / (k - 1)) / len(influence) if k > 1 else math.nan


def slow(mu, s2, cluster, prior_mean, prior_var):
    """One dimension, all influence values written out."""
    fine = np.isfinite(mu) & np.isfinite(s2) & (s2 > 0)
    mu, s2, cluster = (a[fine].astype(np.float64) for a in (mu, s2, cluster))
    found = dict.fromkeys((*NAMES, "low", "high", "least", "most"), math.nan)
    found |= {"finite": len(np.unique(cluster)), "rows": len(mu)}
    if not len(mu):
        return found
    ls = np.log(s2)
    found |= {"low": mu.min(), "high": mu.max(), "least": s2.min(), "most": s2.max()}
    v, e, log = mu.var(), s2.mean(), ls.mean()
    t, r = v + e, v / (v + e)
    d2 = (mu - mu.mean()) ** 2
    kl = 0.5 * ((mu - prior_mean) ** 2 / prior_var + s2 / prior_var - 1 - ls + math.log(prior_var))
    active, passive = (s2 <= 0.5 * t).astype(float), (s2 >= 0.7 * t).astype(float)
    found |= {"mean": mu.mean(), "variance": v, "posterior_variance": e, "log_variance": log}
    found |= {"posterior_variance_spread": s2.var()}
    estimates = {
        "information_upper": (0.5 * math.log(t) - 0.5 * log, 0.5 * ((d2 + s2) / t - 1) - 0.5 * (ls - log)),
        "variance_gap": (0.5 * (math.log(e) - log), 0.5 * (s2 / e - 1 - (ls - log))),
        "reliability": (r, ((d2 - v) * (1 - r) - r * (s2 - e)) / t),
        "share_active": (active.mean(), active - active.mean()),
        "share_passive": (passive.mean(), passive - passive.mean()),
        "kl": (kl.mean(), kl - kl.mean()),
    }
    clusters = len(np.unique(cluster))
    for name, (value, influence) in estimates.items():
        error = clustered_error(influence, cluster)
        if name.startswith("share") and clusters > 1:
            n = np.clip(value * (1 - value) / max(error, 1e-12) ** 2, clusters, len(mu))
            p = (value * n + 2) / (n + 4)
            error = math.sqrt(p * (1 - p) / (n + 4))
        found |= {name: value, f"{name}_se": error}
    return found
