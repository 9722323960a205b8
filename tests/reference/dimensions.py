"""Light statistics of a window, by NumPy and by the functions of each estimate: one array after the other."""

import math

import numpy as np

from polar_monitor.kernels import mixture, posterior
from polar_monitor.kernels.mixture import Rows
from polar_monitor.kernels.repeats import occurrences
from polar_monitor.kernels.valley import valley
from polar_monitor.statistics.resolution import relative

ERRORS = tuple(name for name in posterior.NAMES if name.endswith("_se"))


def slow(mean, variance, group, prior_mean, prior_var, resolution=None):
    """The statistics by name, `rows`, `repeats` and `resolution`."""
    table = posterior.posterior(mean, variance, group, prior_mean, prior_var)
    s = dict(zip(posterior.NAMES, table, strict=False))
    tau = math.nan
    if variance is None:
        tau = relative(s["variance"]) if resolution is None else resolution
    enough, certified = table[posterior.ROWS] >= 32, np.zeros(len(mean), bool)
    with np.errstate(all="ignore"):
        if variance is not None:
            certified = enough & (s["information_upper"] + 1.96 * s["information_upper_se"] <= 0.01)
        upper = np.log1p(s["variance"] / tau**2) / 2.0 if variance is None else s["information_upper"]
        order = np.argsort(-upper, kind="stable")
        order = order[upper[order] >= 0.3]
    repeats = occurrences(mean, variance, order, posterior.ACTIVE * s["variance"], tau, group)
    information, error = np.full((2, len(mean)), np.nan)
    which = np.flatnonzero(enough & ~certified)
    if which.size:
        rows = Rows(mean, variance, group, table)
        information[which], error[which] = mixture.information_of_rows(rows, which, tau=tau, distinct=1.0 / repeats)
    if repeats > 1.0:
        s |= {name: s[name] * math.sqrt(repeats) for name in ERRORS}
        s["finite"] = np.ceil(s["finite"] / repeats)
    depth, width, kind, kind_width = np.full((4, len(mean)), np.nan)
    if variance is not None:
        upper = np.maximum(s["information_upper"], 0.0)
        information = np.where(certified, upper, np.minimum(information, upper))
        error = np.where(certified, s["information_upper_se"], error)
        depth, width = np.where(s["finite"] > 0, 1.0, np.nan), np.where(s["finite"] > 1, 0.0, np.nan)
        wide = (s["share_passive"] >= 0.05) | (s["variance_gap"] >= 0.015)
        two = np.flatnonzero((s["share_active"] >= 0.05) & wide)
        if two.size:
            total = s["variance"] + s["posterior_variance"]
            ids = np.empty(0, np.int32) if group is None else group
            depth[two], width[two], kind[two], kind_width[two] = valley(mean, variance, total, ids, 0.05, two, repeats)
            width[two] *= math.sqrt(repeats)
            kind_width[two] *= math.sqrt(repeats)
    s |= {"information": information, "information_se": error, "valley": depth, "valley_se": width}
    s |= {"upper_kind": kind, "upper_kind_se": kind_width}
    return s | {"rows": table[posterior.ROWS], "repeats": repeats, "resolution": tau}
