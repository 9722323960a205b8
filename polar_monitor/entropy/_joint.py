"""Entropy of several dimensions together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays.columns import columns
from ..arrays.rows import as_rows
from ..errors import PolarMonitorError
from ..kernels.joint import joint as kernels
from ._estimate import JointEstimate
from ._found import group_ids

MOST_ROWS = 2**15
"""Most rows that neighbours are looked for among: the time grows with their square from six dimensions on."""


def joint(x: Any, *, groups: Any = None, dependent: bool = True) -> JointEstimate:
    """Joint differential entropy of x (n, d): marginals plus copula, in the coordinates that leave least dependence.

    Right where scales differ by orders of magnitude, as in a polarised code, which nearest neighbours in the raw space
    are not. A row with anything not finite is left out as a whole, and so is one that was there before. Dimensions that
    are functions of others are named and left out. Rows on other surfaces have no density either; `thin` says so where
    two or three dimensions make one, which larger surfaces do not show: there the value says nothing. Clusters of rows
    that follow each other widen the error as far as they are alike, unless `dependent` is False; so do `groups` (n,).
    How, and from which sources: `polar_monitor.kernels.joint.joint`. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> x = np.random.default_rng(0).normal(size=(5000, 3)) * [1.0, 0.01, 100.0]
        >>> round(float(entropy.joint(x)), 1)
        4.2
    """
    rows = as_rows("x", x, MOST_ROWS)
    if rows.flat:
        raise PolarMonitorError("x: expected shape (n, d), got (n,): for one dimension, see entropy.knn")
    n, d = rows.values.shape
    fine = np.asarray(np.isfinite(rows.values).all(axis=1))
    ids = None if groups is None else group_ids(groups, rows)[fine]
    order = slice(None) if ids is None else np.argsort(ids, kind="stable")
    together = np.empty((d, int(fine.sum())), np.float32)
    mantissa, log_scales = 23, np.empty(d)
    for part in columns(rows, np.broadcast_to(fine[:, None], (n, d))):
        together[part.which] = part.rows
        mantissa, log_scales[part.which] = min(mantissa, part.mantissa), part.log_scale
    found = kernels.joint(
        np.ascontiguousarray(together[:, order]), None if ids is None else ids[order], mantissa, dependent
    )
    log_scale = float(np.delete(log_scales, found.functions).sum())
    return JointEstimate(
        value=found.value + log_scale,
        standard_error=found.error,
        rows=found.rows,
        non_finite=n - together.shape[1],
        ties=found.ties,
        atoms=found.atoms,
        floor=found.floor,
        outliers=0,
        coarse=False,
        thinned=rows.given - n,
        lower=found.lower + log_scale,
        upper=found.upper + log_scale,
        bound=found.bound + log_scale,
        coordinates=found.coordinates,
        blocks=found.blocks,
        beyond_pairs=found.beyond_pairs,
        functions=found.functions,
        thin=found.thin,
    )
